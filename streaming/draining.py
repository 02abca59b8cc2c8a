"""uvicorn that lets calls end before it does.

Told to end by SIGTERM, it takes no further socket and goes on with those it has until
the last has closed, or until `drain_seconds` are over. Then uvicorn closes what is
left with 1012, the journals are sealed and synced, and the process exits with 0.
"""

import logging
import signal
import time
from types import FrameType

import uvicorn

from streaming.recorder import current_recorder

log = logging.getLogger(__name__)


class DrainingServer(uvicorn.Server):
    """A second signal, or Ctrl-C, ends the drain."""

    def __init__(self, config: uvicorn.Config, drain_seconds: float) -> None:
        super().__init__(config)
        self._drain_seconds = drain_seconds
        self._ends_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; end at once if that has begun, or there is no time for it."""
        if sig == signal.SIGTERM and self._ends_at is None and self._drain_seconds:
            self._ends_at = time.monotonic() + self._drain_seconds
            current_recorder().drain()
            return
        # Not uvicorn's way, which dies of the signal after a good end.
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: say whether it is time to end."""
        if self._ends_at is not None:
            left = current_recorder().sockets
            is_late = time.monotonic() >= self._ends_at
            if is_late and left:
                log.warning("%d sockets did not end in time", left)
            if is_late or not left:
                return True
        return await super().on_tick(counter)
