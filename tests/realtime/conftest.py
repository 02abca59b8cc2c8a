"""The local service, and calls whose handler relays to it over a real socket."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from emulator.realtime.server import RealtimeServer
from streaming.handlers.bench import Bench
from streaming.handlers.realtime import Realtime
from tests.streaming.house import PATIENCE, eventually

__all__ = ["PATIENCE", "eventually"]

KEY = "sk-tests-4f1d0c9a7b"

Call = Callable[..., Bench]


@pytest.fixture
async def service() -> AsyncIterator[RealtimeServer]:
    """Run the local service; only sockets that bring the key are taken."""
    async with RealtimeServer(key=KEY) as server:
        yield server


@pytest.fixture
def call(service: RealtimeServer, settings: Any) -> Call:
    """Return what makes a call whose handler relays to the service."""
    settings.REALTIME_URL = f"{service.url}/v1"
    settings.REALTIME_KEY = KEY

    def made(rate: int = 16_000, **wanted: Any) -> Bench:
        prompts = {"sorry": bytes(rate // 5 * 2)}
        options = {"backoff_seconds": 0.01, **wanted}
        return Bench(Realtime(options), rate=rate, prompts=prompts)

    return made


async def said_whole(bench: Bench, number: int = 1) -> None:
    """Wait until that many answers have come, to their last sample."""
    await eventually(lambda: sum(item.is_whole for item in bench.items) >= number)


async def played(bench: Bench) -> None:
    """Let time pass until nothing is said any more, a little faster than it does."""
    until = time.monotonic() + PATIENCE
    while not all(item.is_over for item in bench.items):
        assert time.monotonic() < until, "it is never over"
        await bench.silence(100)
        await asyncio.sleep(0.01)
