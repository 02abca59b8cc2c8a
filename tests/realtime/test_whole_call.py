"""A call on a real ingest process whose profile has it relayed to the service."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import aiohttp

from calls import identity
from emulator.realtime.plan import Turn
from emulator.realtime.server import RealtimeServer
from tests.realtime.acs import CALLER, Acs, relayed_call
from tests.realtime.conftest import KEY, eventually
from tests.realtime.sounds import speech
from tests.streaming.conftest import build, client, migrated
from tests.streaming.house import House

__all__ = ["build", "client", "migrated"]

CONNECTION = "411f0b00-5f2d-4a3c-9d55-1c9c5a3f0e01"
WORDS = [f"w{number:03d}" for number in range(34)]
# Sending is so far ahead of hearing at most: the lead, a frame begun and one sent late.
LEAD_MS = 240


async def test_a_caller_talks_with_the_service_and_interrupts_it(
    service: RealtimeServer,
    build: Callable[..., House],
    client: aiohttp.ClientSession,
) -> None:
    service.plan.turns = [
        Turn(say=" ".join(WORDS)),
        Turn(hears="Stop, please.", say="I have stopped"),
    ]
    house = build(
        ACSSTREAM_REALTIME_URL=f"{service.url}/v1", ACSSTREAM_REALTIME_KEY=KEY
    )
    relayed_call(house, CONNECTION, {"greeting": "Hello"})
    house.start()

    call_id = identity.call_id(CONNECTION)
    socket = await house.dial(client, call_id, x_ms_call_connection_id=CONNECTION)
    acs = Acs(socket)
    task = asyncio.create_task(acs.run())
    await eventually(lambda: acs.heard_ms >= 3000)
    acs.say = speech(700)
    await eventually(lambda: acs.stopped)
    sent_ms = acs.heard_ms
    await eventually(lambda: acs.heard_ms >= sent_ms + 900)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await socket.close()

    session = service.report()["sessions"][0]
    [cut] = session["truncations"]
    assert sent_ms - LEAD_MS <= cut["audio_end_ms"] <= sent_ms
    assert session["errors"] == []
    rows = await eventually(lambda: segments(house))
    by_speaker = {(row["raw_id"], row["text"]): row for row in rows}
    assert (CALLER, "Stop, please.") in by_speaker
    [long_one] = [row for row in rows if row["is_cut"] and "w000" in row["text"]]
    assert abs(len(long_one["text"].split()) - cut["audio_end_ms"] // 300) <= 1
    assert KEY not in house.log.read_text()


def segments(house: House) -> list[dict[str, str]]:
    rows = house.rows("select * from calls_transcriptsegment order by start_us")
    return rows if len(rows) >= 2 else []
