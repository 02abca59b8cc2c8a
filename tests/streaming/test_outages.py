"""What is down, full or too much costs no packet of a call that is being received."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from uuid import uuid4

import aiohttp
import pytest
from pytest_django import Settings

from calls.journals.reading import Kind, read
from streaming.capacity import NoRoomError
from streaming.recorder import Recorder
from streaming.socket_rows import Opening
from tests.streaming.desk import OPENED
from tests.streaming.house import ENDED, House, closing, eventually
from tests.streaming.wire import ALICE, BOB, audio, metadata


def journaled(house: House) -> int:
    """Return how many packets are in journals."""
    total = 0
    for path in house.journals:
        with read(path) as journal:
            total += sum(record.kind == Kind.AUDIO for record in journal.records())
    return total


async def test_a_database_that_is_locked_costs_patience_and_nothing_else(
    build: Callable[..., House], client: aiohttp.ClientSession
) -> None:
    house = build().start()
    call_id = uuid4()
    await eventually(lambda: house.rows("select * from calls_ingestprocess"))
    lock = sqlite3.connect(house.database, isolation_level=None)
    lock.execute("begin exclusive")

    ws = await house.dial(client, call_id)
    await ws.send_str(metadata())
    for number in range(100):
        await ws.send_str(audio(number))
    await eventually(lambda: journaled(house) == 100)
    assert house.rows("select * from calls_connection") == []
    lock.execute("rollback")
    lock.close()

    await eventually(lambda: house.rows("select * from calls_track"))
    for number in range(100, 110):
        await ws.send_str(audio(number))
    await ws.close()
    await eventually(
        lambda: house.rows("select * from calls_connection where packets = 110")
    )
    [track] = await eventually(
        lambda: house.rows("select * from calls_track where packets = 110")
    )
    assert (track["samples"], track["gap_samples"]) == (110 * 320, 0)


async def test_a_database_that_is_gone_is_waited_for(
    build: Callable[..., House], client: aiohttp.ClientSession
) -> None:
    house = build().start()
    away = house.database.with_name("away")
    for path in house.folder.glob("acsstream.sqlite3*"):
        path.rename(path.with_name(path.name.replace("acsstream.sqlite3", "away")))
    house.database.mkdir()

    began = time.monotonic()
    ws = await house.dial(client, uuid4())
    waited = time.monotonic() - began
    await ws.send_str(metadata())
    await ws.send_str(audio(0))
    await ws.close()
    await eventually(lambda: journaled(house) == 1)
    await eventually(lambda: house.get("/healthz")[1]["database"])
    house.database.rmdir()
    away.rename(house.database)

    await eventually(lambda: house.rows("select * from calls_track where packets = 1"))
    assert waited < 20
    await eventually(lambda: house.get("/healthz")[1]["database"] is None)


async def test_an_ordered_end_tells_its_sockets_and_seals_their_journals(
    build: Callable[..., House], client: aiohttp.ClientSession
) -> None:
    house = build()
    house.command = ["-m", "tests.streaming.patient_ingest"]
    house.start()
    await ends_in_order(house, client)

    closed = house.rows("select * from calls_connection where closed_at is not null")
    assert [(row["packets"], row["close_code"]) for row in closed] == [(50, 1012)] * 5
    [process] = house.rows("select * from calls_ingestprocess")
    assert (process["stopped_at"] is not None, process["streams"]) == (True, 0)


async def ends_in_order(house: House, client: aiohttp.ClientSession) -> None:
    calls = [uuid4() for _ in range(5)]
    sockets = [await house.dial(client, call_id) for call_id in calls]
    for ws in sockets:
        await ws.send_str(metadata())
        for number in range(50):
            await ws.send_str(audio(number))
    await eventually(lambda: house.get("/healthz")[1]["streams"] == 5)
    await eventually(lambda: journaled(house) == 250)

    ended = asyncio.create_task(asyncio.to_thread(house.end))

    assert [await closing(ws) for ws in sockets] == [1012] * 5
    assert await ended in ENDED
    assert len(house.journals) == 5
    for path in house.journals:
        with read(path) as journal:
            assert journal.sealed is not None
            assert (journal.sealed.code, journal.sealed.dropped_packets) == (1012, 0)


async def test_takes_no_more_sockets_than_it_may(
    build: Callable[..., House], client: aiohttp.ClientSession
) -> None:
    house = build(ACSSTREAM_MAX_STREAMS="2").start()

    # All at once: none may slip in while another is still shaking hands.
    sockets = await asyncio.gather(*(house.dial(client, uuid4()) for _ in range(8)))
    first = [asyncio.create_task(closing(ws)) for ws in sockets]
    done, open_ones = await asyncio.wait(first, timeout=1.5)
    status, facts = house.get("/readyz")

    assert [task.result() for task in done] == [1013] * 6
    assert len(open_ones) == 2
    assert (status, facts["refuses"]) == (503, "2 streams are open, the limit")
    assert house.get("/healthz")[0] == 200

    for ws in sockets:
        await ws.close()
    await asyncio.gather(*open_ones)
    await eventually(lambda: house.get("/readyz")[0] == 200)
    ws = await house.dial(client, uuid4())
    await ws.send_str(metadata())
    await eventually(lambda: house.get("/healthz")[1]["streams"] == 1)
    await ws.close()


async def test_two_sockets_of_one_call_end_in_one_recording(
    build: Callable[..., House], client: aiohttp.ClientSession
) -> None:
    house = build().start()
    call_id = uuid4()
    # As when ACS redials before the old socket is gone.
    old = await house.dial(client, call_id)
    await eventually(lambda: house.get("/healthz")[1]["streams"] == 1)
    new = await house.dial(client, call_id)
    await eventually(lambda: house.get("/healthz")[1]["streams"] == 2)
    await old.send_str(metadata())
    for number in range(50):
        await old.send_str(audio(number))
        await old.send_str(audio(number, BOB))
    await eventually(lambda: journaled(house) == 100)
    await new.send_str(metadata())

    assert await closing(old) == 1000
    for number in range(50, 100):
        await new.send_str(audio(number))
    await new.close()
    await eventually(lambda: house.get("/healthz")[1]["streams"] == 0)
    house.end()
    [done] = house.recover()

    assert (done["journals"], done["packets"], done["recordings"]) == (2, 150, 2)
    tracks = house.rows(
        "select t.samples, t.gap_samples, p.raw_id from calls_track t"
        " join calls_participant p on p.id = t.participant_id order by p.raw_id"
    )
    assert [(t["raw_id"], t["samples"], t["gap_samples"]) for t in tracks] == [
        (BOB, 50 * 320, 0),
        (ALICE, 100 * 320, 0),
    ]


@pytest.fixture
def house_of_settings(settings: Settings, tmp_path: object) -> Settings:
    settings.JOURNAL_DIR = tmp_path
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    return settings


OPENING = Opening("acs", "", "", OPENED)


async def test_a_full_disk_is_no_room(house_of_settings: Settings) -> None:
    house_of_settings.MIN_FREE_MB = 10**9
    recorder = Recorder()

    with pytest.raises(NoRoomError, match="MB are free"):
        recorder.open(uuid4(), OPENING, None, lambda: None)

    assert recorder.no_room() is not None
    assert recorder.calls == {}
    recorder.archive.close(wait=True)


@pytest.mark.django_db(transaction=True)
async def test_a_process_that_ends_takes_nobody_in(
    house_of_settings: Settings,
) -> None:
    recorder = Recorder()
    session = recorder.open(uuid4(), OPENING, None, lambda: None)

    await recorder.stop()

    with pytest.raises(NoRoomError, match="ending"):
        recorder.open(uuid4(), OPENING, None, lambda: None)
    assert session.counts.close_code == 1012
    with read(session.journal.path) as journal:
        assert journal.sealed is not None
