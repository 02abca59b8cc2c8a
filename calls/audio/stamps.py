"""A track's two clocks: its sender's timestamps, and our own clock at arrival.

Packets are placed by the first. The second says what the first cannot: how late
packets come, where one without a timestamp belongs, and whether a jump in time was
one that we lived through too.
"""

from collections.abc import Iterable
from typing import Self, TypedDict

from calls.audio.pcm import samples_to_us

# By how much the pace of packets may be off in a moment when it is the evidence. Less
# than a packet: those of a burst come one packet too soon each.
_PACE_US = 15_000
# A timestamp further than this from where it should be is not a time.
_IMPLAUSIBLE_S = 6 * 3600


class StampsJson(TypedDict):
    """Both clocks as they are stored."""

    origin: int | None
    anchor: int
    first_arrival: int
    transit: int
    jitter_us: float
    bad: int


class Stamps:
    """What is known of one track's timestamps and arrivals, all in µs since 1970."""

    __slots__ = (
        "_anchor",
        "_calm_transit",
        "_first_arrival",
        "_per_us",
        "_transit",
        "bad",
        "jitter_us",
        "origin",
        "rate",
    )

    def __init__(self, rate: int) -> None:
        self.rate = rate
        # The first packet's timestamp.
        self.origin: int | None = None
        # RFC 3550's interarrival jitter, of arrivals against timestamps.
        self.jitter_us = 0.0
        # Timestamps that were no time.
        self.bad = 0
        self._per_us = rate / 1_000_000
        # The timestamp of sample 0; not `origin` once the sender's clock was set.
        self._anchor = 0
        self._first_arrival = 0
        # Arrival minus timestamp, of the last packet and of the last undoubted one.
        self._transit = 0
        self._calm_transit = 0

    def begin(self, timestamp: int, arrival: int) -> None:
        """Take the first packet's."""
        self.origin = self._anchor = timestamp
        self._first_arrival = arrival
        self._transit = arrival - timestamp

    def begin_again(self, timestamp: int, arrival: int, end: int) -> None:
        """Take a packet's that follows `end` samples whose timestamps were none."""
        self.origin = self._anchor = timestamp - samples_to_us(end, self.rate)
        self._transit = arrival - timestamp

    def position(self, timestamp: int) -> float:
        """The sample that `timestamp` belongs to."""
        return (timestamp - self._anchor) * self._per_us

    def note(self, timestamp: int, arrival: int) -> None:
        """Take the next packet's."""
        transit = arrival - timestamp
        self.jitter_us += (abs(transit - self._transit) - self.jitter_us) / 16
        self._transit = transit

    def guess(self, arrival: int) -> int:
        """The timestamp of a packet that has none: it came as late as the last."""
        return arrival - self._transit

    def is_plausible(self, timestamp: int, arrival: int, off: float) -> bool:
        """Whether a timestamp is a time at all.

        It is if it lies near where it should be, from which it is `off` samples, or
        if as much time passed on our own clock.
        """
        away = timestamp - self.guess(arrival)
        return (
            abs(off) <= _IMPLAUSIBLE_S * self.rate
            or abs(away) <= _IMPLAUSIBLE_S * 1_000_000
        )

    def was_wrong(self, timestamp: int, arrival: int) -> bool:
        """Whether not this timestamp is implausible but the origin."""
        limit = _IMPLAUSIBLE_S * 1_000_000
        origin_off = abs(self._anchor - self._first_arrival)
        return abs(timestamp - arrival) <= limit < origin_off

    def doubt(self) -> None:
        """Remember how late packets come: from now on they are in doubt."""
        self._calm_transit = self._transit

    def is_unseen(self, shift: float, limit: int) -> bool:
        """Whether a jump by more than `limit` samples took no time on our clock."""
        if shift <= limit:
            return False
        return (self._calm_transit - self._transit) * self._per_us > shift / 2

    def went_on(self, transits: Iterable[int], shift: int) -> bool:
        """Whether packets came at their pace while their timestamps jumped by `shift`.

        `transits` are their arrivals minus timestamps. A jump ahead must also have them
        come sooner than the very first did: else it may as well be a sender that had
        fallen behind and left out what it owed.
        """
        jump = samples_to_us(shift, self.rate)
        soonest = self._first_arrival - self._anchor
        return all(
            abs(transit - self._calm_transit + jump) <= _PACE_US
            and (shift < 0 or transit < soonest - jump // 2)
            for transit in transits
        )

    def set_by(self, shift: int) -> None:
        """Follow a sender whose clock was set by `shift` samples."""
        self._anchor += samples_to_us(shift, self.rate)

    def to_json(self) -> StampsJson:
        """Both clocks for storage."""
        return {
            "origin": self.origin,
            "anchor": self._anchor,
            "first_arrival": self._first_arrival,
            "transit": self._transit,
            "jitter_us": self.jitter_us,
            "bad": self.bad,
        }

    @classmethod
    def from_json(cls, rate: int, stored: StampsJson) -> Self:
        """What `to_json` described."""
        stamps = cls(rate)
        stamps.origin = stored["origin"]
        stamps._anchor = stored["anchor"]
        stamps._first_arrival = stored["first_arrival"]
        stamps._transit = stored["transit"]
        stamps.jitter_us = stored["jitter_us"]
        stamps.bad = stored["bad"]
        return stamps
