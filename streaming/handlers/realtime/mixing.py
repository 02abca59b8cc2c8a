"""Who is relayed, mixed down to one stream, and when what of it was said."""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from calls.audio.pcm import SLOT_US, Samples, decode, encode, mix
from streaming.handlers.interface import HeardAudio

# A packet this near to where its speaker's next one belongs is contiguous.
TOLERANCE_US: Final = 60_000
# How many slots a participant who is late is waited for.
PATIENCE: Final = 2
# Who was not heard for so many slots is not waited for.
PRESENT: Final = 10
# The longest silence that is relayed where nothing was heard: turn detection needs a
# pause to hear that somebody ended, and nobody needs more than that.
MAX_GAP: Final = 50
# Slots: what is later than that is not late, the clock was set.
MAX_BACK: Final = 250


@dataclass(frozen=True, slots=True)
class Slot:
    """20 ms of everybody who is relayed."""

    pcm: bytes
    stamp_us: int


class Mixer:
    """Sums the participants slot by slot, in order, at most 40 ms late.

    One participant alone is not held back at all.
    """

    def __init__(self, frame_bytes: int, relays: Callable[[str], bool]) -> None:
        self._frame_bytes = frame_bytes
        self._relays = relays
        self._base_us = 0
        self._is_begun = False
        self._next = 0
        # What was heard in slots to come, by participant.
        self._slots: dict[int, dict[str, Samples]] = {}
        self._expected: dict[str, int] = {}
        # The last slot of each participant, also where it came too late.
        self._last: dict[str, int] = {}
        self.late = 0

    def hear(self, audio: HeardAudio) -> Iterator[Slot]:
        """Take a packet; yield the slots that are complete with it."""
        if not self._relays(audio.raw_id) or len(audio.pcm) != self._frame_bytes:
            return
        if not self._is_begun:
            self._is_begun, self._base_us = True, audio.stamp_us
        slot = self._place(audio)
        self._last[audio.raw_id] = max(slot, self._last.get(audio.raw_id, slot))
        if slot < self._next:
            self.late += 1
            return
        if slot - self._next > MAX_GAP:
            while self._slots:
                yield self._take()
            self._next = slot - MAX_GAP
        self._slots.setdefault(slot, {})[audio.raw_id] = decode(audio.pcm)
        while self._slots and self._is_complete(max(self._slots)):
            yield self._take()

    def _place(self, audio: HeardAudio) -> int:
        if audio.stamp_us - self._base_us < (self._next - MAX_BACK) * SLOT_US:
            # The clock was set back: what comes goes on where the stream is.
            self._base_us = audio.stamp_us - self._next * SLOT_US
            self._expected.clear()
            self._last.clear()
        offset_us = audio.stamp_us - self._base_us
        expected = self._expected.get(audio.raw_id)
        if expected is None or abs(offset_us - expected * SLOT_US) > TOLERANCE_US:
            expected = round(offset_us / SLOT_US)
        self._expected[audio.raw_id] = expected + 1
        return expected

    def _is_complete(self, newest: int) -> bool:
        """Say whether nobody who was heard lately has more to say in the next slot."""
        if newest - self._next >= PATIENCE:
            return True
        present = (last for last in self._last.values() if newest - last < PRESENT)
        return all(last >= self._next for last in present)

    def _take(self) -> Slot:
        parts = self._slots.pop(self._next, {})
        stamp_us = self._base_us + self._next * SLOT_US
        self._next += 1
        if not parts:
            return Slot(bytes(self._frame_bytes), stamp_us)
        return Slot(encode(mix([*parts.values()])), stamp_us)


class InputClock:
    """Which capture time a position in the audio that a session was sent has."""

    def __init__(self) -> None:
        # Position in ms of the session's audio, and capture time there.
        self._marks: deque[tuple[float, int]] = deque(maxlen=4096)
        self._sent_ms = 0.0

    @property
    def sent_ms(self) -> float:
        """Return how much audio the session was sent."""
        return self._sent_ms

    def sent(self, stamp_us: int, duration_ms: float) -> None:
        """Take note of audio that was sent."""
        if not self._marks or abs(self.at(self._sent_ms) - stamp_us) > SLOT_US:
            self._marks.append((self._sent_ms, stamp_us))
        self._sent_ms += duration_ms

    def at(self, position_ms: float) -> int:
        """Return the capture time of a position; 0 if nothing was sent."""
        if not self._marks:
            return 0
        index = bisect_right(self._marks, (position_ms, 1 << 62)) - 1
        mark_ms, stamp_us = self._marks[max(0, index)]
        return stamp_us + round((position_ms - mark_ms) * 1000)
