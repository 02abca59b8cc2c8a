"""Whole installations on one machine: ingest, database, Redis, worker, beat."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import psycopg.rows

from demo import redis
from demo.ports import free_port
from tests.postgres import PostgresServer, postgres_server
from tests.streaming.house import PATIENCE, ROOT, House


class PostgresHouse(House):
    """A house whose rows are in a PostgreSQL of its own."""

    def __init__(
        self, folder: Path, database: Path, server: PostgresServer, **env: str
    ) -> None:
        super().__init__(folder, database, **env, DATABASE_URL=server.url)
        self.server = server
        # Nothing may be written to the other database by mistake.
        self.database.unlink()
        done = self.manage("migrate", "--verbosity", "0")
        assert done.returncode == 0, done.stderr

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        assert not values
        with psycopg.connect(
            self.server.url, row_factory=psycopg.rows.dict_row
        ) as connection:
            # A query of a test, never text from outside: % is not ours to double.
            return connection.execute(query.encode()).fetchall()


@contextmanager
def postgres_house(folder: Path, database: Path, **env: str) -> Iterator[PostgresHouse]:
    """Yield a house with a PostgreSQL that outlives its own death.

    What it has committed must still be there when it was killed: with the machine, not
    with the process, may it be lost.
    """
    with postgres_server(synchronous_commit="on") as server:
        house = PostgresHouse(folder, database, server, **env)
        try:
            yield house
        finally:
            house.close()


class Redis:
    """A Redis on one port, that can go and come again with nothing in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Redis":
        """Start it and wait until it answers."""
        executable = redis.redis_executable()
        self._process = redis.start(executable, self.folder, self.port)
        assert redis.answers(self.port, self._process)
        return self

    def kill(self) -> None:
        """Let it die without a word."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Crew:
    """Workers and a beat in a house's environment, each a process group of its own."""

    def __init__(self, house: House) -> None:
        self.house = house
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def worker(self, name: str = "worker", **env: str) -> None:
        """Start a worker, which need not be ready when this returns."""
        words = ("--concurrency", "2", "--hostname", f"{name}@tests")
        self._start(name, "worker", *words, "--loglevel", "INFO", **env)

    def beat(self) -> None:
        """Start a beat."""
        schedule = self.house.folder / "beat-schedule"
        self._start("beat", "beat", "--pidfile=", "--schedule", str(schedule))

    def _start(self, name: str, *words: str, **env: str) -> None:
        with self.log(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "acsstream", *words],
                cwd=ROOT,
                env=self.house.env | env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def log(self, name: str) -> Path:
        """Return what a process has to say."""
        return self.house.folder / f"{name}.log"

    def is_ready(self, name: str = "worker") -> bool:
        """Say whether a worker has begun to work."""
        return f"{name}@tests ready" in self.log(name).read_text()

    def kill(self, name: str) -> None:
        """Let a process and its children die at once."""
        process = self._processes.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def terminate(self) -> Callable[[], dict[str, int]]:
        """Tell everybody to end; return what waits for it and tells exit codes."""
        for process in self._processes.values():
            process.terminate()
        return lambda: {
            name: process.wait(PATIENCE) for name, process in self._processes.items()
        }

    def close(self) -> None:
        """Let everybody end what they are doing, then end."""
        for process in self._processes.values():
            process.terminate()
        for name, process in list(self._processes.items()):
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
            self.kill(name)


def at_once(*scenarios: Coroutine[Any, Any, None]) -> None:
    """Play scenarios side by side, each in a thread and loop of its own.

    Most of the time they wait, twenty seconds for something to come back.
    """
    with ThreadPoolExecutor(len(scenarios)) as pool:
        playing = [pool.submit(asyncio.run, scenario) for scenario in scenarios]
    failures = [error for future in playing if (error := future.exception())]
    if failures:
        raise BaseExceptionGroup("scenarios failed", failures)
