"""Was what we said heard, and are the words we keep those that were said? Per call.

The emulator says what it heard from us, and what it told us in words; the realtime
service says what it answered. Against that stand our recording of our own side, read
from storage, and the rows of transcripts.
"""

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile
from django.conf import settings

from calls.audio.ledger import Ledger
from calls.audio.pcm import SLOTS_PER_SECOND
from calls.models import Call, Recording, Track, TranscriptSegment
from calls.storage import recording_open
from demo.loopback import HttpError, bytes_of, json_of
from streaming.protocol import US

# When a call ends, so much of what was sent is on its way to be heard, or is not.
SLACK_FRAMES = 3
FRAME_MS = 1000 // SLOTS_PER_SECOND


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
    slack = SLACK_FRAMES * recording.sample_rate // SLOTS_PER_SECOND
    both = min(len(theirs), len(ours))
    if abs(len(theirs) - len(ours)) > slack or not np.array_equal(
        theirs[:both], ours[:both]
    ):
        faults.append("the recording of what we said is not what was heard")
        return Findings(problems=faults)
    seconds = len(theirs) / recording.sample_rate
    notes = [f"We were heard for {seconds:.1f} s: our recording of it is equal."]
    if broken := outbound.get("underruns"):
        # A busy machine, or pauses of those whose echo it is. Both sides know of it.
        notes.append(f"What we said broke off for a moment, {broken} times.")
    return Findings(notes, faults)


def heard_pcm(wav: bytes, utterances: Sequence[Mapping[str, int]]) -> Any:
    """Return the samples that the emulator heard, pauses left out."""
    samples, rate = soundfile.read(io.BytesIO(wav), dtype="int16")
    first = utterances[0]["at_ms"]
    pieces = [
        samples[(one["at_ms"] - first) * rate // 1000 :][: one["ms"] * rate // 1000]
        for one in utterances
    ]
    return np.concatenate(pieces)


def spoken_pcm(recording: Recording, track: Track) -> Any:
    """Return the samples of a recording, without what nobody said."""
    with recording_open(recording.audio) as stored:
        samples, _ = soundfile.read(stored, dtype="int16")
    runs = Ledger.from_json(track.ledger).runs
    pieces = [samples[run.start : run.end] for run in runs if not run.state.is_missing]
    return np.concatenate(pieces) if pieces else samples[:0]


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
        item["text"]
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
