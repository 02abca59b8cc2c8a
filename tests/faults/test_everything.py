"""Every process on the machine is killed at once, and all of it is started again."""

import asyncio
import signal
from pathlib import Path

from tests.faults.archive import assert_archive_is_clean, broken, losses, unfinished
from tests.faults.line import kept_up, lines_to, sent, streaming
from tests.faults.places import Crew, PostgresHouse, Redis, postgres_house
from tests.streaming.house import House, eventually

STREAMS = 4
MOST_LOST = 50


def kill_all_but_ingest(house: PostgresHouse, redis: Redis, crew: Crew) -> None:
    house.server.end(signal.SIGKILL)
    redis.kill()
    crew.kill("worker")
    crew.kill("beat")


def start_everything(house: PostgresHouse, redis: Redis, crew: Crew) -> None:
    house.server.start()
    start_all_but_the_database(house, redis, crew)


def start_all_but_the_database(house: House, redis: Redis, crew: Crew) -> None:
    redis.start()
    crew.worker()
    crew.beat()
    house.start()


async def test_a_machine_that_dies_and_comes_back_has_all_but_the_last_second(
    tmp_path: Path, migrated: Path
) -> None:
    redis = Redis(tmp_path)
    with postgres_house(
        tmp_path / "house",
        migrated,
        REDIS_URL=redis.url,
        ACSSTREAM_FINISH_GRACE="1",
        ACSSTREAM_LEASE_SECONDS="5",
    ) as house:
        crew = Crew(house)
        *lines, over = lines_to(house.port, STREAMS + 1)
        try:
            start_all_but_the_database(house, redis, crew)
            async with streaming([*lines, over]):
                await sent([*lines, over], 100)
                over.end()
                await eventually(lambda: over.legs[0].is_over)
                await kept_up(house, lines)
                house.tell(signal.SIGKILL)
                await asyncio.to_thread(kill_all_but_ingest, house, redis, crew)
                await asyncio.to_thread(house.ended)
                await asyncio.to_thread(start_everything, house, redis, crew)
                await eventually(lambda: all(len(line.legs) == 2 for line in lines))
                await sent(lines, 50)
            # Nobody runs `recover`: sweep and worker find all there is to do.
            # A new beat has to sweep twice.
            await eventually(
                lambda: not any(house.journals) and not unfinished(house), 90
            )
        finally:
            crew.close()
            redis.kill()
        house.end()

        lost = losses(house, [*lines, over])
        assert {loss.leg for loss in lost} <= {0}
        assert max((loss.packets for loss in lost), default=0) <= MOST_LOST
        assert all(broken(line.legs[0]) for line in lines)
        assert_archive_is_clean(house)
