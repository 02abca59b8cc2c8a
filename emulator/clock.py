"""Emulated time: a clock that may run faster than the wall clock."""

import asyncio
import time
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta

FRAME_MS = 20
"""Audio is cut into frames of this many milliseconds."""
FRAME_SECONDS = FRAME_MS / 1000


class Clock:
    """Runs `speed` times faster than real time, from the wall time it is made at.

    Seconds are emulated seconds since then. Tokens do not use this clock: whoever
    verifies them looks at the wall.
    """

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._began = time.monotonic()
        self._began_at = datetime.now(UTC)

    def seconds(self) -> float:
        """Return emulated seconds since the clock was made."""
        return (time.monotonic() - self._began) * self.speed

    def at(self, seconds: float) -> datetime:
        """Return the emulated date of a moment."""
        return self._began_at + timedelta(seconds=seconds)

    def now(self) -> datetime:
        """Return the emulated date."""
        return self.at(self.seconds())

    async def sleep(self, seconds: float) -> None:
        """Sleep for emulated seconds."""
        await asyncio.sleep(max(0.0, seconds) / self.speed)

    async def sleep_until(self, moment: float) -> None:
        """Sleep until an emulated moment; return at once if it has passed."""
        await asyncio.sleep(max(0.0, (moment - self.seconds()) / self.speed))

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait for an event, at most emulated seconds; return whether it happened."""
        if event.is_set():
            return True
        waiting = asyncio.create_task(event.wait())
        sleeping = asyncio.create_task(self.sleep(seconds))
        both = (waiting, sleeping)
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
        return event.is_set()

    async def hold_up(self, seconds: float) -> None:
        """Let a REST answer wait for emulated seconds."""
        await self.sleep(seconds)

    async def hold_up_until(self, event: asyncio.Event) -> None:
        """Let a REST answer wait for an event."""
        await event.wait()

    def outside(self) -> AbstractContextManager[None]:
        """Return a context in which the emulator waits for a peer or a thread."""
        return nullcontext()


class Timeline:
    """A call's time, cut into numbered slots of 20 ms from when it was connected.

    Slot n holds what was captured from n * 20 ms to (n + 1) * 20 ms, so its frame can
    be sent at the end of it. The start is a whole millisecond: time stamps of every
    fraction length that shows milliseconds are exact.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        began = clock.seconds()
        self._began_ms = round(clock.at(began).timestamp() * 1000)
        self.began = began
        self._second = -1
        self._prefix = b""

    @property
    def began_us(self) -> int:
        """Return when slot 0 began, in microseconds since 1970."""
        return self._began_ms * 1000

    def slot(self) -> int:
        """Return the slot being captured now."""
        return int((self._clock.seconds() - self.began) / FRAME_SECONDS)

    def elapsed(self) -> float:
        """Return emulated seconds since the call was connected."""
        return self._clock.seconds() - self.began

    def captured_at(self, slot: int) -> float:
        """Return the emulated moment at which a slot is complete."""
        return self.began + (slot + 1) * FRAME_SECONDS

    def lateness(self, slot: int) -> float:
        """Return wall seconds since a slot was complete."""
        return (self._clock.seconds() - self.captured_at(slot)) / self._clock.speed

    async def sleep_until_captured(self, slot: int) -> None:
        """Sleep until a slot is complete."""
        await self._clock.sleep_until(self.captured_at(slot))

    async def sleep(self, seconds: float) -> None:
        """Sleep for emulated seconds."""
        await self._clock.sleep(seconds)

    async def sleep_until(self, elapsed: float) -> None:
        """Sleep until so many emulated seconds after the call was connected."""
        await self._clock.sleep_until(self.began + elapsed)

    def date(self, elapsed: float) -> datetime:
        """Return when that second of the call was captured, as time stamps say it."""
        began = datetime.fromtimestamp(self._began_ms / 1000, UTC)
        return began + timedelta(seconds=elapsed)

    def stamp(self, slot: int, digits: int) -> bytes:
        """Return a slot's capture time as ISO 8601 UTC with 0, 3 or 7 digits."""
        second, millisecond = divmod(self._began_ms + slot * FRAME_MS, 1000)
        if second != self._second:
            self._second = second
            date = datetime.fromtimestamp(second, UTC)
            self._prefix = date.strftime("%Y-%m-%dT%H:%M:%S").encode()
        if digits == 3:
            return b"%s.%03dZ" % (self._prefix, millisecond)
        if digits == 7:
            return b"%s.%03d0000Z" % (self._prefix, millisecond)
        return self._prefix + b"Z"
