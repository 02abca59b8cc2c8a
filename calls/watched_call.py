"""What the page of a call shows anew each second, as its script reads it.

Times are seconds since 1970 UTC, positions seconds on the call's clock, shares 0 to 1.
None is "not known".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NotRequired, TypedDict
from uuid import UUID

from calls import formats
from calls.live.ingest import LiveHandler
from calls.live.watching import CallDetail, DetailTrack
from calls.markup import CALL_COLOURS, STREAMING_COLOURS, TONES
from calls.models import Call, Participant, Utterance
from calls.models.states import UNFINISHED_ARCHIVE
from calls.offers import paused_words
from calls.transcripts.reading import SegmentJson, said_from_us, who_said
from calls.transcripts.wire import Caption

# A page names no more of what waits to be said.
SAID_MOST = 5
# A prompt that outlives a redial is heard so much later.
UNTOLD_SECONDS = 60


class SpokenNow(TypedDict):
    """Something that we say, or that waits for its turn. `of`: how long it is."""

    name: str
    kind: str
    waits: bool
    seconds: float
    of: float | None


class CallNow(TypedDict):
    """The call itself."""

    live: bool
    state: str
    state_label: str
    state_tone: str
    streaming: str
    streaming_label: str
    streaming_tone: str
    streaming_reason: str
    desired: bool
    transcription: str
    paused: str
    archive: str
    archive_label: str
    seconds: float
    completeness: float | None
    overtalk_ms: int | None
    quiet: float | None
    speaking: Sequence[SpokenNow]
    handler: LiveHandler | None


class PersonNow(TypedDict):
    """One participant's track."""

    key: str
    raw_id: str
    name: str
    talking: bool
    muted: bool
    held: bool
    left: bool
    packets: int
    silent_packets: int
    silence_ratio: float | None
    talk_ms: int
    now_dbfs: float | None
    level_dbfs: float | None
    peak_dbfs: float | None
    clipped: int
    gap_count: int
    gap_ms: int
    late: int
    duplicates: int
    jitter_ms: float
    completeness: float | None
    # Where the track begins, and how long it is.
    offset: float
    seconds: float
    # What of the waveform is new: from which tenth of a second on, base64; 255 is not
    # known here. And the holes from the `holes_from`th on: kind, start, length.
    wave_from: NotRequired[int]
    wave: NotRequired[str]
    holes_from: NotRequired[int]
    holes: NotRequired[Sequence[tuple[str, float, float]]]


class CaptionNow(SegmentJson):
    """Something that was said; what is not final is being said, and still guessed."""

    final: bool


class WatchedCall(TypedDict):
    """One message to a page. `over`: nothing will change by itself any more."""

    at: float
    measured_at: float | None
    reason: str
    over: bool
    call: CallNow
    node: str
    clock: float | None
    listeners: Sequence[str]
    people: Sequence[PersonNow]
    # What was said anew, for those who may read transcripts.
    captions: NotRequired[Sequence[CaptionNow]]


@dataclass(frozen=True, slots=True)
class WatchedFacts:
    """What the database says of a call that is watched."""

    call: Call
    people: Mapping[str, Participant]
    paused: str
    utterances: Sequence[Utterance] = ()
    # When the oldest stored piece was said, of a call without audio so far.
    said_from_us: int = 0

    @property
    def is_over(self) -> bool:
        """Say whether the call has ended and its recordings are made, or never will."""
        is_made = self.call.archive_state not in UNFINISHED_ARCHIVE
        return not self.call.is_live and is_made


def watched_facts(call_id: UUID) -> WatchedFacts | None:
    """Return what the database says of a call; None if there is none."""
    call = Call.objects.defer("incoming_call_context").filter(pk=call_id).first()
    if call is None:
        return None
    people = {one.raw_id: one for one in call.participants.all()}
    zeros = said_from_us([call.pk]) if call.origin_us is None else {}
    return WatchedFacts(
        call, people, paused_words(call), _said_now(call), zeros.get(call.pk, 0)
    )


def _said_now(call: Call) -> Sequence[Utterance]:
    """Return what is being said into a call, and what waits, in order."""
    if not call.is_live:
        return ()
    states = (Utterance.State.PLAYING, Utterance.State.QUEUED)
    rows = call.utterances.filter(state__in=states).select_related("prompt")
    return list(rows.order_by("queued_at")[:SAID_MOST])


def _must_be_over(said: Utterance, *, now: float) -> bool:
    """Say whether a prompt cannot be heard any more, whatever its row still says.

    A process that died wrote no end of it; its journal tells later.
    """
    if said.start_us is None or said.prompt is None:
        return False
    end = said.start_us / 1e6 + said.prompt.duration_ms / 1e3
    return now - end > UNTOLD_SECONDS


def _spoken_now(said: Utterance, *, now: float) -> SpokenNow:
    waits = said.state == Utterance.State.QUEUED
    since = 0.0 if waits or said.start_us is None else now - said.start_us / 1e6
    length = said.prompt.duration_ms / 1e3 if said.prompt else None
    return {
        "name": said.name,
        "kind": said.kind,
        "waits": waits,
        "seconds": max(since if length is None else min(since, length), 0.0),
        "of": length,
    }


def call_now(
    facts: WatchedFacts, detail: CallDetail | None, *, at: float, now: datetime
) -> CallNow:
    """Return the call as it is; its figures from who receives it, else as stored.

    `at` is Redis's time, to which details are told; `now` is ours, for rows.
    """
    call, seconds = facts.call, now.timestamp()
    heard = detail["last_packet_at"] if detail else None
    return {
        "live": call.is_live,
        "state": call.state,
        "state_label": str(call.get_state_display()),
        "state_tone": TONES[CALL_COLOURS[call.state]],
        "streaming": call.streaming_state,
        "streaming_label": str(call.get_streaming_state_display()),
        "streaming_tone": TONES[STREAMING_COLOURS[call.streaming_state]],
        "streaming_reason": call.streaming_reason,
        "desired": call.desired_streaming,
        "transcription": call.transcription_state,
        "paused": facts.paused,
        "archive": call.archive_state,
        "archive_label": str(call.get_archive_state_display()),
        "seconds": call.duration(now).total_seconds(),
        "completeness": detail["completeness"] if detail else call.completeness,
        "overtalk_ms": detail["overtalk_ms"] if detail else call.overtalk_ms,
        "quiet": max(at - heard, 0.0) if heard and call.is_live else None,
        "speaking": [
            _spoken_now(one, now=seconds)
            for one in facts.utterances
            if not _must_be_over(one, now=seconds)
        ],
        "handler": detail.get("handler") if detail else None,
    }


def track_name(track: DetailTrack) -> str:
    """Return what tells a call's tracks apart: one speaker may have two rates."""
    return f"{track['live']['raw_id']}/{track['rate']}"


def person_now(track: DetailTrack, facts: WatchedFacts, *, origin_us: int) -> PersonNow:
    """Return one participant's figures; the waveform is who sends it's to add."""
    live = track["live"]
    person = facts.people.get(live["raw_id"])
    return {
        "key": track_name(track),
        "raw_id": live["raw_id"],
        "name": formats.who(person.display_name if person else "", live["raw_id"]),
        "talking": live["is_talking"],
        "muted": bool(person and person.is_muted),
        "held": bool(person and person.is_on_hold),
        "left": bool(person and person.left_at),
        "packets": live["packets"],
        "silent_packets": live["silent_packets"],
        "silence_ratio": live["silence_ratio"],
        "talk_ms": live["talk_ms"],
        "now_dbfs": live["rms_dbfs"],
        "level_dbfs": track["level_dbfs"],
        "peak_dbfs": track["highest_dbfs"],
        "clipped": track["clipped"],
        "gap_count": live["gap_count"],
        "gap_ms": live["gap_ms"],
        "late": live["late"],
        "duplicates": live["duplicates"],
        "jitter_ms": live["jitter_ms"],
        "completeness": track["completeness"],
        "offset": (track["origin_us"] - origin_us) / 1e6,
        "seconds": live["ms"] / 1e3,
    }


def caption_now(caption: Caption, facts: WatchedFacts, *, origin_us: int) -> CaptionNow:
    """Return a caption as the page's script reads it, at its place on the clock."""
    names = {raw_id: one.display_name for raw_id, one in facts.people.items()}
    # Without a zero nothing has been heard yet, and so this is the beginning.
    at_us = max(caption.start_us - origin_us, 0) if origin_us else 0
    return {
        "id": str(caption.id),
        "at": round(at_us / 1e6, 3),
        "seconds": round(caption.duration_us / 1e6, 3),
        "raw_id": caption.raw_id,
        "who": who_said(names, caption.raw_id),
        "words": [(caption.text, 0, caption.duration_us // 1000)],
        "confidence": caption.confidence,
        "sentiment": caption.sentiment,
        "language": caption.language,
        "cut": caption.is_cut,
        "final": caption.is_final,
    }
