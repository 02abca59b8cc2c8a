"""Placing a call and joining a running one: the pages, and what they keep."""

import uuid
from typing import Any

import pytest
from django.test import Client
from django.utils.html import escape
from pytest_django import Settings

from calls.models import Call, CallState, CommandKind, StreamCommand, StreamingState
from calls.models.states import Direction
from calls.orders import CommandRefused
from calls.placing import call_connect, call_place
from tests.console.conftest import logged_in
from tests.factories import ProfileFactory, UserFactory

pytestmark = pytest.mark.database

PLACE = "/admin/calls/call/place/"
CONNECT = "/admin/calls/call/connect/"
OURS = "+18005550199"
GUID = "6d3f7c4e-0000-4000-8000-2d7302cf04bf"


def place(**given: Any) -> Call:
    asked = {"target": "+12065550100", "caller_id": OURS, "profile": None}
    return call_place(**asked | {"asked_by": UserFactory.create()} | given)


def form(**given: str) -> dict[str, str]:
    return {
        "call_id": str(uuid.uuid4()),
        "who": "phone",
        "target": "+1 (206) 555-0100",
        "caller_id": OURS,
        **given,
    }


def errors(page: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = page.context["form"].errors
    return found


# --- what is kept -----------------------------------------------------------------


def test_places_a_call_with_its_command(db: None) -> None:
    user = UserFactory.create()
    call = place(asked_by=user)
    call.refresh_from_db()
    assert (call.direction, call.state) == (Direction.OUTBOUND, CallState.RINGING)
    assert (call.from_raw_id, call.to_raw_id) == (f"4:{OURS}", "4:+12065550100")
    assert call.desired_streaming
    assert call.streaming_state == StreamingState.REQUESTED
    command = call.commands.get()
    assert (command.kind, command.asked_by) == (CommandKind.PLACE_CALL, user)
    assert command.arguments == {"target": "4:+12065550100", "caller_id": OURS}


def test_takes_the_profile_it_is_given_else_the_default(db: None) -> None:
    usual = ProfileFactory.create(is_default=True)
    later = ProfileFactory.create(start_at_answer=False)
    assert place().profile == usual
    call = place(profile=later)
    assert call.profile == later
    assert not call.desired_streaming
    assert call.streaming_state == StreamingState.OFF


def test_joins_a_running_call(db: None) -> None:
    call = call_connect(
        locator_kind="server_call_id",
        locator_id=" aHR0cHM6Ly9hcGkuZmxpZ2h0cHJveHkuc2t5cGU ",
        profile=None,
        asked_by=UserFactory.create(),
    )
    assert call.server_call_id == "aHR0cHM6Ly9hcGkuZmxpZ2h0cHJveHkuc2t5cGU"
    assert call.caller_name == "Server call aHR0cHM6Ly9hcGkuZmxpZ2h0…"
    command = call.commands.get()
    assert command.kind == CommandKind.CONNECT_CALL
    assert command.arguments == {"kind": "server_call_id", "id": call.server_call_id}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"target": "Ada"}, "Give a phone number with its country code"),
        ({"target": ""}, "Give a phone number with its country code"),
        ({"caller_id": ""}, "ACS needs a caller id"),
        ({"caller_id": "8:acs:ours"}, "The caller id must be a phone number"),
    ],
)
def test_keeps_nothing_of_what_cannot_be_placed(
    db: None, given: dict[str, str], words: str
) -> None:
    with pytest.raises(CommandRefused, match=words):
        place(**given)
    assert not Call.objects.exists()


def test_rings_only_from_numbers_that_are_ours(db: None, settings: Settings) -> None:
    settings.CALLER_IDS = [OURS]
    with pytest.raises(CommandRefused, match="not one of ours"):
        place(caller_id="+12065550111")
    assert not Call.objects.exists()
    assert place(caller_id="+1 (800) 555-0199").from_raw_id == f"4:{OURS}"


@pytest.mark.parametrize(("kind", "name"), [("phone", "1"), ("room_id", " ")])
def test_keeps_nothing_of_what_cannot_be_joined(db: None, kind: str, name: str) -> None:
    with pytest.raises(CommandRefused):
        call_connect(
            locator_kind=kind,
            locator_id=name,
            profile=None,
            asked_by=UserFactory.create(),
        )
    assert not Call.objects.exists()


def test_rings_once_for_one_request_that_comes_twice(db: None) -> None:
    call_id = uuid.uuid4()
    assert place(call_id=call_id) == place(call_id=call_id)
    assert StreamCommand.objects.count() == 1


# --- the pages --------------------------------------------------------------------


def test_leads_from_the_form_to_the_page_of_the_call(operator: Client) -> None:
    answer = operator.post(PLACE, form())
    call = Call.objects.get()
    assert answer["Location"] == f"/admin/calls/call/{call.pk}/change/"
    assert call.to_raw_id == "4:+12065550100"
    assert call.commands.get().asked_by_id == int(operator.session["_auth_user_id"])


@pytest.mark.parametrize(
    ("given", "raw_id"),
    [
        ({"who": "acs", "target": "8:acs:aa_bb"}, "8:acs:aa_bb"),
        ({"who": "teams", "target": GUID.upper()}, f"8:orgid:{GUID}"),
        ({"who": "teams", "target": f"8:orgid:{GUID}"}, f"8:orgid:{GUID}"),
    ],
)
def test_rings_users_without_a_caller_id(
    operator: Client, given: dict[str, str], raw_id: str
) -> None:
    operator.post(PLACE, form(**given))
    call = Call.objects.get()
    assert (call.from_raw_id, call.to_raw_id) == ("", raw_id)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"target": ""}, "target"),
        ({"target": "206"}, "target"),
        ({"target": "8:acs:aa_bb"}, "target"),
        ({"who": "acs"}, "target"),
        ({"who": "teams", "target": "8:acs:aa_bb"}, "target"),
        ({"caller_id": ""}, "caller_id"),
        ({"caller_id": "ours"}, "caller_id"),
        ({"caller_id": "8:acs:ours"}, "caller_id"),
        ({"who": "carrier pigeon"}, "who"),
        ({"call_id": "nonsense"}, "call_id"),
        ({"profile": "999"}, "profile"),
    ],
)
def test_says_beside_the_field_what_is_wrong(
    operator: Client, given: dict[str, str], field: str
) -> None:
    page = operator.post(PLACE, form(**given))
    assert page.status_code == 200
    [(name, [words])] = errors(page).items()
    assert name == field
    # What was typed is still there.
    if field not in given:
        assert form()["target"] in page.content.decode()
    assert escape(words) in page.content.decode()
    assert not Call.objects.exists()


def test_offers_our_numbers_and_no_others(operator: Client, settings: Settings) -> None:
    assert 'type="text" name="caller_id"' in operator.get(PLACE).content.decode()
    settings.CALLER_IDS = [OURS]
    assert f'<option value="{OURS}">' in operator.get(PLACE).content.decode()
    page = operator.post(PLACE, form(caller_id="+12065550111"))
    assert "caller_id" in errors(page)
    assert not Call.objects.exists()


def test_joins_from_the_form(operator: Client) -> None:
    given = {"call_id": str(uuid.uuid4()), "kind": "group_call_id", "locator": GUID}
    answer = operator.post(CONNECT, given)
    call = Call.objects.get()
    assert answer["Location"] == f"/admin/calls/call/{call.pk}/change/"
    assert call.commands.get().arguments == {"kind": "group_call_id", "id": GUID}


@pytest.mark.parametrize(
    ("kind", "locator"),
    [("group_call_id", "1234"), ("room_id", "99 42"), ("server_call_id", "")],
)
def test_says_what_is_wrong_with_a_locator(
    operator: Client, kind: str, locator: str
) -> None:
    given = {"call_id": str(uuid.uuid4()), "kind": kind, "locator": locator}
    assert list(errors(operator.post(CONNECT, given))) == ["locator"]
    assert not Call.objects.exists()


@pytest.mark.parametrize("url", [PLACE, CONNECT])
def test_keeps_the_pages_to_who_may_place_calls(
    operator: Client, auditor: Client, url: str
) -> None:
    assert auditor.get(url).status_code == 403
    assert auditor.post(url, form()).status_code == 403
    assert url not in auditor.get("/admin/").content.decode()
    assert url in operator.get("/admin/").content.decode()
    assert logged_in(UserFactory.create(is_staff=False)).get(url).status_code == 302
    assert not Call.objects.exists()
