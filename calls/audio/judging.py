"""Decides where packets with odd timestamps belong, and what else follows from them.

While packets wait, a judge is asked whether there is evidence enough by now. The
answer, a `Judgement`, says where each of them goes and how the stream goes on. What it
was founded on is weighed in `suspects`; here it is told apart what it means: jitter, a
hole, a step back, another beginning, or a clock that was set. The judge teaches the
clocks what follows from that, but places nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from calls.audio import suspects
from calls.audio.clock import Clock
from calls.audio.ledger import Ledger
from calls.audio.placement import is_free
from calls.audio.stamps import Stamps
from calls.audio.suspects import Suspect

T = TypeVar("T")

# What jumps by less than this is never taken for a clock that was set.
_STEP_S = 1
# No sender replays more than this; its clock was set back.
_REPLAY_S = 60
# A hole of this much that our own clock did not see: theirs was set forward.
_LEAP_S = 600
# The same, where fewer packets than can agree came after it.
_LEAP_AT_END_S = 10


class Judgement(NamedTuple):
    """Where a run of packets goes, all in samples."""

    shifts: Sequence[int]
    """How far each packet lies from where it was expected."""
    final: int
    """How far the stream behind the run does."""
    rest: float
    """By how much later deltas are larger, beside that."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges runs of packets of one track. A `run` is expected from `cursor` on."""

    clock: Clock
    stamps: Stamps
    ledger: Ledger

    def is_over(self, run: Sequence[Suspect[T]], timestamp: int, off: float) -> bool:
        """Whether the next packet shows that those that wait were where they belong.

        Its `timestamp` is `off` samples from where it should be.
        """
        clock = self.clock
        last = run[-1]
        if suspects.is_same(timestamp, last.stamp):
            # Of a burst stamped with one time only the last packet tells.
            return False
        first = self.stamps.origin if clock.seen == 1 else None
        if first is not None and suspects.is_same(last.stamp, first) and len(run) > 1:
            # The track begins with such a burst: its origin tells nothing either.
            self._rebase(run, last.off)
            return True
        if not clock.crisp and off * last.off < 0:
            return True
        return min(abs(off), abs(last.off)) <= clock.unit / 2

    def judge(self, run: Sequence[Suspect[T]], cursor: int) -> Judgement | None:
        """Judge a run that may go on; None if there is not evidence enough yet."""
        off = suspects.agreed(run, self.clock)
        if off is not None:
            return self._convict(run, cursor, off)
        if suspects.is_enough(run, self.clock):
            return self._weigh(run, cursor)
        return None

    def judge_last(self, run: Sequence[Suspect[T]], cursor: int) -> Judgement:
        """Judge a run for good, with what there is."""
        off = suspects.last_word(run, self.clock)
        if off is None:
            return self.acquit(run, cursor)
        limit = _LEAP_AT_END_S * self.stamps.rate
        if len(run) < suspects.AGREE and self.stamps.is_unseen(off, limit):
            return self.acquit(run, cursor)
        return self._convict(run, cursor, off)

    def acquit(self, run: Sequence[Suspect[T]], cursor: int) -> Judgement:
        """Leave the run where it was expected: it was jitter, or out of order."""
        if self.clock.crisp:
            shifts = suspects.exact_shifts(run, 0, 0.0, self.clock)
            if shifts and self._is_reordered(run, cursor, shifts):
                return Judgement(shifts, 0, 0.0)
        return _unmoved(run)

    def _is_reordered(
        self, run: Sequence[Suspect[T]], cursor: int, shifts: Sequence[int]
    ) -> bool:
        """Whether all of the run belong before the packet that came behind it."""
        end = cursor + _samples(run)
        place = position = cursor
        for suspect, shift in zip(run, shifts, strict=True):
            place = position + shift
            position += suspect.samples
            if place + suspect.samples > end:
                return False
        # One packet alone may as well have an odd timestamp, unless it is missing.
        return len(shifts) > 1 or is_free(self.ledger, place, end - cursor)

    def _convict(self, run: Sequence[Suspect[T]], cursor: int, off: float) -> Judgement:
        """Place the run as its timestamps say, now that they agree on `off`."""
        clock = self.clock
        final = round(off / clock.unit) * clock.unit
        if not suspects.is_whole(off, clock):
            # Not only losses but another beginning, as after a redial.
            final = round(off)
        if not clock.is_known and cursor + final < 0:
            # Nothing is repeated that was before the beginning.
            self._rebase(run, off)
            return _unmoved(run)
        if self._is_clock_set(run, cursor, final):
            return self._set_clock(run, final, off)
        shifts = suspects.exact_shifts(run, final, off, clock)
        if shifts is None:
            shifts = suspects.ordered_shifts(run, final, clock)
        return Judgement(shifts, final, off - final)

    def _weigh(self, run: Sequence[Suspect[T]], cursor: int) -> Judgement:
        """Place the run by its mean: the timestamps do not agree, and never will."""
        clock = self.clock
        mean, spread = suspects.centre(run)
        if not clock.is_known and spread > clock.unit / 4 and mean <= 2 * clock.jitter:
            # Everybody jitters around a place that the first packet missed: then
            # its timestamp, the origin, is what is off.
            self._rebase(run, mean)
            return _unmoved(run)
        final = suspects.whole_shift(mean + clock.near - clock.bias, clock)
        if self._is_clock_set(run, cursor, final):
            return self._set_clock(run, final, mean)
        order = suspects.ordered_shifts if clock.crisp else suspects.fuzzy_shifts
        shifts = order(run, final, clock)
        return Judgement(shifts, final, mean - final)

    def _rebase(self, run: Sequence[Suspect[T]], off: float) -> None:
        """Take it that the origin, not the run, is `off` samples from the truth."""
        self.clock.rebase(off)
        for suspect in run:
            suspect.off -= off

    def _is_clock_set(self, run: Sequence[Suspect[T]], cursor: int, shift: int) -> bool:
        """Whether the sender's clock was set, rather than audio lost or repeated."""
        rate = self.stamps.rate
        if abs(shift) <= _STEP_S * rate:
            return False
        start = cursor + shift
        place = self.ledger.runs_in(max(start, 0), start + _samples(run))
        if shift < 0 and any(stretch.state.is_missing for stretch in place):
            # Late packets, which have their place.
            return False
        return (
            shift < -_REPLAY_S * rate
            or self.stamps.is_unseen(shift, _LEAP_S * rate)
            or self.stamps.went_on([suspect.transit for suspect in run], shift)
        )

    def _set_clock(
        self, run: Sequence[Suspect[T]], shift: int, off: float
    ) -> Judgement:
        """Follow a sender whose clock was set by `shift`: nothing is missing."""
        self.stamps.set_by(shift)
        for suspect in run:
            suspect.off -= shift
        return Judgement([0] * len(run), 0, off - shift)


def _unmoved(run: Sequence[Suspect[T]]) -> Judgement:
    """Let the run simply follow what was before it."""
    return Judgement([0] * len(run), 0, 0.0)


def _samples(run: Sequence[Suspect[T]]) -> int:
    """How long the run is."""
    return sum(suspect.samples for suspect in run)
