"""A clock that whoever runs the emulator inside a test moves by hand."""

import asyncio
import heapq
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from emulator.clock import Clock

MICROSECOND = 1e-6
"""How far behind a moment its sleepers wake: a slot that is due is then complete."""
LONGEST_HOLD = 60.0
"""Seconds that time is moved, at most, for a REST answer that waits for an event."""


class _Sleeper(NamedTuple):
    moment: float
    number: int
    waking: "asyncio.Future[None]"


class ManualClock(Clock):
    """Stands still until `advance`, which wakes sleepers in the order of their moments.

    After each of them the emulator runs until it is idle: until nothing is ready to run
    and nothing it asked of others (callbacks, sockets to open or close, threads) is
    unanswered. What others do of their own accord is not waited for: requests of the
    app, messages and closes of its sockets. What time limits are on the wall clock
    (network time-outs, the Event Grid handshake) stays there.

    A REST answer that is to be late moves the time itself, because the app that waits
    for it may be who would move it. It is not late when the time is moving already.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._sleepers: list[_Sleeper] = []
        self._numbers = itertools.count()
        self._outside = 0
        self._calm = asyncio.Event()
        self._moving = asyncio.Lock()

    def seconds(self) -> float:
        """Return the seconds that the clock was moved."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Sleep until the clock was moved so far."""
        if seconds > 0:
            await self.sleep_until(self._now + seconds)
        else:
            await asyncio.sleep(0)

    async def sleep_until(self, moment: float) -> None:
        """Sleep until the clock was moved to a moment."""
        if moment < self._now - MICROSECOND / 4:
            await asyncio.sleep(0)
            return
        # Also if it is just now: whoever slept must find the moment behind them.
        waking = asyncio.get_running_loop().create_future()
        sleeper = _Sleeper(moment, next(self._numbers), waking)
        heapq.heappush(self._sleepers, sleeper)
        await waking

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Return a context in which the emulator is not idle though nothing runs."""
        self._outside += 1
        self._calm.clear()
        try:
            yield
        finally:
            self._outside -= 1
            if not self._outside:
                self._calm.set()

    async def advance(self, seconds: float) -> None:
        """Move the time; return when the emulator is idle at the end of it."""
        async with self._moving:
            await self._idle()
            target = self._now + seconds
            while self._wake(target):
                await self._idle()
            self._now = max(self._now, target)

    async def hold_up(self, seconds: float) -> None:
        """Move the time while a REST answer waits."""
        if not self._moving.locked():
            await self.advance(seconds)

    async def hold_up_until(self, event: asyncio.Event) -> None:
        """Move the time until an event that a REST answer waits for."""
        if self._moving.locked():
            return
        async with self._moving:
            await self._idle()
            until = self._now + LONGEST_HOLD
            while not event.is_set() and self._wake(until):
                await self._idle()

    def _wake(self, until: float) -> bool:
        """Move to the next sleeper's moment and wake them; False if there is none."""
        while self._sleepers and self._sleepers[0].waking.done():
            heapq.heappop(self._sleepers)  # cancelled
        if not self._sleepers or self._sleepers[0].moment > until:
            return False
        sleeper = heapq.heappop(self._sleepers)
        self._now = max(self._now, _after(sleeper.moment))
        sleeper.waking.set_result(None)
        return True

    async def _idle(self) -> None:
        # No public way says whether a loop has work. Every loop of asyncio's own has
        # had this queue since there are any.
        ready = vars(asyncio.get_running_loop())["_ready"]
        while True:
            await asyncio.sleep(0)
            if self._outside:
                await self._calm.wait()
            elif not ready:
                return


def _after(moment: float) -> float:
    return (round(moment / MICROSECOND) + 1) * MICROSECOND
