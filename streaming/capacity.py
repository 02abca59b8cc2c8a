"""How much an ingest process bears, and what it could hold. No Django.

The estimate is arithmetic on measurements: what one stream costs of a core, and how
many times that fits into `TARGET`. The cost is measured while enough streams are open,
and about as many all the time. Before that it is derived from how fast this machine
decodes one packet, so that a process knows something of itself before its first call.
"""

import asyncio
import math
import statistics
import time
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from calls.load import LiveLoad
from streaming.protocol import decode

# Of a core: Python's threads share one, and bursts need the rest.
TARGET: Final = 0.75
# From here on a node is called near its limit.
NEAR: Final = 0.85
# Fewer streams cost less than a process costs idle: they say little.
TELLING_STREAMS: Final = 20
# Of the most streams of a window, the fewest: below, many have come or gone.
STEADY: Final = 0.75
# Seconds over which figures are taken.
WINDOW: Final = 10
# A loop this late (s) holds up packets, whatever the processor's figures say.
LATE: Final = 0.25
# What is sampled for less (s), or less often, says how the process began, not what its
# streams cost. A loop that is much too late is sampled seldom.
TELLING_SECONDS: Final = 2.0
TELLING_SAMPLES: Final = 3
# The whole way of a packet costs so many times its decoding (measured by `make bench`:
# 23 µs at 300 streams, 1.1 µs).
_WHOLE_PER_DECODING: Final = 21
_PACKETS_PER_SECOND: Final = 50
_SAMPLE_EVERY: Final = 0.05
_DAY: Final = 86_400


class NoRoomError(Exception):
    """No further socket can be taken now; says why."""


class LoopLag:
    """How late the event loop is, sampled twenty times a second."""

    def __init__(self) -> None:
        self._samples: deque[float] = deque(maxlen=round(WINDOW / _SAMPLE_EVERY))
        self._began = self._due = 0.0
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to sample on the running loop."""
        loop = asyncio.get_running_loop()
        self._began = loop.time()
        self._wait(loop)

    def stop(self) -> None:
        """Sample no more."""
        if self._handle is not None:
            self._handle.cancel()

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + _SAMPLE_EVERY
        self._handle = loop.call_at(self._due, self._sample, loop)

    def _sample(self, loop: asyncio.AbstractEventLoop) -> None:
        self._samples.append(max(loop.time() - self._due, 0.0))
        self._wait(loop)

    @property
    def is_telling(self) -> bool:
        """Say whether it was sampled for long enough to judge a process by."""
        sampled = self._due - self._began
        return len(self._samples) >= TELLING_SAMPLES and sampled >= TELLING_SECONDS

    def quantile(self, share: float) -> float:
        """Return the lag in seconds that `share` of the samples do not exceed."""
        ordered = sorted(self._samples)
        if not ordered:
            return 0.0
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


class _Reading(NamedTuple):
    """What was read at one tick."""

    at: float
    cpu: float
    written: int
    streams: int


class Capacity:
    """One process's load and limit. `limit` 0: what it estimates it can hold.

    Call `tick` once a second.
    """

    def __init__(self, limit: int) -> None:
        self.lag = LoopLag()
        self.cpu = 0.0
        self.bytes_per_second = 0.0
        # Of the other processes that write to this disk.
        self.others_bytes_per_second = 0.0
        self.free_bytes = 0
        self._limit = limit
        self._cost = decoding_cost() * _WHOLE_PER_DECODING * _PACKETS_PER_SECOND
        self._history: deque[_Reading] = deque(maxlen=WINDOW + 1)

    def tick(
        self,
        now: float,
        *,
        cpu: float,
        written: int,
        free: int,
        streams: int,
        others: float = 0.0,
    ) -> None:
        """Take one second's readings.

        `now` is a monotonic time, `cpu` the processor seconds this process has used,
        `written` the bytes it has written, `free` those its disk has left, `others` the
        bytes a second that other processes write to that disk.
        """
        self._history.append(_Reading(now, cpu, written, streams))
        oldest = self._history[0]
        passed = now - oldest.at
        if passed <= 0:
            return
        self.cpu = (cpu - oldest.cpu) / passed
        self.bytes_per_second = (written - oldest.written) / passed
        self.free_bytes, self.others_bytes_per_second = free, others
        if len(self._history) > WINDOW // 2:
            self._weigh([reading.streams for reading in self._history])

    def _weigh(self, open_then: Sequence[int]) -> None:
        """Take what a stream costs, if the processor was used for these streams.

        Those that have just gone used it, too, and to open or close a stream costs more
        than to have it for seconds: where many come or go at once, the figure is not
        what a stream costs.

        Fewer say enough where few are taken: an estimate that is too low must not be
        what keeps it from being corrected.
        """
        streams = statistics.fmean(open_then)
        is_steady = min(open_then) >= STEADY * max(open_then)
        if is_steady and streams >= min(TELLING_STREAMS, self.estimate / 2):
            self._cost = max(self.cpu / streams, 1e-6)

    @property
    def estimate(self) -> int:
        """Return how many streams this process can hold, as far as it knows."""
        return max(int(TARGET / self._cost), 1)

    @property
    def limit(self) -> int:
        """Return how many streams it takes."""
        return self._limit or self.estimate

    def refusal(self, streams: int) -> str | None:
        """Return why no stream can be added to `streams`, or None."""
        if streams >= self.limit:
            whose = "the limit" if self._limit else "what this process can hold"
            return f"{streams} streams are open, {whose}"
        late = self.lag.quantile(0.5)
        if late > LATE and self.lag.is_telling:
            return f"the event loop is {late * 1000:.0f} ms late"
        return None

    @property
    def disk_days(self) -> float | None:
        """Return for how many days the disk takes audio at this rate; None: no rate.

        The rate is that of all who write to it, as if nothing were finished and
        removed meanwhile.
        """
        rate = self.bytes_per_second + self.others_bytes_per_second
        if rate < 1:
            return None
        return self.free_bytes / rate / _DAY

    def load(self, streams: int, refuses: str | None) -> LiveLoad:
        """Return the figures for the live view; `refuses` is why no stream is taken."""
        state = "ok"
        if refuses:
            state = "full"
        elif streams >= math.ceil(NEAR * self.limit):
            state = "near"
        return {
            "limit": self.limit,
            "estimate": self.estimate,
            "cpu": self.cpu,
            "loop_lag_p50_ms": self.lag.quantile(0.5) * 1000,
            "loop_lag_p95_ms": self.lag.quantile(0.95) * 1000,
            "loop_lag_p99_ms": self.lag.quantile(0.99) * 1000,
            "disk_bytes_per_second": self.bytes_per_second,
            "disk_free_bytes": self.free_bytes,
            "disk_days": self.disk_days,
            "state": state,
            "reason": refuses or "",
        }


def decoding_cost() -> float:
    """Return the processor seconds that decoding one packet costs on this machine."""
    frame = (
        '{"kind":"AudioData","audioData":{"timestamp":"2026-01-01T00:00:00.000Z",'
        f'"participantRawID":"4:+1","data":"{"QUJD" * 214}","silent":false}}}}'
    )
    best = math.inf
    for _ in range(5):
        began = time.thread_time()
        for _ in range(200):
            decode(frame)
        best = min(best, time.thread_time() - began)
    return max(best / 200, 1e-7)
