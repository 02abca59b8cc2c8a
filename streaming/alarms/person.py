"""What one participant's last seconds were like: voice, gaps, levels."""

import math
from collections import deque
from typing import TYPE_CHECKING, Final

from calls.audio.ledger import State
from calls.audio.levels import Level
from calls.audio.pcm import samples_to_us, slot_samples

if TYPE_CHECKING:
    from streaming.call_audio import HeardTrack

# A minute, at one look a second.
MINUTE: Final = 60
# Seconds of speech over which levels are judged: pauses count nothing.
SPEECH: Final = 10
# A second in which less than 100 ms were spoken is a click or a cough.
LEAST_PACKETS: Final = 5
# Packets that are not flagged silent and are quieter than this are silence all the
# same: line noise is, speech is not.
SILENT_DBFS: Final = -60.0
# A track of which nothing came for so long has nothing to be judged by.
FLOW_SECONDS: Final = 3.0


class Person:
    """One participant of a live call. `look` once a second."""

    __slots__ = (
        "_clipped",
        "_gaps",
        "_packets",
        "_quiet_at",
        "_silent",
        "_squares",
        "end_us",
        "heard_us",
        "is_flowing",
        "is_heard",
        "joined_us",
        "listened",
        "silent_for",
        "spoken",
        "was_heard",
    )

    def __init__(self, track: "HeardTrack", now: float, *, is_known: bool) -> None:
        """Watch a track from now on; `is_known`: rows tell of what came before."""
        audio = track.audio
        talked = audio.ledger.total(State.RECEIVED) if is_known else 0
        self.was_heard = talked >= audio.rate
        self.is_heard = self.is_flowing = False
        # Seconds without a voice, and in how many of those others were heard.
        self.silent_for = self.listened = 0.0
        self.joined_us = track.audio.timeline.origin or 0
        self.end_us = _end_us(track)
        self.heard_us = self.end_us if is_known else self.joined_us
        self._packets = audio.packets if is_known else 0
        self._silent = audio.silent_packets if is_known else 0
        self._quiet_at = now
        # Samples missing so far, as they were in each second of the last minute.
        gaps = audio.ledger.total(State.GAP) if is_known else 0
        self._gaps: deque[int] = deque([gaps], MINUTE + 1)
        # Of the last seconds of speech: packets, mean square, samples at the limit.
        self.spoken: deque[int] = deque(maxlen=SPEECH)
        self._squares: deque[float] = deque(maxlen=SPEECH)
        self._clipped: deque[int] = deque(maxlen=SPEECH)

    def look(self, track: "HeardTrack", now: float, passed: float) -> int:
        """Take the last second, `passed` s long; return how many packets came."""
        audio = track.audio
        packets = audio.packets - self._packets
        spoken = packets - (audio.silent_packets - self._silent)
        self._packets, self._silent = audio.packets, audio.silent_packets
        if packets:
            self._quiet_at = now
        self.is_flowing = now - self._quiet_at < FLOW_SECONDS
        self.end_us = _end_us(track)
        level = track.level
        self.is_heard = (
            spoken >= LEAST_PACKETS
            and level is not None
            and level.rms_dbfs > SILENT_DBFS
        )
        if self.is_heard and level is not None:
            self._speak(spoken, level)
            self.was_heard = True
            self.silent_for = self.listened = 0.0
            self.heard_us = self.end_us
        elif packets:
            self.silent_for += passed
        self._gaps.append(audio.ledger.total(State.GAP))
        return packets

    def _speak(self, packets: int, level: Level) -> None:
        self.spoken.append(packets)
        self._squares.append(packets * 10 ** (level.rms_dbfs / 10))
        self._clipped.append(level.clipped)

    @property
    def has_spoken_enough(self) -> bool:
        """Say whether there is speech enough to judge its level by: three seconds."""
        return sum(self.spoken) >= 3 * 50

    @property
    def speech_dbfs(self) -> float:
        """Return the level of the last seconds of speech, pauses left out."""
        return 10 * math.log10(sum(self._squares) / sum(self.spoken))

    def clipped_percent(self, rate: int) -> float:
        """Return how many samples of the last seconds of speech are at the limit."""
        samples = sum(self.spoken) * slot_samples(rate)
        return 100 * sum(self._clipped) / samples

    def missing(self) -> int:
        """Return how many samples of the last minute are missing."""
        # Late packets fill gaps that were counted before.
        return max(self._gaps[-1] - self._gaps[0], 0)


def _end_us(track: "HeardTrack") -> int:
    """Return until when audio is placed, by capture time."""
    timeline = track.audio.timeline
    return (timeline.origin or 0) + samples_to_us(timeline.end, timeline.rate)


def gap_us(track: "HeardTrack") -> int | None:
    """Return when the longest gap of the last minute began, by capture time."""
    ledger, timeline = track.audio.ledger, track.audio.timeline
    since = ledger.samples - MINUTE * ledger.rate
    gaps = [
        run
        for run in ledger.runs_in(max(since, 0), ledger.samples)
        if run.state is State.GAP
    ]
    if not gaps:
        return None
    longest = max(gaps, key=lambda run: run.samples)
    return (timeline.origin or 0) + samples_to_us(longest.start, ledger.rate)
