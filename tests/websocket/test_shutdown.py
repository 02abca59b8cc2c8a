"""uvicorn ends: every socket is told, every application may finish."""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.websocket.applications import (
    PATIENCE,
    Message,
    Receive,
    Send,
    Witness,
    accepted,
    eventually,
)
from tests.websocket.client import PING, TEXT, Client, frame, request
from tests.websocket.conftest import Build, Connect, open_socket
from tests.websocket.dialects import Dialect

ROOT = Path(__file__).parents[2]
RESTART = 1012


def test_every_socket_is_told_of_a_restart(build: Build, connect: Connect) -> None:
    witnesses = [Witness() for _ in range(20)]
    server = build()
    clients = [open_socket(connect, server, witness) for witness in witnesses]

    server.begin_to_end()

    for client in clients:
        assert client.closed() == (RESTART, "")
        client.close(RESTART)
        assert client.rest() == b""
    assert [witness.disconnect()[0] for witness in witnesses] == [RESTART] * 20


def test_what_is_on_its_way_at_a_shutdown_is_received(
    build: Build, connect: Connect, dialect: Dialect
) -> None:
    witness = Witness()
    server = build()
    client = open_socket(connect, server, witness)
    client.text("before")
    eventually(lambda: witness.messages)

    server.begin_to_end()
    assert client.closed() == (RESTART, "")
    if dialect.listens_while_closing:
        for number in range(100):
            client.text(f"{number}")
        client.write(frame(PING, b"no answer to this"))
        client.close(RESTART)
        assert client.rest() == b""
        assert witness.disconnect() == (RESTART, "")
        assert witness.messages == ["before", *map(str, range(100))]


def test_an_application_may_finish(build: Build, connect: Connect) -> None:
    may_end = asyncio.Event()
    told: list[str] = []

    async def seals(scope: Message, receive: Receive, send: Send) -> None:
        await accepted(receive, send)
        told.append((await receive())["type"])
        await may_end.wait()
        told.append("sealed")

    server = build(seals)
    client = open_socket(connect, server)
    server.begin_to_end()
    assert client.closed()[0] == RESTART
    client.close(RESTART)
    eventually(lambda: told)
    eventually(lambda: not server.uvicorn.server_state.connections)

    assert server.is_up
    assert told == ["websocket.disconnect"]
    server.call(may_end.set)

    eventually(lambda: not server.is_up)
    assert told == ["websocket.disconnect", "sealed"]


def test_an_application_that_does_not_finish_is_cancelled(
    build: Build, connect: Connect
) -> None:
    ended: list[str] = []

    async def stays(scope: Message, receive: Receive, send: Send) -> None:
        await accepted(receive, send)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    server = build(stays, timeout_graceful_shutdown=1)
    client = open_socket(connect, server)
    server.begin_to_end()
    assert client.closed()[0] == RESTART
    client.close(RESTART)

    eventually(lambda: not server.is_up)
    assert ended == ["cancelled"]


def test_a_client_that_says_nothing_does_not_hold_up_the_end(
    build: Build, connect: Connect
) -> None:
    witness = Witness()
    server = build(witness, timeout_graceful_shutdown=1)
    client = open_socket(connect, server)

    server.begin_to_end()

    assert client.closed()[0] == RESTART
    eventually(lambda: not server.is_up)


def test_who_is_in_mid_handshake_is_answered(build: Build, connect: Connect) -> None:
    told: list[Message] = []

    async def waits(scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        told.append(await receive())

    server = build(waits)
    client = connect(server)
    client.write(request())
    eventually(lambda: server.uvicorn.server_state.tasks)

    server.begin_to_end()

    assert client.response().status == 500
    eventually(lambda: not server.is_up)
    assert [(each["type"], each["code"]) for each in told] == [
        ("websocket.disconnect", 1006)
    ]


def test_a_socket_that_closes_by_itself_is_left_to_it(
    build: Build, connect: Connect
) -> None:
    async def closes(scope: Message, receive: Receive, send: Send) -> None:
        await accepted(receive, send)
        await send({"type": "websocket.close", "code": 4000})

    server = build(closes)
    client = open_socket(connect, server)
    assert client.closed() == (4000, "")

    server.begin_to_end()
    client.close(4000)

    assert client.rest() == b""
    eventually(lambda: not server.is_up)


def test_sigterm_ends_it_in_good_order(dialect: Dialect, connect: Connect) -> None:
    options = {
        "--loop": str(dialect.options["loop"]),
        "--ws": dialect.ws,
        "--timeout-graceful-shutdown": "10",
    }
    # A port of its own choosing is told in its log.
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "uvicorn", "tests.websocket.applications:echo"),
            *("--port", "0", "--lifespan", "off", "--no-access-log"),
            *(word for option in options.items() for word in option),
        ],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        told = next(line for line in process.stderr if "running on" in line)
        port = int(told.split("http://127.0.0.1:")[1].split()[0])
        clients = [Client(port) for _ in range(5)]
        for client in clients:
            client.write(request())
            assert client.response().status == 101
            client.text("hello")
            assert client.message() == "hello"

        process.send_signal(signal.SIGTERM)

        for client in clients:
            assert client.closed() == (RESTART, "")
            client.close(RESTART)
            assert client.rest() == b""
            client.hang_up()
        assert process.wait(PATIENCE) in (0, -signal.SIGTERM)
        assert "Traceback" not in process.stderr.read()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_a_limit_of_concurrency_is_kept(
    build: Build, connect: Connect, dialect: Dialect
) -> None:
    server = build(limit_concurrency=3)
    clients = [open_socket(connect, server) for _ in range(3)]

    late = connect(server)
    late.write(request())

    if dialect.limits_concurrency:
        assert late.response().status == 503
        clients[0].hang_up()
        eventually(lambda: len(server.uvicorn.server_state.tasks) == 2)
        clients[0] = open_socket(connect, server)
    else:
        assert late.response().status == 101
    for client in clients:
        client.text("as before")
        assert client.message() == "as before"


@pytest.mark.parametrize("silence", [0.3])
def test_nobody_is_pinged_and_nobody_closed_over_a_pong(
    build: Build, connect: Connect, dialect: Dialect, silence: float
) -> None:
    eager = {"ws_ping_interval": 0.02, "ws_ping_timeout": 0.02}
    server = build(**(eager if dialect.never_pings else {}))
    client = open_socket(connect, server)

    # Not one frame comes but what is asked for.
    end = time.monotonic() + silence
    while time.monotonic() < end:
        client.write(frame(TEXT, b"hello"))
        assert client.message() == "hello"
