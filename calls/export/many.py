"""The zip of many calls: a folder for each, with audio, words and what is known."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Prefetch
from django.utils import timezone

from calls.downloads.encoding import wav_size
from calls.downloads.naming import role
from calls.downloads.stereo import STEREO, Stereo, stereo_of
from calls.export.audio import flac_blocks, stereo_blocks, wav_blocks
from calls.export.zipped import ZipEntry, zip_blocks
from calls.models import Call, Recording, RecordingState
from calls.selectors import player_origin_us
from calls.transcripts.files import FORMS
from calls.transcripts.reading import transcript_of

MANIFEST = "manifest.json"
FACTS = "call.json"
ERROR = "ERROR.txt"


class Form(StrEnum):
    """As what audio is kept."""

    FLAC = "flac"
    WAV = "wav"


class Choice(StrEnum):
    """Which audio of a call."""

    TRACKS = "tracks"
    MIX = "mix"
    BOTH = "both"
    STEREO = "stereo"


@dataclass(slots=True)
class Export:
    """One zip: what is in it, in what form, and what could not be read."""

    calls: Sequence[Call]
    choice: Choice
    form: Form
    at: datetime
    by: str
    # Whether the reader may read what was said, too.
    has_transcripts: bool = False
    # The reader's: while the zip is sent the request, and its zone, are gone.
    zone: tzinfo = field(default_factory=timezone.get_current_timezone)
    told: list[dict[str, Any]] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)

    def blocks(self) -> Iterator[bytes]:
        """Yield the zip. But for transcripts, all that it asks was asked before."""
        return zip_blocks(self.entries(), self._failed)

    def _failed(self, entry: ZipEntry, exc: Exception) -> None:
        self.problems[entry.name] = str(exc) or type(exc).__name__

    def entries(self) -> Iterator[ZipEntry]:
        """Yield the files, call by call, and last what they are."""
        for call in self.calls:
            yield from self._call_entries(call)
        yield self._json(MANIFEST, self._manifest())

    def _call_entries(self, call: Call) -> Iterator[ZipEntry]:
        folder = folder_of(call, self.zone)
        at = timezone.localtime(call.rang_at, self.zone)
        names = []
        for name, blocks, size in files_of(call, self.choice, self.form):
            full = f"{folder}/{name}"
            names.append(full)
            yield ZipEntry(full, blocks, at, size=size)
        has_audio = bool(names)
        for name, blocks in self._transcript(call):
            names.append(f"{folder}/{name}")
            yield ZipEntry(names[-1], blocks, at, is_text=True)
        failed = {name: self.problems[name] for name in names if name in self.problems}
        facts = export_facts(call)
        if not has_audio:
            failed[folder] = "there is no verified recording of this kind"
        yield self._json(f"{folder}/{FACTS}", facts)
        if failed:
            lines = [f"{name}: {why}" for name, why in failed.items()]
            text = "Not in this archive, or not all of it:\n" + "\n".join(lines) + "\n"
            yield ZipEntry(f"{folder}/{ERROR}", [text.encode()], at, is_text=True)
        self.told.append(
            {
                "call": str(call.pk),
                "folder": folder,
                "files": [name for name in names if name not in failed],
                "problems": failed,
            }
        )

    def says(self, call: Any) -> bool:
        """Say whether what was said in a call is in the zip, in words."""
        return self.has_transcripts and bool(call.has_transcript)

    def _transcript(self, call: Any) -> Iterator[tuple[str, Iterator[bytes]]]:
        if self.says(call):
            for form in FORMS:
                yield f"transcript.{form}", _transcript_blocks(call, form)

    def _manifest(self) -> dict[str, Any]:
        return {
            "format": 1,
            "made_at": self.at.isoformat(timespec="seconds"),
            "made_by": self.by,
            "audio": self.choice.value,
            "as": "wav" if self.choice is Choice.STEREO else self.form.value,
            "calls": self.told,
            "problems": sum(len(one["problems"]) for one in self.told),
        }

    def _json(self, name: str, body: dict[str, Any]) -> ZipEntry:
        text = json.dumps(body, indent=1, ensure_ascii=False).encode() + b"\n"
        return ZipEntry(
            name, [text], timezone.localtime(self.at, self.zone), is_text=True
        )


def _transcript_blocks(call: Call, form: str) -> Iterator[bytes]:
    """Yield a transcript as a file, read when its turn comes: many are long.

    By then its request is over, perhaps in a thread of its own: a connection that is
    opened for it is closed.
    """
    is_ours = connection.connection is None
    try:
        _kind, made = FORMS[form]
        yield made(transcript_of(call)).encode()
    finally:
        if is_ours:
            connection.close()


def calls_for_export(keys: Sequence[UUID]) -> list[Call]:
    """Return calls with their recordings, oldest first, by three queries."""
    recordings = Recording.objects.filter(state=RecordingState.VERIFIED)
    recordings = recordings.select_related("track__participant").defer("track__ledger")
    calls = Call.objects.filter(pk__in=keys).order_by("rang_at", "pk")
    calls = calls.defer("incoming_call_context", "search_text")
    return list(
        calls.prefetch_related(
            Prefetch("recordings", recordings, to_attr="to_export"),
            "tags",
        )
    )


def folder_of(call: Call, zone: tzinfo | None = None) -> str:
    """Return a call's folder: it sorts by time and holds no number, for it travels."""
    return f"{timezone.localtime(call.rang_at, zone):%Y%m%d-%H%M%S}_{str(call.pk)[:8]}"


def recordings_of(call: Any) -> list[Recording]:
    """Return the recordings that `calls_for_export` found, each knowing its call."""
    found: list[Recording] = call.to_export
    for recording in found:
        recording.call = call
    return sorted(found, key=lambda one: (one.track_id is None, role(one)))


def files_of(
    call: Call, choice: Choice, form: Form
) -> Iterator[tuple[str, Iterator[bytes], int]]:
    """Yield name, blocks and size of each audio file of a call."""
    recordings = recordings_of(call)
    tracks = [one for one in recordings if one.track_id is not None]
    mixes = [one for one in recordings if one.track_id is None]
    if choice is Choice.STEREO:
        # With more than two it would not be known who is where: then the mix it is.
        if len(tracks) == 2:
            stereo = _stereo(call, tracks, player_origin_us(call, recordings))
            size = wav_size(stereo.samples, STEREO)
            yield "stereo.wav", stereo_blocks(stereo), size
            return
        choice, form = Choice.MIX, Form.WAV
    chosen = {
        Choice.TRACKS: tracks,
        # One voice alone has no mix: it is its own.
        Choice.MIX: mixes or tracks[:1],
        Choice.BOTH: recordings,
    }[choice]
    for name, recording in _named(chosen):
        if form is Form.WAV:
            size = wav_size(recording.samples)
            yield f"{name}.wav", wav_blocks(recording), size
        else:
            yield f"{name}.flac", flac_blocks(recording), recording.audio_bytes


def _stereo(call: Call, tracks: Sequence[Recording], origin_us: int) -> Stereo:
    """Return two recordings of a call as one: the caller left, if she is one."""
    left, right = sorted(tracks, key=lambda one: role(one) != "caller")
    return stereo_of(call, tracks, origin_us, str(left.pk), str(right.pk))


def _named(recordings: Sequence[Recording]) -> Iterator[tuple[str, Recording]]:
    """Yield names that differ: of one party there may be tracks of two rates."""
    taken: set[str] = set()
    for recording in recordings:
        name = role(recording)
        if name in taken:
            name = f"{name}-{recording.sample_rate // 1000}k"
        if name in taken:
            name = f"{name}-{str(recording.pk)[:8]}"
        taken.add(name)
        yield name, recording


def export_facts(call: Any) -> dict[str, Any]:
    """Return what is known of a call and its recordings: the JSON beside the audio."""

    def moment(at: datetime | None) -> str | None:
        return at.isoformat(timespec="milliseconds") if at else None

    return {
        "id": str(call.pk),
        "connection_id": call.connection_id,
        "correlation_id": call.correlation_id,
        "direction": call.direction,
        "from": call.from_raw_id,
        "from_name": call.caller_name,
        "to": call.to_raw_id,
        "rang_at": moment(call.rang_at),
        "connected_at": moment(call.connected_at),
        "ended_at": moment(call.ended_at),
        "duration_ms": call.duration_ms,
        "completeness": call.completeness,
        "silence_ratio": call.silence_ratio,
        "rating": call.rating,
        "tags": sorted(tag.name for tag in call.tags.all()),
        "recordings": [_recording_facts(one) for one in recordings_of(call)],
    }


def _recording_facts(recording: Recording) -> dict[str, Any]:
    who = recording.track.participant if recording.track else None
    return {
        "id": str(recording.pk),
        "role": role(recording),
        "raw_id": who.raw_id if who else None,
        "name": who.display_name if who else None,
        "sample_rate": recording.sample_rate,
        "samples": recording.samples,
        "origin_us": recording.origin_us,
        "flac_bytes": recording.audio_bytes,
        "flac_sha256": recording.audio_sha256,
        "pcm_sha256": recording.pcm_sha256,
    }
