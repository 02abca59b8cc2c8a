"""The timeline of audio whose times are exact: what we said into a call ourselves.

Nothing is in doubt here: each packet lies at its stamp, or at the end of the one before
it. Between two utterances nobody asked for audio, so nothing is ever lost.
"""

from calls.audio.ledger import State
from calls.audio.pcm import us_to_samples
from calls.audio.placement import Placement, Verdict
from calls.audio.timeline import T, Timeline

# A pause longer than this is a clock that was set; it must not become hours of silence.
_LONGEST_PAUSE_US = 6 * 3600 * 1_000_000


class ExactTimeline(Timeline[T]):
    """Places packets by their stamps alone; it never keeps one waiting."""

    __slots__ = ()

    def place(
        self, timestamp: int | None, samples: int, silent: bool, arrival: int, ref: T
    ) -> list[Placement[T]]:
        """Place a packet; what lies between it and the one before it is STOPPED."""
        ledger, stamps = self.ledger, self._stamps
        if timestamp is None:
            timestamp = arrival
        if stamps.origin is None:
            stamps.begin(timestamp, arrival)
        start = max(self._at(timestamp), ledger.samples)
        # Stamps are whole microseconds: one sample more or less is no pause.
        if start - ledger.samples <= 1:
            start = ledger.samples
        ledger.append(State.STOPPED, start - ledger.samples)
        ledger.append(State.SILENT if silent else State.RECEIVED, samples)
        self._cursor = ledger.samples
        return [Placement(ref, start, samples, silent, Verdict.ON_TIME)]

    def _at(self, timestamp: int) -> int:
        end = self.ledger.samples
        at = us_to_samples(max(timestamp - (self.origin or 0), 0), self.rate)
        return end if at - end > us_to_samples(_LONGEST_PAUSE_US, self.rate) else at
