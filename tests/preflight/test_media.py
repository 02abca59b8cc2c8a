"""The dial to ingest: a real ingest process, and what else may answer there."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

import aiohttp
import pytest
from django.core import signing
from pytest_django import Settings
from websockets.sync.server import ServerConnection, serve

from calls.doors.capability import call_secret
from calls.preflight import Status, media
from calls.probe import PROBE_HEADER, SALT, is_probe_proof, probe_proof
from demo.ports import free_port
from tests.preflight.conftest import Issue
from tests.preflight.strangers import answering
from tests.preflight.tls import proxy
from tests.streaming.house import House

Build = Callable[..., House]


@pytest.fixture
def house(build: Build, settings: Settings) -> House:
    """A running ingest, and settings that point at it."""
    house = build(ACSSTREAM_MEDIA_AUTH="required").start()
    settings.MEDIA_URL_BASE = f"ws://127.0.0.1:{house.port}"
    return house


def test_an_ingest_that_answers_is_green(house: House) -> None:
    found = media.check_path()

    assert found.status == Status.GREEN
    assert "on test-node answers in" in found.sentence


def test_it_is_reached_through_a_proxy_that_ends_tls(
    house: House, settings: Settings, issue: Issue
) -> None:
    with proxy(issue(), house.port) as port:
        settings.MEDIA_URL_BASE = f"wss://localhost:{port}"

        assert media.check_path().status == Status.GREEN


def test_a_probe_leaves_nothing_behind(house: House) -> None:
    media.check_path()

    assert house.get("/healthz")[1]["streams"] == 0
    assert house.journals == []
    for table in ("call", "connection", "callevent", "participant"):
        assert house.rows(f"SELECT * FROM calls_{table}") == []  # noqa: S608 above
    house.end()
    assert house.rows("SELECT streams FROM calls_ingestprocess") in (
        [],
        [{"streams": 0}],
    )
    assert "media socket" not in house.log.read_text()


def test_a_certificate_that_is_not_trusted_is_told_once(
    house: House, settings: Settings, issue: Issue
) -> None:
    with proxy(issue("other.example.com"), house.port) as port:
        settings.MEDIA_URL_BASE = f"wss://localhost:{port}"

        assert media.check_path().status == Status.UNKNOWN
        assert media.check_certificate().status == Status.RED


def test_another_secret_key_is_refused(house: House, settings: Settings) -> None:
    settings.SECRET_KEY = "another key " * 5

    found = media.check_path()

    assert (found.status, found.sentence) == (
        Status.RED,
        "The dial is refused with 403.",
    )
    assert "SECRET_KEY" in found.advice
    assert "a probe is refused" in house.log.read_text()


async def test_nobody_is_answered_without_a_proof(house: House) -> None:
    async with aiohttp.ClientSession() as client:
        for headers in ({}, {"x-acsstream-probe": "x" * 40}, {"x-acsstream-probe": ""}):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.ws_connect(house.url("probe"), headers=headers)
            assert refused.value.status == 403


async def test_a_proof_opens_no_call(house: House) -> None:
    headers = {PROBE_HEADER: probe_proof()}
    async with aiohttp.ClientSession() as client:
        for secret in ("x" * 43, "preflight", call_secret(UUID(int=0))):
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await client.ws_connect(house.url(secret), headers=headers)


async def test_a_probe_is_one_text_and_a_close(house: House) -> None:
    headers = {PROBE_HEADER: probe_proof()}
    async with (
        aiohttp.ClientSession() as client,
        asyncio.timeout(10),
        client.ws_connect(house.url("probe"), headers=headers) as ws,
    ):
        answer = await ws.receive_json()
        end = await ws.receive()

    assert answer["acsstream"] == "ingest"
    assert answer["node"] == "test-node"
    assert (end.type, ws.close_code) == (aiohttp.WSMsgType.CLOSE, 1000)


def test_a_proof_is_good_for_two_minutes(settings: Settings) -> None:
    class Earlier(signing.TimestampSigner):
        def timestamp(self) -> str:
            return signing.b62_encode(int(time.time()) - ago)

    ago = 100
    assert is_probe_proof(Earlier(salt=SALT).sign("nonce"))
    ago = 130
    assert not is_probe_proof(Earlier(salt=SALT).sign("nonce"))
    assert not is_probe_proof(signing.TimestampSigner(salt="other").sign("nonce"))
    older = probe_proof()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = (
        "new" * 20,
        [settings.SECRET_KEY],
    )
    assert is_probe_proof(older)


def test_an_ingest_that_takes_nothing_is_red(build: Build, settings: Settings) -> None:
    house = build(ACSSTREAM_MIN_FREE_MB="900000000").start()
    settings.MEDIA_URL_BASE = f"ws://127.0.0.1:{house.port}"

    found = media.check_path()

    assert found.status == Status.RED
    assert "takes no socket: only" in found.sentence


def test_an_ingest_without_authentication_is_a_warning(
    build: Build, settings: Settings
) -> None:
    house = build(ACSSTREAM_MEDIA_AUTH="log_only").start()
    settings.MEDIA_URL_BASE = f"ws://127.0.0.1:{house.port}"

    found = media.check_path()

    assert found.status == Status.WARNING
    assert "ACSSTREAM_MEDIA_AUTH=required" in found.advice


def test_nothing_there_is_red(settings: Settings) -> None:
    settings.MEDIA_URL_BASE = f"ws://127.0.0.1:{free_port()}"

    found = media.check_path()

    assert found.status == Status.RED
    assert found.sentence.endswith("cannot be dialled: Connection refused.")


@pytest.mark.parametrize("status", [200, 301, 404, 502])
def test_a_web_server_is_not_ingest(settings: Settings, status: int) -> None:
    with answering(status) as url:
        settings.MEDIA_URL_BASE = url.replace("http", "ws")
        found = media.check_path()

    assert found.status == Status.RED
    assert f"HTTP {status}" in found.sentence
    assert "/media/" in found.advice


@contextmanager
def saying(*texts: str) -> Iterator[str]:
    """Yield the URL of a WebSocket server that says something and closes."""

    def say(socket: ServerConnection) -> None:
        for text in texts:
            socket.send(text)

    with serve(say, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("texts", [[], ["hello"], ['{"acsstream": "else"}'], ["[1]"]])
def test_another_websocket_server_is_not_ingest(
    settings: Settings, texts: list[str]
) -> None:
    with saying(*texts) as url:
        settings.MEDIA_URL_BASE = url
        found = media.check_path()

    assert found.status == Status.RED
    assert found.sentence == "A WebSocket opens, but it is not our ingest that answers."
