"""What an application is told and may say: ASGI's WebSocket specification."""

import asyncio
from typing import Any

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
from tests.websocket.client import ACCEPT, BINARY, TEXT, fin, frame, request
from tests.websocket.conftest import Dial
from tests.websocket.dialects import Dialect
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


class Scopes(list[Message]):
    """An application that keeps the scopes it is called with."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.append(scope)
        await accepted(receive, send)
        await receive()


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


def test_the_scope_tells_of_the_request(server: Server, dial: Dial) -> None:
    scopes = Scopes()

    client = dial(
        scopes,
        "/media/a%20b%2Fc/%C3%A9?token=x%3Dy&empty=",
        {
            "X-Ms-Call-Connection-Id": "c-1",
            "Sec-WebSocket-Protocol": "chat, superchat",
            "X-Latin": "caf\xe9",
        },
    )

    [scope] = scopes
    assert scope["type"] == "websocket"
    assert scope["asgi"]["version"] == "3.0"
    assert scope["http_version"] == "1.1"
    assert scope["scheme"] == "ws"
    assert scope["path"] == "/media/a b/c/é"
    assert scope["raw_path"] == b"/media/a%20b%2Fc/%C3%A9"
    assert scope["query_string"] == b"token=x%3Dy&empty="
    assert scope["root_path"] == ""
    assert scope["client"] == client.address
    assert scope["server"] == ("127.0.0.1", server.port)
    assert scope["subprotocols"] == ["chat", "superchat"]
    assert "websocket.http.response" in scope["extensions"]
    assert (b"x-ms-call-connection-id", b"c-1") in scope["headers"]
    assert (b"x-latin", b"caf\xe9") in scope["headers"]
    assert all(name == name.lower() for name, _ in scope["headers"])


def test_a_header_that_comes_twice_is_there_twice(dial: Dial) -> None:
    scopes = Scopes()

    dial(scopes, headers={"X-Twice": "1", "x-twice": "2"})

    values = [value for name, value in scopes[0]["headers"] if name == b"x-twice"]
    assert values == [b"1", b"2"]


def test_each_socket_has_a_state_of_its_own(dial: Dial) -> None:
    scopes = Scopes()

    dial(scopes)
    dial(scopes)

    assert scopes[0]["state"] == {}
    assert scopes[0]["state"] is not scopes[1]["state"]


def accepting(**more: Any) -> Any:
    async def application(scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept", **more})
        await receive()

    return application


def test_headers_and_subprotocol_of_accept_arrive(server: Server, knock: Dial) -> None:
    server.application = accepting(
        subprotocol="superchat",
        headers=[(b"X-Node", b"one"), (b"set-cookie", b"a=b")],
    )
    client = knock()

    client.write(request(headers={"Sec-WebSocket-Protocol": "chat, superchat"}))

    status, headers = client.response()
    assert status == 101
    assert headers["sec-websocket-accept"] == ACCEPT
    assert headers["sec-websocket-protocol"] == "superchat"
    assert headers["x-node"] == "one"
    assert headers["set-cookie"] == "a=b"
    assert "sec-websocket-extensions" not in headers


@pytest.mark.parametrize("more", [{}, {"subprotocol": None}, {"headers": []}], ids=str)
def test_accept_needs_no_more_than_its_type(
    server: Server, knock: Dial, more: dict[str, Any]
) -> None:
    server.application = accepting(**more)
    client = knock()

    client.write(request())

    assert client.response().status == 101


def test_a_close_before_accept_is_403(server: Server, knock: Dial) -> None:
    told: list[Message] = []

    async def refuses(scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.close", "code": 4000})
        told.append(await receive())

    server.application = refuses
    client = knock()

    client.write(request())

    assert client.response().status == 403
    assert client.rest() == b""
    eventually(lambda: told)
    assert (told[0]["type"], told[0]["code"]) == ("websocket.disconnect", 1006)


def test_frames_of_who_is_refused_harm_nobody(
    server: Server, knock: Dial, dialect: Dialect
) -> None:
    async def refuses(scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        await asked.wait()
        await send({"type": "websocket.close"})

    asked = asyncio.Event()
    server.application = refuses
    client = knock()
    client.write(request())
    server.settle()
    client.write(frame(TEXT, b"early"))
    if dialect.is_calm_before_accept:
        client.write(frame(0x3))
    server.settle()

    server.call(asked.set)

    assert client.response().status == 403


def denying(*bodies: bytes, status: int = 429, headers: Any = ()) -> Any:
    async def application(scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        start = {"type": "websocket.http.response.start", "status": status}
        await send(start | ({"headers": headers} if headers else {}))
        for number, body in enumerate(bodies, 1):
            more = {"body": body, "more_body": number < len(bodies)}
            await send({"type": "websocket.http.response.body"} | more)

    return application


@pytest.mark.parametrize(
    "bodies", [[b""], [b"later"], [b"try ", b"", b"later"]], ids=str
)
def test_a_denial_is_an_http_response(
    server: Server, knock: Dial, dialect: Dialect, bodies: list[bytes]
) -> None:
    server.application = denying(
        *bodies, headers=[(b"Retry-After", b"30"), (b"content-type", b"text/x-why")]
    )
    client = knock()

    client.write(request())

    status, headers = client.response()
    assert status == 429
    assert headers["retry-after"] == "30"
    assert headers["content-type"] == "text/x-why"
    assert headers["content-length"] == str(len(b"".join(bodies)))
    assert client.rest() == b"".join(bodies)
    if not dialect.is_calm_before_accept:
        server.log.lines.clear()


def test_a_denial_needs_no_headers(
    server: Server, knock: Dial, dialect: Dialect
) -> None:
    server.application = denying(b"no", status=503)
    client = knock()

    client.write(request())

    assert client.response().status == 503
    assert client.rest() == b"no"
    if not dialect.is_calm_before_accept:
        server.log.lines.clear()


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


@pytest.mark.parametrize(
    "message",
    [
        {"type": "websocket.send", "text": "too early"},
        {"type": "websocket.http.response.body", "body": b""},
        {"type": "http.response.start", "status": 200},
        {"type": "nonsense"},
    ],
    ids=str,
)
def test_nothing_else_may_be_said_before_accept(
    server: Server, knock: Dial, message: Message
) -> None:
    raised: list[BaseException] = []

    async def hasty(scope: Message, receive: Receive, send: Send) -> None:
        try:
            await send(message)
        except RuntimeError as exc:
            raised.append(exc)
        await send({"type": "websocket.close"})

    server.application = hasty
    client = knock()

    client.write(request())

    assert client.response().status == 403
    assert len(raised) == 1


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
