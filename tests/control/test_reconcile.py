"""Calls whose end was lost: ACS is asked, and only of those that have been quiet."""

import logging
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from calls import tasks
from calls.models import (
    Call,
    CallEvent,
    CallState,
    CommandKind,
    CommandState,
    Connection,
    StreamCommand,
    StreamingState,
)
from calls.reconcile import ENDED_UNHEARD, MAX_QUESTIONS, calls_reconcile
from tests.control.bench import Bench
from tests.control.wire import call_made

pytestmark = [pytest.mark.database, pytest.mark.django_db]

LONG_AGO = timedelta(hours=1)


def test_ends_a_call_whose_end_was_lost(bench: Bench) -> None:
    rung = bench.ring(options={"callbacks_lost": "CallDisconnected"})
    bench.deliver_until("IncomingCall")
    call = Call.objects.get()
    tasks.send_command.apply(args=(str(call.commands.get().id),))
    bench.deliver_until("MediaStreamingStarted")
    later = timezone.now() + LONG_AGO

    assert calls_reconcile(later) == 0, "ACS says that it is up"
    bench.tell(f"calls/{rung['id']}/hangup")
    assert "CallDisconnected" in bench.get(f"calls/{rung['id']}")["callbacks"]["lost"]
    assert calls_reconcile(timezone.now()) == 0, "too early to ask"
    assert calls_reconcile(later) == 1

    call.refresh_from_db()
    assert (call.state, call.end_reason) == (CallState.ENDED, ENDED_UNHEARD)
    assert call.ended_at == later
    assert call.streaming_state == StreamingState.FAILED
    assert calls_reconcile(later) == 0


def test_the_call_ended_when_its_last_socket_did(bench: Bench) -> None:
    call = quiet_call(desired_streaming=True)
    socket(call, closed_ago=timedelta(minutes=10))
    closed = socket(call, closed_ago=timedelta(minutes=5)).closed_at

    tasks.reconcile.apply()

    call.refresh_from_db()
    assert (call.state, call.ended_at) == (CallState.ENDED, closed)


def with_an_open_socket(call: Call) -> None:
    socket(call, closed_ago=None)


def with_a_socket_that_closed_just_now(call: Call) -> None:
    socket(call, closed_ago=timedelta(seconds=1))


def with_a_fresh_event(call: Call) -> None:
    CallEvent.objects.create(
        source=CallEvent.Source.CALLBACK, event_id="1", kind="X", call=call, body={}
    )


def with_an_answer_under_way(call: Call) -> None:
    StreamCommand.objects.create(
        call=call, kind=CommandKind.ANSWER, state=CommandState.SENT
    )


def without_a_connection(call: Call) -> None:
    Call.objects.update(connection_id=None)


@pytest.mark.parametrize(
    "make",
    [
        with_an_open_socket,
        with_a_socket_that_closed_just_now,
        with_a_fresh_event,
        with_an_answer_under_way,
        without_a_connection,
    ],
)
def test_does_not_ask_about(bench: Bench, make: Callable[[Call], None]) -> None:
    make(quiet_call())

    assert calls_reconcile(timezone.now()) == 0


def test_leaves_calls_alone_while_acs_cannot_be_asked(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ACS_ENDPOINT = "http://127.0.0.1:9"
    calls = [quiet_call() for _ in range(3)]

    with caplog.at_level(logging.WARNING, "calls.reconcile"):
        assert calls_reconcile(timezone.now()) == 0

    assert Call.objects.live().count() == len(calls)
    assert len(caplog.messages) == 1
    assert "ACS cannot be reached" in caplog.text


def test_a_refused_question_does_not_keep_others_from_being_asked(
    bench: Bench, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ACS_ACCESS_KEY = "d3Jvbmc="
    for _ in range(3):
        quiet_call()

    with caplog.at_level(logging.WARNING, "calls.reconcile"):
        assert calls_reconcile(timezone.now()) == 0
    assert len(caplog.messages) == 1

    settings.ACS_ACCESS_KEY = bench.access_key
    assert calls_reconcile(timezone.now()) == 3


def test_asks_about_a_few_at_a_time(bench: Bench) -> None:
    for _ in range(MAX_QUESTIONS + 1):
        quiet_call()

    assert calls_reconcile(timezone.now()) == MAX_QUESTIONS
    assert calls_reconcile(timezone.now()) == 1


def test_asks_one_after_the_other_under_the_rate_limit(
    bench: Bench, settings: Settings, redis_url: str
) -> None:
    settings.REDIS_URL, settings.ACS_RATE = redis_url, 50
    for _ in range(5):
        quiet_call()

    assert calls_reconcile(timezone.now()) == 5


def quiet_call(**fields: object) -> Call:
    """Return a call that ACS has never heard of."""
    rang_at = timezone.now() - LONG_AGO
    return call_made(connection_id=str(uuid.uuid4()), rang_at=rang_at, **fields)


def socket(call: Call, *, closed_ago: timedelta | None) -> Connection:
    now = timezone.now()
    return Connection.objects.create(
        id=uuid.uuid4(),
        call=call,
        opened_at=now - LONG_AGO,
        closed_at=None if closed_ago is None else now - closed_ago,
    )
