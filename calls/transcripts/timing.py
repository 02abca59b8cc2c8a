"""When a piece of text was said: from ACS's ticks to capture time. No Django.

ACS tells offsets as integers of 100 ns and does not say from where they count. What is
seen: small ones count from the start of transcription; old fixtures carry .NET dates,
upright (ticks since year 1) or upside down (`DateTime.MaxValue` minus now). Whether
small ones go on or begin anew behind a redial, or behind a change of language, nobody
has written down. `scale_of` is the one place that decides it, by what can be: a piece
ends before it is told, and soon before.

Integers throughout: a date in ticks is beyond what a float holds.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

TICKS_PER_US: Final = 10
# Beyond this (300 years) ticks are a date.
DATE: Final = 10**17
# 1970 in ticks since year 1, and .NET's last moment.
EPOCH_TICKS: Final = 621_355_968_000_000_000
LAST_TICKS: Final = 3_155_378_975_999_999_999
DAY_US: Final = 86_400_000_000
# Two clocks, and a network: a piece may seem to end a little after it was told.
SLACK_US: Final = 1_000_000


class Scale(NamedTuple):
    """Ticks as microseconds since 1970."""

    zero_us: int
    sign: int = 1

    def at(self, ticks: int) -> int:
        """Return when that is."""
        return self.zero_us + self.sign * (ticks // TICKS_PER_US)


UPRIGHT: Final = Scale(-EPOCH_TICKS // TICKS_PER_US)
UPSIDE_DOWN: Final = Scale((LAST_TICKS - EPOCH_TICKS) // TICKS_PER_US, -1)


def scale_of(
    offset: int, duration: int, *, told_us: int, starts: Iterable[int]
) -> Scale | None:
    """Return what the offset of a piece that was told at `told_us` counts from.

    `starts`: when transcription of the call began, each time it did. All times are
    capture times, µs since 1970. None if nothing fits: then it was said just before it
    was told.
    """
    if offset > DATE:
        for scale in (UPRIGHT, UPSIDE_DOWN):
            if abs(scale.at(offset) - told_us) < DAY_US:
                return scale
        return None
    ended = offset + duration
    fitting = [
        start for start in starts if Scale(start).at(ended) <= told_us + SLACK_US
    ]
    return Scale(max(fitting)) if fitting else None
