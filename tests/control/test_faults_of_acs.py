"""What goes wrong between us and ACS, and how each order then ends.

Every fault is the emulator's; at the end what we show is what the emulator's own report
says, and the words say what to do.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from calls import control
from calls.acs import Acs, acs, client
from calls.control import commands_sweep, commands_verify
from calls.models import (
    Call,
    CallState,
    CommandKind,
    CommandState,
    Evidence,
    StreamCommand,
    StreamingState,
)
from calls.orders.order import mark_of
from calls.reconcile import NOT_ACTIVE, calls_reconcile
from tests.control.line import Line, ask, fresh, send

pytestmark = [pytest.mark.database, pytest.mark.django_db]

CALLER = "4:+12065550150"
AGENT = "8:acs:r_agent"
LATER = timedelta(minutes=2)


def connected(line: Line, *, start: bool = False, **plan: object) -> Call:
    people = {"from": CALLER, "participants": [CALLER, AGENT]}
    call = line.answer(start=start, **people | plan)
    line.bench.deliver_until("ParticipantsUpdated")
    return fresh(call)


def due_now(command: StreamCommand) -> StreamCommand:
    """Let the time of the next try have come."""
    StreamCommand.objects.filter(pk=command.pk).update(due_at=timezone.now())
    return fresh(command)


def is_streamed(line: Line) -> bool:
    return bool(line.report()["media"]["state"] == "active")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Wait no longer for an answer of ACS than a busy machine takes for one."""
    monkeypatch.setattr(client, "READ_SECONDS", 1.5)
    client._connected.cache_clear()
    yield
    client._connected.cache_clear()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "did not accept"),
        (401, "access key"),
        (403, "forbids"),
        (404, "does not know"),
        (409, "not in a state"),
    ],
)
def test_what_acs_refuses_fails_at_once_and_is_not_repeated(
    line: Line, status: int, words: str
) -> None:
    call = connected(line)
    line.bench.fail_rest("startMediaStreaming", status)

    start = send(ask(call, CommandKind.START_STREAMING))

    assert (start.state, start.result_code) == (CommandState.FAILED, status)
    assert words in start.result
    assert start.attempts == 1
    call = fresh(call)
    assert call.is_live, "the call itself is known"
    assert (call.desired_streaming, call.streaming_state) == (True, "failed")
    assert call.streaming_reason == start.result
    assert not is_streamed(line)
    assert line.effects(start) == 0


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_what_acs_could_not_do_is_tried_again(line: Line, status: int) -> None:
    call = connected(line)
    line.bench.fail_rest("startMediaStreaming", status, times=2)
    start = ask(call, CommandKind.START_STREAMING)

    for _ in range(3):
        start = send(due_now(start))
    line.bench.deliver_until("MediaStreamingStarted")

    assert fresh(start).state == CommandState.CONFIRMED
    assert start.attempts == 3
    assert line.effects(start) == 1


def test_too_many_requests_wait_as_long_as_acs_says(line: Line) -> None:
    call = connected(line)
    line.bench.fail_rest("startMediaStreaming", 429, retry_after=9)

    start = send(ask(call, CommandKind.START_STREAMING))

    assert start.state == CommandState.QUEUED
    assert start.sent_at is not None
    assert start.due_at - start.sent_at >= timedelta(seconds=9)
    assert start.due_at - timezone.now() < timedelta(seconds=10)
    assert "too many requests" in start.result.lower()
    send(due_now(start))
    line.bench.deliver_until("MediaStreamingStarted")
    assert line.effects(start) == 1


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_an_answer_that_is_lost_makes_no_second_effect(line: Line, lost: str) -> None:
    call = connected(line)
    line.bench.tell("faults/rest", operation="startMediaStreaming", lost=lost)

    start = send(ask(call, CommandKind.START_STREAMING))

    assert start.state == CommandState.QUEUED
    assert start.is_unsure
    assert start.sent_at is not None
    assert start.due_at - start.sent_at > timedelta(seconds=5), "time to show"
    if lost == "answer":
        line.subscription("active")
    send(due_now(start))
    line.bench.deliver_until("MediaStreamingStarted")
    assert fresh(start).state == CommandState.CONFIRMED
    assert line.effects(start) == 1
    assert len(line.report()["sockets"]) == 1


@pytest.mark.usefixtures("impatient")
def test_an_answer_that_is_slow_is_not_waited_for_for_ever(line: Line) -> None:
    call = connected(line)
    line.bench.tell("faults/rest", operation="stopMediaStreaming", delay=20.0)
    send(ask(call, CommandKind.START_STREAMING))
    line.bench.deliver_until("MediaStreamingStarted")

    stop = send(ask(call, CommandKind.STOP_STREAMING))
    assert (stop.state, stop.is_unsure) == (CommandState.QUEUED, True)
    assert "time-out" in stop.result

    line.bench.deliver_until("MediaStreamingStopped")
    assert (fresh(stop).state, stop.evidence) == ("confirmed", Evidence.CALLBACK)
    assert line.effects(stop) == 1


@pytest.mark.parametrize("sub_code", ["8581", "8603"])
def test_a_media_url_that_acs_cannot_reach_is_said_in_words(
    line: Line, sub_code: str
) -> None:
    call = connected(line, faults={"streaming": sub_code})

    start = send(ask(call, CommandKind.START_STREAMING))
    line.bench.deliver_until("MediaStreamingFailed")

    assert (fresh(start).state, start.result_subcode) == ("failed", int(sub_code))
    assert "media URL" in start.result
    assert "ACSSTREAM_MEDIA_URL" in start.result
    assert fresh(call).streaming_state == StreamingState.FAILED


def test_a_start_that_never_happens_times_out_and_is_not_shown_as_starting(
    line: Line,
) -> None:
    call = connected(line, faults={"streaming": "never"})
    start = send(ask(call, CommandKind.START_STREAMING))
    assert fresh(call).streaming_state == StreamingState.REQUESTED

    commands_verify(timezone.now() + timedelta(seconds=10))
    assert fresh(start).state == CommandState.SENT
    commands_sweep(timezone.now() + LATER)

    assert fresh(start).state == CommandState.TIMED_OUT
    assert "does not say that the order was carried out" in start.result
    call = fresh(call)
    assert (call.desired_streaming, call.streaming_state) == (True, "failed")
    assert not is_streamed(line)


def test_streaming_that_never_starts_after_the_answer_is_found_out(line: Line) -> None:
    call = connected(line, start=True, faults={"streaming": "never"})
    assert fresh(call).streaming_state == StreamingState.REQUESTED

    calls_reconcile(timezone.now() + LATER)

    call = fresh(call)
    assert (call.streaming_state, call.streaming_reason) == ("failed", NOT_ACTIVE)
    assert call.desired_streaming


def test_a_stop_that_never_happens_is_not_shown_as_stopped(line: Line) -> None:
    call = connected(line, faults={"stop": "never"})
    send(ask(call, CommandKind.START_STREAMING))
    line.bench.deliver_until("MediaStreamingStarted")
    stop = send(ask(call, CommandKind.STOP_STREAMING))

    commands_sweep(timezone.now() + LATER)

    assert fresh(stop).state == CommandState.TIMED_OUT
    call = fresh(call)
    assert (call.desired_streaming, call.streaming_state) == (False, "streaming")
    assert is_streamed(line)


@pytest.mark.parametrize(
    ("kind", "operation", "lost"),
    [
        (CommandKind.START_STREAMING, "startMediaStreaming", "MediaStreamingStarted"),
        (CommandKind.STOP_STREAMING, "stopMediaStreaming", "MediaStreamingStopped"),
    ],
)
def test_a_lost_callback_is_made_up_for_by_asking(
    line: Line, kind: CommandKind, operation: str, lost: str
) -> None:
    call = connected(line, options={"callbacks_lost": lost})
    if kind == CommandKind.STOP_STREAMING:
        send(ask(call, CommandKind.START_STREAMING))
        line.bench.deliver_until("MediaStreamingStarted")
    command = send(ask(call, kind))
    active = kind == CommandKind.START_STREAMING
    line.subscription("active" if active else "inactive")

    assert commands_verify(timezone.now()) == 0, "callbacks may yet come"
    assert commands_verify(timezone.now() + timedelta(seconds=10)) == 1

    assert (fresh(command).state, command.evidence) == ("confirmed", Evidence.ASKED)
    assert is_streamed(line) is active
    assert line.effects(command) == 1
    assert operation in {each["operation"] for each in line.report()["effects"]}


def test_a_question_that_acs_refuses_keeps_no_other_from_being_asked(
    line: Line,
) -> None:
    call = connected(line, options={"callbacks_lost": "MediaStreamingStarted"})
    now = timezone.now()
    strange = StreamCommand.objects.create(
        call=call,
        kind=CommandKind.HOLD,
        arguments={"participant": CALLER},
        state=CommandState.SENT,
        sent_at=now,
        accepted_at=now,
    )
    start = send(ask(call, CommandKind.START_STREAMING))
    line.subscription("active")
    line.bench.fail_rest("participants", 403)

    assert commands_verify(now + timedelta(seconds=10)) == 1

    assert fresh(start).state == CommandState.CONFIRMED
    assert fresh(strange).state == CommandState.SENT


def test_a_lost_call_connected_is_made_up_for_by_asking(line: Line) -> None:
    call = line.ring(options={"callbacks_lost": "CallConnected,ParticipantsUpdated"})
    answer = send(call.commands.get())
    line.bench.wait_for(line.path, lambda report: report["state"] == "connected")

    commands_verify(timezone.now() + timedelta(seconds=10))
    calls_reconcile(timezone.now() + timedelta(seconds=10))

    assert (fresh(answer).state, answer.evidence) == ("confirmed", Evidence.ASKED)
    assert fresh(call).state == CallState.CONNECTED
    shown = set(call.participants.values_list("raw_id", flat=True))
    assert shown == set(line.report()["roster"])


@pytest.mark.parametrize(
    "options",
    [
        {"callbacks_duplicated": "*:2"},
        {"callbacks_reordered": "CallConnected"},
        {"callbacks_batched": "CallConnected"},
        {"callbacks_late": "CallConnected:3,MediaStreamingStarted:2"},
        {"answer_response": "after_connected"},
    ],
    ids=lambda options: next(iter(options)),
)
def test_callbacks_in_any_order_tell_the_same(
    line: Line, options: dict[str, str]
) -> None:
    call = line.ring(options=options)
    answer = send(call.commands.get())
    kinds = {"CallConnected", "MediaStreamingStarted", "ParticipantsUpdated"}
    while kinds - set(call.events.values_list("kind", flat=True)):
        assert line.bench.next_letter().deliver() == 200

    call = fresh(call)
    assert fresh(answer).state == CommandState.CONFIRMED
    assert call.state == CallState.CONNECTED
    assert call.streaming_state == StreamingState.CONNECTING
    assert call.participants.filter(left_at=None).count() == 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_call_that_ends_during_an_order(line: Line, when: str) -> None:
    call = connected(line, faults={"ends_during": f"startMediaStreaming:{when}"})

    start = send(ask(call, CommandKind.START_STREAMING))
    line.bench.deliver_until("CallDisconnected")

    assert fresh(start).state == CommandState.FAILED
    assert start.result
    call = fresh(call)
    assert call.state == CallState.ENDED
    assert call.streaming_state != StreamingState.REQUESTED
    assert not call.commands.filter(state__in=["queued", "sent"]).exists()


def test_a_call_acs_no_longer_knows_is_closed_with_that_reason(line: Line) -> None:
    call = connected(line, options={"callbacks_lost": "CallDisconnected"})
    line.hang_up()

    start = send(ask(call, CommandKind.START_STREAMING))

    assert fresh(start).state == CommandState.FAILED
    call = fresh(call)
    assert (call.state, call.end_reason) == ("ended", "ACS no longer knows the call")


def test_a_double_start_is_not_sent_while_ours_is_under_way(line: Line) -> None:
    call = connected(line)
    ask(call, CommandKind.START_STREAMING)

    with pytest.raises(control.CommandRefused, match="still under way"):
        ask(call, CommandKind.START_STREAMING)


def test_a_question_that_fails_does_not_undo_an_order_that_was_taken(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = connected(line)
    hold = ask(call, CommandKind.HOLD, participant=CALLER)
    asked = Acs.hold

    def hold_and_fail_the_next_question(*args: Any, **marks: Any) -> None:
        asked(*args, **marks)
        line.bench.fail_rest("participants", 403)

    monkeypatch.setattr(Acs, "hold", hold_and_fail_the_next_question)
    assert send(hold).state == CommandState.SENT

    commands_verify(timezone.now() + timedelta(seconds=10))

    assert (fresh(hold).state, hold.evidence) == ("confirmed", Evidence.ASKED)
    assert line.effects(hold) == 1


def test_proof_overrules_a_refusal_that_followed_a_worker_which_died(
    line: Line,
) -> None:
    call = connected(line)
    start = ask(call, CommandKind.START_STREAMING)
    # Its worker sent it and died; the next one is refused, as what it asks for is so.
    Acs.start_media_streaming(acs(), call.connection_id or "", mark=mark_of(start))
    long_ago = timezone.now() - timedelta(seconds=25)
    StreamCommand.objects.filter(pk=start.pk).update(
        state=CommandState.SENT, sent_at=long_ago, attempts=1
    )
    line.bench.fail_rest("get", 409)
    commands_sweep(timezone.now())
    line.bench.fail_rest("get", 409)
    assert send(start).state == CommandState.FAILED

    line.bench.deliver_until("MediaStreamingStarted")

    assert (fresh(start).state, start.evidence) == ("confirmed", Evidence.CALLBACK)
    assert line.effects(start) == 1


def test_a_failure_told_before_the_answer_keeps_its_words(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = connected(line, faults={"streaming": "8603"})
    start = ask(call, CommandKind.START_STREAMING)
    started = Acs.start_media_streaming

    def start_and_hear_first(*args: Any, **marks: Any) -> None:
        started(*args, **marks)
        line.bench.deliver_until("MediaStreamingFailed")

    monkeypatch.setattr(Acs, "start_media_streaming", start_and_hear_first)
    start = send(start)

    assert (start.state, start.result_subcode) == ("failed", 8603)
    assert "media URL" in start.result
