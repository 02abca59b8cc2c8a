"""Who may open a media socket, and what becomes of those who may not."""

import asyncio
import base64
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from calls.doors.capability import call_secret
from tests.streaming.house import ENDED, House, closing, eventually
from tests.streaming.wire import audio, metadata

RESOURCE = "7d0c7a1e-0d3c-4a37-8a7c-1f0b7d0c9b55"
ISSUER = "https://acscallautomation.communication.azure.com"
OURS = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Keys(BaseHTTPRequestHandler):
    """ACS's discovery document and its keys."""

    def do_GET(self) -> None:
        document: dict[str, Any] = {"jwks_uri": f"http://{self.headers['Host']}/keys"}
        if self.path == "/keys":
            to_jwk = jwt.algorithms.RSAAlgorithm.to_jwk
            key: dict[str, Any] = to_jwk(OURS.public_key(), as_dict=True)
            document = {"keys": [key | {"kid": "k"}]}
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def discovery() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/discovery"
    server.shutdown()
    thread.join()
    server.server_close()


def token(**changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": RESOURCE, "iat": now, "nbf": now, "exp": now + 300}
    return jwt.encode(claims | changes, OURS, "RS256", headers={"kid": "k"})


def unsigned() -> str:
    """A token that says it needs no signature."""

    def part(document: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(document).encode()).decode()

    head = {"alg": "none", "typ": "JWT", "kid": "k"}
    body = {"iss": ISSUER, "aud": RESOURCE, "exp": int(time.time()) + 300}
    return f"{part(head)}.{part(body)}.".replace("=", "")


FALSE_TOKENS = {
    "none": {},
    "not a bearer": {"Authorization": "Basic YTpi"},
    "expired": {"Authorization": f"Bearer {token(exp=int(time.time()) - 3600)}"},
    "for another resource": {"Authorization": f"Bearer {token(aud=str(uuid4()))}"},
    "by another issuer": {"Authorization": f"Bearer {token(iss='https://evil')}"},
    "unsigned": {"Authorization": f"Bearer {unsigned()}"},
    "noise": {"Authorization": "Bearer a.b.c"},
}


@pytest.fixture(scope="module")
def house(
    tmp_path_factory: pytest.TempPathFactory, migrated: Path, discovery: str
) -> Iterator[House]:
    """One process for all of this module: nothing here may harm it."""
    house = House(
        tmp_path_factory.mktemp("house"),
        migrated,
        ACSSTREAM_MEDIA_AUTH="required",
        ACSSTREAM_ACS_RESOURCE_ID=RESOURCE,
        ACSSTREAM_ACS_OPENID_URL=discovery,
        ACSSTREAM_MAX_FRAME_BYTES="8192",
    ).start()
    yield house
    assert house.end() in ENDED
    log = house.log.read_text()
    assert "Traceback" not in log
    assert "Bearer" not in log
    for known in KNOWN:
        assert known not in log


# Secrets that were used here: no log may show them.
KNOWN: list[str] = []


def new_call() -> UUID:
    call_id = uuid4()
    KNOWN.append(call_secret(call_id))
    return call_id


def allowed() -> dict[str, str]:
    return {"Authorization": f"Bearer {token()}"}


async def refused(
    house: House, client: aiohttp.ClientSession, path: UUID | str, **headers: str
) -> int:
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await house.dial(client, path, **headers)
    return caught.value.status


def connections(house: House, call_id: UUID) -> list[dict[str, Any]]:
    return house.rows(
        "select * from calls_connection where call_id = ? order by opened_at",
        call_id.hex,
    )


async def test_takes_acs_by_token_and_secret(
    house: House, client: aiohttp.ClientSession
) -> None:
    call_id = new_call()
    headers = allowed() | {"x-ms-call-connection-id": "acs-1"}

    ws = await house.dial(client, call_id, **headers)
    for frame in (metadata(), audio(0), audio(1)):
        await ws.send_str(frame)
    await ws.close(code=1000, message=b"bye")

    [socket_row] = await eventually(
        lambda: [row for row in connections(house, call_id) if row["closed_at"]]
    )
    assert (socket_row["packets"], socket_row["close_code"]) == (2, 1000)
    assert socket_row["close_reason"] == "bye"
    [call] = house.rows("select * from calls_call where id = ?", call_id.hex)
    assert call["connection_id"] == "acs-1"


@pytest.mark.parametrize("headers", FALSE_TOKENS.values(), ids=FALSE_TOKENS)
async def test_refuses_a_false_token(
    house: House, client: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    assert await refused(house, client, new_call(), **headers) == 401


@pytest.mark.parametrize(
    "secret", ["wrong", "x" * 43, "%00", "..%2f..", "a" * 4000], ids=range(5)
)
async def test_refuses_a_false_secret(
    house: House, client: aiohttp.ClientSession, secret: str
) -> None:
    assert await refused(house, client, secret, **allowed()) == 403


async def test_refuses_a_path_that_nobody_serves(
    house: House, client: aiohttp.ClientSession
) -> None:
    for path in ("", "ws/dashboard", "media/", "media/a/b", "%ff"):
        url = f"ws://127.0.0.1:{house.port}/{path}"
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await client.ws_connect(url)
        assert caught.value.status == 403


async def test_refuses_a_socket_that_names_another_connection(
    house: House, client: aiohttp.ClientSession
) -> None:
    call_id = new_call()
    first = await house.dial(
        client, call_id, **allowed() | {"x-ms-call-connection-id": "acs-2"}
    )
    await eventually(lambda: connections(house, call_id))

    status = await refused(
        house, client, call_id, **allowed() | {"x-ms-call-connection-id": "acs-3"}
    )

    assert status == 403
    await first.close()


async def test_counts_whom_it_refuses(
    house: House, client: aiohttp.ClientSession
) -> None:
    query = "select refused from calls_ingestprocess"
    [before] = await eventually(lambda: house.rows(query))

    await refused(house, client, "wrong", **allowed())

    await eventually(lambda: house.rows(query)[0]["refused"] > before["refused"])


BAD_INPUT: dict[str, tuple[list[str | bytes], int]] = {
    "audio first": ([audio(0)], 1007),
    "binary": ([metadata(), b"\x00\x01"], 1003),
    "too long": ([metadata(), "x" * 8193], 1009),
    "far too long": ([metadata(), "x" * 100_000], 1009),
    "noise without end": (["not JSON"] * 60, 1007),
    "another encoding": ([metadata(encoding="opus")], 1003),
    "a crowd": ([metadata(), *(audio(0, f"8:acs:{n}") for n in range(300))], 1008),
}


@pytest.mark.parametrize(("frames", "code"), BAD_INPUT.values(), ids=BAD_INPUT)
async def test_closes_a_socket_that_acs_would_not_send(
    house: House, client: aiohttp.ClientSession, frames: list[str | bytes], code: int
) -> None:
    call_id = new_call()
    ws = await house.dial(client, call_id, **allowed())

    for frame in frames:
        with_it = ws.send_bytes if isinstance(frame, bytes) else ws.send_str
        try:
            await with_it(frame)  # type: ignore[arg-type] # each takes its own
        except aiohttp.ClientConnectionError:
            break

    assert await closing(ws) == code
    [row] = await eventually(
        lambda: [row for row in connections(house, call_id) if row["closed_at"]]
    )
    assert row["close_code"] == code


def test_closes_a_socket_whose_text_is_none(house: House) -> None:
    with connect(
        house.url(new_call()), additional_headers=allowed(), compression=None
    ) as ws:
        ws.send(metadata())
        ws.send(b"\xff\xfe\xfd", text=True)

        with pytest.raises(ConnectionClosed) as caught:
            ws.recv(timeout=60)

    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1007


def test_strange_bytes_harm_nobody(house: House) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", house.port)) as raw:
            raw.sendall(secrets.token_bytes(300))
    with socket.create_connection(("127.0.0.1", house.port)) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\nabc")

    assert house.get("/healthz")[0] == 200


async def test_those_who_leave_during_the_handshake_harm_nobody(house: House) -> None:
    call_id = new_call()
    request = (
        f"GET /media/{call_secret(call_id)} HTTP/1.1\r\nHost: x\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Authorization: Bearer {token()}\r\n\r\n"
    )
    for wait in (0.0, 0.0, 0.001, 0.002, 0.005, 0.01, 0.02):
        with socket.create_connection(("127.0.0.1", house.port)) as raw:
            raw.sendall(request.encode())
            await asyncio.sleep(wait)

    await eventually(lambda: house.get("/healthz")[1]["streams"] == 0)


def test_answers_a_load_balancer(house: House) -> None:
    assert house.get("/healthz")[0] == 200
    status, facts = house.get("/readyz")
    assert (status, facts["refuses"]) == (200, None)
    assert house.get("/admin/")[0] == 404


async def test_log_only_takes_a_false_token_but_no_false_secret(
    build: Callable[..., House], client: aiohttp.ClientSession, discovery: str
) -> None:
    house = build(
        ACSSTREAM_MEDIA_AUTH="log_only",
        ACSSTREAM_ACS_RESOURCE_ID=RESOURCE,
        ACSSTREAM_ACS_OPENID_URL=discovery,
    ).start()

    for headers in FALSE_TOKENS.values():
        ws = await house.dial(client, new_call(), **headers)
        await ws.close()

    assert await refused(house, client, "wrong") == 403
    assert "its token was refused" in house.log.read_text()


async def test_ends_in_good_order_while_handshakes_wait(
    build: Callable[..., House], client: aiohttp.ClientSession
) -> None:
    # A key server that takes connections and never answers.
    with socket.create_server(("127.0.0.1", 0)) as mute:
        house = build(
            ACSSTREAM_MEDIA_AUTH="required",
            ACSSTREAM_ACS_RESOURCE_ID=RESOURCE,
            ACSSTREAM_ACS_OPENID_URL=f"http://127.0.0.1:{mute.getsockname()[1]}/",
        ).start()
        dials = [
            asyncio.create_task(house.dial(client, new_call(), **allowed()))
            for _ in range(8)
        ]
        asked, _ = await asyncio.to_thread(mute.accept)

        with asked:
            ended = await asyncio.to_thread(house.end)

    answers = await asyncio.gather(*dials, return_exceptions=True)
    assert ended in ENDED
    assert all(isinstance(answer, aiohttp.ClientError) for answer in answers)
    assert house.journals == []
