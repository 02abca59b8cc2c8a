"""How a socket ends for an application: a peer that goes, an application that does."""

import asyncio

import pytest
from uvicorn.protocols.utils import ClientDisconnected

from tests.websocket.applications import (
    Message,
    Receive,
    Send,
    Witness,
    accepted,
    eventually,
)
from tests.websocket.client import TEXT, frame, request
from tests.websocket.conftest import Dial
from tests.websocket.dialects import Dialect
from tests.websocket.server import Server


@pytest.mark.parametrize("how", ["close", "hang_up", "vanish"])
def test_sending_to_who_has_gone_raises(server: Server, dial: Dial, how: str) -> None:
    raised: list[BaseException] = []

    async def late(scope: Message, receive: Receive, send: Send) -> None:
        await accepted(receive, send)
        assert (await receive())["type"] == "websocket.disconnect"
        await gone.wait()
        try:
            await send({"type": "websocket.send", "text": "anybody there?"})
        except OSError as exc:
            raised.append(exc)
            raise

    gone = asyncio.Event()
    client = dial(late)
    getattr(client, how)()
    client.hang_up()
    eventually(lambda: not server.uvicorn.server_state.connections)

    server.call(gone.set)

    eventually(lambda: raised)
    assert isinstance(raised[0], ClientDisconnected)


@pytest.mark.parametrize("how", ["hang_up", "vanish"])
def test_who_goes_without_a_word_has_no_close_code(
    dial: Dial, dialect: Dialect, how: str
) -> None:
    witness = Witness()
    client = dial(witness)
    client.text("last words")
    eventually(lambda: witness.messages)

    getattr(client, how)()

    code, reason = witness.disconnect()
    assert code == dialect.code_of_the_vanished
    assert reason == ""


def test_what_was_sent_before_hanging_up_is_received(dial: Dial) -> None:
    witness = Witness()
    client = dial(witness)
    texts = [f"packet {number}" for number in range(2_000)]

    client.send(*(frame(TEXT, text.encode()) for text in texts))
    client.hang_up()

    witness.disconnect()
    assert witness.messages == texts


def test_half_a_message_is_none(dial: Dial) -> None:
    witness = Witness()
    client = dial(witness)

    client.write(frame(TEXT, b"whole") + frame(TEXT, b"a" * 300)[:150])
    client.hang_up()

    witness.disconnect()
    assert witness.messages == ["whole"]


def test_a_disconnect_may_be_received_again(dial: Dial, dialect: Dialect) -> None:
    told: list[Message] = []
    count = 5 if dialect.tells_of_the_end_again else 2

    async def asks_again(scope: Message, receive: Receive, send: Send) -> None:
        await accepted(receive, send)
        told.extend([await receive() for _ in range(count)])

    client = dial(asks_again)
    client.close(1001)

    assert client.closed()[0] == 1001
    eventually(lambda: told)
    assert [each["type"] for each in told] == ["websocket.disconnect"] * count


def test_an_application_that_returns_early_closes_the_socket(
    dial: Dial, dialect: Dialect
) -> None:
    async def returns(scope: Message, receive: Receive, send: Send) -> None:
        await accepted(receive, send)

    client = dial(returns)

    if dialect.says_why_it_ends:
        assert client.closed() == (1000, "")
        client.close(1000)
    assert client.rest() == b""


def test_an_application_that_returns_before_accept_is_500(
    server: Server, knock: Dial
) -> None:
    async def returns(scope: Message, receive: Receive, send: Send) -> None:
        await receive()

    server.application = returns
    client = knock()

    client.write(request())

    assert client.response().status == 500
    assert "without completing handshake" in " ".join(server.log.lines)
    server.log.lines.clear()


def test_an_application_that_raises_before_accept_is_500(
    server: Server, knock: Dial
) -> None:
    async def raises(scope: Message, receive: Receive, send: Send) -> None:
        raise ValueError("on purpose")

    server.application = raises
    client = knock()

    client.write(request())

    assert client.response().status == 500
    assert "on purpose" in " ".join(server.log.lines)
    server.log.lines.clear()


def test_an_application_that_raises_closes_the_socket(
    server: Server, dial: Dial, dialect: Dialect
) -> None:
    async def raises(scope: Message, receive: Receive, send: Send) -> None:
        await accepted(receive, send)
        await receive()
        raise ValueError("on purpose")

    client = dial(raises)
    client.text("go")

    if dialect.says_why_it_ends:
        assert client.closed() == (1011, "")
        client.close(1011)
    assert client.rest() == b""
    assert "on purpose" in " ".join(server.log.lines)
    server.log.lines.clear()
