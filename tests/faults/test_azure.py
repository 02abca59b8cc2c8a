"""Azure goes away in mid-upload, is full, or outlives the node that recorded."""

import asyncio
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from azure.storage.blob import ContainerClient
from celery import Celery

from calls.live.ingest import LIVE_KEY
from calls.live.processes import KEY
from tests.azurite import Azurite
from tests.faults.archive import assert_archive_is_clean, losses, unfinished
from tests.faults.door import Door
from tests.faults.line import (
    SPEAKERS,
    Clock,
    Line,
    lines_to,
    sent,
    streaming,
)
from tests.faults.places import Crew, Redis
from tests.storage.conftest import azurite as azurite
from tests.storage.conftest import door as door
from tests.streaming.house import House, eventually
from tests.streaming.keeping import RECORD_BYTES

PATIENCE = 60.0
ALARMS = "select * from calls_alarm where kind = 'storage' order by opened_at"
# By hand: ACSSTREAM_TEST_OUTAGE=60 for a real minute.
OUTAGE = float(os.environ.get("ACSSTREAM_TEST_OUTAGE", "0"))
# Small blocks: a file of two seconds takes several.
OPTIONS = {
    "client_options": {
        "max_single_put_size": 16_384,
        "max_block_size": 16_384,
        "retry_total": 0,
    }
}


@pytest.fixture
def container(azurite: Azurite) -> Iterator[ContainerClient]:
    with azurite.container() as container:
        yield container


@pytest.fixture
def house(
    build: Callable[..., House],
    tmp_path: Path,
    azurite: Azurite,
    door: Door,
    container: ContainerClient,
) -> Iterator[House]:
    """A house whose recordings go through the door."""
    redis = Redis(tmp_path).start()
    yield build(
        REDIS_URL=redis.url,
        ACSSTREAM_FINISH_GRACE="1",
        ACSSTREAM_RETRY_SECONDS="0.5",
        ACSSTREAM_AZURE_CONTAINER=container.container_name,
        ACSSTREAM_AZURE_CONNECTION_STRING=azurite.connection_string(door.port),
        ACSSTREAM_STORAGE_OPTIONS=json.dumps(OPTIONS),
    )
    redis.kill()


@pytest.fixture
def crew(house: House) -> Iterator[Crew]:
    crew = Crew(house)
    yield crew
    crew.close()


async def test_whatever_befalls_azure_or_the_worker_every_recording_arrives(
    house: House, crew: Crew, door: Door, azurite: Azurite, container: ContainerClient
) -> None:
    house.start()
    crew.worker()
    await eventually(crew.is_ready, PATIENCE)
    lines = await azure_goes_in_mid_upload(house, door, azurite)
    lines += await azure_is_full(house, door, lines[0].clock)
    lines += await the_worker_dies_in_mid_upload(house, crew, door, lines[0].clock)
    await eventually(lambda: not any((house.folder / "journals").iterdir()), PATIENCE)
    crew.close()
    house.end()

    fetch(container, house.folder / "recordings")
    assert losses(house, lines) == []
    assert_archive_is_clean(house)
    told = [(row["state"], row["occurrences"]) for row in house.rows(ALARMS)]
    assert told == [("closed", 1)] * 2


async def azure_goes_in_mid_upload(
    house: House, door: Door, azurite: Azurite
) -> list[Line]:
    """It comes back later: OUTAGE seconds, or as soon as that has been noticed."""
    lines = lines_to(house.port, 2)
    door.hold(after=1)
    await recorded(house, lines)
    await swept(house, door.holding.is_set)
    azurite.stop()
    door.let_go()
    await asyncio.sleep(OUTAGE)
    await swept(house, lambda: tried(house) > len(lines))

    assert "Azure cannot be reached" in alarm(house)["words"]
    assert len(house.journals) == len(lines)
    assert house.rows("select * from calls_recording") == []
    azurite.start()
    await swept(house, lambda: not unfinished(house))
    # The worker tidies up after the last row, and closes it then.
    await swept(house, lambda: alarm(house)["state"] == "closed")
    return lines


async def azure_is_full(house: House, door: Door, clock: Clock) -> list[Line]:
    lines = [Line(2, house.port, clock)]
    door.is_full = True
    await recorded(house, lines)
    await swept(house, lambda: tried(house) > 1)

    told = alarm(house)
    assert "the storage account is full (Azure answered 507" in told["words"]
    assert (told["severity"], told["state"], told["cleared_at"]) == (3, "open", None)
    assert len(house.journals) == 1
    assert house.rows("select * from calls_alarm where kind = 'incomplete'") == []
    door.is_full = False
    await swept(house, lambda: not unfinished(house))
    # The worker tidies up after the last row, and closes it then.
    await swept(house, lambda: alarm(house)["state"] == "closed")
    return lines


async def the_worker_dies_in_mid_upload(
    house: House, crew: Crew, door: Door, clock: Clock
) -> list[Line]:
    lines = [Line(3, house.port, clock)]
    door.hold(after=1)
    await recorded(house, lines)
    await swept(house, door.holding.is_set)

    crew.kill("worker")
    assert len(house.journals) == 1
    door.let_go()
    crew.worker("second")
    await swept(house, lambda: not unfinished(house))
    return lines


async def test_a_lost_node_costs_what_it_had_not_copied_yet(
    house: House,
    crew: Crew,
    migrated: Path,
    container: ContainerClient,
) -> None:
    house.env["ACSSTREAM_ROLLING_MINUTES"] = "0.02"
    [line] = lines_to(house.start().port, 1)
    crew.worker()
    async with streaming([line]):
        await sent([line], 150)
        # What is no audio takes the room of two records.
        heard = (150 * len(SPEAKERS) + 2) * RECORD_BYTES
        await swept(house, lambda: copied(container) > heard)
        house.kill()
        crew.kill("worker")
    # The node is gone with its disk, and the database too.
    shutil.rmtree(house.folder / "journals")
    for path in house.folder.glob("acsstream.sqlite3*"):
        path.unlink()
    shutil.copy(migrated, house.database)
    house.env["ACSSTREAM_NODE"] = "another"
    with redis.Redis.from_url(house.env["REDIS_URL"]) as client:
        # Ten seconds later nobody has heard of its ingest.
        client.delete(LIVE_KEY)
        still_lives(client)
        refused = house.manage("recover", "--from-storage", "test-node")
        # Half a minute later nobody has heard of its worker, either.
        client.delete(KEY)
    done = house.manage("recover", "--from-storage", "test-node")
    assert done.returncode == 0, done.stdout + done.stderr

    assert (refused.returncode, "a worker of test-node lives" in refused.stderr) == (
        2,
        True,
    )
    assert not list(container.list_blob_names(name_starts_with="rolling/"))
    fetch(container, house.folder / "recordings")
    for loss in losses(house, [line]):
        # All of it at the end, and none of what was copied.
        assert loss.packets <= line.legs[0].sent[loss.speaker] - 150
    assert_archive_is_clean(house)


def still_lives(client: Any) -> None:
    """Have all processes' notes be of now, however long it took to get here."""
    for name in client.zrange(KEY, 0, -1):
        key = f"{KEY}:{name.decode()}"
        note = json.loads(client.get(key))
        client.set(key, json.dumps(note | {"at": client.time()[0]}))
        client.zadd(KEY, {name: client.time()[0]})


async def recorded(house: House, lines: list[Line]) -> None:
    async with streaming(lines):
        await sent(lines, 100)
    query = "select * from calls_connection where closed_at is not null"
    await eventually(lambda: len(house.rows(query)) > max(one.number for one in lines))


async def swept(house: House, claim: Callable[[], Any]) -> None:
    """Do beat's part, faster, until something is true."""
    async with asyncio.timeout(PATIENCE):
        while not claim():
            with Celery(broker=house.env["REDIS_URL"]) as app:
                app.send_task("calls.sweep_calls", queue="acsstream", expires=5)
            for _ in range(10):
                await asyncio.sleep(0 if claim() else 0.05)


def tried(house: House) -> int:
    """Return how often storing failed, over all calls."""
    [row] = house.rows("select sum(archive_attempts) as times from calls_call")
    return int(row["times"] or 0)


def alarm(house: House) -> dict[str, Any]:
    return house.rows(ALARMS)[-1]


def copied(container: ContainerClient) -> int:
    """Return how many bytes of journals are in the container."""
    parts = container.list_blobs(name_starts_with="rolling/")
    return sum(part.size for part in parts)


def fetch(container: ContainerClient, folder: Path) -> None:
    """Copy what is in the container to a folder."""
    for name in container.list_blob_names():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(container.download_blob(name).readall())
