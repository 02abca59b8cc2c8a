"""Are our webhooks reached, and has Event Grid called?"""

import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from calls.models import CallEvent
from calls.preflight import Status, webhooks
from demo.ports import free_port
from tests.control.wire import incoming_call, post_eventgrid
from tests.preflight.conftest import Issue
from tests.preflight.strangers import answering
from tests.preflight.tls import proxy

VALIDATION = {
    "id": "2d1781af-3a4c-4d7c-bd0c-e34b19da4e66",
    "data": {"validationCode": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"},
    "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
    "eventTime": "2026-01-25T22:12:19Z",
}


def test_our_own_console_is_green(live_server: LiveServer, settings: Settings) -> None:
    settings.PUBLIC_URL = live_server.url

    found = webhooks.check_path()

    assert found.status == Status.GREEN
    assert (
        found.sentence == f"/healthz and the webhooks answer under {live_server.url}."
    )


def test_it_is_reached_through_a_proxy_that_ends_tls(
    live_server: LiveServer, settings: Settings, issue: Issue
) -> None:
    with proxy(issue(), int(live_server.url.rpartition(":")[2])) as port:
        settings.PUBLIC_URL = f"https://localhost:{port}"

        assert webhooks.check_path().status == Status.GREEN


def test_a_host_that_is_not_allowed_is_named(
    live_server: LiveServer, settings: Settings
) -> None:
    settings.ALLOWED_HOSTS = ["console.example.com"]
    settings.PUBLIC_URL = live_server.url

    found = webhooks.check_path()

    assert found.status == Status.RED
    assert found.advice == "Put the host into ALLOWED_HOSTS."


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (200, "send /webhooks/ to the console"),
        (301, "ACS is not to be sent on"),
        (401, "Let /webhooks/ pass"),
        (404, "send /webhooks/ to the console"),
        (502, "send /webhooks/ to the console"),
    ],
)
def test_who_else_answers_is_not_our_console(
    settings: Settings, status: int, advice: str
) -> None:
    with answering(status) as url:
        settings.PUBLIC_URL = url
        found = webhooks.check_path()

    assert found.status == Status.RED
    assert f"HTTP {status}" in found.sentence
    assert advice in found.advice


def test_nobody_there_is_red(settings: Settings) -> None:
    settings.PUBLIC_URL = f"http://127.0.0.1:{free_port()}"

    found = webhooks.check_path()

    assert found.status == Status.RED
    assert found.sentence.endswith("cannot be reached: Connection refused.")


@pytest.mark.django_db
def test_event_grid_that_never_called_is_red() -> None:
    found = webhooks.check_event_grid()

    assert found.status == Status.RED
    assert "/webhooks/eventgrid?secret=" in found.advice


@pytest.mark.django_db
def test_the_handshake_and_the_last_call_are_told_with_their_times() -> None:
    post_eventgrid(VALIDATION)

    [shaken] = CallEvent.objects.all()
    found = webhooks.check_event_grid()
    assert found.status == Status.GREEN
    assert f"{shaken.received_at:%H:%M:%S}; no call rang yet." in found.sentence

    post_eventgrid(incoming_call())
    assert "the last call rang" in webhooks.check_event_grid().sentence


@pytest.mark.django_db
def test_calls_that_come_prove_a_handshake_that_was_before_our_time() -> None:
    post_eventgrid(incoming_call())

    found = webhooks.check_event_grid()

    assert found.status == Status.GREEN
    assert found.sentence.startswith("No handshake is on record, but the last call")


@pytest.mark.django_db
def test_without_a_secret_event_grid_is_refused(settings: Settings) -> None:
    post_eventgrid(VALIDATION)
    settings.EVENTGRID_SECRET = ""

    found = webhooks.check_event_grid()

    assert found.status == Status.RED
    assert "ACSSTREAM_EVENTGRID_SECRET" in found.sentence
