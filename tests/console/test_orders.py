"""Start, stop and hang up: from the dashboard, a row, a page, for many."""

import uuid

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from calls.models import Call, CommandKind, CommandState, StreamCommand
from tests.factories import CallFactory, CommandFactory, member_of

pytestmark = pytest.mark.database

# Written out, because every test process must collect the same tests.
NOBODYS_ID = "98908842-df3f-4713-ab12-2d7302cf04bf"

LIST = "/admin/calls/call/"


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


@pytest.mark.parametrize("kind", ["start_streaming", "stop_streaming", "hang_up"])
def test_takes_no_orders_from_auditors(auditor: Client, kind: str) -> None:
    call = CallFactory.create(live=True)
    assert auditor.post(endpoint(call, kind)).status_code == 403
    assert Client().post(endpoint(call, kind)).status_code == 403
    assert not StreamCommand.objects.exists()


def test_knows_no_other_calls_and_orders(operator: Client) -> None:
    call = CallFactory.create(live=True)
    assert operator.post(endpoint(call, "answer")).status_code == 404
    assert operator.post(endpoint(call, "drop table")).status_code == 404
    unknown = f"/calls/{uuid.uuid4()}/commands/hang_up"
    assert operator.post(unknown).status_code == 404


def test_gives_no_order_by_get_or_from_another_site(db: None) -> None:
    call = idle_call()
    client = Client(enforce_csrf_checks=True)
    client.force_login(member_of("Operators"))
    assert client.get(endpoint(call, "hang_up")).status_code == 405
    assert client.post(endpoint(call, "hang_up")).status_code == 403
    assert not StreamCommand.objects.exists()


# --- the admin --------------------------------------------------------------------


def bulk(client: Client, action: str, calls: list[Call], **more: str) -> list[str]:
    chosen = [str(call.pk) for call in calls]
    response = client.post(LIST, {"action": action, "_selected_action": chosen, **more})
    return [str(message) for message in get_messages(response.wsgi_request)]


def test_starts_many_and_says_which_were_skipped_and_why(operator: Client) -> None:
    idle = [idle_call(), idle_call()]
    over = CallFactory.create(ended=True, from_raw_id="4:+12065550100")
    said = bulk(operator, "start_streaming", [*idle, over])
    assert said[0] == "Start streaming: asked for 2 calls."
    assert "skipped 1" in said[1]
    assert "+1 206 555 0100" in said[1]
    assert {one.call for one in StreamCommand.objects.all()} == set(idle)


def test_stops_many(operator: Client) -> None:
    said = bulk(operator, "stop_streaming", [CallFactory.create(live=True)])
    assert said == ["Stop streaming: asked for 1 call."]


def test_escapes_names_in_the_summary(operator: Client) -> None:
    over = CallFactory.create(ended=True, caller_name="<img src=x>")
    said = bulk(operator, "start_streaming", [over])
    assert "<img" not in said[0]


def test_names_a_few_of_many_that_were_skipped(operator: Client) -> None:
    over = CallFactory.create_batch(8, ended=True)
    assert "and 3 more" in bulk(operator, "start_streaming", over)[0]


def test_hangs_many_up_only_after_a_second_look(operator: Client) -> None:
    live = CallFactory.create(live=True)
    assert bulk(operator, "hang_up", [live]) == []
    assert not StreamCommand.objects.exists()
    said = bulk(operator, "hang_up", [live], confirmed="yes")
    assert said == ["Hang up for everyone: asked for 1 call."]
    assert StreamCommand.objects.get().kind == CommandKind.HANG_UP


@pytest.mark.parametrize("action", ["start_streaming", "stop_streaming", "hang_up"])
def test_offers_no_bulk_orders_to_auditors(auditor: Client, action: str) -> None:
    call = CallFactory.create(live=True)
    page = auditor.get(LIST).content.decode()
    assert f'value="{action}"' not in page
    bulk(auditor, action, [call], confirmed="yes")
    assert not StreamCommand.objects.exists()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("start-streaming", CommandKind.START_STREAMING),
        ("hang-up", CommandKind.HANG_UP),
    ],
)
def test_orders_by_dialog_on_the_page(
    operator: Client, path: str, kind: CommandKind
) -> None:
    call = idle_call()
    url = f"{LIST}{call.pk}/{path}/"
    assert b"<form" in operator.get(url).content
    assert not StreamCommand.objects.exists()
    response = operator.post(
        url, {"_form_submitted": "on"}, headers={"HX-Request": "1"}
    )
    assert response["HX-Redirect"] == f"{LIST}{call.pk}/change/"
    assert StreamCommand.objects.get().kind == kind


def test_goes_back_to_the_page_without_javascript(operator: Client) -> None:
    call = idle_call()
    url = f"{LIST}{call.pk}/start-streaming/"
    response = operator.post(url, {"_form_submitted": "on"})
    assert response.status_code == 302


@pytest.mark.parametrize("path", ["start-streaming", "stop-streaming", "hang-up"])
def test_keeps_dialogs_from_auditors(auditor: Client, path: str) -> None:
    url = f"{LIST}{CallFactory.create(live=True).pk}/{path}/"
    assert auditor.get(url).status_code == 403
    assert auditor.post(url, {"_form_submitted": "on"}).status_code == 403
    assert not StreamCommand.objects.exists()


@pytest.mark.parametrize("hostile", ["nonsense", "1' OR 1=1", NOBODYS_ID])
def test_answers_404_to_orders_about_nothing(operator: Client, hostile: str) -> None:
    response = operator.post(f"{LIST}{hostile}/hang-up/", {"_form_submitted": "on"})
    assert response.status_code == 404
