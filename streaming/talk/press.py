"""One press of the button: what a browser says becomes an utterance. No I/O, no clock.

A browser sends each 20 ms as one binary message, a header and the samples:

    version (1), 0, press (16 bits), number (32 bits), little-endian; 16-bit mono PCM

Numbers go up; what comes late or twice is dropped. So is what comes faster than it can
have been said: a page that sends an hour at once would be heard for an hour.
"""

import struct
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid4

from calls.live.speaking import Talk

HEADER: Final = struct.Struct("<BBHI")
VERSION: Final = 1
FRAMES_PER_SECOND: Final = 50
# How much faster than real time audio may come: clocks of sound cards differ.
FASTEST: Final = 1.2
# What was said while the server was asked comes all at once.
BURST_SECONDS: Final = 2.0


class FrameError(Exception):
    """A binary message is none of ours."""


@dataclass(slots=True)
class Pace:
    """How many bytes may come, by a clock in seconds."""

    rate: int
    at: float
    _left: float = field(init=False)

    def __post_init__(self) -> None:
        self._left = self._most

    @property
    def _most(self) -> float:
        return BURST_SECONDS * self.rate * 2

    def allows(self, size: int, now: float) -> bool:
        """Say whether so many bytes may come now, and count them if they may."""
        grown = (now - self.at) * self.rate * 2 * FASTEST
        self._left = min(self._most, self._left + grown)
        self.at = now
        if size > self._left:
            return False
        self._left -= size
        return True


@dataclass(slots=True, kw_only=True)
class Press:
    """What somebody says while a button is held. Times are seconds of one clock."""

    call_id: UUID
    user: str
    # The browser's own count of its presses.
    number: int
    rate: int
    began: float
    interrupts: bool = False
    utterance: UUID = field(default_factory=uuid4)
    heard_at: float = field(init=False)
    frames: int = 0
    dropped: int = 0
    _last: int = -1
    _said: int = 0
    _pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        self.heard_at = self.began
        self._pace = Pace(self.rate, self.began)

    @property
    def seconds(self) -> float:
        """Return how much was said."""
        return self.frames / FRAMES_PER_SECOND

    def take(self, message: bytes, now: float) -> Talk | None:
        """Return what is to be heard of a message, if anything. Raises `FrameError`."""
        press, number, pcm = frame_read(message, self.rate)
        if press != self.number or number <= self._last:
            return None
        self.heard_at, self._last = now, number
        if not self._pace.allows(len(pcm), now):
            self.dropped += 1
            return None
        self.frames += 1
        return self._talk(pcm)

    def opening(self) -> Talk:
        """Return what takes a place among all that waits to be heard."""
        return self._talk(b"")

    def last(self) -> Talk:
        """Return what ends the utterance."""
        return self._talk(b"", is_last=True)

    def _talk(self, pcm: bytes, *, is_last: bool = False) -> Talk:
        self._said += 1
        return Talk(
            call=str(self.call_id),
            utterance=str(self.utterance),
            name=self.user,
            number=self._said - 1,
            rate=self.rate,
            pcm=pcm,
            is_last=is_last,
        )


def frame_read(message: bytes, rate: int) -> tuple[int, int, bytes]:
    """Return press, number and samples of a message. Raises `FrameError`."""
    if len(message) != HEADER.size + rate // FRAMES_PER_SECOND * 2:
        raise FrameError
    version, _, press, number = HEADER.unpack_from(message)
    if version != VERSION:
        raise FrameError
    return press, number, message[HEADER.size :]
