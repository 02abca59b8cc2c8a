"""Ingest processes for the tests, and what their logs must never hold."""

import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests import seed
from tests.streaming.house import ROOT, House


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database with our tables and no rows."""
    database = tmp_path_factory.mktemp("migrated") / "acsstream.sqlite3"
    seed.migrated_copy(database)
    return database


@pytest.fixture
def build(tmp_path: Path, migrated: Path) -> Iterator[Callable[..., House]]:
    """Return what makes a house; whatever runs in it ends with the test."""
    houses: list[House] = []

    def build(name: str = "house", **env: str) -> House:
        house = House(tmp_path / name, migrated, **env)
        houses.append(house)
        return house

    yield build
    for house in houses:
        house.close()
        if house.log.exists():
            assert "Traceback" not in house.log.read_text()


@pytest.fixture
def on_daphne(build: Callable[..., House]) -> Callable[..., House]:
    """Return what starts the web process of a small installation: it takes media too.

    It does not wait until that listens.
    """

    def start(**env: str) -> House:
        house = build("daphne", **env)
        with house.log.open("ab") as log:
            house.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "daphne", "-v", "0"),
                    *("-p", str(house.port), "acsstream.asgi:application"),
                ],
                cwd=ROOT,
                env=house.env | {"DEBUG": "1"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return house

    return start


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as client:
        yield client
