"""One order for many calls: the preview, giving it, and how far it is."""

import re
import uuid
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from calls import control
from calls.bulk import bulk_give, bulk_look, bulk_progress, sending_seconds
from calls.buttons import button_of, buttons_by_hand
from calls.models import Call, CallState, CommandKind, CommandState, StreamCommand
from tests.factories import (
    CallFactory,
    CommandFactory,
    ProfileFactory,
    PromptFactory,
)

pytestmark = pytest.mark.database

LIST = "/admin/calls/call/"
COMMANDS = "/admin/calls/streamcommand/"
BULK_KINDS = sorted(button.kind for button in buttons_by_hand() if button.is_bulk)


def idle(**fields: Any) -> Call:
    call: Call = CallFactory.create(
        live=True, desired_streaming=False, streaming_state="stopped", **fields
    )
    return call


def all_sorts() -> list[Call]:
    """Calls in every state that changes what may be ordered of them."""
    busy = CallFactory.create(live=True)
    CommandFactory.create(call=busy, kind="stop_streaming", state=CommandState.SENT)
    leaving = CallFactory.create(live=True)
    CommandFactory.create(call=leaving, kind="leave", state=CommandState.QUEUED)
    done = CallFactory.create(live=True)
    CommandFactory.create(call=done, kind="stop_streaming")
    return [
        busy,
        leaving,
        done,
        idle(),
        idle(paused_at=done.rang_at, paused_why="card number"),
        CallFactory.create(),
        CallFactory.create(ended=True),
        CallFactory.create(live=True, connection_id=None),
        CallFactory.create(live=True, transcription_state="running"),
    ]


def choose(client: Client, kind: str, calls: list[Call]) -> Any:
    chosen = [str(call.pk) for call in calls]
    return client.post(LIST, {"action": kind, "_selected_action": chosen})


def form_of(page: Any) -> dict[str, str]:
    """Return the hidden fields of a preview."""
    text = page.content.decode()
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', text))


def confirm(client: Client, kind: str, page: Any, **given: str) -> Any:
    return client.post(f"{LIST}bulk/{kind}/", form_of(page) | given)


# --- the preview ------------------------------------------------------------------


@pytest.mark.parametrize("kind", BULK_KINDS)
def test_previews_what_would_happen_to_each_call(db: None, kind: str) -> None:
    calls = all_sorts()
    PromptFactory.create()
    example = button_of(kind).example

    look = bulk_look(calls, CommandKind(kind), example)

    found = {call.pk: "" for call in look.would}
    found |= {call.pk: why for why, skipped in look.skipped for call in skipped}
    assert found == {
        call.pk: control.command_refusal(call, CommandKind(kind), example)
        for call in calls
    }
    assert len(set(found.values())) > 1, "these calls tell the cases apart"


@pytest.mark.parametrize("kind", BULK_KINDS)
def test_previews_many_calls_with_one_query(db: None, kind: str) -> None:
    calls = CallFactory.create_batch(30, live=True, profile=ProfileFactory.create())
    PromptFactory.create()
    example = button_of(kind).example
    # What is to be played is looked up, once.
    others = kind == CommandKind.PLAY_PROMPT
    for number in (3, 30):
        with CaptureQueriesContext(connection) as queries:
            bulk_look(calls[:number], CommandKind(kind), example)
        assert len(queries) == 1 + others


def test_shows_a_preview_with_few_queries_however_many_calls(operator: Client) -> None:
    calls = CallFactory.create_batch(200, live=True, profile=ProfileFactory.create())
    numbers = []
    for number in (2, 200):
        with CaptureQueriesContext(connection) as queries:
            assert choose(operator, "stop_streaming", calls[:number]).status_code == 200
        numbers.append(len(queries))
    assert numbers[0] == numbers[1] <= 12


def test_counts_calls_and_not_what_pauses_with_them(operator: Client) -> None:
    CallFactory.create_batch(6, live=True, transcription_state="running")
    bulk_id = uuid.uuid4()

    why = {"reason": "card number"}
    bulk_give(Call.objects.all(), CommandKind.PAUSE, bulk_id=bulk_id, arguments=why)

    progress = bulk_progress(bulk_id)
    assert progress
    assert (progress.kind, progress.total) == (CommandKind.PAUSE, 12)
    page = operator.get(f"{COMMANDS}bulk/{bulk_id}/").content.decode()
    assert "Pause recording: 6 calls" in page
    offered = operator.get(COMMANDS).content.decode()
    assert offered.count(f'value="{bulk_id}"') == 1


def test_counts_and_groups_what_is_skipped(operator: Client) -> None:
    calls = [idle(), *CallFactory.create_batch(3, ended=True), *all_sorts()[:1]]

    page = choose(operator, "start_streaming", calls)

    look = page.context["look"]
    assert len(look.would) == 1
    assert [(why, len(skipped)) for why, skipped in look.skipped] == [
        ("The call has ended.", 3),
        ("The call is being streamed already.", 1),
    ]
    text = page.content.decode()
    assert "Start streaming: 1 call<" in text
    assert "The call is being streamed already." in text
    assert not StreamCommand.objects.filter(bulk_id__isnull=False).exists()


def test_escapes_names_in_the_preview(operator: Client) -> None:
    over = CallFactory.create(ended=True, caller_name="<img src=x>")
    page = choose(operator, "start_streaming", [over]).content.decode()
    assert "<img" not in page
    assert "all chosen calls are skipped" in page


def test_says_how_long_the_rate_limit_makes_it_take(
    operator: Client, settings: Settings
) -> None:
    settings.ACS_RATE = 20
    assert sending_seconds(200) == 20
    page = choose(operator, "stop_streaming", CallFactory.create_batch(15, live=True))
    assert "1.5 s" in page.content.decode()
    settings.ACS_RATE = 0
    assert sending_seconds(200) == 0


def test_previews_no_more_calls_than_can_be_looked_through(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calls.admin.bulk.MOST_CALLS", 2)
    answer = choose(operator, "hang_up", CallFactory.create_batch(3, live=True))
    assert [str(one) for one in get_messages(answer.wsgi_request)] == [
        "Choose at most 2 calls: you chose more."
    ]


@pytest.mark.parametrize("kind", BULK_KINDS)
def test_offers_no_bulk_orders_to_auditors(auditor: Client, kind: str) -> None:
    calls = [CallFactory.create(live=True)]
    assert f'value="{kind}"' not in auditor.get(LIST).content.decode()
    choose(auditor, kind, calls)
    form = {"bulk_id": str(uuid.uuid4()), "agreed": str(calls[0].pk), "reason": "x"}
    assert auditor.post(f"{LIST}bulk/{kind}/", form).status_code == 403
    assert not StreamCommand.objects.exists()


@pytest.mark.parametrize("kind", BULK_KINDS)
def test_offers_each_bulk_order_to_operators(operator: Client, kind: str) -> None:
    CallFactory.create(live=True)
    assert f'value="{kind}"' in operator.get(LIST).content.decode()


# --- giving it --------------------------------------------------------------------


def test_gives_one_order_to_all_that_were_agreed_on(operator: Client) -> None:
    calls = [idle(), idle()]
    over = CallFactory.create(ended=True)
    page = choose(operator, "start_streaming", [*calls, over])

    answer = confirm(operator, "start_streaming", page)

    commands = StreamCommand.objects.all()
    assert {command.call for command in commands} == set(calls)
    [bulk_id] = {command.bulk_id for command in commands}
    assert answer["Location"] == f"{COMMANDS}bulk/{bulk_id}/"
    assert {command.asked_by_id for command in commands} == {
        int(operator.session["_auth_user_id"])
    }


def test_leaves_alone_what_the_preview_skipped(operator: Client) -> None:
    ringing, up = CallFactory.create(), CallFactory.create(live=True)
    page = choose(operator, "hang_up", [ringing, up])
    Call.objects.filter(pk=ringing.pk).update(state=CallState.CONNECTED)

    confirm(operator, "hang_up", page)

    assert StreamCommand.objects.get().call == up


def test_says_what_was_skipped_since_the_preview(operator: Client) -> None:
    ends, stays = CallFactory.create_batch(2, live=True)
    page = choose(operator, "hang_up", [ends, stays])
    Call.objects.filter(pk=ends.pk).update(state=CallState.ENDED)

    answer = confirm(operator, "hang_up", page)

    assert [str(one) for one in get_messages(answer.wsgi_request)] == [
        "Hang up for everyone: skipped 1 since the preview. The call has ended."
    ]
    assert StreamCommand.objects.get().call == stays


def test_gives_nothing_twice_when_pressed_twice(operator: Client) -> None:
    page = choose(operator, "leave", CallFactory.create_batch(2, live=True))
    first = confirm(operator, "leave", page)
    again = confirm(operator, "leave", page)
    assert first["Location"] == again["Location"]
    assert StreamCommand.objects.count() == 2


def test_goes_on_where_it_broke_off(db: None) -> None:
    calls = CallFactory.create_batch(3, live=True)
    bulk_id = uuid.uuid4()
    for number in (1, 3):
        chosen = Call.objects.filter(pk__in=[call.pk for call in calls[:number]])
        skipped = bulk_give(
            chosen,
            CommandKind.HANG_UP,
            bulk_id=bulk_id,
            arguments={},
        )
        assert skipped == {}
    assert StreamCommand.objects.filter(bulk_id=bulk_id).count() == 3


def test_asks_again_for_a_reason_and_keeps_what_was_chosen(operator: Client) -> None:
    calls = CallFactory.create_batch(2, live=True)
    page = choose(operator, "pause", calls)

    again = confirm(operator, "pause", page, reason="  ")

    assert "Say why recording is to pause" in again.content.decode()
    assert not StreamCommand.objects.exists()
    kept = form_of(again)
    assert kept["bulk_id"] == form_of(page)["bulk_id"]
    confirm(operator, "pause", again, reason="personal data")
    assert {command.why for command in StreamCommand.objects.all()} == {"personal data"}
    assert Call.objects.filter(paused_why="personal data").count() == 2


@pytest.mark.parametrize(
    "form",
    [
        {"bulk_id": "nonsense", "agreed": ""},
        {"bulk_id": str(uuid.UUID(int=1)), "agreed": "1' OR 1=1"},
        {},
    ],
)
def test_answers_404_to_forms_nobody_made(
    operator: Client, form: dict[str, str]
) -> None:
    assert operator.post(f"{LIST}bulk/hang_up/", form).status_code == 404


def test_gives_no_bulk_order_by_get_or_of_one_participant(operator: Client) -> None:
    assert operator.get(f"{LIST}bulk/hang_up/")["Location"] == LIST
    assert operator.post(f"{LIST}bulk/mute/")["Location"] == LIST
    assert operator.post(f"{LIST}bulk/answer/").status_code == 404


# --- how far it is ----------------------------------------------------------------


def a_bulk_action(**states: int) -> uuid.UUID:
    bulk_id = uuid.uuid4()
    for state, number in states.items():
        CommandFactory.create_batch(
            number, kind="hang_up", state=state, bulk_id=bulk_id, result="Said so."
        )
    return bulk_id


def test_shows_how_far_a_bulk_action_is(operator: Client) -> None:
    bulk_id = a_bulk_action(queued=2, confirmed=3, failed=1)
    page = operator.get(f"{COMMANDS}bulk/{bulk_id}/").content.decode()
    assert "2 queued, 3 confirmed, 1 failed. 2 to go." in page
    assert 'data-open="2"' in page
    assert page.index("Hang up for everyone: failed. Said so.") < page.index(
        "Hang up for everyone: confirmed."
    )


def test_says_when_all_is_settled(operator: Client) -> None:
    bulk_id = a_bulk_action(confirmed=2)
    page = operator.get(f"{COMMANDS}bulk/{bulk_id}/").content.decode()
    assert "2 confirmed. All are settled." in page
    assert 'data-open="0"' in page


def test_shows_progress_with_as_many_queries_for_many_as_for_few(
    operator: Client,
) -> None:
    numbers = []
    for number in (2, 40):
        bulk_id = a_bulk_action(queued=number)
        with CaptureQueriesContext(connection) as queries:
            operator.get(f"{COMMANDS}bulk/{bulk_id}/")
        numbers.append(len(queries))
    assert numbers[0] == numbers[1]


def test_leads_from_the_commands_to_their_bulk_action(operator: Client) -> None:
    bulk_id = a_bulk_action(confirmed=2)
    CommandFactory.create()
    url = f"{COMMANDS}bulk/{bulk_id}/"
    assert url in operator.get(COMMANDS).content.decode()
    for chosen, number in ((str(bulk_id), 2), ("any", 2), ("nonsense", 0)):
        listed = operator.get(COMMANDS, {"bulk": chosen})
        assert len(listed.context["cl"].result_list) == number


def test_keeps_bulk_actions_from_strangers(stranger: Client, operator: Client) -> None:
    bulk_id = a_bulk_action(queued=1)
    assert stranger.get(f"{COMMANDS}bulk/{bulk_id}/").status_code == 403
    assert operator.get(f"{COMMANDS}bulk/{uuid.uuid4()}/").status_code == 404
