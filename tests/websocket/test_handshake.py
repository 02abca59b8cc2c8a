"""The opening handshake: RFC 6455, 4.2."""

import base64
import os

import pytest

from tests.websocket.applications import Message, Receive, Send, echo, eventually
from tests.websocket.client import (
    ACCEPT,
    BINARY,
    KEY,
    PING,
    PONG,
    TEXT,
    accept_of,
    fin,
    frame,
    request,
)
from tests.websocket.conftest import Dial
from tests.websocket.dialects import Dialect
from tests.websocket.server import Server


async def never(scope: Message, receive: Receive, send: Send) -> None:
    """Be the application of handshakes that must not reach one."""
    raise AssertionError("the application was called")


def test_answers_the_handshake_of_the_rfc(knock: Dial) -> None:
    client = knock()

    client.write(request())

    status, headers = client.response()
    assert status == 101
    assert headers["upgrade"].lower() == "websocket"
    assert headers["connection"].lower() == "upgrade"
    assert headers["sec-websocket-accept"] == ACCEPT
    assert "sec-websocket-protocol" not in headers
    assert "sec-websocket-extensions" not in headers


def test_answers_every_key(knock: Dial) -> None:
    for _ in range(20):
        key = base64.b64encode(os.urandom(16)).decode()
        client = knock()

        client.write(request(headers={"Sec-WebSocket-Key": key}))

        assert client.response().headers["sec-websocket-accept"] == accept_of(key)


@pytest.mark.parametrize(
    "headers",
    [
        {"Upgrade": "WebSocket"},
        {"Upgrade": "WEBSOCKET"},
        {"Connection": "upgrade"},
        {"Connection": "keep-alive, Upgrade"},
        {"Connection": "UPGRADE,close"},
        {"Upgrade": None, "UPGRADE": "websocket"},
        {"Sec-WebSocket-Key": None, "sec-websocket-key": KEY},
        {"Sec-WebSocket-Key": None, "SEC-WEBSOCKET-KEY": KEY},
        {"Sec-WebSocket-Key": f"  {KEY}\t "},
        {"Sec-WebSocket-Version": None, "sec-websocket-VERSION": "13"},
    ],
    ids=str,
)
def test_case_and_space_do_not_matter(
    dial: Dial, headers: dict[str, str | None]
) -> None:
    client = dial(headers=headers)

    client.text("hello")

    assert client.message() == "hello"


@pytest.mark.parametrize(
    "key",
    [
        None,
        "",
        "x",
        "not base64 at all!!!!!!!",
        "dGhlIHNhbXBsZSBub25jZQ",
        base64.b64encode(b"fifteen bytes..").decode(),
        base64.b64encode(b"seventeen bytes..").decode(),
    ],
)
def test_refuses_a_key_that_is_none(
    server: Server, knock: Dial, key: str | None
) -> None:
    server.application = never
    client = knock()

    client.write(request(headers={"Sec-WebSocket-Key": key}))

    assert client.response().status == 400


@pytest.mark.parametrize("version", [None, "", "8", "12", "14", "130", "x"])
def test_refuses_another_version_and_names_its_own(
    server: Server, knock: Dial, version: str | None
) -> None:
    server.application = never
    client = knock()

    client.write(request(headers={"Sec-WebSocket-Version": version}))

    # RFC 6455, 4.4: "an HTTP error code (such as 426 Upgrade Required)".
    status, headers = client.response()
    assert status in (400, 426)
    assert headers["sec-websocket-version"] == "13" if status == 426 else True


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "OPTIONS"])
def test_refuses_any_method_but_get(
    server: Server, knock: Dial, dialect: Dialect, method: str
) -> None:
    server.application = never
    client = knock()

    client.write(request(method=method, headers={"Content-Length": "0"}))

    if dialect.answers_other_methods:
        assert client.response().status in (400, 405)


def test_a_request_that_asks_for_no_upgrade_is_http(
    server: Server, knock: Dial
) -> None:
    seen: list[str] = []

    async def http(scope: Message, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    server.application = http

    for headers in ({"Upgrade": None}, {"Connection": None}, {"Upgrade": "h2c"}):
        client = knock()
        client.write(request(headers=headers))
        assert client.response().status == 204

    assert seen == ["http"] * 3


def test_a_handshake_may_be_cut_anywhere(server: Server, knock: Dial) -> None:
    wire = request("/media/a?b=c")

    for cut in range(1, len(wire)):
        client = knock()
        client.write(wire[:cut])
        server.settle()
        client.write(wire[cut:])
        assert client.response().status == 101

        client.write(frame(PING, b"?"))
        assert client.frame() == (fin(PONG), b"?")
        client.hang_up()


def test_a_handshake_may_come_in_single_bytes(server: Server, knock: Dial) -> None:
    client = knock()

    for byte in request():
        client.write(bytes([byte]))
        server.settle()

    assert client.response().status == 101


def test_frames_may_come_before_the_application_accepts(
    server: Server, knock: Dial
) -> None:
    client = knock()
    client.write(request())
    server.settle()

    # It may be reading the database; a proxy before us may already be forwarding.
    client.send(frame(TEXT, b"one"), frame(BINARY, b"two"), frame(PING, b"three"))

    assert client.response().status == 101
    assert sorted(client.frame() for _ in range(3)) == sorted(
        [(fin(TEXT), b"one"), (fin(BINARY), b"two"), (fin(PONG), b"three")]
    )


@pytest.mark.parametrize("size", [5, 3_000, 100_000])
def test_frames_may_follow_the_handshake_in_one_piece(
    knock: Dial, dialect: Dialect, size: int
) -> None:
    text = "x" * size
    client = knock()

    client.write(request() + frame(TEXT, text.encode()))
    assert client.response().status == 101
    if dialect.takes_frames_with_request:
        assert client.message() == text
        client.text("next")
        assert client.message() == "next"


def test_compression_is_offered_and_not_taken(knock: Dial) -> None:
    client = knock()
    offer = "permessage-deflate; client_max_window_bits, x-webkit-deflate-frame"

    client.write(request(headers={"Sec-WebSocket-Extensions": offer}))

    assert "sec-websocket-extensions" not in client.response().headers
    client.text("plain")
    assert client.message() == "plain"


def test_a_subprotocol_is_not_taken_unless_the_application_takes_it(
    knock: Dial,
) -> None:
    client = knock()

    client.write(request(headers={"Sec-WebSocket-Protocol": "chat, superchat"}))

    status, headers = client.response()
    assert status == 101
    assert "sec-websocket-protocol" not in headers


def test_who_leaves_before_the_answer_ends_the_application(
    server: Server, knock: Dial
) -> None:
    told: list[Message] = []

    async def waits(scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        told.append(await receive())

    server.application = waits
    client = knock()
    client.write(request())
    server.settle()
    assert told == []

    client.hang_up()

    eventually(lambda: told)
    assert told[0]["type"] == "websocket.disconnect"
    assert told[0]["code"] == 1006


def test_strange_requests_harm_nobody(server: Server, knock: Dial) -> None:
    server.application = never
    for wire in (
        os.urandom(300),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(200),
        b"GET / HTTP/1.1\r\n\r\n",
        request()[:-2] + b"Sec WebSocket: x\r\n\r\n",
        request("/" + "a" * 100_000),
    ):
        client = knock()
        client.write(wire)
        server.settle()
        client.hang_up()
    server.application = echo

    client = knock()
    client.write(request())
    assert client.response().status == 101
