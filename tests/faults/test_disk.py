"""The disk of the journals is full in mid-call."""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import aiohttp

from calls.journals.reading import Kind, read
from tests.faults.archive import TRACKS, assert_archive_is_clean, decoded, losses, runs
from tests.faults.disks import Disk, SizeLimit, small_disk
from tests.faults.journals import rows_catch_up
from tests.faults.line import LABEL, NOISE, lines_to, sent, streaming
from tests.streaming.house import PATIENCE, House, closing, eventually
from tests.streaming.wire import audio, metadata

STREAMS = 4
# Packets of 200 ms: the same memory is full in a tenth of the packets.
LONG = 10
LONG_BYTES = 640 * LONG
# What an ingest process keeps in memory when the disk takes nothing.
MEMORY_BYTES = 64 << 20


def journaled(house: House) -> int:
    """Return how many packets are in journals."""
    total = 0
    for path in house.journals:
        with read(path) as journal:
            total += sum(record.kind == Kind.AUDIO for record in journal.records())
    return total


async def settled(house: House) -> int:
    """Return how many packets are in journals once they grow no more.

    On a disk that is full a journal may still fill the last page it has.
    """
    seen = -1
    async with asyncio.timeout(PATIENCE):
        while (found := journaled(house)) != seen:
            seen = found
            await asyncio.sleep(0.3)
    return seen


def refuses(house: House) -> str:
    return str(house.get("/readyz")[1]["refuses"] or "")


async def test_what_a_full_disk_does_not_take_waits_and_is_written_later(
    build: Callable[..., House], client: aiohttp.ClientSession
) -> None:
    house = build(ACSSTREAM_MIN_FREE_MB="0")
    disk = small_disk(house)
    try:
        await disk_is_full_for_a_while(house, disk, client)
    finally:
        house.close()
        disk.close()


async def disk_is_full_for_a_while(
    house: House, disk: Disk, client: aiohttp.ClientSession
) -> None:
    lines = lines_to(house.start().port, STREAMS)
    async with streaming(lines):
        await sent(lines, 100)
        disk.fill()
        await eventually(lambda: "journals cannot be written" in refuses(house))
        before = await settled(house)
        await sent(lines, min(lines[0].legs[0].sent.values()) + 150)

        assert journaled(house) <= before + STREAMS
        refused = await house.dial(client, uuid4())
        assert await closing(refused) == 1013
        disk.free()
        await eventually(lambda: refuses(house) == "")
        taken = await house.dial(client, lines[0].call_id)
        await taken.close()
        await sent(lines, min(lines[0].legs[0].sent.values()) + 50)
    await rows_catch_up(house)
    house.end()
    house.recover()

    assert losses(house, lines) == []
    assert [len(line.legs) for line in lines] == [1] * STREAMS
    assert house.rows("select * from calls_connection where unjournaled > 0") == []
    assert_archive_is_clean(house)


def long_packet(number: int) -> bytes:
    """Return a packet of 200 ms that no other is like."""
    return LABEL.pack(1, 1, number + 1) + (NOISE * (LONG + 1))[: LONG_BYTES - 6]


async def speak(ws: aiohttp.ClientWebSocketResponse, numbers: range) -> None:
    for number in numbers:
        await ws.send_str(audio(number * LONG, pcm=long_packet(number)))


async def test_what_memory_does_not_hold_either_is_counted_where_it_is_missing(
    build: Callable[..., House], client: aiohttp.ClientSession
) -> None:
    house = build().start()
    disk = SizeLimit(house)
    ws = await house.dial(client, uuid4())
    await ws.send_str(metadata())
    # So much before that the database stays below the limit.
    first = 1500
    full = first + MEMORY_BYTES // LONG_BYTES + 500
    await speak(ws, range(first))
    await eventually(lambda: journaled(house) == first)
    disk.fill()
    await speak(ws, range(first, full))
    await eventually(lambda: "journals cannot be written" in refuses(house))
    # All of it has been received, and the disk has taken none of it.
    await eventually(lambda: socket_row(house)["packets"] == full)
    assert journaled(house) <= first + 1
    disk.free()
    last = full + 100
    await eventually(lambda: refuses(house) == "")
    await speak(ws, range(full, last))
    await ws.close()
    await eventually(lambda: house.get("/healthz")[1]["streams"] == 0)
    house.end()
    dropped = socket_row(house)["unjournaled"]
    assert dropped > 0

    [path] = house.journals
    with read(path) as journal:
        notes = [record for record in journal.records() if record.kind == Kind.NOTE]
        assert [json.loads(note.text) for note in notes] == [
            {"event": "dropped", "packets": dropped, "records": dropped}
        ]
        assert journal.sealed is not None
        assert journal.sealed.dropped_packets == dropped
    house.recover()
    [track] = house.rows(TRACKS)
    kept = [*range(full - dropped), *range(full, last)]
    assert track["packets"] == len(kept)
    assert runs(track) == [
        ("r", (full - dropped) * LONG * 320),
        ("g", dropped * LONG * 320),
        ("r", (last - full) * LONG * 320),
    ]
    pcm = decoded(house.folder / "recordings" / track["audio"])
    assert pcm == b"".join(
        long_packet(number) if number in set(kept) else bytes(LONG_BYTES)
        for number in range(last)
    )
    assert socket_row(house)["unjournaled"] == dropped
    assert_archive_is_clean(house)


def socket_row(house: House) -> dict[str, Any]:
    [row] = house.rows("select packets, unjournaled from calls_connection")
    return row
