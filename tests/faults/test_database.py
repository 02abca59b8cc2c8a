"""The database is away for twenty seconds while calls go on."""

import asyncio
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.faults.archive import assert_archive_is_clean, broken, losses
from tests.faults.journals import rows_catch_up
from tests.faults.line import Line, kept_up, lines_to, sent, streaming
from tests.faults.places import PostgresHouse, at_once, postgres_house
from tests.streaming.house import House, eventually

OUTAGE_SECONDS = 20.0
STREAMS = 4
MOST_LOST = 50


@contextmanager
def locked(house: House) -> Iterator[None]:
    """Hold SQLite's exclusive lock: nobody else writes."""
    lock = sqlite3.connect(house.database, isolation_level=None, timeout=10)
    lock.execute("begin exclusive")
    yield
    lock.execute("rollback")
    lock.close()


@contextmanager
def stopped(house: PostgresHouse, how: signal.Signals) -> Iterator[None]:
    """End PostgreSQL and start it again on the same data."""
    house.server.end(how)
    yield
    house.server.start()


async def outage(
    house: House, away: AbstractContextManager[None], *, kill: bool = False
) -> list[Line]:
    """Return calls that went through an outage, one of which began in it."""
    house.start()
    *lines, late = lines_to(house.port, STREAMS + 1)
    async with streaming(lines) as begin:
        await sent(lines, 100)
        with away:
            begin(late)
            await sent([late], 50)
            if kill:
                await kept_up(house, [*lines, late])
                house.tell(signal.SIGKILL)
                await asyncio.to_thread(house.ended)
                await asyncio.to_thread(house.start)
            await asyncio.sleep(OUTAGE_SECONDS)
            # SQLite's own patience is as long: it may not have given up yet.
            await eventually(lambda: house.get("/healthz")[1]["database"])
        await sent([*lines, late], 150)
        await eventually(lambda: house.get("/healthz")[1]["database"] is None)
    await eventually(lambda: house.get("/healthz")[1]["streams"] == 0)
    return [*lines, late]


async def nothing_was_lost(house: House, away: AbstractContextManager[None]) -> None:
    lines = await outage(house, away)

    await rows_catch_up(house)
    house.end()
    await asyncio.to_thread(house.recover)
    assert losses(house, lines) == []
    assert [len(line.legs) for line in lines] == [1] * len(lines)
    assert_archive_is_clean(house)


async def sqlite_is_locked(house: House) -> None:
    await nothing_was_lost(house, locked(house))


async def postgresql_ends(how: signal.Signals, folder: Path, migrated: Path) -> None:
    with postgres_house(folder, migrated) as house:
        await nothing_was_lost(house, stopped(house, how))


def test_a_database_that_is_away_costs_nothing(
    build: Callable[..., House], tmp_path: Path, migrated: Path
) -> None:
    at_once(
        sqlite_is_locked(build()),
        postgresql_ends(signal.SIGINT, tmp_path / "stopped", migrated),
        postgresql_ends(signal.SIGKILL, tmp_path / "killed", migrated),
    )


async def test_a_kill_while_the_database_is_down_costs_less_than_a_second(
    tmp_path: Path, migrated: Path
) -> None:
    with postgres_house(tmp_path / "house", migrated) as house:
        lines = await outage(house, stopped(house, signal.SIGINT), kill=True)
        house.end()
        await asyncio.to_thread(house.recover)

        lost = losses(house, lines)
        assert {loss.leg for loss in lost} <= {0}
        assert max((loss.packets for loss in lost), default=0) <= MOST_LOST
        assert all(broken(line.legs[0]) for line in lines)
        assert_archive_is_clean(house)
