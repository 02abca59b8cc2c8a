"""The side-car of a call: one JSON document that says what its audio files are.

See docs/side-car.md for what is in it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypedDict

from calls.audio.ledger import State
from calls.downloads.naming import file_names
from calls.history.entries import utc
from calls.history.export import CallJson, call_json
from calls.instants import instant
from calls.markers import Marker, markers_of
from calls.models import Call, Participant, Recording, Track
from calls.software import SOFTWARE

SCHEMA = 1
FIGURES = (
    "packets",
    "silent_packets",
    "gap_count",
    "late",
    "duplicates",
    "discarded",
    "completeness",
    "rms_dbfs",
    "peak_dbfs",
    "clipped_samples",
)


class ClockJson(TypedDict):
    """The call's clock: every moment in the document is in seconds after `origin`."""

    origin: str | None
    origin_us: int | None


class PersonJson(TypedDict):
    """Somebody who took part."""

    raw_id: str
    display_name: str
    joined_at: str | None
    left_at: str | None


class LedgerJson(TypedDict):
    """What every sample of a track was: [letter, samples] one after the other."""

    rate: int
    runs: list[list[Any]]


class RecordingJson(TypedDict):
    """One audio file. `raw_id` is None for the mix. `offset` in seconds."""

    file: str
    recording: str
    raw_id: str | None
    sample_rate: int
    samples: int
    seconds: float
    origin_us: int
    offset: float
    audio_bytes: int
    audio_sha256: str
    pcm_sha256: str
    verified_at: str | None
    figures: dict[str, float | None]
    ledger: LedgerJson | None


class SideCarJson(TypedDict):
    """Everything about a call's audio that is not audio."""

    schema: int
    software: str
    exported_at: str
    call: CallJson
    clock: ClockJson
    completeness: float | None
    overtalk_ms: int | None
    participants: list[PersonJson]
    recordings: list[RecordingJson]
    ledger_letters: dict[str, str]
    markers: list[Marker]


def sidecar_of(
    call: Call,
    recordings: Sequence[Recording],
    origin_us: int,
    *,
    now: datetime,
    shows_digits: bool,
) -> SideCarJson:
    """Return the side-car of `recordings` of a call.

    `shows_digits`: the reader may know which keys were pressed.
    """
    known = origin_us if recordings or call.origin_us else None
    names = file_names(recordings)
    return {
        "schema": SCHEMA,
        "software": SOFTWARE,
        "exported_at": utc(now),
        "call": call_json(call),
        "clock": {
            "origin": utc(instant(known)) if known is not None else None,
            "origin_us": known,
        },
        "completeness": call.completeness,
        "overtalk_ms": call.overtalk_ms,
        "participants": [_person(one) for one in call.participants.all()],
        "recordings": [
            _recording(one, f"{names[one.pk]}.flac", origin_us) for one in recordings
        ],
        "ledger_letters": {state.value: state.name.lower() for state in State},
        "markers": markers_of(call, shows_digits=shows_digits),
    }


def _person(person: Participant) -> PersonJson:
    return {
        "raw_id": person.raw_id,
        "display_name": person.display_name,
        "joined_at": _utc(person.joined_at),
        "left_at": _utc(person.left_at),
    }


def _recording(recording: Recording, file: str, origin_us: int) -> RecordingJson:
    track = recording.track
    return {
        "file": file,
        "recording": str(recording.pk),
        "raw_id": track.participant.raw_id if track else None,
        "sample_rate": recording.sample_rate,
        "samples": recording.samples,
        "seconds": recording.seconds,
        "origin_us": recording.origin_us,
        "offset": (recording.origin_us - origin_us) / 1e6,
        "audio_bytes": recording.audio_bytes,
        "audio_sha256": recording.audio_sha256,
        "pcm_sha256": recording.pcm_sha256,
        "verified_at": _utc(recording.verified_at),
        "figures": {name: getattr(track, name) for name in FIGURES} if track else {},
        "ledger": _ledger(track) if track else None,
    }


def _ledger(track: Track) -> LedgerJson | None:
    stored = track.ledger
    if not stored or not stored.get("rate"):
        return None
    return {"rate": stored["rate"], "runs": [list(run) for run in stored["runs"]]}


def _utc(at: datetime | None) -> str | None:
    return utc(at) if at else None
