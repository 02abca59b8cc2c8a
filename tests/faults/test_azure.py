"""Azure goes away in mid-upload, is full, or outlives the node that recorded."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient

from tests.azurite import Azurite, azurite_server
from tests.faults.archive import (
    Loss,
    assert_archive_is_clean,
    losses,
    unfinished,
)
from tests.faults.door import Door
from tests.faults.line import PACKET_BYTES, SPEAKERS, Line, lines_to, sent, streaming
from tests.faults.places import Crew, Redis
from tests.streaming.house import House, eventually

PATIENCE = 60.0
ALARMS = "select * from calls_alarm where kind = 'storage'"
# Small blocks: a file of two seconds takes several.
OPTIONS = {"client_options": {"max_single_put_size": 16_384, "max_block_size": 16_384}}


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with azurite_server(tmp_path_factory.mktemp("azure")) as server:
        yield server


@pytest.fixture
def door(azurite: Azurite) -> Iterator[Door]:
    door = Door(azurite.port)
    yield door
    door.close()


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


async def test_azure_may_go_in_mid_upload_and_gets_every_recording_later(
    house: House,
    crew: Crew,
    door: Door,
    azurite: Azurite,
    container: ContainerClient,
) -> None:
    lines = await recorded(house, crew, 2, door)

    azurite.stop()
    door.let_go()
    await eventually(lambda: tried(house) >= len(lines) + 1, PATIENCE)
    assert "Azure cannot be reached" in alarm(house)["words"]
    assert len(house.journals) == len(lines)
    assert house.rows("select * from calls_recording") == []
    azurite.start()
    await eventually(lambda: not unfinished(house), PATIENCE)

    await all_arrived(house, crew, lines, container)
    assert alarm(house)["state"] == "closed"


async def test_a_worker_that_dies_in_mid_upload_leaves_it_to_another(
    house: House, crew: Crew, door: Door, container: ContainerClient
) -> None:
    lines = await recorded(house, crew, 2, door)

    crew.kill("worker")
    assert list(container.list_blob_names()) == []
    assert len(house.journals) == len(lines)
    door.let_go()
    crew.worker("second")
    await eventually(lambda: not unfinished(house), PATIENCE)

    await all_arrived(house, crew, lines, container)


async def test_a_full_container_is_an_alarm_and_costs_nothing(
    house: House, crew: Crew, door: Door, container: ContainerClient
) -> None:
    door.is_full = True
    lines = await recorded(house, crew, 2)
    await eventually(lambda: tried(house) >= len(lines) + 1, PATIENCE)

    told = alarm(house)
    assert "the storage account is full (Azure answered 507" in told["words"]
    assert (told["severity"], told["state"], told["cleared_at"]) == (3, "open", None)
    assert len(house.journals) == len(lines)
    assert house.rows("select * from calls_alarm where kind = 'incomplete'") == []
    door.is_full = False
    await eventually(lambda: not unfinished(house), PATIENCE)

    await all_arrived(house, crew, lines, container)
    assert (alarm(house)["state"], alarm(house)["occurrences"]) == ("closed", 1)


async def test_a_lost_node_costs_what_it_had_not_copied_yet(
    house: House,
    crew: Crew,
    migrated: Path,
    container: ContainerClient,
) -> None:
    house.env["ACSSTREAM_ROLLING_MINUTES"] = "0.02"
    [line] = lines_to(house.start().port, 1)
    crew.beat()
    crew.worker()
    async with streaming([line]):
        await sent([line], 150)
        heard = 150 * len(SPEAKERS) * PACKET_BYTES
        await eventually(lambda: copied(container) > heard, PATIENCE)
        house.kill()
        crew.kill("worker")
        crew.kill("beat")
    # The node is gone with its disk, and the database too.
    shutil.rmtree(house.folder / "journals")
    shutil.copy(migrated, house.database)
    house.env["ACSSTREAM_NODE"] = "another"
    done = house.manage("recover", "--from-storage", "test-node")
    assert done.returncode == 0, done.stdout + done.stderr

    assert not list(container.list_blob_names(name_starts_with="rolling/"))
    fetch(container, house.folder / "recordings")
    for loss in losses(house, [line]):
        # All of it at the end, and none of what was copied.
        assert loss.packets <= line.legs[0].sent[loss.speaker] - 150
    assert_archive_is_clean(house)


async def recorded(
    house: House, crew: Crew, count: int, door: Door | None = None
) -> list[Line]:
    """Record calls; return when the second block of a recording is under way."""
    if door:
        door.hold(after=1)
    lines = lines_to(house.start().port, count)
    crew.beat()
    crew.worker()
    async with streaming(lines):
        await sent(lines, 100)
    if door:
        await eventually(door.holding.is_set, PATIENCE)
    return lines


def tried(house: House) -> int:
    """Return how often storing failed, over all calls."""
    [row] = house.rows("select sum(archive_attempts) as times from calls_call")
    return int(row["times"] or 0)


def alarm(house: House) -> dict[str, Any]:
    [row] = house.rows(ALARMS)
    return row


def copied(container: ContainerClient) -> int:
    """Return how many bytes of journals are in the container."""
    parts = container.list_blobs(name_starts_with="rolling/")
    return sum(part.size for part in parts)


async def all_arrived(
    house: House, crew: Crew, lines: list[Line], container: ContainerClient
) -> None:
    await eventually(lambda: not any((house.folder / "journals").iterdir()))
    crew.close()
    house.end()
    fetch(container, house.folder / "recordings")
    nothing: list[Loss] = []
    assert losses(house, lines) == nothing
    assert_archive_is_clean(house)


def fetch(container: ContainerClient, folder: Path) -> None:
    """Copy what is in the container to a folder."""
    for name in container.list_blob_names():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(container.download_blob(name).readall())
