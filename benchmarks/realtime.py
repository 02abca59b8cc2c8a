"""How fast a caller who interrupts a model is let in, and how exactly the model is told
what was heard: `python -m benchmarks.realtime [--calls 10]`.

A real ingest process relays calls, one after the other, to the local realtime service.
The caller interrupts a ten-second answer after three seconds of it. This process is
both ACS and the service; what was heard is what a queue that plays in real time had
played when the order to stop arrived.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "acsstream.settings")

import aiohttp

from benchmarks.servers.house import migrated_database
from calls import identity
from emulator.realtime.plan import Plan, Turn
from emulator.realtime.server import RealtimeServer
from tests.realtime.acs import Acs, relayed_call
from tests.realtime.sounds import speech
from tests.streaming.house import House, eventually

KEY = "sk-benchmark"
ANSWER = Turn(say=" ".join(f"w{number:03d}" for number in range(34)))
OPTIONS = {"greeting": "Hello"}


async def measure(calls: int) -> dict[str, list[float]]:
    """Return the figures of each call, by what they are."""
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        async with RealtimeServer(key=KEY, plan=Plan()) as service:
            house = _house(Path(name), f"{service.url}/v1")
            try:
                for _ in range(calls):
                    service.plan.turns[:] = [ANSWER, Turn(say="Yes")]
                    for what, figure in (await _call(house, service)).items():
                        figures.setdefault(what, []).append(figure)
            finally:
                house.close()
    return figures


def _house(folder: Path, url: str) -> House:
    database = folder / "migrated.sqlite3"
    database.write_bytes(migrated_database())
    own = {"ACSSTREAM_REALTIME_URL": url, "ACSSTREAM_REALTIME_KEY": KEY}
    return House(folder / "house", database, **own).start()


async def _call(house: House, service: RealtimeServer) -> dict[str, float]:
    connection = str(uuid4())
    relayed_call(house, connection, OPTIONS)
    async with aiohttp.ClientSession() as client:
        socket = await house.dial(
            client,
            identity.call_id(connection),
            x_ms_call_connection_id=connection,
        )
        acs = Acs(socket)
        task = asyncio.create_task(acs.run())
        await eventually(lambda: acs.heard_ms >= 3000)
        acs.say = speech(700)
        await eventually(lambda: acs.stopped)
        sent = len(acs.arrivals)
        await eventually(lambda: len(acs.arrivals) > sent)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    [cut] = service.sessions[-1].report()["truncations"]
    played_ms = acs.played_ms(acs.stopped[0])
    return {
        "ms from the caller's first sound to the stop at ACS": 1000
        * (acs.stopped[0] - acs.spoke[0]),
        "ms between what was heard and what the model was told": abs(
            played_ms - cut["audio_end_ms"]
        ),
        "ms from the caller's last sound to the answer's first": 1000
        * (acs.arrivals[sent] - acs.spoke[-1]),
    }


def main() -> int:
    """Print median and worst of each figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=10)
    figures = asyncio.run(measure(parser.parse_args().calls))
    sys.stdout.write(f"{'':<58}{'median':>8}{'worst':>8}\n")
    for what, each in figures.items():
        median, worst = statistics.median(each), max(each)
        sys.stdout.write(f"{what:<58}{median:>8.0f}{worst:>8.0f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
