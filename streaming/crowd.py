"""How many sockets each source holds, so that one alone cannot take all there are."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Crowd:
    """Counts open sockets by source; `most` 0 is no limit.

    It knows only sources that hold a socket, so it is no larger than those are many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._held)

    @contextmanager
    def held(self, source: str) -> Iterator[bool]:
        """Hold a place while in the context; False: there was none."""
        has_room = not self._most or self._held[source] < self._most
        if not has_room:
            yield False
            return
        self._held[source] += 1
        try:
            yield True
        finally:
            self._held[source] -= 1
            if not self._held[source]:
                del self._held[source]
