"""What a network does to a call, through a real ingest process to the finished file."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from tests.faults.data_checks import TRACKS, assert_archive_is_clean, decoded, stored
from tests.recording.bench import timeline
from tests.streaming.conftest import build as build
from tests.streaming.conftest import migrated as migrated
from tests.streaming.house import House, closing, eventually
from tests.streaming.test_outages import journaled
from tests.streaming.wire import ALICE, BOB, SAMPLES, audio, metadata

Socket = aiohttp.ClientWebSocketResponse


@pytest.fixture
async def acs() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as acs:
        yield acs


async def send(ws: Socket, numbers: Iterable[int], *speakers: str) -> None:
    """Send these packets as fast as the socket takes them."""
    for number in numbers:
        for speaker in speakers or (ALICE,):
            await ws.send_str(audio(number, speaker))


async def finished(house: House) -> list[dict[str, Any]]:
    """Wait until all sockets are closed, finish the call, and return its tracks."""
    await eventually(lambda: house.get("/healthz")[1]["streams"] == 0)
    house.end()
    house.recover()
    assert_archive_is_clean(house)
    return house.rows(TRACKS)


def figures(track: dict[str, Any]) -> dict[str, Any]:
    names = ("packets", "late", "duplicates", "discarded", "gap_count", "completeness")
    return {name: track[name] for name in names} | {
        "slots": track["samples"] / SAMPLES,
        "gap_slots": track["gap_samples"] / SAMPLES,
    }


def told(packets: int, slots: int, gaps: int = 0, lost: int = 0, **rest: int) -> object:
    """Return the figures of a track as they must be."""
    return {
        "packets": packets,
        "late": 0,
        "duplicates": 0,
        "discarded": 0,
        "gap_count": gaps,
        "completeness": pytest.approx(1 - lost / slots, abs=1e-9),
        "slots": slots,
        "gap_slots": lost,
    } | rest


def leftovers(house: House, track: dict[str, Any]) -> list[dict[str, Any]]:
    with gzip.open(stored(house, track["leftovers"])) as lines:
        return [json.loads(line) for line in lines]


async def test_late_and_repeated_packets_end_in_order_and_once(
    build: Callable[..., House], acs: aiohttp.ClientSession
) -> None:
    house = build().start()
    ws = await house.dial(acs, uuid4())
    late, swapped, twice = {50, 120, 171}, {30, 90, 160}, {20, 21, 80, 140}
    # Late ones come ten packets late; swapped ones trade places with the next.
    place = {n: n + 10.5 if n in late else n for n in range(200)}
    place |= {n: n + 1.5 for n in swapped}
    order = sorted(place, key=lambda number: place[number])

    await ws.send_str(metadata())
    await send(ws, (n for number in order for n in [number] * (1 + (number in twice))))
    await ws.close()
    [track] = await finished(house)

    assert decoded(house, track["audio"]) == timeline(range(200), 200)
    # All of them came behind something that was spoken after them.
    behind = len(late | swapped)
    assert figures(track) == told(204, 200, late=behind, duplicates=len(twice))
    assert len(leftovers(house, track)) == len(twice)


async def test_three_minutes_without_a_packet_are_three_minutes_of_gap(
    build: Callable[..., House], acs: aiohttp.ClientSession
) -> None:
    house = build().start()
    ws = await house.dial(acs, uuid4())
    spoken = [*range(100), *range(9_100, 9_200)]

    await ws.send_str(metadata())
    await send(ws, spoken[:100])
    await eventually(lambda: journaled(house) == 100)
    await send(ws, spoken[100:])
    await ws.close()
    [track] = await finished(house)

    assert decoded(house, track["audio"]) == timeline(spoken, 9_200)
    assert figures(track) == told(200, 9_200, gaps=1, lost=9_000)


async def test_what_a_stall_held_back_comes_at_once_and_is_in_its_place(
    build: Callable[..., House], acs: aiohttp.ClientSession
) -> None:
    house = build().start()
    ws = await house.dial(acs, uuid4())
    await ws.send_str(metadata())
    began = time.monotonic()
    for number in range(25):
        await send(ws, [number], ALICE, BOB)
        await asyncio.sleep(max(0, began + number * 0.02 - time.monotonic()))

    # The fault itself: the network stands still for three seconds.
    await asyncio.sleep(3)
    await send(ws, range(25, 200), ALICE, BOB)
    await ws.close()
    tracks = await finished(house)

    assert [track["raw_id"] for track in tracks] == [BOB, ALICE]
    for track in tracks:
        assert decoded(house, track["audio"]) == timeline(range(200), 200)
        assert figures(track) == told(200, 200)


async def test_a_call_redialled_twelve_times_lacks_what_was_said_between(
    build: Callable[..., House], acs: aiohttp.ClientSession
) -> None:
    house = build().start()
    call_id = uuid4()
    for dialled in range(13):
        ws = await house.dial(acs, call_id)
        await ws.send_str(metadata())
        await send(ws, spoken_in(dialled), ALICE, BOB)
        # What has not been read when a connection is reset was never received.
        await eventually(partial(has_journaled, house, 50 * (dialled + 1)))
        if dialled % 2:
            reset(ws)
        else:
            await ws.close()
        await eventually(lambda: house.get("/healthz")[1]["streams"] == 0)
    tracks = await finished(house)

    assert [track["raw_id"] for track in tracks] == [BOB, ALICE]
    spoken = [number for dialled in range(13) for number in spoken_in(dialled)]
    for track in tracks:
        assert decoded(house, track["audio"]) == timeline(spoken, 385)
        assert figures(track) == told(325, 385, gaps=12, lost=60)
    sockets = house.rows("select * from calls_connection order by opened_at")
    assert [row["packets"] for row in sockets] == [50] * 13
    assert [row["close_code"] for row in sockets] == [1000, 1006] * 6 + [1000]


def spoken_in(dialled: int) -> range:
    """Return the packets of one of the sockets; the five behind them are lost."""
    return range(dialled * 30, dialled * 30 + 25)


def has_journaled(house: House, packets: int) -> bool:
    return journaled(house) == packets


def reset(ws: Socket) -> None:
    """End the TCP connection under a socket, with no close frame."""
    connection = ws._response.connection
    assert connection is not None
    assert connection.transport is not None
    connection.transport.abort()


async def test_of_two_sockets_the_newer_wins_and_the_olders_backlog_is_kept(
    build: Callable[..., House], acs: aiohttp.ClientSession
) -> None:
    house = build().start()
    call_id = uuid4()
    old = await house.dial(acs, call_id)
    await old.send_str(metadata())
    await send(old, range(30))
    await eventually(lambda: journaled(house) == 30)
    new = await house.dial(acs, call_id)
    await new.send_str(metadata())
    await send(new, range(50, 80))
    await eventually(lambda: journaled(house) == 60)

    # On its way when ACS dialled again; the newer socket brings some of it too.
    await send(old, range(30, 50))
    await eventually(lambda: journaled(house) == 80)
    await send(new, [*range(45, 50), *range(80, 100)])
    assert await closing(old) == 1000
    await new.close()
    [track] = await finished(house)

    assert decoded(house, track["audio"]) == timeline(range(100), 100)
    assert figures(track) == told(105, 100, late=20, duplicates=5)
    assert len(leftovers(house, track)) == 5
    older, newer = house.rows("select * from calls_connection order by opened_at")
    assert older["close_reason"] == "superseded by a newer socket"
    assert (older["packets"], newer["packets"]) == (50, 55)
