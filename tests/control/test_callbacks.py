"""Callbacks: stored as received, applied once, whatever their order."""

import itertools
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import Settings

from calls.ingest_facts import call_facts
from calls.models import (
    Call,
    CallEvent,
    CallState,
    CommandKind,
    CommandState,
    StreamCommand,
    StreamingState,
)
from tests.control.wire import (
    AGENT,
    CALLER,
    CONNECTION,
    START,
    call_made,
    cloud_event,
    connected,
    disconnected,
    participants,
    post_callback,
    streaming,
)

pytestmark = [pytest.mark.database, pytest.mark.django_db]
WEBSOCKET_FAILED = {
    "code": 500,
    "subCode": 8603,
    "message": "Action failed, not able to establish websocket connection.",
}


@pytest.fixture(autouse=True)
def without_tokens(settings: Settings) -> None:
    settings.CALLBACK_AUTH = "off"


def test_stores_every_event_of_a_batch_as_received() -> None:
    call = call_made(state=CallState.ANSWERING)
    events = [connected(), cloud_event("HoldAudioPaused", 2, whatever=[1, None])]

    response = post_callback(call, *events)

    assert response.status_code == 200
    stored = CallEvent.objects.order_by("happened_at")
    assert [row.body for row in stored] == events
    assert [row.kind for row in stored] == ["CallConnected", "HoldAudioPaused"]
    assert {row.call_id for row in stored} == {call.id}


def test_connects_the_call_and_learns_its_connection_id() -> None:
    call = call_made(state=CallState.ANSWERING, connection_id=None)

    post_callback(call, connected(1.5))

    call.refresh_from_db()
    assert call.state == CallState.CONNECTED
    assert call.connection_id == CONNECTION
    assert call.connected_at == START + timedelta(seconds=1.5)


def test_forgets_the_right_to_answer_once_the_call_is_up() -> None:
    call = call_made(state=CallState.RINGING, incoming_call_context="capability")

    post_callback(call, connected())

    call.refresh_from_db()
    assert call.incoming_call_context == ""


def test_ends_the_call_with_code_and_reason() -> None:
    call = call_made()

    post_callback(call, disconnected(60))

    call.refresh_from_db()
    assert call.state == CallState.ENDED
    assert call.ended_at == START + timedelta(seconds=60)
    assert (call.end_code, call.end_subcode) == (200, 7000)
    assert call.end_reason == "The conversation has ended."


def test_a_late_connected_does_not_reopen_an_ended_call() -> None:
    call = call_made(state=CallState.ANSWERING)
    post_callback(call, disconnected(60))

    post_callback(call, connected(1))

    call.refresh_from_db()
    assert call.state == CallState.ENDED
    assert call.connected_at == START + timedelta(seconds=1)


def test_a_call_is_connected_since_the_earliest_sign_of_it() -> None:
    call = call_made(state=CallState.ANSWERING, connected_at=START)

    post_callback(call, connected(2), connected(3))

    call.refresh_from_db()
    assert call.connected_at == START


def test_a_refused_answer_leaves_the_call_not_answered() -> None:
    call = call_made(state=CallState.RINGING, incoming_call_context="capability")
    answer = StreamCommand.objects.create(
        call=call, kind=CommandKind.ANSWER, state=CommandState.SENT
    )
    result = {"code": 400, "subCode": 8528, "message": "gone"}

    post_callback(call, cloud_event("AnswerFailed", resultInformation=result))

    call.refresh_from_db()
    answer.refresh_from_db()
    assert (call.state, call.end_code) == (CallState.FAILED, 400)
    assert call.incoming_call_context == ""
    assert (answer.state, answer.result_subcode) == (CommandState.FAILED, 8528)
    assert answer.result == "The call had already ended."


def test_connected_proves_an_answer_that_seemed_lost() -> None:
    call = call_made(state=CallState.FAILED, end_reason="ACS cannot be reached.")
    answer = StreamCommand.objects.create(
        call=call, kind=CommandKind.ANSWER, state=CommandState.FAILED
    )

    post_callback(call, connected())

    call.refresh_from_db()
    answer.refresh_from_db()
    assert (call.state, call.ended_at) == (CallState.CONNECTED, None)
    assert answer.state == CommandState.CONFIRMED


def test_participants_join_mute_and_leave() -> None:
    call = call_made(caller_name="Ada")
    post_callback(call, participants(1, CALLER, AGENT, seconds=1))
    post_callback(call, participants(2, CALLER, seconds=5, isMuted=True))

    caller = call.participants.get(raw_id=CALLER)
    agent = call.participants.get(raw_id=AGENT)

    assert (caller.display_name, caller.is_muted, caller.left_at) == ("Ada", True, None)
    assert agent.joined_at == START + timedelta(seconds=1)
    assert agent.left_at == START + timedelta(seconds=5)
    assert not agent.is_muted


def test_the_number_of_a_roll_call_counts_not_its_time() -> None:
    call = call_made()
    post_callback(call, participants(2, CALLER, seconds=3, isOnHold=True))
    post_callback(call, participants(1, CALLER, AGENT, seconds=3.5))

    caller = call.participants.get(raw_id=CALLER)
    agent = call.participants.get(raw_id=AGENT)

    assert (caller.is_on_hold, caller.sequence_number) == (True, 2)
    assert agent.left_at == START + timedelta(seconds=3)


def test_whoever_is_still_there_leaves_with_the_call() -> None:
    call = call_made()

    post_callback(call, disconnected(60), participants(1, CALLER, seconds=1))

    assert call.participants.get().left_at == START + timedelta(seconds=60)


@pytest.mark.parametrize("kind", ["confirmed by its context", "of another order"])
def test_only_its_own_context_confirms_a_start(kind: str) -> None:
    call = call_made(streaming_state=StreamingState.REQUESTED)
    start = StreamCommand.objects.create(
        call=call, kind=CommandKind.START_STREAMING, state=CommandState.SENT
    )
    context = str(start.id) if kind.startswith("confirmed") else "another"

    post_callback(call, streaming("Started", 3, operationContext=context))

    start.refresh_from_db()
    call.refresh_from_db()
    proved = context == str(start.id)
    assert start.state == (CommandState.CONFIRMED if proved else CommandState.SENT)
    assert call.streaming_state == StreamingState.CONNECTING


def test_a_failed_start_says_in_words_what_to_check() -> None:
    call = call_made(streaming_state=StreamingState.REQUESTED)
    start = StreamCommand.objects.create(
        call=call, kind=CommandKind.START_STREAMING, state=CommandState.SENT
    )

    post_callback(
        call,
        streaming(
            "Failed",
            3,
            "streamConnectionUnsuccessful",
            operationContext=str(start.id),
            resultInformation=WEBSOCKET_FAILED,
        ),
    )

    start.refresh_from_db()
    call.refresh_from_db()
    assert (start.state, start.result_subcode) == (CommandState.FAILED, 8603)
    assert "ACSSTREAM_MEDIA_URL" in start.result
    assert call.streaming_state == StreamingState.FAILED
    assert call.streaming_reason.startswith("Azure could not open a WebSocket")


def test_failed_streaming_does_not_fail_the_answer_it_came_with() -> None:
    call = call_made(state=CallState.ANSWERING)
    answer = StreamCommand.objects.create(
        call=call, kind=CommandKind.ANSWER, state=CommandState.SENT
    )

    post_callback(
        call, streaming("Failed", 3, operationContext=str(answer.id)), connected()
    )

    answer.refresh_from_db()
    assert answer.state == CommandState.CONFIRMED


def test_the_end_of_the_call_settles_what_is_open() -> None:
    call = call_made()
    states = {
        kind: StreamCommand.objects.create(call=call, kind=kind) for kind in CommandKind
    }

    post_callback(call, disconnected())

    for command in states.values():
        command.refresh_from_db()
    confirmed = {
        kind for kind, one in states.items() if one.state == CommandState.CONFIRMED
    }
    assert confirmed == {
        CommandKind.ANSWER,
        CommandKind.PLACE_CALL,
        CommandKind.CONNECT_CALL,
        CommandKind.STOP_STREAMING,
        CommandKind.PAUSE,
        CommandKind.STOP_TRANSCRIPTION,
        CommandKind.STOP_AUDIO,
        CommandKind.STOP_TONES,
        CommandKind.HANG_UP,
        CommandKind.LEAVE,
    }
    others = {one.state for kind, one in states.items() if kind not in confirmed}
    assert others == {CommandState.FAILED}


def test_a_hang_up_that_failed_is_not_confirmed_by_a_later_end() -> None:
    call = call_made()
    failed = StreamCommand.objects.create(
        call=call, kind=CommandKind.HANG_UP, state=CommandState.FAILED
    )

    post_callback(call, disconnected())

    failed.refresh_from_db()
    assert failed.state == CommandState.FAILED


def test_events_of_another_connection_are_refused_and_leave_nothing() -> None:
    call = call_made()

    response = post_callback(
        call, connected(), disconnected(callConnectionId="another")
    )

    call.refresh_from_db()
    assert response.status_code == 403
    assert call.state == CallState.CONNECTED
    assert call.events.count() == 0


def test_a_connection_is_the_same_in_whatever_case() -> None:
    # Learnt from a socket, whose headers ACS may write in another case.
    call = call_made(connection_id=CONNECTION.upper(), state=CallState.ANSWERING)

    response = post_callback(call, connected(), participants(1, CALLER))

    call.refresh_from_db()
    assert response.status_code == 200
    assert call.state == CallState.CONNECTED
    assert call.connection_id == CONNECTION.upper()


def test_a_call_does_not_learn_the_connection_of_another() -> None:
    call_made(connection_id="theirs")
    call = call_made(connection_id=None)

    theirs = post_callback(call, connected(callConnectionId="theirs"))
    both = post_callback(
        call, connected(callConnectionId="a"), connected(callConnectionId="b")
    )

    call.refresh_from_db()
    assert (theirs.status_code, both.status_code) == (403, 403)
    assert call.connection_id is None


def test_a_secret_dies_some_time_after_its_call(settings: Settings) -> None:
    call = call_made()
    post_callback(call, disconnected())
    assert post_callback(call, cloud_event("RecordingStateChanged")).status_code == 200

    # As if ACS had said so long ago.
    long_ago = timezone.now() - timedelta(seconds=settings.SECRET_GRACE + 60)
    call.events.update(received_at=long_ago)
    response = post_callback(call, cloud_event("RecordingStateChanged"))

    assert response.status_code == 403
    assert call.events.count() == 2
    assert call_facts(call.id).is_secret_dead


def test_an_answer_that_failed_before_does_not_let_a_secret_die_at_once(
    settings: Settings,
) -> None:
    call = call_made()
    post_callback(call, cloud_event("AnswerFailed"))
    long_ago = timezone.now() - timedelta(seconds=settings.SECRET_GRACE + 60)
    call.events.update(received_at=long_ago)
    post_callback(call, disconnected())

    late = post_callback(call, cloud_event("RecordingStateChanged"))

    call.refresh_from_db()
    assert call.state == CallState.ENDED
    assert late.status_code == 200


def test_a_secret_outlives_an_end_that_was_only_concluded() -> None:
    an_hour_ago = timezone.now() - timedelta(hours=1)
    call = call_made(state=CallState.ENDED, ended_at=an_hour_ago)

    assert post_callback(call, connected()).status_code == 200


def history(call: Call) -> list[dict[str, Any]]:
    """Return a call's events in their true order, with two commands on the way."""
    return [
        connected(0),
        participants(1, CALLER, seconds=0.5),
        participants(2, CALLER, AGENT, seconds=1, isMuted=True),
        streaming("Started", 2, operationContext=command_id(call, "start_streaming")),
        participants(3, AGENT, seconds=5),
        streaming("Stopped", 9, operationContext=command_id(call, "stop_streaming")),
        disconnected(10),
    ]


def command_id(call: Call, kind: str) -> str:
    command = StreamCommand.objects.create(
        call=call, kind=kind, state=CommandState.SENT
    )
    return str(command.id)


def picture(call: Call) -> dict[str, Any]:
    """Return all that events decide of a call, without keys."""
    call.refresh_from_db()
    return {
        "call": (
            call.state,
            call.connected_at,
            call.ended_at,
            call.end_code,
            call.end_reason,
            call.streaming_state,
            call.streaming_reason,
        ),
        "participants": sorted(
            call.participants.values_list(
                "raw_id",
                "joined_at",
                "left_at",
                "is_muted",
                "is_on_hold",
                "sequence_number",
            )
        ),
        "commands": sorted(call.commands.values_list("kind", "state")),
    }


def fresh_call() -> Call:
    return call_made(
        state=CallState.ANSWERING,
        connection_id=None,
        streaming_state=StreamingState.REQUESTED,
    )


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(order=st.permutations(range(7)), copies=st.lists(st.integers(0, 6), max_size=5))
def test_any_order_with_copies_ends_in_the_same_state(
    order: list[int], copies: list[int]
) -> None:
    reference = fresh_call()
    post_callback(reference, *history(reference))
    expected = picture(reference)
    reference.delete()
    call = fresh_call()
    events = history(call)

    for index in [*order, *copies]:
        assert post_callback(call, events[index]).status_code == 200

    assert picture(call) == expected
    assert call.events.count() == len(events)
    call.delete()


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_any_order_of_a_failed_stream_ends_in_the_same_state(
    order: tuple[int, ...],
) -> None:
    events = [
        connected(0),
        streaming("Failed", 2, "streamConnectionInterrupted"),
        streaming("Started", 3, "streamConnectionReestablished"),
        disconnected(10),
    ]
    call = fresh_call()

    post_callback(call, *[events[index] for index in order])

    call.refresh_from_db()
    assert call.streaming_state == StreamingState.STOPPED
    assert call.streaming_reason == ""
