"""What the web process does before Django reads a byte, and where off is refused."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from calls.checks.doors import check_bind, check_event_grid
from calls.doors.entrance import Entrance
from calls.doors.openness import bound_host, open_doors
from calls.envelopes import MAX_BYTES

EVERYWHERE = "0.0.0.0"  # noqa: S104 it is refused
POST = {"type": "http", "path": "/webhooks/eventgrid", "headers": []}
NEAR = {"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000)}


async def inner(scope: Any, receive: Any, send: Any) -> None:
    """An application that reads all of a body and says how long it is."""
    length, more = 0, True
    while more:
        message = await receive()
        length += len(message["body"])
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(length).encode()})


async def post(*chunks: bytes, **scope: Any) -> tuple[int, bytes, int]:
    """Return status and body of the answer, and how many chunks were read."""
    sent: list[Any] = []
    read = 0

    async def parts() -> AsyncIterator[Any]:
        for number, chunk in enumerate(chunks, 1):
            more = number < len(chunks)
            yield {"type": "http.request", "body": chunk, "more_body": more}

    waiting = parts()

    async def receive() -> Any:
        nonlocal read
        read += 1
        return await anext(waiting)

    async def send(message: Any) -> None:
        sent.append(message)

    await Entrance(inner)(POST | NEAR | scope, receive, send)
    return sent[0]["status"], sent[1]["body"], read


async def test_a_webhooks_body_is_passed_on() -> None:
    assert await post(b"abc", b"def") == (200, b"6", 2)


async def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    headers = [(b"content-length", str(MAX_BYTES + 1).encode())]

    status, _, read = await post(b"abc", headers=headers)

    assert (status, read) == (413, 0)


async def test_a_body_that_turns_out_too_large_is_not_read_on() -> None:
    half = b"x" * (MAX_BYTES // 2 + 1)

    status, _, read = await post(half, half, half, half)

    assert (status, read) == (413, 2)


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (NEAR, 200),
        ({"client": ("192.0.2.1", 1)}, 403),
        ({"server": ("192.0.2.1", 8000)}, 403),
        ({"headers": [(b"x-forwarded-for", b"192.0.2.1")]}, 403),
    ],
)
async def test_a_door_without_proof_is_open_to_this_machine_alone(
    settings: Settings, end: dict[str, Any], status: int
) -> None:
    settings.CALLBACK_AUTH = "off"
    settings.TRUSTED_PROXIES = ["127.0.0.1"]

    assert (await post(b"", **end))[0] == status


@pytest.mark.parametrize(
    ("host", "is_fault"),
    [
        *((EVERYWHERE, True), ("192.0.2.1", True), ("::", True), ("", True)),
        *(("127.0.0.1", False), ("::1", False), ("localhost", False)),
    ],
)
def test_off_is_refused_where_others_could_come(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, host: str, is_fault: bool
) -> None:
    settings.MEDIA_AUTH = "off"
    argv = ["daphne", "-b", host, "acsstream.asgi:application"]
    monkeypatch.setattr("sys.argv", argv)

    assert [each.id for each in check_bind()] == ["acsstream.E010"] * is_fault
    settings.DEBUG = True
    assert check_bind() == []


def test_ingest_does_not_start_without_proof_on_a_public_address(
    settings: Settings,
) -> None:
    settings.MEDIA_AUTH = "off"

    with pytest.raises(CommandError, match="ACSSTREAM_MEDIA_AUTH is off"):
        call_command("ingest", "--host", EVERYWHERE, "--port", "1")


def test_reads_where_a_server_was_told_to_listen() -> None:
    assert bound_host(["uvicorn", "--host", EVERYWHERE]) == EVERYWHERE
    assert bound_host(["daphne", "--bind=::"]) == "::"
    assert bound_host(["celery", "worker"]) is None


def test_says_which_doors_are_not_shut(settings: Settings) -> None:
    assert open_doors() == []

    settings.MEDIA_AUTH, settings.CALLBACK_AUTH = "log_only", "off"

    media, callback = open_doors()
    assert "ACSSTREAM_MEDIA_AUTH is log_only" in media
    assert "ACSSTREAM_CALLBACK_AUTH is off" in callback


def test_e011_finds_an_entra_token_that_could_not_be_verified(
    settings: Settings,
) -> None:
    settings.EVENTGRID_AUDIENCE = "api://acsstream"

    [found] = check_event_grid()

    assert "ACSSTREAM_EVENTGRID_ISSUER" in found.msg
