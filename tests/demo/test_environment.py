"""Each demo has a folder, ports and settings of its own."""

import socket
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from acsstream import settings
from demo import environment as own
from demo.environment import (
    DemoError,
    Ports,
    choose_ports,
    environment,
    fresh_folder,
    listen,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
PORTS = Ports(
    console=8000, ingest=20_001, emulator=20_002, redis=20_003, realtime=20_004
)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(own, "FOLDERS", tmp_path / "demo")
    return tmp_path / "demo"


def test_keeps_the_last_three_runs(runs: Path) -> None:
    for name in ("20260101-1", "20260102-1", "20260103-1", "20260104-1"):
        (runs / name / "journals").mkdir(parents=True)

    folder = fresh_folder(None, NOON)

    kept = sorted(each.name for each in runs.iterdir())
    assert kept == ["20260103-1", "20260104-1", folder.name]
    assert (folder / "logs").is_dir()


def test_leaves_old_runs_that_still_run_alone(runs: Path) -> None:
    for name in ("20260101-1", "20260102-1", "20260103-1"):
        (runs / name).mkdir(parents=True)
    in_use = own.hold(runs / "20260101-1")
    assert in_use

    with in_use:
        fresh_folder(None, NOON)

        assert (runs / "20260101-1").is_dir()


def test_begins_only_in_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "acsstream.sqlite3").touch()

    with pytest.raises(DemoError, match="not empty"):
        fresh_folder(tmp_path, NOON)


def test_says_when_the_folder_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(DemoError, match="cannot be made"):
        fresh_folder(tmp_path / "file" / "data", NOON)


def test_refuses_a_port_that_is_taken() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        taken = server.getsockname()[1]

        with pytest.raises(DemoError, match=f"Port {taken}: Address already in use"):
            listen(taken)


def test_the_second_of_two_demos_gets_another_console(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        usual = server.getsockname()[1]
    monkeypatch.setattr(own, "CONSOLE_PORT", usual)

    with closing(listen(None)) as first, closing(listen(None)) as second:
        assert first.getsockname()[1] == usual
        assert second.getsockname()[1] not in (usual, 0)


def test_chooses_different_ports() -> None:
    ports = choose_ports(8000)

    assert len({ports.console, ports.ingest, ports.emulator, ports.redis}) == 4


def test_takes_nothing_from_ones_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://production/calls")
    monkeypatch.setenv("SECRET_KEY_FILE", "/run/secrets/key")
    monkeypatch.setenv("ACSSTREAM_STORAGE_BACKEND", "storages.backends.azure")
    monkeypatch.setenv("ACSEMU_SPEED", "10")
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")

    env = environment(Path("/data"), PORTS, None)

    assert env.keys().isdisjoint(
        {"DATABASE_URL", "SECRET_KEY_FILE", "ACSSTREAM_STORAGE_BACKEND", "ACSEMU_SPEED"}
    )
    assert (env["LANG"], env["LOG_LEVEL"]) == ("en_GB.UTF-8", "DEBUG")


def test_sets_only_settings_there_are() -> None:
    env = environment(Path("/data"), PORTS, Path("/audio"))

    ours = {name for name in env if name.startswith("ACSSTREAM_")}
    assert ours <= settings.env.variables.keys()
    assert env["ACSSTREAM_MEDIA_AUTH"] == env["ACSSTREAM_CALLBACK_AUTH"] == "required"
    assert env["ACSEMU_AUDIO"] == "/audio"


def test_makes_secrets_anew_for_each_run() -> None:
    first, second = (environment(Path("/data"), PORTS, None) for _ in range(2))

    for name in (
        "SECRET_KEY",
        "ACSSTREAM_ACS_ACCESS_KEY",
        "ACSSTREAM_EVENTGRID_SECRET",
    ):
        assert first[name] != second[name]
