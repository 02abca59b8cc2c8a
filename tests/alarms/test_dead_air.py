"""The whole way of an alarm: from frames on a socket to a row, and to its end."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import aiohttp

from tests.streaming.house import House, eventually
from tests.streaming.wire import ALICE, START, audio, metadata, microseconds


async def speak(
    ws: aiohttp.ClientWebSocketResponse, first: int, *, silent: bool
) -> AsyncIterator[int]:
    """Send packets in real time, for ever; yield the number of the next."""
    started, number = asyncio.get_running_loop().time(), first
    while True:
        await ws.send_str(audio(number, ALICE, silent=silent))
        number += 1
        due = started + (number - first) * 0.02
        await asyncio.sleep(max(due - asyncio.get_running_loop().time(), 0))
        yield number


async def spoken_until(
    ws: aiohttp.ClientWebSocketResponse,
    first: int,
    claim: Callable[[], object],
    *,
    silent: bool,
) -> int:
    """Speak, or be silent, until `claim` is true; return the next packet's number."""
    async with asyncio.timeout(60):
        async for number in speak(ws, first, silent=silent):
            if number % 10 == 0 and claim():
                return number
    raise AssertionError("a voice never ends by itself")


async def test_dead_air_becomes_an_alarm_and_a_voice_clears_it(
    build: Callable[..., House],
    client: aiohttp.ClientSession,
) -> None:
    house = build(ACSSTREAM_ALARM_DEAD_AIR_SECONDS="3").start()
    call_id = uuid4()
    ws = await house.dial(client, call_id)
    await ws.send_str(metadata())

    def alarms(*, lasting: bool) -> list[dict[str, object]]:
        rows = house.rows("select * from calls_alarm where state = 'open'")
        return [row for row in rows if (row["cleared_at"] is None) == lasting]

    number = await spoken_until(ws, 0, lambda: alarms(lasting=True), silent=True)
    [alarm] = alarms(lasting=True)
    assert (alarm["kind"], alarm["severity"], alarm["state"]) == ("dead_air", 2, "open")
    words = re.fullmatch(r"Nobody has spoken for (\d+) s\.", str(alarm["words"]))
    # As long as it was when that was seen: a busy machine looks late.
    assert words
    assert int(words[1]) >= 3
    assert alarm["threshold"] == 3
    [call] = await eventually(
        lambda: house.rows("select * from calls_call where alarm_count = 1")
    )
    assert call["alarm_severity"] == 2
    assert alarm["at_us"] == microseconds(START)

    await spoken_until(ws, number, lambda: alarms(lasting=False), silent=False)
    assert alarms(lasting=True) == []
    await ws.close()
