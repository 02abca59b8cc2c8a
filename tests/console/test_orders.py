"""Orders about one call: the endpoint, and the page that needs no JavaScript."""

import uuid

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from calls.models import Call, CommandKind, CommandState, StreamCommand
from calls.orders import ORDERS
from tests.console.conftest import logged_in
from tests.factories import CallFactory, CommandFactory, UserFactory, member_of

pytestmark = pytest.mark.database

# Written out, because every test process must collect the same tests.
NOBODYS_ID = "98908842-df3f-4713-ab12-2d7302cf04bf"

LIST = "/admin/calls/call/"
HAND_KINDS = sorted(kind for kind, order in ORDERS.items() if order.by_hand)


def endpoint(call: Call, kind: str) -> str:
    return f"/calls/{call.pk}/commands/{kind}"


def idle_call() -> Call:
    call: Call = CallFactory.create(
        live=True, desired_streaming=False, streaming_state="stopped"
    )
    return call


# --- the dashboard's endpoint -----------------------------------------------------


@pytest.mark.parametrize("kind", ["start_streaming", "hang_up"])
def test_writes_a_command_down(operator: Client, kind: str) -> None:
    call = idle_call()
    response = operator.post(endpoint(call, kind))
    command = StreamCommand.objects.get()
    assert response.status_code == 201
    assert response.json() == {
        "id": str(command.pk),
        "label": CommandKind(kind).label,
        "state": "queued",
        "state_label": "Queued",
    }
    assert (command.call, command.kind) == (call, kind)
    assert command.asked_by_id == int(operator.session["_auth_user_id"])


def test_says_why_an_order_makes_no_sense(operator: Client) -> None:
    response = operator.post(endpoint(CallFactory.create(ended=True), "hang_up"))
    assert response.status_code == 409
    assert response.json()["reason"]
    assert not StreamCommand.objects.exists()


def test_refuses_a_second_order_while_one_is_under_way(operator: Client) -> None:
    call = idle_call()
    CommandFactory.create(call=call, state=CommandState.SENT)
    response = operator.post(endpoint(call, "start_streaming"))
    assert response.status_code == 409
    assert "under way" in response.json()["reason"]


@pytest.mark.parametrize("kind", HAND_KINDS)
def test_takes_no_orders_from_auditors(auditor: Client, kind: str) -> None:
    call = CallFactory.create(live=True)
    assert auditor.post(endpoint(call, kind)).status_code == 403
    assert Client().post(endpoint(call, kind)).status_code == 403
    assert not StreamCommand.objects.exists()


@pytest.mark.parametrize("kind", HAND_KINDS)
def test_takes_each_order_from_who_has_its_one_permission(db: None, kind: str) -> None:
    call = CallFactory.create(live=True)
    user = UserFactory.create()
    codename = ORDERS[kind].permission.removeprefix("calls.")
    user.user_permissions.add(Permission.objects.get(codename=codename))
    others = [
        one for one in HAND_KINDS if ORDERS[one].permission != f"calls.{codename}"
    ]
    client = logged_in(user)
    # Refused or not by what the call is doing: it is not the person who is refused.
    assert client.post(endpoint(call, kind)).status_code in (201, 409)
    for other in others:
        assert client.post(endpoint(call, other)).status_code == 403


def test_operators_may_give_every_order(operator: Client) -> None:
    call = CallFactory.create(live=True)
    for kind in HAND_KINDS:
        assert operator.post(endpoint(call, kind)).status_code in (201, 409), kind


def test_takes_what_an_order_has_to_be_told(operator: Client) -> None:
    call = CallFactory.create(live=True)
    assert operator.post(endpoint(call, "pause")).status_code == 409
    said = operator.post(endpoint(call, "pause"), {"reason": "card number"})
    assert said.status_code == 201
    assert StreamCommand.objects.get().arguments == {"reason": "card number"}


def test_knows_no_other_calls_and_orders(operator: Client) -> None:
    call = CallFactory.create(live=True)
    assert operator.post(endpoint(call, "answer")).status_code == 404
    assert operator.post(endpoint(call, "drop table")).status_code == 404
    unknown = f"/calls/{uuid.uuid4()}/commands/hang_up"
    assert operator.post(unknown).status_code == 404


def test_gives_no_order_by_get_or_from_another_site(db: None) -> None:
    call = idle_call()
    client = Client(enforce_csrf_checks=True)
    client.force_login(member_of("operator"))
    assert client.get(endpoint(call, "hang_up")).status_code == 405
    assert client.post(endpoint(call, "hang_up")).status_code == 403
    assert not StreamCommand.objects.exists()


# --- pages of their own -----------------------------------------------------------


def order_page(call: Call, kind: str) -> str:
    return f"{LIST}{call.pk}/orders/{kind}/"


@pytest.mark.parametrize("kind", ["start_streaming", "hang_up"])
def test_orders_from_a_page_without_javascript(operator: Client, kind: str) -> None:
    call = idle_call()
    url = order_page(call, kind)
    assert b"<form" in operator.get(url).content
    assert not StreamCommand.objects.exists()

    response = operator.post(url)

    assert response["Location"] == f"{LIST}{call.pk}/change/"
    assert StreamCommand.objects.get().kind == kind


def test_keeps_what_was_typed_when_an_order_is_refused(operator: Client) -> None:
    url = order_page(CallFactory.create(live=True), "transfer")
    page = operator.post(url, {"target": "Ada", "caller_id": "+12065550100"})
    assert page.status_code == 200
    text = page.content.decode()
    assert "Give a phone number with its country code" in text
    assert 'value="Ada"' in text
    assert 'value="+12065550100"' in text
    assert not StreamCommand.objects.exists()


def test_says_on_the_page_of_an_order_that_it_makes_no_sense(operator: Client) -> None:
    page = operator.get(order_page(CallFactory.create(ended=True), "hang_up"))
    assert "The call has ended." in page.content.decode()


@pytest.mark.parametrize("kind", HAND_KINDS)
def test_keeps_every_order_page_from_auditors(auditor: Client, kind: str) -> None:
    url = order_page(CallFactory.create(live=True), kind)
    assert auditor.get(url).status_code == 403
    assert auditor.post(url).status_code == 403
    assert not StreamCommand.objects.exists()


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (NOBODYS_ID, "hang_up"),
        (NOBODYS_ID, "answer"),
        (NOBODYS_ID, "drop table"),
    ],
)
def test_answers_404_to_orders_about_nothing(
    operator: Client, call: str, kind: str
) -> None:
    assert operator.post(f"{LIST}{call}/orders/{kind}/").status_code == 404


def test_leads_from_each_row_to_its_orders(operator: Client, auditor: Client) -> None:
    call = CallFactory.create(live=True)
    assert order_page(call, "pause") in operator.get(LIST).content.decode()
    assert "/orders/" not in auditor.get(LIST).content.decode()
