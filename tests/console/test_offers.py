"""What is offered about a call: on its page, as JSON, and what is said of the rest."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from calls import control
from calls.buttons import Section, button_of, buttons_by_hand
from calls.models import Call, CommandKind, CommandState
from calls.offers import call_offers, outcome_words
from calls.orders import ORDERS
from tests.console.conftest import logged_in
from tests.factories import (
    CallFactory,
    CommandFactory,
    ConnectionFactory,
    ParticipantFactory,
    PromptFactory,
    UserFactory,
    member_of,
)

pytestmark = pytest.mark.database

NOBODYS_ID = "98908842-df3f-4713-ab12-2d7302cf04bf"
HAND_KINDS = sorted(kind for kind, order in ORDERS.items() if order.by_hand)
PAUSED_AT = datetime(2026, 3, 4, 12, 3, 4, tzinfo=UTC)


def page_of(client: Client, call: Call) -> str:
    return client.get(f"/admin/calls/call/{call.pk}/change/").content.decode()


def button_in(page: str, kind: str, participant: str = "") -> str:
    """Return the tag of a button; empty if it is not there."""
    key = re.escape(f"{kind} {participant}".strip())
    found = re.search(rf'<button[^>]*data-key="{key}"[^>]*>', page, re.S)
    return found[0] if found else ""


def listed(client: Client, call: Call) -> dict[str, Any]:
    answer = client.get(f"/calls/{call.pk}/commands/").json()
    return {each["kind"]: each for each in answer["commands"]}


# --- the table --------------------------------------------------------------------


def test_offers_every_order_that_is_given_by_hand_and_no_other() -> None:
    assert sorted(button.kind for button in buttons_by_hand()) == HAND_KINDS


@pytest.mark.parametrize("kind", HAND_KINDS)
def test_has_words_of_its_own_for_each_order(kind: str) -> None:
    assert button_of(kind).section != Section.MORE


@pytest.mark.django_db
@pytest.mark.parametrize("kind", HAND_KINDS)
def test_asks_for_everything_an_order_has_to_be_told(kind: str) -> None:
    call = CallFactory.create(live=True)
    person = ParticipantFactory.create(call=call)
    PromptFactory.create()
    button = button_of(kind)
    given = dict(button.example)
    if button.section == Section.PARTICIPANT:
        given["participant"] = person.raw_id

    # It raises if an argument is missing or has another name than the field.
    read = ORDERS[kind].read(call, given)

    told = {field.name for field in button.fields} | {"participant", "prompt_name"}
    assert set(read) <= told


# --- the page ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", HAND_KINDS)
def test_shows_a_button_to_who_has_its_permission_and_to_nobody_else(
    db: None, kind: str
) -> None:
    call = CallFactory.create(live=True)
    person = ParticipantFactory.create(call=call)
    codename = ORDERS[kind].permission.removeprefix("calls.")
    needed = Permission.objects.filter(codename__in=("view_call", codename))
    pages = []
    for permissions in (needed, needed.filter(codename="view_call")):
        user = UserFactory.create()
        user.user_permissions.set(permissions)
        pages.append(page_of(logged_in(user), call))
    who = person.raw_id if button_of(kind).section == Section.PARTICIPANT else ""

    assert button_in(pages[0], kind, who)
    assert "data-order=" not in pages[1]


def test_says_on_a_button_why_it_makes_no_sense_now(operator: Client) -> None:
    page = page_of(operator, CallFactory.create(live=True))

    start = button_in(page, "start_streaming")
    assert 'aria-disabled="true"' in start
    assert 'aria-description="The call is being streamed already."' in start
    assert "The call is being streamed already." in start.split("title=")[1]
    assert "aria-disabled" not in button_in(page, "stop_streaming")


def test_says_on_mute_that_there_is_no_unmute(operator: Client) -> None:
    call = CallFactory.create(live=True)
    person = ParticipantFactory.create(call=call)
    assert "ACS has no unmute" in button_in(
        page_of(operator, call), "mute", person.raw_id
    )


def test_offers_what_fits_each_participant(operator: Client) -> None:
    call = CallFactory.create(live=True)
    held = ParticipantFactory.create(call=call, is_on_hold=True)
    gone = ParticipantFactory.create(call=call, left_at=call.connected_at)

    page = page_of(operator, call)

    assert 'aria-disabled="true"' in button_in(page, "hold", held.raw_id)
    assert "aria-disabled" not in button_in(page, "unhold", held.raw_id)
    assert not button_in(page, "mute", gone.raw_id)


def test_shows_an_order_that_is_under_way_as_busy(operator: Client) -> None:
    call = CallFactory.create(live=True)
    one, two = ParticipantFactory.create_batch(2, call=call)
    CommandFactory.create(
        call=call,
        kind=CommandKind.HOLD,
        state=CommandState.SENT,
        arguments={"participant": one.raw_id},
    )
    page = page_of(operator, call)
    assert 'aria-busy="true"' in button_in(page, "hold", one.raw_id)
    assert "is still under way" in button_in(page, "hold", one.raw_id)
    assert "aria-busy" not in button_in(page, "hold", two.raw_id)
    assert "aria-disabled" not in button_in(page, "hold", two.raw_id)


def test_offers_nothing_of_a_call_that_is_over(operator: Client) -> None:
    call = CallFactory.create(ended=True)
    ParticipantFactory.create(call=call)
    assert "data-order=" not in page_of(operator, call)


def test_says_since_when_and_why_a_call_is_paused(operator: Client) -> None:
    call = CallFactory.create(
        live=True,
        desired_streaming=False,
        streaming_state="stopped",
        paused_at=PAUSED_AT,
        paused_why="card <number>",
    )
    for page in (
        page_of(operator, call),
        operator.get("/admin/calls/call/").content.decode(),
    ):
        assert "Paused: card &lt;number&gt;, since 12:03:04" in page
        assert "Stopped" in page


def test_asks_the_database_no_more_for_a_long_history(operator: Client) -> None:
    call = CallFactory.create(live=True)
    user = member_of("operator")
    numbers = []
    for _ in range(2):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            call_offers(call, user)
        numbers.append(len(queries))
        CommandFactory.create_batch(30, call=call)
    # The second time the user's permissions are known.
    assert numbers[1] <= numbers[0]


# --- as JSON ----------------------------------------------------------------------


def test_lists_every_order_with_why_not(operator: Client) -> None:
    call = CallFactory.create(live=True)
    person = ParticipantFactory.create(call=call, is_on_hold=True)

    orders = listed(operator, call)

    assert sorted(orders) == HAND_KINDS
    assert all(order["may"] for order in orders.values())
    assert orders["start_streaming"]["refusal"] == "The call is being streamed already."
    assert orders["pause"]["refusal"] == ""
    assert orders["hold"]["participants"] == [
        {
            "raw_id": person.raw_id,
            "name": orders["mute"]["participants"][0]["name"],
            "refusal": "That participant is on hold already.",
        }
    ]


def test_lists_orders_that_the_user_may_not_give_as_such(auditor: Client) -> None:
    orders = listed(auditor, CallFactory.create(live=True))
    assert not any(order["may"] for order in orders.values())
    assert {order["refusal"] for order in orders.values()} == {"You may not do that."}


@pytest.mark.parametrize("state", ["live", "ended"])
@pytest.mark.parametrize("kind", HAND_KINDS)
def test_refuses_in_advance_what_would_be_refused(
    operator: Client, kind: str, state: str
) -> None:
    call = CallFactory.create(**{state: True})
    CommandFactory.create(call=call, kind=CommandKind.LEAVE, state=CommandState.SENT)
    if button_of(kind).section == Section.PARTICIPANT:
        muted, held = (
            ParticipantFactory.create(call=call, is_muted=True),
            ParticipantFactory.create(call=call, is_on_hold=True),
        )
        CommandFactory.create(
            call=call, kind=kind, state="sent", arguments={"participant": held.raw_id}
        )
        listing = listed(operator, call)[kind]["participants"]
        told = {each["raw_id"]: each["refusal"] for each in listing}
        people = [muted.raw_id, held.raw_id] if state == "live" else []
        assert told == {
            raw_id: refusal_of(call, kind, participant=raw_id) for raw_id in people
        }
    else:
        assert listed(operator, call)[kind]["refusal"] == refusal_of(call, kind)


def refusal_of(call: Call, kind: str, **given: str) -> str:
    example = button_of(kind).example
    return control.command_refusal(call, CommandKind(kind), example | given)


def test_tells_what_became_of_commands(operator: Client) -> None:
    call = CallFactory.create(live=True)
    CommandFactory.create(call=call, result="Audio arrives.")
    answer = operator.get(f"/calls/{call.pk}/commands/").json()
    [command] = answer["recent"]
    assert command["words"] == "Start streaming: confirmed. Audio arrives."
    assert command["open"] is False


def test_signs_what_the_page_shows(operator: Client) -> None:
    call = CallFactory.create(live=True)
    url = f"/calls/{call.pk}/commands/"
    before = operator.get(url).json()["signature"]
    assert operator.get(url).json()["signature"] == before
    ParticipantFactory.create(call=call)
    joined = operator.get(url).json()["signature"]
    CommandFactory.create(call=call, state=CommandState.QUEUED)
    assert len({before, joined, operator.get(url).json()["signature"]}) == 3


def test_lists_orders_only_to_who_may_see_calls(
    stranger: Client, operator: Client
) -> None:
    url = f"/calls/{CallFactory.create(live=True).pk}/commands/"
    assert stranger.get(url).status_code == 403
    assert Client().get(url).status_code == 403
    assert operator.post(url).status_code == 405
    assert operator.get(f"/calls/{NOBODYS_ID}/commands/").status_code == 404


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"state": "queued", "attempts": 0}, "Start streaming: waits to be sent."),
        (
            {"state": "queued", "attempts": 2, "result": "ACS is busy."},
            "Start streaming: will be tried again. ACS is busy.",
        ),
        ({"state": "sent"}, "Start streaming: sent, waiting for evidence."),
        (
            {"state": "timed_out", "result": "No answer."},
            "Start streaming: timed out. No answer.",
        ),
    ],
)
def test_says_in_words_how_far_a_command_is(
    db: None, fields: dict[str, Any], words: str
) -> None:
    assert outcome_words(CommandFactory.create(**fields)) == words


def test_gives_the_script_dialogs_as_data(operator: Client) -> None:
    page = page_of(operator, CallFactory.create(live=True))
    found = re.search(r'<script id="order-dialogs"[^>]*>(.*?)</script>', page, re.S)
    assert found
    dialogs = json.loads(found[1])
    assert dialogs["pause"]["fields"][0]["offered"] == [
        "card number",
        "personal data",
        "off the record",
    ]
    assert not dialogs["stop_streaming"]["dialog"]
    assert "cannot be undone" in dialogs["hang_up"]["warning"]


def test_mixed_audio_is_nobody_to_be_muted(db: None) -> None:
    call = CallFactory.create(live=True)
    ParticipantFactory.create(call=call, raw_id="mixed")
    ada = ParticipantFactory.create(call=call, raw_id="4:+12065550100")

    found = call_offers(call, UserFactory.create(is_superuser=True))

    assert set(found.people) == {ada.raw_id}


def test_a_socket_that_opens_is_news_for_the_page(db: None) -> None:
    call = CallFactory.create(live=True)
    before = call_offers(call, UserFactory.create(is_superuser=True)).signature

    ConnectionFactory.create(call=call)

    assert call_offers(call, UserFactory.create(is_superuser=True)).signature != before
