"""Whoever is too slow slows down the other, and nothing grows meanwhile."""

import asyncio
import time
from collections.abc import Callable

import pytest
from uvicorn.protocols.utils import ClientDisconnected

from streaming.websocket import protocol
from tests.websocket.applications import (
    Message,
    Receive,
    Send,
    accepted,
    echo,
    eventually,
)
from tests.websocket.client import PING, TEXT, Client, frame, request
from tests.websocket.conftest import Dial
from tests.websocket.dialects import Dialect
from tests.websocket.server import Server

# Of each socket the kernel keeps: little, so that what more is taken is in the server.
BUFFERS = 64 * 1024
FLOOD = 16 * 1024 * 1024
BOUND = 6 * 1024 * 1024
# More than it takes unheard, and no more than a busy one reads within its timeout.
REST = 4 * 1024 * 1024
# So often the server has looked at its sockets and a writer is where it was: stuck.
LOOKS = 30
LONG = 60.0


def written_until_stuck(server: Server, client: Client, wire: bytes) -> int:
    """Write until nobody takes more; return how many bytes were taken."""
    view, written, looks = memoryview(wire), 0, 0
    while looks < LOOKS and written < len(wire):
        count = client.write_some(view[written : written + 65536])
        written += count
        looks = 0 if count else looks + 1
        if not count:
            server.settle()
    return written


def flood(size: int) -> tuple[list[str], bytes]:
    """Return messages and the bytes that carry them."""
    texts = [f"{number:06d}" + "x" * (size - 6) for number in range(FLOOD // size)]
    return texts, b"".join(frame(TEXT, text.encode()) for text in texts)


class Slow:
    """An application that does not receive until it is let, and then all of it."""

    def __init__(self) -> None:
        self.is_let = asyncio.Event()
        self.heard: list[str] = []
        self.has_ended = False

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        await accepted(receive, send)
        await self.is_let.wait()
        while (message := await receive())["type"] == "websocket.receive":
            self.heard.append(message["text"])
            if len(self.heard) % 100 == 0:
                # Others want to live as well.
                await asyncio.sleep(0)
        self.has_ended = True


def heard_after_stall(server: Server, client: Client, slow: Slow, wire: bytes) -> None:
    """See that writing stops, let the application go on, and write the rest."""
    written = written_until_stuck(server, client, wire)
    assert written < BOUND
    assert slow.heard == []
    server.call(slow.is_let.set)
    client.write(wire[written:])
    client.close(1000)
    assert client.closed()[0] == 1000
    eventually(lambda: slow.has_ended)


def test_an_application_that_lags_is_waited_for(server: Server, dial: Dial) -> None:
    slow = Slow()
    client = dial(slow, buffers=BUFFERS)
    texts, wire = flood(1_000)

    heard_after_stall(server, client, slow, wire)

    assert slow.heard == texts


def test_so_it_is_over_messages_that_are_large(server: Server, dial: Dial) -> None:
    slow = Slow()
    client = dial(slow, buffers=BUFFERS)
    texts, wire = flood(500_000)

    heard_after_stall(server, client, slow, wire)

    assert slow.heard == texts


def test_so_it_is_over_messages_that_came_before_accept(
    server: Server, knock: Callable[..., Client]
) -> None:
    slow, answers = Slow(), asyncio.Event()

    async def late(scope: Message, receive: Receive, send: Send) -> None:
        await answers.wait()
        await slow(scope, receive, send)

    server.application = late
    client = knock(buffers=BUFFERS)
    client.write(request())
    server.settle()
    texts, wire = flood(1_000)
    early = len(frame(TEXT, texts[0].encode())) * 50
    client.write(wire[:early])
    server.settle()

    server.call(answers.set)
    assert client.response().status == 101
    heard_after_stall(server, client, slow, wire[early:])

    assert slow.heard == texts


def test_who_floods_before_accept_is_not_read_for_ever(
    server: Server, knock: Callable[..., Client]
) -> None:
    slow, answers = Slow(), asyncio.Event()

    async def late(scope: Message, receive: Receive, send: Send) -> None:
        await answers.wait()
        await slow(scope, receive, send)

    server.application = late
    client = knock(buffers=BUFFERS)
    client.write(request())
    server.settle()
    texts, wire = flood(1_000)

    written = written_until_stuck(server, client, wire)
    assert written < BOUND
    server.call(answers.set)
    assert client.response().status == 101
    server.call(slow.is_let.set)
    client.write(wire[written:])
    client.close(1000)

    assert client.closed()[0] == 1000
    eventually(lambda: slow.has_ended)
    assert slow.heard == texts


def test_so_it_is_over_messages_of_nothing(server: Server, dial: Dial) -> None:
    slow = Slow()
    client = dial(slow, buffers=BUFFERS)
    wire = frame(TEXT) * (BOUND // len(frame(TEXT)))

    written = written_until_stuck(server, client, wire)
    client.vanish()
    server.call(slow.is_let.set)

    eventually(lambda: slow.has_ended)
    assert written < len(wire)
    # They weigh nothing on the wire, but they do in memory: less than one read brings.
    assert len(slow.heard) < 100_000


@pytest.mark.parametrize("how", ["closes", "closes and stays", "returns", "raises"])
def test_an_application_may_end_with_much_unheard(
    server: Server,
    dial: Dial,
    dialect: Dialect,
    how: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Longer than a busy machine takes.
    monkeypatch.setattr(protocol, "CLOSE_TIMEOUT", LONG)
    may_end, may_leave = asyncio.Event(), asyncio.Event()

    async def ends(scope: Message, receive: Receive, send: Send) -> None:
        await accepted(receive, send)
        await may_end.wait()
        if how.startswith("closes"):
            await send({"type": "websocket.close", "code": 1000})
            if how.endswith("stays"):
                await may_leave.wait()
        elif how == "raises":
            raise ValueError("on purpose")

    client = dial(ends, buffers=BUFFERS)
    texts, wire = flood(1_000)
    written = written_until_stuck(server, client, wire)

    server.call(may_end.set)

    if how.startswith("closes") or dialect.says_why_it_ends:
        assert client.closed()[0] == (1011 if how == "raises" else 1000)
        # It is heard out, so that its answer is: no timeout ends this.
        began = time.monotonic()
        size = len(wire) // len(texts)
        client.write(wire[written : (written + REST) // size * size])
        client.close(1000)
        assert client.rest() == b""
        assert time.monotonic() - began < LONG / 2
    server.call(may_leave.set)
    if how == "raises":
        eventually(lambda: server.log.lines)
        server.log.lines.clear()


def test_an_application_waits_for_a_client_that_does_not_read(
    server: Server, dial: Dial
) -> None:
    texts, _ = flood(50_000)
    sent: list[int] = []

    async def talks(scope: Message, receive: Receive, send: Send) -> None:
        await accepted(receive, send)
        for number, text in enumerate(texts):
            await send({"type": "websocket.send", "text": text})
            sent.append(number)
        await receive()

    client = dial(talks, buffers=BUFFERS)
    looks, seen = 0, -1
    while looks < LOOKS:
        server.settle()
        looks = looks + 1 if len(sent) == seen else 0
        seen = len(sent)
    assert len(sent) * 50_000 < BOUND

    assert [client.message() for _ in texts] == texts


def test_sending_ends_when_a_client_that_does_not_read_vanishes(
    server: Server, dial: Dial
) -> None:
    raised: list[BaseException] = []

    async def talks(scope: Message, receive: Receive, send: Send) -> None:
        await accepted(receive, send)
        try:
            while True:
                await send({"type": "websocket.send", "text": "x" * 50_000})
        except OSError as exc:
            raised.append(exc)

    client = dial(talks, buffers=BUFFERS)
    for _ in range(LOOKS):
        server.settle()
    assert raised == []

    client.vanish()

    eventually(lambda: raised)
    assert isinstance(raised[0], ClientDisconnected)


def test_pings_are_answered_no_faster_than_answers_are_read(
    server: Server, dial: Dial, dialect: Dialect
) -> None:
    client = dial(buffers=BUFFERS)
    ping = frame(PING, bytes(125))
    wire = ping * (FLOOD // len(ping))

    written = written_until_stuck(server, client, wire)

    if dialect.stops_for_who_does_not_read:
        # What the kernel keeps of answers is up to it, and some megabytes.
        assert written < FLOOD // 2
    client.vanish()


def test_a_slow_socket_does_not_slow_down_another(server: Server, dial: Dial) -> None:
    slow = Slow()
    stuck = dial(slow, buffers=BUFFERS)
    _, wire = flood(1_000)
    assert written_until_stuck(server, stuck, wire) < BOUND

    other = dial(echo)
    for number in range(100):
        other.text(f"{number}")
        assert other.message() == f"{number}"
    server.call(slow.is_let.set)
