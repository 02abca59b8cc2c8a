"""How late a server's event loop is: a timer each 10 ms, and how late it came."""

import asyncio
import json
import signal
import time
from pathlib import Path

INTERVAL = 0.01


class Sampler:
    """Notes (monotonic time, lateness), both in seconds, while the server runs."""

    def __init__(self) -> None:
        self.samples: list[tuple[float, float]] = []
        self._has_begun = False

    def start(self) -> None:
        """Begin, once, in the running loop."""
        if self._has_begun:
            return
        self._has_begun = True
        self._loop = asyncio.get_running_loop()
        self._again()

    def write(self, report: Path) -> None:
        """Leave what was noted to whoever started the server."""
        report.write_text(json.dumps(self.samples), encoding="ascii")

    def _again(self) -> None:
        self._due = time.monotonic() + INTERVAL
        self._loop.call_later(INTERVAL, self._tick)

    def _tick(self) -> None:
        now = time.monotonic()
        self.samples.append((now, now - self._due))
        self._again()


async def until_told(sampler: Sampler, report: Path) -> None:
    """Sample until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    sampler.start()
    await ended.wait()
    sampler.write(report)
