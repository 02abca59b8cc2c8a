"""A worker is killed in the middle of finishing recordings."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.archive import assert_archive_is_clean, losses, unfinished
from tests.faults.line import Line, lines_to, sent, streaming
from tests.faults.places import Crew, Redis
from tests.streaming.house import House, eventually

FINISHED = re.compile(r"call ([0-9a-f-]{36}): finished")


@pytest.fixture
def house(build: Callable[..., House], tmp_path: Path) -> Iterator[House]:
    """A house with a Redis, and a storage that stands still when told."""
    recordings = tmp_path / "house" / "recordings"
    redis = Redis(tmp_path).start()
    house = build(
        REDIS_URL=redis.url,
        ACSSTREAM_FINISH_GRACE="1",
        ACSSTREAM_STORAGE_BACKEND="tests.faults.storages.HaltingFileSystemStorage",
        ACSSTREAM_STORAGE_OPTIONS=json.dumps({"location": str(recordings)}),
    )
    yield house
    redis.kill()


@pytest.fixture
def crew(house: House) -> Iterator[Crew]:
    crew = Crew(house)
    yield crew
    crew.close()


def halt(house: House, line: Line, name: str) -> Path:
    """Let the storage stand still at a call's file; return what then appears."""
    (house.folder / f"halt-{line.call_id}").write_text(name)
    return house.folder / f"halted-{line.call_id}"


async def test_a_worker_that_dies_in_mid_file_leaves_its_work_to_another(
    house: House, crew: Crew
) -> None:
    lines = lines_to(house.start().port, 2)
    # In the middle of the first of a call's nine files, and of the seventh.
    points = [
        halt(house, line, name)
        for line, name in zip(lines, (".flac", "mix-"), strict=True)
    ]
    async with streaming(lines):
        await sent(lines, 100)
    crew.beat()
    crew.worker("first")

    await eventually(lambda: all(point.exists() for point in points))
    crew.kill("first")
    assert house.rows("select * from calls_recording") == []
    assert len(house.journals) == len(lines)
    go_on(house)
    crew.worker("second")
    await eventually(lambda: is_tidy(house) and not unfinished(house))
    crew.close()

    logs = crew.log("first").read_text() + crew.log("second").read_text()
    assert sorted(FINISHED.findall(logs)) == sorted(str(line.call_id) for line in lines)
    assert len(house.rows("select * from calls_recording")) == 3 * len(lines)
    assert losses(house, lines) == []
    assert_archive_is_clean(house)


async def test_what_a_worker_left_that_died_behind_its_commit_is_removed(
    house: House, crew: Crew
) -> None:
    [line] = lines_to(house.start().port, 1)
    async with streaming([line]):
        await sent([line], 50)
    house.recover()
    # The call goes on: recordings are replaced, and the old files go after the commit.
    point = halt(house, line, "delete ")
    async with streaming([line]):
        await sent([line], 50)
    crew.beat()
    crew.worker("first")

    await eventually(point.exists)
    crew.kill("first")
    assert unfinished(house) == []
    assert not is_tidy(house)
    go_on(house)
    crew.worker("second")
    await eventually(lambda: is_tidy(house))
    crew.close()

    assert losses(house, [line]) == []
    assert unfinished(house) == []


def go_on(house: House) -> None:
    for flag in house.folder.glob("halt-*"):
        flag.unlink()


def is_tidy(house: House) -> bool:
    """Say whether nothing lies where journals are."""
    return not any((house.folder / "journals").iterdir())
