"""What an application is told and may say: ASGI's WebSocket specification."""

import asyncio

import pytest

from tests.websocket.applications import (
    Message,
    Receive,
    Send,
    Witness,
    accepted,
    eventually,
)
from tests.websocket.client import BINARY, TEXT, fin, frame
from tests.websocket.conftest import Dial
from tests.websocket.server import Server


class Says:
    """An application that accepts, says what it was given to say, and returns."""

    def __init__(self, *messages: Message) -> None:
        self.messages = messages

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        await accepted(receive, send)
        for message in self.messages:
            await send(message)
        while (await receive())["type"] != "websocket.disconnect":
            pass


def test_the_first_event_is_a_connect(server: Server, dial: Dial) -> None:
    told: list[Message] = []

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        told.append(await receive())
        await send({"type": "websocket.accept"})
        told.append(await receive())

    client = dial(application)
    client.text("hello")

    eventually(lambda: len(told) == 2)
    assert told[0] == {"type": "websocket.connect"}
    assert {name: told[1].get(name) for name in ("type", "text", "bytes")} == {
        "type": "websocket.receive",
        "text": "hello",
        "bytes": None,
    }


def test_binary_is_bytes_and_text_is_text(dial: Dial) -> None:
    witness = Witness()
    client = dial(witness)

    client.send(frame(BINARY, b"\x00\xff"), frame(TEXT, b""), frame(BINARY, b""))
    client.close()

    assert witness.disconnect()[0] == 1005
    assert witness.messages == [b"\x00\xff", "", b""]
    assert [type(each) for each in witness.messages] == [bytes, str, bytes]


def test_a_message_arrives_as_it_was_sent(dial: Dial) -> None:
    messages: list[Message] = [
        {"type": "websocket.send", "text": "täxt"},
        {"type": "websocket.send", "bytes": b"\x00\xff"},
        {"type": "websocket.send", "text": "", "bytes": None},
        {"type": "websocket.send", "text": None, "bytes": b""},
        {"type": "websocket.send", "text": "x" * 100_000},
    ]

    client = dial(Says(*messages))

    assert client.message() == "täxt"
    assert client.message() == b"\x00\xff"
    assert client.message() == ""
    assert client.message() == b""
    assert client.message() == "x" * 100_000


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({}, (1000, "")),
        ({"code": 1001}, (1001, "")),
        ({"code": 4321, "reason": "wrong number"}, (4321, "wrong number")),
        ({"code": 1013, "reason": None}, (1013, "")),
        ({"reason": "ü" * 61}, (1000, "ü" * 61)),
    ],
    ids=str,
)
def test_a_close_arrives_with_code_and_reason(
    dial: Dial, message: Message, expected: tuple[int, str]
) -> None:
    client = dial(Says({"type": "websocket.close", **message}))

    assert client.closed() == expected
    client.close(expected[0])
    assert client.rest() == b""


def test_whoever_closes_is_told_its_own_code(dial: Dial) -> None:
    told: list[Message] = []

    async def closes(scope: Message, receive: Receive, send: Send) -> None:
        await accepted(receive, send)
        await send({"type": "websocket.close", "code": 4001, "reason": "mine"})
        told.append(await receive())

    client = dial(closes)
    assert client.closed() == (4001, "mine")
    client.close(1000)

    eventually(lambda: told)
    assert (told[0]["type"], told[0]["code"]) == ("websocket.disconnect", 4001)


def test_nothing_may_be_said_after_a_close(dial: Dial) -> None:
    raised: list[BaseException] = []

    async def talks_on(scope: Message, receive: Receive, send: Send) -> None:
        await accepted(receive, send)
        await send({"type": "websocket.close"})
        for kind in ("websocket.send", "websocket.close", "websocket.accept"):
            try:
                await send({"type": kind, "text": "more"})
            except RuntimeError as exc:
                raised.append(exc)

    client = dial(talks_on)

    assert client.closed() == (1000, "")
    client.close(1000)
    assert client.rest() == b""
    assert len(raised) == 3


@pytest.mark.parametrize("kind", ["websocket.accept", "http.response.body", "nonsense"])
def test_nothing_strange_may_be_said_after_accept(dial: Dial, kind: str) -> None:
    raised: list[BaseException] = []

    async def strange(scope: Message, receive: Receive, send: Send) -> None:
        await accepted(receive, send)
        try:
            await send({"type": kind})
        except RuntimeError as exc:
            raised.append(exc)
        await send({"type": "websocket.send", "text": "as before"})
        await receive()

    client = dial(strange)

    assert client.message() == "as before"
    assert len(raised) == 1


def test_an_application_may_send_while_it_receives(dial: Dial) -> None:
    async def both(scope: Message, receive: Receive, send: Send) -> None:
        await accepted(receive, send)
        asked = asyncio.create_task(receive())
        await asyncio.sleep(0)
        await send({"type": "websocket.send", "text": "first"})
        message = await asked
        await send({"type": "websocket.send", "text": message["text"]})
        await receive()

    client = dial(both)

    assert client.message() == "first"
    client.text("second")
    assert client.message() == "second"


def test_a_receive_that_was_given_up_loses_nothing(server: Server, dial: Dial) -> None:
    heard: list[str] = []

    async def impatient(scope: Message, receive: Receive, send: Send) -> None:
        await accepted(receive, send)
        for _ in range(3):
            asked = asyncio.create_task(receive())
            await asyncio.sleep(0)
            asked.cancel()
            await asyncio.wait([asked])
            assert asked.cancelled()
        await send({"type": "websocket.send", "text": "now"})
        heard.extend([(await receive())["text"] for _ in range(2)])

    client = dial(impatient)
    assert client.message() == "now"

    client.send(frame(TEXT, b"one"), frame(TEXT, b"two"))

    eventually(lambda: len(heard) == 2)
    assert heard == ["one", "two"]


def test_frames_of_an_application_are_whole(dial: Dial) -> None:
    client = dial(Says({"type": "websocket.send", "text": "x" * 126}))

    assert client.frame() == (fin(TEXT), b"x" * 126)
