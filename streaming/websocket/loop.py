"""The event loop of ingest: transports in C, and sockets asked together under load.

A loop that asks its sockets as soon as one has something wakes for every packet: at 300
streams some thousand times a second, each time with cold caches for one packet's work.
Under load ours waits a moment and then serves all sockets that have become ready, as
network cards do with their interrupts. Nothing waits longer than `HOLD`, and timers are
in time.
"""

import asyncio
import selectors
import time
from typing import Final

import aiofastnet

# Seconds. Small beside the 20 ms between two packets of a speaker.
HOLD: Final = 0.004
# Readiness events per second above which holding is worth it: eight for each time.
BUSY: Final = 2000
_MEASURED_FOR: Final = 0.1

Ready = list[tuple[selectors.SelectorKey, int]]


class GatheringSelector(selectors.DefaultSelector):
    """Asks less often than it could while much is going on."""

    def __init__(self) -> None:
        super().__init__()
        # Whether so much is going on that asking less often pays.
        self.is_busy = False
        self._events = 0
        self._since = time.monotonic()

    def select(self, timeout: float | None = None) -> Ready:
        """Return what is ready, at the latest after `timeout` seconds."""
        if self.is_busy and (timeout is None or timeout > HOLD):
            time.sleep(HOLD)
            ready = super().select(0)
            if not ready:
                left = None if timeout is None else timeout - HOLD
                ready = super().select(left)
        else:
            ready = super().select(timeout)
        self._events += len(ready)
        passed = time.monotonic() - self._since
        if passed > _MEASURED_FOR:
            self.is_busy = self._events > BUSY * passed
            self._events = 0
            self._since += passed
        return ready


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop, for uvicorn's setting `loop`."""
    return aiofastnet.patch_loop(asyncio.SelectorEventLoop(GatheringSelector()))
