"""Wherever a code of ACS's appears there are words, and the raw code beside them."""

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from calls.board.facts import board_facts
from calls.board.snapshot import Picture
from calls.models import Call, CommandState
from tests.control.wire import call_made, cloud_event, post_callback
from tests.factories import CallFactory, CommandFactory, EventFactory

pytestmark = [pytest.mark.database, pytest.mark.django_db]

NO_SOCKET: dict[str, Any] = {
    "resultInformation": {"code": 500, "subCode": 8603, "message": "no"},
    "mediaStreamingUpdate": {
        "mediaStreamingStatusDetails": "streamConnectionUnsuccessful"
    },
}
NO_SOCKET_WORDS = "Azure could not open a WebSocket to our media URL."
NO_SOCKET_CODE = "500/8603 streamConnectionUnsuccessful"


def text_of(client: Client, path: str) -> str:
    """Return a page's text without its tags, in one line."""
    page = client.get(path)
    assert page.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page.content.decode()))


def busy_call() -> Call:
    return CallFactory.create(
        ended=True,
        end_code=486,
        end_subcode=560486,
        end_reason="The number was busy.",
    )


def test_the_lists_show_words_and_codes(operator: Client) -> None:
    EventFactory.create(kind="MediaStreamingFailed", body={"data": NO_SOCKET})
    CommandFactory.create(
        state=CommandState.FAILED,
        result="The callee is busy.",
        result_code=486,
        result_subcode=8539,
    )

    events = text_of(operator, "/admin/calls/callevent/")
    commands = text_of(operator, "/admin/calls/streamcommand/")

    assert f"{NO_SOCKET_WORDS} {NO_SOCKET_CODE}" in events
    assert "The callee is busy. 486/8539" in commands


def test_a_command_that_was_carried_out_shows_no_code(operator: Client) -> None:
    CommandFactory.create(
        state=CommandState.CONFIRMED, result="", result_code=200, result_subcode=0
    )

    assert "200/0" not in text_of(operator, "/admin/calls/streamcommand/")


def test_the_page_of_an_event_says_what_to_do(operator: Client) -> None:
    event = EventFactory.create(kind="MediaStreamingFailed", body={"data": NO_SOCKET})

    page = text_of(operator, f"/admin/calls/callevent/{event.pk}/change/")

    assert f"{NO_SOCKET_WORDS} Check that ACSSTREAM_MEDIA_URL" in page
    assert NO_SOCKET_CODE in page


def test_the_page_of_a_call_shows_words_and_codes(operator: Client) -> None:
    call = busy_call()
    EventFactory.create(
        call=call, kind="MediaStreamingFailed", body={"data": NO_SOCKET}
    )
    CommandFactory.create(
        call=call,
        state=CommandState.FAILED,
        result="Another order was under way.",
        result_code=409,
        result_subcode=8519,
    )

    page = text_of(operator, f"/admin/calls/call/{call.pk}/change/")

    assert "The number was busy. 486/560486 Call again later." in page
    assert "Another order was under way. (409/8519)" in page
    assert f"{NO_SOCKET_WORDS} Check that" in page
    assert NO_SOCKET_CODE in page


def test_an_unknown_code_is_shown_raw(operator: Client) -> None:
    body = {"data": {"resultInformation": {"code": 477, "subCode": 99}}}
    EventFactory.create(kind="HoldFailed", body=body)

    page = text_of(operator, "/admin/calls/callevent/")

    assert "ACS says: 477/99" in page
    assert "477/99 477/99" not in page


def test_codes_of_others_are_text(operator: Client) -> None:
    update = {"mediaStreamingStatusDetails": "<img src=x onerror=alert(1)>"}
    body = {"data": {"mediaStreamingUpdate": update}}
    EventFactory.create(kind="MediaStreamingFailed", body=body)

    page = operator.get("/admin/calls/callevent/").content.decode()

    assert "&lt;img src=x" in page
    assert "<img src=x" not in page


def test_the_dashboard_shows_the_code_of_a_call_that_ended(operator: Client) -> None:
    busy_call()

    [row] = Picture(board_facts(), None, at=timezone.now()).ended

    assert row["reason"] == "The number was busy. (486/560486)"


def test_the_dashboard_shows_the_code_of_streaming_that_failed(
    settings: Settings,
) -> None:
    settings.CALLBACK_AUTH = "off"
    call = call_made()
    failed = cloud_event("MediaStreamingFailed", **NO_SOCKET)

    post_callback(call, failed)

    call.refresh_from_db()
    assert call.streaming_reason.startswith(NO_SOCKET_WORDS)
    assert call.streaming_reason.endswith(f"({NO_SOCKET_CODE})")
