"""From our mouth to the ear of the call: how long that takes.

All play-out is counted by one clock: that at which we would hear it, had the caller
said it himself. So a moment has the same name, whoever speaks in it.
"""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from streaming.call_audio import CallAudio


class Passage(Protocol):
    """The way of what is sent. Times are µs by the monotonic clock."""

    def reaches(self, sent_us: int) -> int:
        """Return when what is sent at a moment is with ACS."""

    def begins(self, there_us: int) -> int:
        """Return when what is there at a moment is heard, if nothing is before it.

        Later than `there_us`, or equal if ACS plays whatever comes at once.
        """


class Instant:
    """No way at all: what is sent is heard."""

    def reaches(self, sent_us: int) -> int:
        """Return the same moment."""
        return sent_us

    def begins(self, there_us: int) -> int:
        """Return the same moment."""
        return there_us


class ThroughCall:
    """The way over a call's socket, as far as its capture clock knows it."""

    def __init__(self, call: "CallAudio") -> None:
        self._call = call

    def reaches(self, sent_us: int) -> int:
        """Return when it is with ACS, taking the least round trip for the way there."""
        return sent_us + self._call.clock.round_trip_us

    def begins(self, there_us: int) -> int:
        """Return the beginning of ACS's next frame."""
        captured = self._call.clock.at(self._call.at_us(there_us))
        return there_us + self._call.clock.next_frame(captured) - captured
