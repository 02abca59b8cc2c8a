"""The whole control plane against the emulator, through Microsoft's SDK.

Callbacks carry the emulator's real tokens, and they are required.
"""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from calls import control
from calls.acs import AcsRefused, OrderMark, acs
from calls.models import (
    AnswerRule,
    Call,
    CallEvent,
    CallState,
    CommandKind,
    CommandState,
    StreamCommand,
    StreamingProfile,
    StreamingState,
)
from calls.orders import ORDERS
from emulator.tokens import FAULTS
from tests.control.bench import Bench
from tests.control.line import Line, ask, fresh, send

pytestmark = [pytest.mark.database, pytest.mark.django_db]


def test_a_ringing_call_is_answered_connected_streamed_and_ended(line: Line) -> None:
    call = line.ring(display_name="Ada")
    assert (call.state, call.caller_name) == (CallState.RINGING, "Ada")
    answer = send(call.commands.get())
    assert answer.state == CommandState.SENT
    assert answer.accepted_at is not None

    line.bench.deliver_until("MediaStreamingStarted")

    call = fresh(call)
    assert fresh(answer).state == CommandState.CONFIRMED
    assert call.state == CallState.CONNECTED
    assert call.streaming_state == StreamingState.CONNECTING
    assert call.incoming_call_context == ""
    assert call.connection_id == line.report()["call_connection_id"]
    assert call.participants.count() == 2

    line.hang_up()
    line.bench.deliver_until("CallDisconnected")

    call = fresh(call)
    assert (call.state, call.end_code) == (CallState.ENDED, 200)
    # Nobody served the media socket here, and the console must not hide it.
    assert call.streaming_state == StreamingState.FAILED
    assert not call.participants.filter(left_at=None).exists()


def test_answers_as_the_profile_of_the_winning_rule_says(line: Line) -> None:
    wide = StreamingProfile.objects.create(
        name="Wide",
        channels=StreamingProfile.Channels.MIXED,
        sample_rate=24_000,
        bidirectional=True,
    )
    AnswerRule.objects.create(name="Wide", called="+12065550777", profile=wide)
    call = line.ring(to="4:+12065550777")

    send(call.commands.get())
    line.bench.deliver_until("MediaStreamingStarted")

    media = line.report()["media"]
    assert media["channels"] == "mixed"
    assert media["sample_rate"] == 24_000
    assert media["bidirectional"]


def test_starts_and_stops_streaming_by_evidence(line: Line) -> None:
    call = line.answer(start=False)
    start = ask(call, CommandKind.START_STREAMING)
    assert fresh(call).streaming_state == StreamingState.REQUESTED

    assert send(start).state == CommandState.SENT
    line.bench.deliver_until("MediaStreamingStarted")

    assert fresh(start).state == CommandState.CONFIRMED
    control.streaming_seen(call.id, StreamingState.STREAMING, at=timezone.now())

    stop = ask(call, CommandKind.STOP_STREAMING)
    assert fresh(call).streaming_state == StreamingState.STOPPING
    assert send(stop).state == CommandState.SENT
    line.bench.deliver_until("MediaStreamingStopped")

    assert fresh(stop).state == CommandState.CONFIRMED
    assert fresh(call).streaming_state == StreamingState.STOPPED
    assert not call.desired_streaming


def test_does_not_start_twice(line: Line) -> None:
    call = line.answer(start=True)
    line.subscription("active")
    # Active from when it is dialled; here once it is open.
    line.bench.wait_for(line.path, lambda report: report["sockets"])
    sockets = len(line.report()["sockets"])

    start = send(ask(call, CommandKind.START_STREAMING))

    assert start.state == CommandState.CONFIRMED
    assert start.result == "ACS says streaming is active."
    assert fresh(call).streaming_state == StreamingState.CONNECTING, "nothing heard"
    assert start.accepted_at is None
    report = line.report()
    assert len(report["sockets"]) == sockets


def test_does_not_stop_what_is_not_streaming(line: Line) -> None:
    call = line.answer(start=False)
    Call.objects.update(desired_streaming=True)

    stop = send(ask(call, CommandKind.STOP_STREAMING))

    assert stop.state == CommandState.CONFIRMED
    assert stop.result == "ACS says streaming is not active."
    assert fresh(call).streaming_state == StreamingState.STOPPED


def test_hangs_up_for_everyone(line: Line) -> None:
    call = line.answer()
    hang_up = send(ask(call, CommandKind.HANG_UP))
    assert hang_up.state == CommandState.SENT

    line.bench.deliver_until("CallDisconnected")

    assert fresh(hang_up).state == CommandState.CONFIRMED
    assert fresh(call).state == CallState.ENDED


def test_hanging_up_a_call_acs_has_forgotten_ends_it_here(line: Line) -> None:
    call = line.answer()
    Call.objects.update(connection_id="a-connection-nobody-knows")

    hang_up = send(ask(call, CommandKind.HANG_UP))

    assert hang_up.state == CommandState.CONFIRMED
    call = fresh(call)
    assert (call.state, call.end_code) == (CallState.ENDED, None)
    assert call.end_reason == "ACS says there is no such call any more."


def test_sends_at_once_what_a_machine_asked_whose_clock_is_ahead(line: Line) -> None:
    answer = line.ring().commands.get()
    ahead = timezone.now() + timedelta(seconds=60)
    StreamCommand.objects.update(asked_at=ahead, due_at=ahead)

    answer = send(answer)

    assert (answer.state, answer.attempts) == (CommandState.SENT, 1)


def test_waits_as_long_as_acs_asks_and_tries_again(line: Line) -> None:
    call = line.ring()
    answer = call.commands.get()
    line.bench.fail_rest("answer", 429, times=1, retry_after=20)

    delay = control.command_send(answer.id)

    assert delay is not None
    assert 20 <= delay < 21
    answer = fresh(answer)
    assert (answer.state, answer.attempts) == (CommandState.QUEUED, 1)
    assert answer.due_at > timezone.now() + timedelta(seconds=10)
    assert control.command_send(answer.id) is None, "it is not due"
    assert fresh(answer).attempts == 1

    StreamCommand.objects.update(due_at=timezone.now())
    assert control.command_send(answer.id) is None
    line.bench.deliver_until("CallConnected")
    assert fresh(answer).state == CommandState.CONFIRMED
    assert answer.attempts == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
def test_does_not_repeat_what_acs_refuses(line: Line, status: int) -> None:
    call = line.ring()
    line.bench.fail_rest("answer", status)

    answer = send(call.commands.get())

    assert (answer.state, answer.attempts) == (CommandState.FAILED, 1)
    assert answer.result_code == status
    call = fresh(call)
    assert call.state == CallState.FAILED
    assert call.end_reason == answer.result
    assert call.incoming_call_context == ""


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_gives_up_in_the_end(line: Line, status: int) -> None:
    call = line.answer(start=False)
    start = ask(call, CommandKind.START_STREAMING)
    line.bench.fail_rest("startMediaStreaming", status, times=control.MAX_ATTEMPTS)

    delays = []
    while (delay := control.command_send(start.id)) is not None:
        delays.append(delay)
        StreamCommand.objects.filter(pk=start.id).update(due_at=timezone.now())

    start = fresh(start)
    assert (start.state, start.attempts) == (CommandState.FAILED, control.MAX_ATTEMPTS)
    assert start.result_code == status
    assert delays == sorted(delays), "each wait is longer than the last"
    assert fresh(call).streaming_state == StreamingState.FAILED


def test_a_repeated_answer_answers_once(line: Line) -> None:
    call = line.ring()
    answer = call.commands.get()
    context = call.incoming_call_context
    control.command_send(answer.id)
    first = fresh(call).connection_id

    # The worker died before it wrote down that ACS had taken the order.
    Call.objects.update(incoming_call_context=context, connection_id=None)
    StreamCommand.objects.update(
        accepted_at=None, sent_at=timezone.now() - timedelta(seconds=25)
    )
    control.commands_sweep(timezone.now())
    assert fresh(answer).state == CommandState.QUEUED
    control.command_send(answer.id)

    assert fresh(answer).attempts == 2
    assert fresh(call).connection_id == first


def test_a_callback_may_come_before_the_answer_to_the_request(line: Line) -> None:
    call = line.ring()
    answer = call.commands.get()
    context = call.incoming_call_context
    control.command_send(answer.id)
    line.bench.deliver_until("ParticipantsUpdated")
    done = fresh(answer)
    assert done.state == CommandState.CONFIRMED

    # As if the response came only now.
    Call.objects.update(incoming_call_context=context)
    answer.call.refresh_from_db()
    ORDERS[CommandKind.ANSWER].send(acs(), answer)

    call = fresh(call)
    assert call.state == CallState.CONNECTED
    assert call.incoming_call_context == ""


@pytest.mark.parametrize(
    ("option", "kinds"),
    [
        ({"callback_order": "reversed"}, 2),
        ({"callback_batch": True}, 2),
        ({"callback_copies": 2}, 2),
    ],
)
def test_survives_how_callbacks_may_come(
    line: Line, option: dict[str, object], kinds: int
) -> None:
    call = line.ring(options=option)
    send(call.commands.get())

    line.bench.deliver_until("MediaStreamingStarted")

    call = fresh(call)
    assert call.state == CallState.CONNECTED
    assert call.participants.filter(left_at=None).count() == 2
    early = CallEvent.objects.filter(kind__in=["CallConnected", "ParticipantsUpdated"])
    assert early.count() == kinds


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault])
def test_refuses_callbacks_with_a_false_token(line: Line, fault: str) -> None:
    call = line.ring(faults={"callback_token": fault})
    control.command_send(call.commands.get().id)

    assert line.bench.next_letter().deliver() == 401
    assert call.events.filter(source=CallEvent.Source.CALLBACK).count() == 0


def test_an_unreachable_acs_fails_the_command_in_words(settings: Settings) -> None:
    settings.ACS_ENDPOINT = "http://127.0.0.1:9"
    call = Call.objects.create(incoming_call_context="context")
    answer = ask(call, CommandKind.ANSWER)

    delays = 0
    while control.command_send(answer.id) is not None:
        delays += 1
        StreamCommand.objects.update(due_at=timezone.now())

    answer = fresh(answer)
    assert (answer.state, delays) == (CommandState.FAILED, control.MAX_ATTEMPTS - 1)
    assert answer.result == "ACS cannot be reached: Connection refused."
    assert fresh(call).end_reason == answer.result


def test_no_acs_configured_is_said_at_once(settings: Settings) -> None:
    settings.ACS_ENDPOINT = ""
    answer = ask(Call.objects.create(incoming_call_context="c"), CommandKind.ANSWER)

    answer = send(answer)

    assert (answer.state, answer.attempts) == (CommandState.FAILED, 1)
    assert "ACSSTREAM_ACS_ENDPOINT" in answer.result


def test_a_wrong_access_key_is_named(bench: Bench, settings: Settings) -> None:
    settings.ACS_ACCESS_KEY = "d3Jvbmc="
    mark = OrderMark(
        context="00000000-0000-0000-0000-000000000000", first_sent=timezone.now()
    )

    with pytest.raises(AcsRefused) as refused:
        acs().hang_up("unknown", mark=mark)

    assert refused.value.code == 401
    assert not refused.value.is_retryable
