"""The extension of ours: messages are handed over where they are read."""

import asyncio

import pytest

from streaming.websocket import DELIVERY
from tests.websocket.applications import Message, Receive, Send, accepted, eventually
from tests.websocket.client import BINARY, CLOSE, TEXT, fragments, frame
from tests.websocket.conftest import Build, Connect, Dial, open_socket
from tests.websocket.dialects import ALONE, OURS
from tests.websocket.server import Server

pytestmark = pytest.mark.parametrize(
    "dialect",
    [OURS, ALONE],
    ids=[OURS.name, ALONE.name],
    indirect=True,
    scope="session",
)


class Listener:
    """An application that has its messages delivered, once it is let."""

    def __init__(self, faulty: str = "") -> None:
        self.is_let = asyncio.Event()
        self.is_let.set()
        self.faulty = faulty
        self.heard: list[str | bytes] = []
        self.ended: Message | Exception | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        await accepted(receive, send)
        await self.is_let.wait()
        scope["extensions"][DELIVERY](self.take)
        try:
            self.ended = await receive()
        except ValueError as exc:
            self.ended = exc
            raise

    def take(self, message: str | bytes) -> None:
        if message == self.faulty:
            raise ValueError("on purpose")
        self.heard.append(message)

    def end(self) -> Message | Exception:
        eventually(lambda: self.ended is not None)
        assert self.ended is not None
        return self.ended


def test_everything_is_delivered_in_order(dial: Dial) -> None:
    listener = Listener()
    client = dial(listener)
    texts = [f"packet {number}" for number in range(3_000)]

    client.send(*(frame(TEXT, text.encode()) for text in texts))
    client.send(*fragments(BINARY, [b"in ", b"pieces"]), frame(CLOSE))

    assert client.closed() == (None, "")
    assert listener.end() == {
        "type": "websocket.disconnect",
        "code": 1005,
        "reason": "",
    }
    assert listener.heard == [*texts, b"in pieces"]


def test_what_waited_is_delivered_first(server: Server, dial: Dial) -> None:
    listener = Listener()
    listener.is_let.clear()
    client = dial(listener)
    texts = [f"packet {number}" for number in range(3_000)]
    client.send(*(frame(TEXT, text.encode()) for text in texts[:1_500]))
    server.settle()

    server.call(listener.is_let.set)
    client.send(*(frame(TEXT, text.encode()) for text in texts[1_500:]))
    client.close(1000)

    assert client.closed()[0] == 1000
    listener.end()
    assert listener.heard == texts


def test_what_is_on_its_way_at_a_shutdown_is_delivered(
    build: Build, connect: Connect
) -> None:
    listener = Listener()
    server = build()
    client = open_socket(connect, server, listener)
    client.text("before")
    eventually(lambda: listener.heard)

    server.begin_to_end()
    assert client.closed() == (1012, "")
    texts = [f"packet {number}" for number in range(500)]
    client.send(*(frame(TEXT, text.encode()) for text in texts))
    client.close(1012)

    assert client.rest() == b""
    assert listener.end() == {
        "type": "websocket.disconnect",
        "code": 1012,
        "reason": "",
    }
    assert listener.heard == ["before", *texts]


@pytest.mark.parametrize("waits", [False, True])
def test_what_it_raises_ends_the_socket(
    server: Server, dial: Dial, *, waits: bool
) -> None:
    listener = Listener(faulty="bad")
    if waits:
        listener.is_let.clear()
    client = dial(listener)

    client.send(*(frame(TEXT, text) for text in (b"good", b"bad", b"late")))
    server.settle()
    server.call(listener.is_let.set)

    assert client.closed() == (1011, "")
    client.close(1011)
    assert client.rest() == b""
    assert isinstance(listener.end(), ValueError)
    assert listener.heard == ["good"]
    assert "on purpose" in " ".join(server.log.lines)
    server.log.lines.clear()


def test_a_vanished_peer_ends_it(dial: Dial) -> None:
    listener = Listener()
    client = dial(listener)
    client.text("last words")
    eventually(lambda: listener.heard)

    client.vanish()

    ended = listener.end()
    assert isinstance(ended, dict)
    assert ended["code"] == 1006
