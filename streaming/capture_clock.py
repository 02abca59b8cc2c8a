"""ACS's capture clock as seen from here: what its stamps would say at a moment of ours.

A packet arrives when it was captured whole and has travelled; the one that travelled
least tells best how far the two clocks are apart. Clocks drift, so only the last minute
counts. Times are µs since 1970.
"""

from typing import Final

# A packet's stamp is the time of its first sample; it is whole 20 ms later.
WHOLE_US: Final = 20_000
# Calls of `turn` (one a second) that make a window; the last two of them count.
WINDOW: Final = 30
# A stamp further from our clock says nothing.
IMPLAUSIBLE_US: Final = 6 * 3600 * 1_000_000
NOTHING: Final = IMPLAUSIBLE_US


class CaptureClock:
    """The least (arrival - stamp) of a call's packets, of late.

    `least` is of the present window; the receive path compares with it itself, and
    calls `note` for the few packets that are below.
    """

    __slots__ = ("_before", "_turns", "least")

    def __init__(self) -> None:
        self.least = NOTHING
        self._before = NOTHING
        self._turns = 0

    def note(self, transit_us: int) -> None:
        """Take a packet's arrival minus stamp."""
        if -IMPLAUSIBLE_US < transit_us < self.least:
            self.least = transit_us

    def turn(self) -> None:
        """Let time pass; called once a second."""
        self._turns += 1
        if self._turns >= WINDOW and self.least != NOTHING:
            self._turns = 0
            self._before, self.least = self.least, NOTHING

    def at(self, now_us: int) -> int:
        """Return what the capture clock shows at a moment of the call's own time.

        Without any packet both are taken for one.
        """
        least = min(self._before, self.least)
        return now_us if least == NOTHING else now_us - least + WHOLE_US
