"""Redis is away for twenty seconds while calls go on, and one ends."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis as client

from calls.live.ingest import LIVE_KEY
from tests.faults.archive import assert_archive_is_clean, losses, unfinished
from tests.faults.line import lines_to, sent, streaming
from tests.faults.places import Crew, Redis
from tests.streaming.house import House, eventually

# As a callback of ACS does: then ingest itself asks for the recordings, in vain.
CALL_ENDED = """
from django.utils import timezone
from calls.lifecycle import call_ended
call_ended("{0}", at=timezone.now(), code=200, reason="The caller hung up.")
"""
OUTAGE_SECONDS = 20.0
STREAMS = 4


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    redis = Redis(tmp_path).start()
    yield redis
    redis.kill()


def streams_shown(redis: Redis) -> int:
    """Return how many streams the live view has."""
    with client.Redis(port=redis.port) as live:
        [name, *_] = live.zrange(LIVE_KEY, 0, -1) or [b"nobody"]
        shown: Any = live.get(f"{LIVE_KEY}:{name.decode()}")
        return len(json.loads(shown)["calls"]) if shown else 0


async def test_a_redis_that_is_away_costs_the_live_view_and_nothing_else(
    build: Callable[..., House], redis: Redis
) -> None:
    house = build(
        REDIS_URL=redis.url, ACSSTREAM_FINISH_GRACE="1", ACSSTREAM_LEASE_SECONDS="5"
    ).start()
    crew = Crew(house)
    crew.worker()
    crew.beat()
    *lines, short = lines_to(house.port, STREAMS + 1)
    try:
        async with streaming([*lines, short]):
            await sent([*lines, short], 100)
            await eventually(lambda: streams_shown(redis) == STREAMS + 1)

            redis.kill()
            words = CALL_ENDED.format(short.call_id)
            told = await asyncio.to_thread(house.manage, "shell", "-c", words)
            assert told.returncode == 0, told.stderr
            short.end()
            await eventually(lambda: house.get("/healthz")[1]["streams"] == STREAMS)
            await asyncio.sleep(OUTAGE_SECONDS)
            assert len(house.journals) == STREAMS + 1
            assert "calls.finish_call was not queued" in house.log.read_text()
            redis.start()

            await eventually(lambda: streams_shown(redis) == STREAMS)
            # The broker was down when its call ended: the sweep has to find it.
            await eventually(lambda: len(house.journals) == STREAMS)
        await eventually(lambda: not house.journals and not unfinished(house))
    finally:
        crew.close()
    house.end()

    assert losses(house, [*lines, short]) == []
    assert [len(line.legs) for line in [*lines, short]] == [1] * (STREAMS + 1)
    assert_archive_is_clean(house)
