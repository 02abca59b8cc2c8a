"""When a condition becomes an alarm, and when it ceases to be one."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

# What comes back within so many seconds is the same alarm, once more.
SAME_WITHIN: Final = 60.0


class Turn(Enum):
    """What a step did."""

    NONE = 0
    RAISED = 1
    RAISED_AGAIN = 2
    CLEARED = 3


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds a condition must last, and how many it must be away."""

    raise_after: float
    clear_after: float


@dataclass(slots=True)
class Latch:
    """One condition with hysteresis. Times are seconds of a clock that never steps.

    A step is *bad* (at or beyond the threshold), *over* (well below it), or neither:
    then what is stays as it is.
    """

    patience: Patience
    is_raised: bool = False
    # How often it was raised since it was last away for longer than `SAME_WITHIN`.
    occurrences: int = 0
    cleared_at: float | None = None
    _bad_since: float | None = None
    _over_since: float | None = None

    def step(self, now: float, *, is_bad: bool, is_over: bool) -> Turn:
        """Take what is seen now; `now` is never before an earlier one."""
        if self.is_raised:
            return self._raised(now, is_over=is_over and not is_bad)
        if not is_bad:
            self._bad_since = None
            return Turn.NONE
        if self._bad_since is None:
            self._bad_since = now
        if now - self._bad_since < self.patience.raise_after:
            return Turn.NONE
        return self._raise(now)

    def _raise(self, now: float) -> Turn:
        is_same = self.cleared_at is not None and now - self.cleared_at <= SAME_WITHIN
        self.occurrences = self.occurrences + 1 if is_same else 1
        self.is_raised, self.cleared_at = True, None
        self._bad_since = self._over_since = None
        return Turn.RAISED_AGAIN if is_same else Turn.RAISED

    def _raised(self, now: float, *, is_over: bool) -> Turn:
        if not is_over:
            self._over_since = None
            return Turn.NONE
        if self._over_since is None:
            self._over_since = now
        if now - self._over_since < self.patience.clear_after:
            return Turn.NONE
        self.clear(now)
        return Turn.CLEARED

    def clear(self, now: float) -> None:
        """End it at once: there is nothing more to be seen."""
        self.is_raised, self.cleared_at = False, now
        self._bad_since = self._over_since = None

    @property
    def is_begun(self) -> bool:
        """Say whether it has been bad since the last step, raised or not yet."""
        return self.is_raised or self._bad_since is not None

    def is_idle(self, now: float) -> bool:
        """Say whether it may be forgotten: nothing of it could go on."""
        if self.is_begun:
            return False
        return self.cleared_at is None or now - self.cleared_at > SAME_WITHIN
