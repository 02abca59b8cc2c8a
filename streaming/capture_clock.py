"""ACS's capture clock as seen from here: what its stamps would say at a moment of ours.

A packet arrives when it was captured whole and has travelled; the one that travelled
least tells best how far the two clocks are apart. So `at` is late by the way from ACS
to us, and no more. What we send is heard after the way to ACS: both ways together are a
round trip, which pings measure. ACS plays in frames of 20 ms as it captures in frames
of 20 ms; that both begin at the same moments is what its stamps suggest, and is
believed while they keep to one grid. Clocks drift, so only the last minute counts.
Times are µs since 1970.
"""

from typing import Final

# A packet's stamp is the time of its first sample; it is whole 20 ms later.
WHOLE_US: Final = 20_000
# Calls of `turn` (one a second) that make a window; the last two of them count.
WINDOW: Final = 30
# A stamp further from our clock says nothing.
IMPLAUSIBLE_US: Final = 6 * 3600 * 1_000_000
NOTHING: Final = IMPLAUSIBLE_US
# A round trip that is longer says nothing of the way: somebody did not read.
LONGEST_TRIP_US: Final = 2_000_000
# Stamps are rounded to milliseconds; those that differ by more are of no one grid.
SAME_US: Final = 1_000
SECOND_US: Final = 1_000_000


class CaptureClock:
    """The least (arrival - stamp) of a call's packets, of late.

    `least` is of the present window, and `stamp_us` the newest stamp; the receive path
    sees to both itself, and calls `note` for the few packets that are below the least.
    """

    __slots__ = (
        "_before",
        "_doubt",
        "_phase",
        "_trip",
        "_trip_before",
        "_turns",
        "least",
        "stamp_us",
    )

    def __init__(self) -> None:
        self.least = NOTHING
        self.stamp_us = 0
        self._before = NOTHING
        self._trip = self._trip_before = NOTHING
        self._turns = 0
        # Where in 20 ms a frame begins; for how many turns that is not believed.
        self._phase: int | None = None
        self._doubt = 0

    def note(self, transit_us: int) -> None:
        """Take a packet's arrival minus stamp."""
        if -IMPLAUSIBLE_US < transit_us < self.least:
            self.least = transit_us
            self._compare()

    def note_round_trip(self, trip_us: int) -> None:
        """Take how long a ping and its pong were on their way."""
        if trip_us < LONGEST_TRIP_US:
            self._trip = min(self._trip, trip_us)

    def turn(self) -> None:
        """Let time pass; called once a second."""
        self._doubt = max(self._doubt - 1, 0)
        self._compare()
        self._turns += 1
        if self._turns >= WINDOW and self.least != NOTHING:
            self._turns = 0
            self._before, self.least = self.least, NOTHING
            self._trip_before, self._trip = self._trip, NOTHING

    def _compare(self) -> None:
        """See whether the newest stamp is of the same grid as those before it."""
        if self.stamp_us % SECOND_US == 0:
            # Stamps of whole seconds are of every grid.
            return
        phase = self.stamp_us % WHOLE_US
        if self._phase is not None:
            apart = abs(phase - self._phase)
            if min(apart, WHOLE_US - apart) > SAME_US:
                self._doubt = 2 * WINDOW
        self._phase = phase

    @property
    def has_frames(self) -> bool:
        """Say whether it is known when ACS's frames begin."""
        return self._phase is not None and not self._doubt

    @property
    def round_trip_us(self) -> int:
        """Return how long a word to ACS and back takes at least; 0 if nobody knows."""
        least = min(self._trip_before, self._trip)
        return 0 if least == NOTHING else least

    def at(self, now_us: int) -> int:
        """Return what the capture clock shows at a moment of the call's own time.

        Without any packet both are taken for one.
        """
        least = min(self._before, self.least)
        return now_us if least == NOTHING else now_us - least + WHOLE_US

    def next_frame(self, capture_us: int) -> int:
        """Return when the next frame begins, or that moment if it is not known."""
        if self._phase is None or self._doubt:
            return capture_us
        return capture_us + WHOLE_US - (capture_us - self._phase) % WHOLE_US

    def played_at(self, sent_us: int) -> int:
        """Return when what is sent at a moment is heard, if nothing is before it."""
        return self.next_frame(self.at(sent_us + self.round_trip_us))
