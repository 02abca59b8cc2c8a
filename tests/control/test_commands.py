"""Commands: what may be asked, who wins a race, what evidence settles."""

from datetime import timedelta
from typing import Any

import pytest
import redis
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from acsstream.celery import app
from calls import control, tasks
from calls.broker import task_send
from calls.control import CommandRefused
from calls.models import (
    Call,
    CallState,
    CommandKind,
    CommandState,
    Connection,
    StreamCommand,
    StreamingState,
)
from calls.models.states import ArchiveState
from calls.orders import ORDERS
from tests.control.wire import call_made

pytestmark = [pytest.mark.database, pytest.mark.django_db]
START, STOP = CommandKind.START_STREAMING, CommandKind.STOP_STREAMING
SECOND = timedelta(seconds=1)


def command_made(
    call: Call, kind: CommandKind, state: CommandState = CommandState.SENT
) -> StreamCommand:
    now = timezone.now()
    sent_at = None if state == CommandState.QUEUED else now
    return StreamCommand.objects.create(
        call=call, kind=kind, state=state, sent_at=sent_at
    )


def state_of(command: StreamCommand) -> str:
    command.refresh_from_db()
    return command.state


def streaming_of(call: Call) -> str:
    call.refresh_from_db()
    return call.streaming_state


def test_every_kind_has_an_order() -> None:
    assert set(ORDERS) == set(CommandKind)


def test_writes_down_who_asked_and_why() -> None:
    operator = User.objects.create_user("ops")

    command = control.command_ask(
        call=call_made(), kind=START, asked_by=operator, why="w" * 300
    )

    command.refresh_from_db()
    assert command.asked_by == operator
    assert command.why == "w" * 255
    assert command.state == CommandState.QUEUED


def test_the_call_shows_what_was_asked_at_once() -> None:
    call = call_made()

    control.command_ask(call=call, kind=START)

    assert streaming_of(call) == StreamingState.REQUESTED
    assert call.desired_streaming


@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        (START, {"state": CallState.ENDED}, "The call has ended."),
        (STOP, {"state": CallState.ENDED}, "The call has ended."),
        (CommandKind.HANG_UP, {"state": CallState.FAILED}, "The call has ended."),
        (START, {"state": CallState.RINGING}, "The call is not connected yet."),
        (START, {"connection_id": None}, "The call is not connected yet."),
        (
            START,
            {"streaming_state": StreamingState.STREAMING},
            "The call is being streamed already.",
        ),
        (STOP, {}, "The call is not being streamed."),
        (CommandKind.ANSWER, {}, "The call is not ringing."),
        (
            CommandKind.ANSWER,
            {"state": CallState.RINGING},
            "The call cannot be answered any more.",
        ),
    ],
)
def test_refuses_what_makes_no_sense(
    kind: CommandKind, fields: dict[str, object], reason: str
) -> None:
    call = call_made(**fields)

    with pytest.raises(CommandRefused, match=reason):
        control.command_ask(call=call, kind=kind)

    assert StreamCommand.objects.count() == 0


@pytest.mark.parametrize("other", [START, STOP])
def test_streaming_orders_wait_for_each_other(other: CommandKind) -> None:
    call = call_made(streaming_state=StreamingState.STALLED)
    under_way = command_made(call, other)

    with pytest.raises(CommandRefused, match=under_way.get_kind_display()):
        control.command_ask(call=call, kind=START)


def test_a_call_can_be_hung_up_while_streaming_is_being_started() -> None:
    call = call_made()
    command_made(call, START)

    hang_up = control.command_ask(call=call, kind=CommandKind.HANG_UP)

    assert hang_up.state == CommandState.QUEUED


def test_only_one_worker_sends(settings: Settings) -> None:
    settings.ACS_ENDPOINT = "http://127.0.0.1:9"
    command = command_made(call_made(), START, CommandState.SENT)

    assert control.command_send(command.id) is None

    command.refresh_from_db()
    assert (command.state, command.attempts) == (CommandState.SENT, 0)


@pytest.mark.parametrize("state", ["confirmed", "failed", "timed_out"])
def test_what_is_settled_stays_settled(state: str) -> None:
    command = command_made(call_made(), START, CommandState(state))

    for other in ("confirmed", "failed", "timed_out"):
        assert not control.command_settle(command.id, CommandState(other))

    assert control.command_send(command.id) is None
    assert state_of(command) == state


@pytest.mark.parametrize(
    ("state", "code", "overruled"),
    [
        (CommandState.TIMED_OUT, None, True),
        (CommandState.FAILED, None, True),
        (CommandState.FAILED, 400, False),
        (CommandState.CONFIRMED, None, False),
    ],
)
def test_late_proof_overrules_what_was_only_concluded(
    state: CommandState, code: int | None, overruled: bool
) -> None:
    command = command_made(call_made(), START, state)
    StreamCommand.objects.update(result_code=code)

    settled = control.command_settle(command.id, CommandState.CONFIRMED, is_proof=True)

    assert settled == overruled


def test_an_order_without_evidence_times_out(settings: Settings) -> None:
    settings.COMMAND_TIMEOUT = 30
    now = timezone.now()
    call = call_made(streaming_state=StreamingState.REQUESTED)
    late = command_made(call, START)
    StreamCommand.objects.update(sent_at=now - 31 * SECOND, accepted_at=now)
    early = command_made(call_made(connection_id="2"), START)

    assert control.commands_time_out(now) == 1

    assert state_of(late) == CommandState.TIMED_OUT
    assert "nothing has shown" in late.result
    assert state_of(early) == CommandState.SENT
    assert streaming_of(call) == StreamingState.FAILED
    assert call.streaming_reason == late.result


def test_an_order_that_no_worker_took_times_out_unsent(settings: Settings) -> None:
    settings.COMMAND_TIMEOUT = 30
    now = timezone.now()
    command = command_made(call_made(), START, CommandState.QUEUED)
    StreamCommand.objects.update(due_at=now - 31 * SECOND)

    assert control.command_send(command.id) is None, "too late to surprise anybody"
    control.commands_sweep(now)

    assert state_of(command) == CommandState.TIMED_OUT
    assert "no worker" in command.result


def test_an_answer_that_times_out_leaves_the_call_not_answered() -> None:
    call = call_made(
        state=CallState.ANSWERING, streaming_state=StreamingState.REQUESTED
    )
    command_made(call, CommandKind.ANSWER)

    control.commands_time_out(timezone.now() + timedelta(hours=1))

    call.refresh_from_db()
    assert call.state == CallState.FAILED
    assert call.streaming_state == StreamingState.OFF


def test_a_stop_that_fails_shows_that_streaming_goes_on() -> None:
    call = call_made(streaming_state=StreamingState.STREAMING)
    stop = control.command_ask(call=call, kind=STOP)

    control.command_settle(stop.id, CommandState.FAILED, words="ACS refused")

    assert streaming_of(call) == StreamingState.STREAMING
    assert call.streaming_reason == "ACS refused"
    assert not call.desired_streaming


def test_arriving_audio_confirms_a_start_and_an_answer() -> None:
    call = call_made(state=CallState.ANSWERING)
    start = command_made(call, START)
    answer = command_made(call, CommandKind.ANSWER)

    assert control.streaming_seen(call.id, StreamingState.STREAMING, at=timezone.now())

    assert state_of(start) == CommandState.CONFIRMED
    assert start.result == "Audio arrives."
    assert state_of(answer) == CommandState.CONFIRMED
    assert streaming_of(call) == StreamingState.STREAMING
    assert call.state == CallState.CONNECTED


def test_ceasing_audio_confirms_a_stop_that_was_sent_only() -> None:
    call = call_made(streaming_state=StreamingState.STREAMING)
    queued = command_made(call, STOP, CommandState.QUEUED)
    sent = command_made(call, STOP)

    control.streaming_seen(call.id, StreamingState.STOPPED, at=timezone.now())

    assert state_of(sent) == CommandState.CONFIRMED
    assert state_of(queued) == CommandState.QUEUED


@pytest.mark.parametrize(
    ("before", "seen", "after"),
    [
        ("off", "connecting", "connecting"),
        ("requested", "streaming", "streaming"),
        ("stalled", "streaming", "streaming"),
        ("failed", "streaming", "streaming"),
        ("streaming", "connecting", "streaming"),
        ("stopping", "streaming", "stopping"),
        ("streaming", "stalled", "stalled"),
        ("off", "stalled", "off"),
        ("stopping", "stopped", "stopped"),
        ("failed", "stopped", "failed"),
    ],
)
def test_evidence_leads_from_state_to_state(before: str, seen: str, after: str) -> None:
    call = call_made(streaming_state=before)

    changed = control.streaming_seen(
        call.id, StreamingState(seen), at=timezone.now(), reason="why"
    )

    assert streaming_of(call) == after
    assert changed == (before != after)


def test_packets_from_before_a_stop_do_not_undo_it() -> None:
    stopped_at = timezone.now()
    call = call_made(streaming_state="stopped", streaming_at=stopped_at)

    earlier, later = stopped_at - SECOND, stopped_at + SECOND
    assert not control.streaming_seen(call.id, StreamingState.STREAMING, at=earlier)
    assert streaming_of(call) == StreamingState.STOPPED
    assert control.streaming_seen(call.id, StreamingState.STREAMING, at=later)
    assert streaming_of(call) == StreamingState.STREAMING


def test_an_ended_call_streams_no_more() -> None:
    call = call_made(state=CallState.ENDED, streaming_state=StreamingState.STOPPED)

    assert not control.streaming_seen(
        call.id, StreamingState.STREAMING, at=timezone.now()
    )


def test_media_revives_a_call_that_was_given_up_by_mistake() -> None:
    call = call_made(state=CallState.FAILED, ended_at=timezone.now())

    control.streaming_seen(call.id, StreamingState.STREAMING, at=timezone.now())

    call.refresh_from_db()
    assert (call.state, call.ended_at) == (CallState.CONNECTED, None)


def test_the_end_of_a_call_has_its_recordings_made() -> None:
    call = call_made()
    Connection.objects.create(
        id=call.id, call=call, node="here", opened_at=timezone.now()
    )

    control.call_end(call.id, at=timezone.now(), code=200, reason="over")

    call.refresh_from_db()
    assert call.archive_state == ArchiveState.PENDING


def test_what_acs_says_replaces_what_was_concluded() -> None:
    call, now = call_made(), timezone.now()
    control.call_end(call.id, at=now, reason="we think so")

    control.call_end(call.id, at=now + SECOND, code=200, subcode=7000, reason="said")
    control.call_end(call.id, at=now, reason="we still think so")

    call.refresh_from_db()
    assert (call.end_code, call.end_reason) == (200, "said")
    assert call.ended_at == now + SECOND


class Broker:
    """A real Redis; `queued` is what lies in one of its queues."""

    def __init__(self, url: str) -> None:
        self._redis: Any = redis.Redis.from_url(url)
        self._redis.flushall()

    def queued(self, name: str) -> list[bytes]:
        messages: list[bytes] = self._redis.lrange(name, 0, -1)
        return messages


@pytest.fixture
def broker(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Broker:
    """Point Celery at a real, empty Redis."""
    monkeypatch.setattr(app.conf, "broker_url", redis_url)
    monkeypatch.setattr(app.conf, "broker_write_url", redis_url)
    return Broker(redis_url)


def test_a_command_is_queued_for_a_worker_after_commit(
    broker: Broker,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        command = control.command_ask(call=call_made(), kind=START)
        assert broker.queued("acsstream") == []

    [message] = broker.queued("acsstream")
    assert str(command.id).encode() in message


def test_the_sweep_queues_what_a_broken_broker_did_not_take(
    broker: Broker,
) -> None:
    now = timezone.now()
    command = command_made(call_made(), START, CommandState.QUEUED)
    StreamCommand.objects.update(due_at=now - 6 * SECOND)
    fresh = command_made(call_made(connection_id="2"), START, CommandState.QUEUED)

    tasks.sweep_commands.apply()

    [message] = broker.queued("acsstream")
    assert str(command.id).encode() in message
    assert str(fresh.id).encode() not in message


def test_the_sweep_takes_back_what_a_dead_worker_held() -> None:
    command = command_made(call_made(), START)
    StreamCommand.objects.update(sent_at=timezone.now() - 23 * SECOND)
    waiting = command_made(call_made(connection_id="2"), START)
    StreamCommand.objects.filter(pk=waiting.pk).update(
        sent_at=timezone.now() - 23 * SECOND, accepted_at=timezone.now()
    )

    control.commands_sweep(timezone.now())

    assert state_of(command) == CommandState.QUEUED
    assert state_of(waiting) == CommandState.SENT


def test_a_task_goes_to_the_queue_that_is_named(broker: Broker) -> None:
    assert task_send(tasks.send_command, "id", queue="recordings.elsewhere")

    assert len(broker.queued("recordings.elsewhere")) == 1


def test_a_broker_that_is_down_raises_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(app.conf, "broker_url", "redis://127.0.0.1:9/0")
    monkeypatch.setattr(app.conf, "broker_write_url", "redis://127.0.0.1:9/0")

    assert not task_send(tasks.send_command, "id")

    assert "calls.send_command was not queued" in caplog.text


def test_an_unknown_command_is_no_error() -> None:
    tasks.send_command.apply(args=("00000000-0000-0000-0000-000000000000",))
