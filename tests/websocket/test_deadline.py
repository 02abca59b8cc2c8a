"""Who connects to ingest and never sends a whole request is closed."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn

from streaming.websocket.http import CROWD, IngestHttpProtocol, Unasked
from streaming.websocket.protocol import PicowsProtocol

PATIENCE = 60.0
UPGRADE = (
    b"GET /media/x HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Hasty(IngestHttpProtocol):
    """The same, with less patience."""

    request_timeout = 0.3


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer requests, and hold sockets open until their peer closes them."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    await receive()
    await send({"type": "websocket.accept"})
    await receive()


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[uvicorn.Server, int]]:
    config = uvicorn.Config(
        application,
        port=0,
        http=Hasty,
        ws=PicowsProtocol,
        lifespan="off",
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())
    async with asyncio.timeout(PATIENCE):
        while not server.started:  # noqa: ASYNC110 uvicorn has no event for it
            await asyncio.sleep(0.01)
    try:
        yield server, server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


@pytest.mark.parametrize("said", [b"", b"G", UPGRADE[:-2]])
async def test_a_request_that_does_not_come_ends_the_connection(said: bytes) -> None:
    async with serving() as (server, port), asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)

        # Aborted, or ended: either way the descriptor is free again.
        with suppress(ConnectionResetError):
            assert await reader.read() == b""

        assert not server.server_state.connections
        writer.close()


async def test_a_socket_that_was_opened_is_left_alone() -> None:
    async with serving() as (server, port), asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(UPGRADE)
        assert b"101 Switching Protocols" in await reader.readuntil(b"\r\n\r\n")

        await asyncio.sleep(2 * Hasty.request_timeout)

        assert len(server.server_state.connections) == 1
        writer.close()


async def test_a_request_in_pieces_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Hasty, "request_timeout", PATIENCE)
    async with serving() as (_, port), asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\n")
        await writer.drain()
        writer.write(b"Host: x\r\n\r\n")

        assert b"204" in await reader.readline()

        writer.close()


async def answers(port: int, count: int) -> list[bytes]:
    """Send so many requests before any can be read; return the first bytes of answers.

    Blocking on purpose: the loop that serves finds all of them waiting.
    """
    asking = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    for one in asking:
        one.sendall(UPGRADE)
        one.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        told = [loop.sock_recv(one, 12) for one in asking]
        return await asyncio.gather(*told)
    finally:
        for one in asking:
            one.close()


async def test_a_burst_of_one_source_is_served_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(IngestHttpProtocol, "unasked", Unasked(16))
    monkeypatch.setattr(Hasty, "request_timeout", PATIENCE)
    async with serving() as (_, port), asyncio.timeout(PATIENCE):
        assert await answers(port, 100) == [b"HTTP/1.1 101"] * 100


class Silent:
    """A connection that never asks for anything."""

    is_closed = False

    def abandon(self) -> None:
        self.is_closed = True


def test_connections_that_stay_silent_make_room_and_are_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    closed, now = [], [0.0]
    unasked = Unasked(4, lambda: closed.append(now[0]), lambda: now[0])
    silent: list[Any] = [Silent() for _ in range(CROWD * 4 + 2)]

    # Young ones are let be, but not without end.
    for one in silent[:-1]:
        unasked.add("192.0.2.1", one)
    assert [one.is_closed for one in silent].count(True) == 1

    now[0] = 1.0
    unasked.add("192.0.2.1", silent[-1])

    assert [one.is_closed for one in silent] == [True] * (len(silent) - 4) + [False] * 4
    assert len(unasked) == 4
    assert len(closed) == len(silent) - 4
    assert "192.0.2.1" in caplog.text
