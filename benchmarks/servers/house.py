"""Starting a server to be measured, and ending it."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks.servers.stored import (
    JournalStore,
    NoStore,
    PcmStore,
    RowStore,
    Store,
)
from demo.ports import free_port
from demo.redis import redis_server

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0
DATABASE = "acsstream.sqlite3"


@dataclass(frozen=True, slots=True)
class Server:
    """A kind of server: how it is called, and how it is started in a folder."""

    name: str
    label: str
    command: Callable[[int, Path], list[str]]
    store: Callable[[Path], Store]
    is_ours: bool = False
    environment: Callable[[Path], Mapping[str, str]] = lambda _: {}


@dataclass(frozen=True, slots=True)
class Running:
    """A server that listens."""

    server: Server
    process: "subprocess.Popen[bytes]"
    port: int
    folder: Path
    store: Store
    redis_url: str = ""

    def health(self) -> dict[str, Any]:
        """Return what ours says of itself; nothing of others."""
        if not self.server.is_ours:
            return {}
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=10) as answer:
                return dict(json.load(answer))
        except (URLError, TimeoutError):
            return {}

    def end(self) -> None:
        """Have it end in good order, by force if it does not within a minute."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _module(name: str, *more: str) -> Callable[[int, Path], list[str]]:
    return lambda port, folder: ["-m", name, str(port), str(folder), *more]


def _ingest(*more: str) -> Callable[[int, Path], list[str]]:
    return lambda port, _: ["manage.py", "ingest", "--port", str(port), *more]


def ingest_environment(folder: Path) -> dict[str, str]:
    """Return the settings of an ingest process that lives in `folder`."""
    return {
        "DJANGO_SETTINGS_MODULE": "acsstream.settings",
        "ACSSTREAM_DATA_DIR": str(folder),
        "DATABASE_URL": f"sqlite://{folder / DATABASE}",
        "SECRET_KEY": "benchmarks only: " + "k" * 50,
        "ACSSTREAM_MEDIA_AUTH": "off",
        "ACSSTREAM_ACS_ENDPOINT": "http://127.0.0.1:9",
        "ACSSTREAM_ACS_ACCESS_KEY": "YmVuY2g=",
        "ACSSTREAM_ACS_RESOURCE_ID": "7d0c7a1e-0d3c-4a37-8a7c-1f0b7d0c9b55",
        "ACSSTREAM_PUBLIC_URL": "http://127.0.0.1:9",
        "ACSSTREAM_MEDIA_URL": "ws://127.0.0.1:9",
        "ACSSTREAM_EVENTGRID_SECRET": "benchmarks only",
        "ACSSTREAM_NODE": "benchmark",
        # What is measured is what a load costs, also where it would be refused.
        "ACSSTREAM_MAX_STREAMS": "100000",
    }


def _daphne(port: int, folder: Path) -> list[str]:
    application = "benchmarks.servers.rows.asgi:application"
    return ["-m", "daphne", "-v", "0", "-p", str(port), application]


def _rows_environment(folder: Path) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "benchmarks.servers.rows.settings",
        "BENCH_FOLDER": str(folder),
    }


def _journals(folder: Path) -> Store:
    return JournalStore(folder / "journals")


SERVERS = {
    server.name: server
    for server in (
        Server("floor", "floor", _module("benchmarks.servers.floor"), PcmStore),
        Server(
            "sample",
            "sample, keeps nothing",
            _module("benchmarks.servers.sample"),
            lambda _: NoStore(),
        ),
        Server(
            "sample-file",
            "sample + base64 + file",
            _module("benchmarks.servers.sample", "--store"),
            PcmStore,
        ),
        Server(
            "rows",
            "Channels, row per packet",
            _daphne,
            lambda folder: RowStore(folder / "rows.sqlite3"),
            environment=_rows_environment,
        ),
        Server("ours", "ours", _ingest(), _journals, True, ingest_environment),
        Server(
            "ours-sansio",
            "ours, uvicorn's class",
            _ingest("--ws", "websockets-sansio"),
            _journals,
            True,
            ingest_environment,
        ),
    )
}


def inherited() -> dict[str, str]:
    """Return our environment without what would change what is measured."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ACSSTREAM_", "PYTHONDEV", "PYTHONASYNCIO"))
    }


@contextmanager
def running(server: Server, folder: Path, cores: set[int]) -> Iterator[Running]:
    """Run a server in `folder`, which must exist, on these cores; end it afterwards."""
    environment = inherited() | dict(server.environment(folder))
    if not server.is_ours:
        with _started(server, folder, environment, cores) as house:
            yield house
        return
    with redis_server(folder) as url:
        environment["REDIS_URL"] = url
        (folder / DATABASE).write_bytes(migrated_database())
        with _started(server, folder, environment, cores) as house:
            yield house


@cache
def migrated_database() -> bytes:
    """Return the file of a database with our tables and nothing in them."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "-v", "0", "--skip-checks"],
            cwd=ROOT,
            env=inherited() | ingest_environment(folder),
            check=True,
        )
        return (folder / DATABASE).read_bytes()


@contextmanager
def _started(
    server: Server, folder: Path, environment: Mapping[str, str], cores: set[int]
) -> Iterator[Running]:
    port = free_port()
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 our own programs
            [sys.executable, *server.command(port, folder)],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    store, redis_url = server.store(folder), environment.get("REDIS_URL", "")
    house = Running(server, process, port, folder, store, redis_url)
    try:
        if cores:
            # At once: threads that it starts inherit it.
            os.sched_setaffinity(process.pid, cores)
        _await_listening(house)
        yield house
    finally:
        house.end()


def _await_listening(house: Running) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", house.port)) == 0:
                return
        if house.process.poll() is not None or time.monotonic() > deadline:
            log = (house.folder / "server.log").read_text(errors="replace")
            raise RuntimeError(f"{house.server.name} does not start:\n{log[-2000:]}")
        time.sleep(0.05)
