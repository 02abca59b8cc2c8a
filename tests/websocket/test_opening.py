"""How an application opens a socket, or refuses to: scope, accept, denial."""

import asyncio
from typing import Any

import pytest

from tests.websocket.applications import (
    Message,
    Receive,
    Send,
    accepted,
    eventually,
)
from tests.websocket.client import ACCEPT, TEXT, frame, request
from tests.websocket.conftest import Dial
from tests.websocket.dialects import Dialect
from tests.websocket.server import Server


class Scopes(list[Message]):
    """An application that keeps the scopes it is called with."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.append(scope)
        await accepted(receive, send)
        await receive()


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
