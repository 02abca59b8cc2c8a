"""Was what we said heard, and are the words we keep those that were said? Per call.

The emulator says what it heard from us, and what it told us in words; the realtime
service says what it answered. Against that stand our recording of our own side, read
from storage, and the rows of transcripts.
"""

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import SequenceMatcher
from typing import Any

import soundfile
from django.conf import settings

from calls.audio.ledger import Ledger
from calls.audio.pcm import SLOTS_PER_SECOND
from calls.models import Call, Recording, Track, TranscriptSegment
from calls.storage import recording_open
from demo.loopback import HttpError, bytes_of, json_of
from streaming.protocol import US

# Where we fall silent, so many frames are on their way to be heard, or are not: what is
# sent ahead of hearing.
SLACK_FRAMES = 10
FRAME_MS = 1000 // SLOTS_PER_SECOND
# So soon 95 of 100 frames of an echo are to be heard on a machine that keeps up.
ECHO_BAR_MS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What was expected beside recordings: that we were heard, that words came."""

    speaks: bool = False
    transcribed: bool = False
    realtime: bool = False


@dataclass(frozen=True, slots=True)
class Findings:
    """In words: what is so, and what is not as it should be."""

    notes: Sequence[str] = ()
    problems: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoRoundTrip:
    """Milliseconds from sending a frame until its echo begins to be heard, per frame.

    As the emulator measured it, at its own end: the way to us, our answer, the way back
    and the wait for the slot of 20 ms in which it is played, with all that is queued
    before it. The 20 ms in which the frame was captured come on top.
    """

    p50: int
    p95: int
    worst: int
    frames: int

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> "EchoRoundTrip | None":
        """Return what the emulator reports of a call; None: no echo was measured."""
        found = (report.get("outbound") or {}).get("echo_round_trip_ms")
        if not found or not found["frames"]:
            return None
        return cls(**{each.name: found[each.name] for each in fields(cls)})

    @property
    def is_slow(self) -> bool:
        """Say whether people hear it as an echo that drags."""
        return self.p95 > ECHO_BAR_MS


def conversation_check(
    expected: Conversation, call: Call, report: Mapping[str, Any]
) -> Findings:
    """Return what became of both sides of a call's conversation."""
    checks = []
    if expected.realtime and not _has_said(call) and is_own_audio():
        # Who never pauses leaves no room to speak in.
        return Findings(["The caller never let the service speak."])
    if expected.speaks:
        checks.append(_spoken(call, report))
    if expected.transcribed:
        checks.append(_transcribed(call, report))
    if expected.realtime:
        checks.append(_realtime(call))
    notes = [note for check in checks for note in check.notes]
    return Findings(notes, [fault for check in checks for fault in check.problems])


def is_own_audio() -> bool:
    """Say whether somebody's own files are spoken, of whatever is in them."""
    return "ACSEMU_AUDIO" in os.environ


def _has_said(call: Call) -> bool:
    return call.tracks.filter(participant__raw_id=US).exists()


# --- what we said -----------------------------------------------------------------


def _spoken(call: Call, report: Mapping[str, Any]) -> Findings:
    outbound = report.get("outbound") or {}
    faults = [f"the emulator objects to {kind}" for kind in report.get("lint", {})]
    utterances = outbound.get("utterances") or []
    if not utterances:
        return Findings(problems=[*faults, "nothing that we said was heard"])
    recording = Recording.objects.filter(
        track__call=call, track__participant__raw_id=US
    ).first()
    if recording is None or recording.track is None:
        return Findings(problems=[*faults, "there is no recording of what we said"])
    url = f"{settings.ACS_ENDPOINT}/emulator/calls/{report['id']}/heard.wav"
    theirs = heard_pcm(bytes_of(url), utterances)
    ours = spoken_pcm(recording, recording.track)
    size = recording.sample_rate // SLOTS_PER_SECOND
    same = common_frames(theirs, ours, size)
    # At the end of the call, and wherever we fell silent at once.
    slack = SLACK_FRAMES * (1 + outbound.get("stops", 0))
    heard, kept = (sum(-(-len(one) // size) for one in side) for side in (theirs, ours))
    if max(heard, kept) - same > slack:
        faults.append(
            f"of {heard} frames that were heard of us, {same} are among the {kept} of"
            " our recording"
        )
        return Findings(problems=faults)
    notes = [
        f"We were heard for {heard * FRAME_MS / 1000:.1f} s: {same} of {heard} frames"
        " are in our recording."
    ]
    if broken := outbound.get("underruns"):
        # A busy machine, or pauses of those whose echo it is. Both sides know of it.
        notes.append(f"What we said broke off for a moment, {broken} times.")
    return Findings(notes, faults)


def common_frames(theirs: Sequence[Any], ours: Sequence[Any], size: int) -> int:
    """Return how many frames of `size` samples both have, in the same order."""
    sides = [
        [
            # The last frame of an utterance is sent with silence behind it.
            stretch[start : start + size].tobytes().ljust(2 * size, b"\0")
            for stretch in side
            for start in range(0, len(stretch), size)
        ]
        for side in (theirs, ours)
    ]
    matcher = SequenceMatcher(a=sides[0], b=sides[1], autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks())


def heard_pcm(wav: bytes, utterances: Sequence[Mapping[str, int]]) -> list[Any]:
    """Return the stretches that the emulator heard."""
    samples, rate = soundfile.read(io.BytesIO(wav), dtype="int16")
    first = utterances[0]["at_ms"]
    return [
        samples[(one["at_ms"] - first) * rate // 1000 :][: one["ms"] * rate // 1000]
        for one in utterances
    ]


def spoken_pcm(recording: Recording, track: Track) -> list[Any]:
    """Return the stretches of a recording in which somebody said something."""
    with recording_open(recording.audio) as stored:
        samples, _ = soundfile.read(stored, dtype="int16")
    runs = Ledger.from_json(track.ledger).runs
    said: list[list[int]] = []
    for run in runs:
        if run.state.is_missing:
            continue
        # Silence and sound of one stretch are runs of their own.
        if said and said[-1][1] == run.start:
            said[-1][1] = run.end
        else:
            said.append([run.start, run.end])
    return [samples[start:end] for start, end in said]


# --- what was said in words -------------------------------------------------------


def _transcribed(call: Call, report: Mapping[str, Any]) -> Findings:
    told = report.get("transcription") or {}
    sent = sorted((each["raw_id"], each["text"]) for each in told.get("pieces", ()))
    kept = sorted(_segments(call, TranscriptSegment.Source.ACS))
    if not told.get("sockets"):
        return Findings(problems=["the call was not transcribed"])
    if not sent and not kept:
        # Of audio of one's own nobody knows the words.
        return Findings(["Nothing was said of which the emulator has the text."])
    if sent != kept:
        return Findings(
            problems=[f"of {len(sent)} pieces of text {len(kept)} are kept, or differ"]
        )
    words = sum(len(text.split()) for _, text in kept)
    return Findings([f"{len(kept)} pieces of text, {words} words: all are kept."])


def _segments(call: Call, source: str) -> list[tuple[str, str]]:
    rows = TranscriptSegment.objects.filter(call=call, source=source)
    return list(rows.order_by("start_us").values_list("raw_id", "text"))


def _realtime(call: Call) -> Findings:
    url = settings.REALTIME_URL.removesuffix("/v1")
    try:
        sessions = json_of(f"{url}/emulator/realtime")["sessions"]
    except HttpError as exc:
        return Findings(problems=[f"the realtime service does not answer: {exc}"])
    segments = _segments(call, TranscriptSegment.Source.REALTIME)
    ours = [text for raw_id, text in segments if raw_id == US]
    theirs = [text for raw_id, text in segments if raw_id != US]
    if not sessions:
        return Findings(problems=["the service heard nothing of the call"])
    if not ours:
        return Findings(problems=["the service's answers are not in the transcript"])
    # Of what the caller interrupted, only what was heard is kept.
    said = [
        item["said"]
        for session in sessions
        for item in session["items"]
        if item["role"] == "assistant"
    ]
    invented = [text for text in ours if not any(text in whole for whole in said)]
    if invented:
        return Findings(
            problems=[f"{len(invented)} texts are kept that the service never said"]
        )
    return Findings(
        [f"Of the service {len(ours)} texts are kept, of the caller {len(theirs)}."]
    )
