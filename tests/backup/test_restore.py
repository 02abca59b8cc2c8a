"""An installation is backed up while a call runs, lost, and restored elsewhere."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.faults.conftest import build as build
from tests.faults.conftest import migrated as migrated
from tests.faults.line import lines_to, sent, streaming
from tests.faults.places import postgres_house
from tests.streaming.house import ROOT, House, eventually

# Seconds: a busy machine is slow, not wrong.
PATIENCE = 60


@pytest.fixture
def key_file() -> Callable[[House], None]:
    """Return what gives a house its key as a file in its data folder."""

    def place(house: House) -> None:
        key = house.env.pop("SECRET_KEY")
        (house.folder / "secret_key").write_text(key, encoding="ascii")

    return place


@pytest.fixture(params=["sqlite", "postgresql"])
def houses(
    request: pytest.FixtureRequest, tmp_path: Path, migrated: Path
) -> Iterator[tuple[House, House]]:
    """An installation, and an empty place for another."""
    first, second = tmp_path / "first", tmp_path / "second"
    with ExitStack() as stack:
        if request.param == "sqlite":
            house: House = House(first, migrated)
            empty = House(second, migrated)
            empty.database.unlink()
        else:
            house = stack.enter_context(postgres_house(first, migrated))
            server = house.server
            with psycopg.connect(server.url, autocommit=True) as connection:
                connection.execute("CREATE DATABASE elsewhere")
            elsewhere = server.url.replace("/acsstream?", "/elsewhere?")
            empty = House(second, migrated, DATABASE_URL=elsewhere)
            programs = f"{server.programs}{os.pathsep}{os.environ['PATH']}"
            house.env["PATH"] = empty.env["PATH"] = programs
        stack.callback(house.close)
        yield house, empty


def visit(house: House, *words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.backup.visitor", *words],
        cwd=ROOT,
        env=house.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


async def test_everything_is_back_and_the_live_call_as_far_as_it_was(
    houses: tuple[House, House],
    key_file: Callable[[House], None],
    tmp_path: Path,
) -> None:
    house, empty = houses
    key_file(house)
    # Nobody here has an app that makes codes.
    house.env["ACSSTREAM_TOTP_ROLES"] = empty.env["ACSSTREAM_TOTP_ROLES"] = "none"
    house.start()
    del empty.env["SECRET_KEY"]
    backup = tmp_path / "backup"
    over, live = lines_to(house.port, 2)
    async with streaming([over]):
        await sent([over], 60)
    await eventually(
        lambda: house.rows(
            "SELECT 1 FROM calls_connection WHERE closed_at IS NOT NULL"
        ),
        PATIENCE,
    )

    async with streaming([live]):
        await sent([live], 60)
        await eventually(
            lambda: len(house.rows("SELECT 1 FROM calls_call")) == 2, PATIENCE
        )
        before = await asyncio.to_thread(visit, house, "before", str(backup))
    house.kill()
    shutil.rmtree(house.folder)
    restored = empty.manage("restore", str(backup))
    after = visit(empty, "after", str(backup), before["session"])

    assert restored.returncode == 0, restored.stderr
    assert len(before["recordings"]) >= 2
    assert {name: after[name] for name in ("recordings", "prompts", "audit")} == {
        name: before[name] for name in ("recordings", "prompts", "audit")
    }
    assert (after["page"], after["knows_password"]) == (200, True)
    assert after["audio"] == [200, "fLaC"]
    [recovered] = after["recovered"]
    assert recovered["call"] == str(live.call_id)
    assert recovered["packets"] >= 60
    assert after["verified"]["clean"] is True
    assert after["verified"]["calls"] == 2
    assert after["audited"]["intact"] is True
    assert after["again"].startswith("2: Not restored: the database is not empty")
    for secret in (backup, backup / "secret_key"):
        assert secret.stat().st_mode & 0o077 == 0
