"""Alarms outlive a database that is away and the process that raised them."""

import asyncio
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aiohttp

from tests.alarms.test_dead_air import spoken_until
from tests.streaming.house import House, eventually
from tests.streaming.wire import audio, metadata

SOON = {"ACSSTREAM_ALARM_DEAD_AIR_SECONDS": "3"}


def alarms(house: House, kind: str = "dead_air") -> list[dict[str, Any]]:
    return house.rows(
        "select * from calls_alarm where kind = ? order by opened_at", kind
    )


def lasting(house: House, kind: str = "dead_air") -> list[dict[str, Any]]:
    return [one for one in alarms(house, kind) if one["cleared_at"] is None]


@contextmanager
def database(house: House) -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(house.database, timeout=30, isolation_level=None)
    with closing(opened):
        yield opened


async def test_an_alarm_that_no_database_took_comes_with_its_own_time(
    build: Callable[..., House], client: aiohttp.ClientSession
) -> None:
    house = build(**SOON).start()
    ws = await house.dial(client, uuid4())
    await ws.send_str(metadata())
    number = await spoken_until(
        ws, 0, lambda: house.rows("select * from calls_track"), silent=False
    )

    with database(house) as locked:
        locked.execute("begin exclusive")
        until = number + 10 * 50
        number = await spoken_until(ws, number, lambda: number, silent=True)
        async with asyncio.timeout(30):
            while number < until:
                await ws.send_str(audio(number, silent=True))
                number += 1
                await asyncio.sleep(0.02)
        unlocked_at = datetime.now(UTC)
        locked.execute("rollback")

    await spoken_until(ws, number, lambda: lasting(house), silent=True)
    [alarm] = alarms(house)
    assert datetime.fromisoformat(alarm["opened_at"] + "+00:00") < unlocked_at
    await ws.close()


async def test_who_takes_a_call_over_goes_on_with_its_alarms(
    build: Callable[..., House], client: aiohttp.ClientSession
) -> None:
    house, call_id = build(**SOON).start(), uuid4()
    ws = await house.dial(client, call_id)
    await ws.send_str(metadata())
    number = await spoken_until(ws, 0, lambda: lasting(house), silent=True)
    [before] = alarms(house)

    house.end(signal.SIGKILL)
    house.start()
    ws = await house.dial(client, call_id)
    await ws.send_str(metadata())
    number = await spoken_until(
        ws,
        number + 100,
        lambda: alarms(house)[0]["last_seen_at"] > before["last_seen_at"],
        silent=True,
    )
    [after] = alarms(house)
    assert (after["id"], after["occurrences"]) == (before["id"], 1)
    assert after["cleared_at"] is None

    await spoken_until(ws, number, lambda: not lasting(house), silent=False)
    assert len(alarms(house)) == 1
    await ws.close()


async def test_packets_that_nobody_wants_any_more_are_not_missed(
    build: Callable[..., House], client: aiohttp.ClientSession
) -> None:
    house = build().start()
    wanted, stopped = uuid4(), uuid4()
    sockets = [await house.dial(client, call_id) for call_id in (wanted, stopped)]
    await eventually(lambda: len(house.rows("select * from calls_call")) == 2)
    with database(house) as orders:
        orders.execute(
            "update calls_call set desired_streaming = 0 where id = ?", [stopped.hex]
        )
    for ws in sockets:
        await ws.send_str(metadata())
        for number in range(10):
            await ws.send_str(audio(number))

    await eventually(lambda: lasting(house, "stalled"))
    # Who stops later is not missed either.
    with database(house) as orders:
        orders.execute("update calls_call set desired_streaming = 0")
    await eventually(lambda: not lasting(house, "stalled"))

    assert [one["call_id"] for one in alarms(house, "stalled")] == [wanted.hex]
    for ws in sockets:
        await ws.close()
