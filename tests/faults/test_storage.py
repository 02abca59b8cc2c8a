"""The storage of recordings refuses to be written, and later does not."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.archive import assert_archive_is_clean, losses
from tests.faults.line import lines_to, sent, streaming
from tests.faults.places import Crew, Redis
from tests.streaming.house import House, eventually

# What beat's sweep does, eleven minutes from now: what failed is tried again after ten.
LATER = """
from datetime import timedelta
from django.utils import timezone
from calls.journals.recovery import archive_sweep
archive_sweep(now=timezone.now() + timedelta(minutes=11))
"""
STREAMS = 2


@pytest.fixture
def house(build: Callable[..., House], tmp_path: Path) -> Iterator[House]:
    redis = Redis(tmp_path).start()
    yield build(REDIS_URL=redis.url, ACSSTREAM_FINISH_GRACE="1")
    redis.kill()


@pytest.fixture
def crew(house: House) -> Iterator[Crew]:
    crew = Crew(house)
    yield crew
    crew.close()


async def test_a_storage_that_refuses_is_told_on_the_call_and_tried_again(
    house: House, crew: Crew
) -> None:
    lines = lines_to(house.start().port, STREAMS)
    crew.beat()
    crew.worker()
    await eventually(crew.is_ready)
    # No folder, and none can be made there: root is held off too.
    recordings = house.folder / "recordings"
    recordings.rmdir()
    recordings.write_text("in the way")
    async with streaming(lines):
        await sent(lines, 100)

    await eventually(lambda: set(told(house)) == {"failed"} and len(told(house)) == 2)
    assert all("recordings" in reason for reason in reasons(house))
    assert house.rows("select * from calls_recording") == []
    assert len(house.journals) == STREAMS
    await eventually(lambda: not any((house.folder / "journals").glob("finish-*")))

    recordings.unlink()
    done = house.manage("shell", "-c", LATER)
    assert done.returncode == 0, done.stderr
    await eventually(lambda: told(house) == ["finished"] * STREAMS)
    await eventually(lambda: not any((house.folder / "journals").iterdir()))
    crew.close()
    house.end()

    assert losses(house, lines) == []
    assert reasons(house) == [""] * STREAMS
    assert_archive_is_clean(house)


def told(house: House) -> list[str]:
    """Return how far the calls' recordings are."""
    return [row["archive_state"] for row in house.rows("select * from calls_call")]


def reasons(house: House) -> list[str]:
    return [row["archive_error"] for row in house.rows("select * from calls_call")]
