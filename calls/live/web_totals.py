"""What this web process has answered, and its sign of life.

Requests are counted in memory and written to Redis every few seconds by a thread, so
that whichever web process /metrics asks tells of all of them.
"""

import threading
from bisect import bisect_left
from collections import Counter
from typing import Final

from calls.live.processes import BUCKETS, EVERY_SECONDS, HttpTotals, Noter

# Classes of address: more would be a series for every page.
ROUTES: Final = (
    ("/webhooks/", "webhook"),
    ("/healthz", "probe"),
    ("/readyz", "probe"),
    ("/metrics", "probe"),
    ("/static/", "static"),
    ("/recordings/", "audio"),
)
METHODS: Final = frozenset({"GET", "HEAD", "POST", "OPTIONS"})


class WebTotals:
    """Counts of one web process. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[str] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}
        self._refused: Counter[str] = Counter()

    def answered(self, path: str, method: str, status: int, seconds: float) -> None:
        """Count one answer."""
        route = route_of(path)
        named = method if method in METHODS else "other"
        place = bisect_left(BUCKETS, seconds)
        with self._lock:
            self._requests[f"{route}|{named}|{status}"] += 1
            buckets = self._buckets.setdefault(route, [0] * (len(BUCKETS) + 1))
            for number in range(place, len(buckets)):
                buckets[number] += 1
            self._seconds[route] = self._seconds.get(route, 0.0) + seconds

    def refused(self, door: str, reason: str) -> None:
        """Count a request that a webhook refused."""
        with self._lock:
            self._refused[f"{door}|{reason}"] += 1

    def told(self) -> HttpTotals:
        """Return the counts as they are now."""
        with self._lock:
            return {
                "requests": dict(self._requests),
                "buckets": {
                    route: [*counts] for route, counts in self._buckets.items()
                },
                "seconds": dict(self._seconds),
                "refused": dict(self._refused),
            }


def route_of(path: str) -> str:
    """Return the class of an address: never the address, which may hold a secret."""
    return next((name for start, name in ROUTES if path.startswith(start)), "page")


class WebPulse:
    """Tells every few seconds that this process lives, until it is told to stop."""

    def __init__(self, totals: WebTotals) -> None:
        self._totals = totals
        self._noter = Noter("web")
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin, once."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._beat, name="web-pulse", daemon=True
                )
                self._thread.start()

    def stop(self) -> None:
        """End, and be no longer listed."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._noter.leave()

    def _beat(self) -> None:
        while not self._ended.is_set():
            self._noter.note(http=self._totals.told())
            self._ended.wait(EVERY_SECONDS)


web_totals = WebTotals()
web_pulse = WebPulse(web_totals)
