"""What a process has used, seen from outside."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.account import Account
from benchmarks.generator import COUNTER
from benchmarks.machine import queued_bytes

PATIENCE = 30.0


@pytest.fixture
def counter(tmp_path: Path) -> Path:
    path = tmp_path / "counter"
    path.write_bytes(COUNTER.pack(5_000))
    return path


def test_a_process_that_works_has_used_its_core_and_one_that_waits_has_not(
    counter: Path,
) -> None:
    with ExitStack() as stack:
        busy = started(stack, "while True: pass")
        waiting = started(stack, "input()")
        working, idle = (Account(pid, 1, counter, {0}) for pid in (busy, waiting))
        before = idle.edge().cpu

        # A whole second: starting Python takes a fraction of it.
        eventually(lambda: working.edge().cpu > 1.0)

        assert idle.edge().cpu - before < 0.5


def test_what_the_server_has_not_read_is_not_counted_as_read(counter: Path) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = listener.getsockname()[1]
        client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        server, _ = listener.accept()
        stack.enter_context(server)
        account = Account(os.getpid(), port, counter)

        client.sendall(bytes(5_000))
        eventually(lambda: queued_bytes(port) == 5_000)
        assert account.edge().read_bytes == 0

        server.recv(2_000)
        assert account.edge().read_bytes == 2_000


def test_open_files_and_threads_are_counted(counter: Path, tmp_path: Path) -> None:
    account = Account(os.getpid(), 1, counter)
    before = account.descriptors()

    with (tmp_path / "file").open("w"):
        assert account.descriptors() == before + 1

    assert account.descriptors() == before
    assert account.threads() >= 1
    assert account.rss() > 1_000_000


def started(stack: ExitStack, program: str) -> int:
    process = stack.enter_context(
        subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)
    )
    stack.callback(process.kill)
    return process.pid


def eventually(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not claim():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)
