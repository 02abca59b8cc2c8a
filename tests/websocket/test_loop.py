"""The event loop of ingest: sockets are asked together while much is going on."""

import asyncio
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from streaming.websocket.loop import HOLD, GatheringSelector, new_event_loop

PAIRS = 40
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pairs() -> Iterator[list[Pair]]:
    with ExitStack() as stack:
        made = [socket.socketpair() for _ in range(PAIRS)]
        for ends in made:
            for end in ends:
                stack.enter_context(end)
                end.setblocking(False)
        yield made


@pytest.fixture
def selector(pairs: list[Pair]) -> Iterator[GatheringSelector]:
    with GatheringSelector() as selector:
        for ours, _ in pairs:
            selector.register(ours, selectors.EVENT_READ)
        yield selector


def busied(selector: GatheringSelector, pairs: list[Pair]) -> GatheringSelector:
    """The selector after a while in which every socket was ready each time."""
    for _, theirs in pairs:
        theirs.send(b"x")
    deadline = time.monotonic() + 10
    while not selector.is_busy and time.monotonic() < deadline:
        assert len(selector.select(1.0)) == PAIRS
    for ours, _ in pairs:
        ours.recv(1)
    assert selector.is_busy
    return selector


def test_is_not_busy_with_a_few(selector: GatheringSelector, pairs: list[Pair]) -> None:
    for _ in range(30):
        pairs[0][1].send(b"x")
        [(key, events)] = selector.select(1.0)
        pairs[0][0].recv(1)
        assert (key.fileobj, events) == (pairs[0][0], selectors.EVENT_READ)
        time.sleep(0.005)

    assert not selector.is_busy


def test_waits_for_more_while_busy(
    selector: GatheringSelector, pairs: list[Pair]
) -> None:
    busied(selector, pairs)
    pairs[0][1].send(b"x")
    began = time.monotonic()

    ready = selector.select(1.0)

    # Ready before it was asked, and yet it was not the only one that was waited for.
    assert time.monotonic() - began >= HOLD
    assert len(ready) == 1


def test_returns_what_comes_later_than_it_held(
    selector: GatheringSelector, pairs: list[Pair]
) -> None:
    busied(selector, pairs)
    loop = asyncio.new_event_loop()
    try:
        # Nothing is ready after HOLD; the peer speaks after that.
        waiting = loop.run_in_executor(None, selector.select, 10.0)
        loop.run_until_complete(asyncio.sleep(5 * HOLD))
        pairs[3][1].send(b"x")
        [(key, _)] = loop.run_until_complete(waiting)
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    assert key.fileobj == pairs[3][0]


def test_a_timeout_ends_in_nothing(
    selector: GatheringSelector, pairs: list[Pair]
) -> None:
    busied(selector, pairs)

    assert selector.select(0) == []
    assert selector.select(HOLD / 2) == []
    assert selector.select(3 * HOLD) == []


def test_is_calm_again_when_nothing_comes(
    selector: GatheringSelector, pairs: list[Pair]
) -> None:
    busied(selector, pairs)
    deadline = time.monotonic() + 10

    while selector.is_busy and time.monotonic() < deadline:
        selector.select(0.01)

    assert not selector.is_busy


def test_its_transports_are_those_written_in_c() -> None:
    with asyncio.Runner(loop_factory=new_event_loop) as runner:

        async def transport_kind() -> str:
            server = await asyncio.get_running_loop().create_server(
                asyncio.Protocol, "127.0.0.1", 0
            )
            port = server.sockets[0].getsockname()[1]
            transport, _ = await asyncio.get_running_loop().create_connection(
                asyncio.Protocol, "127.0.0.1", port
            )
            transport.close()
            server.close()
            return type(transport).__module__

        assert runner.run(transport_kind()).startswith("aiofastnet")
