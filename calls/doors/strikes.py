"""Failed attempts by source: who fails often is answered with less and less work.

ACS comes from few addresses, and behind a proxy that is not configured all come from
one. So nobody who proves himself is ever turned away here: a source with too many
failures still has its secret and its token looked at, but its failures are answered
with 429, cost no log line and no row.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from math import ceil

from django.conf import settings

from calls.doors.networks import group_of

WINDOW_SECONDS = 60.0
MOST_SOURCES = 10_000


class Strikes:
    """A leaky bucket of failures for each source, in bounded memory.

    `most` failures a minute are free; what is above them has to be waited for, up to a
    minute. Of more sources than `sources` the one that failed longest ago is forgotten.
    """

    def __init__(
        self,
        most: int,
        *,
        sources: int = MOST_SOURCES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._sources = sources
        self._clock = clock
        self._lock = threading.Lock()
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._levels)

    def strike(self, source: str) -> int:
        """Count a failure; return for how many seconds its source is to stay away.

        0: it has not failed too often yet.
        """
        if not self._most:
            return 0
        now = self._clock()
        leak = self._most / WINDOW_SECONDS
        group = group_of(source)
        with self._lock:
            level, at = self._levels.pop(group, (0.0, now))
            level = min(max(0.0, level - (now - at) * leak) + 1, 2.0 * self._most)
            self._levels[group] = (level, now)
            if len(self._levels) > self._sources:
                self._levels.popitem(last=False)
        return ceil((level - self._most) / leak) if level > self._most else 0


@cache
def failures() -> Strikes:
    """Return this process's count of failures at the doors for machines."""
    return Strikes(settings.SOURCE_FAILURES)
