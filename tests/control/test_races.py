"""What happens at the same moment, on as many connections as the database allows."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from threading import Barrier

import pytest
from django.db import connection, connections
from django.utils import timezone
from pytest_django import Settings

from calls import control
from calls.models import (
    Call,
    CallState,
    CommandKind,
    CommandState,
    StreamCommand,
    StreamingState,
)
from tests.control.wire import (
    AGENT,
    CALLER,
    START,
    call_made,
    connected,
    disconnected,
    incoming_call,
    participants,
    post_callback,
    post_eventgrid,
    streaming,
)

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]
ROUNDS = 5


def at_once(*deeds: Callable[[], object]) -> list[object]:
    """Do all of them at the same time; return what each returned.

    SQLite's test database is one connection: there they run one after the other, and
    only the run on PostgreSQL shows the race.
    """
    if connection.vendor == "sqlite":
        return [deed() for deed in deeds]
    barrier = Barrier(len(deeds))

    def run(deed: Callable[[], object]) -> object:
        barrier.wait(10)
        try:
            return deed()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(run, deeds))


def asked(call: Call) -> bool:
    try:
        control.command_ask(call=call, kind=CommandKind.START_STREAMING)
    except control.CommandRefused:
        return False
    return True


def test_two_operators_ask_once() -> None:
    for number in range(ROUNDS):
        call = call_made(connection_id=str(number))

        answers = at_once(*[partial(asked, call)] * 4)

        assert answers.count(True) == 1
        assert call.commands.count() == 1


def test_two_workers_send_once(settings: Settings) -> None:
    settings.ACS_ENDPOINT = ""
    for number in range(ROUNDS):
        command = StreamCommand.objects.create(
            call=call_made(connection_id=str(number)),
            kind=CommandKind.START_STREAMING,
            due_at=timezone.now(),
        )

        at_once(*[partial(control.command_send, command.id)] * 4)

        command.refresh_from_db()
        assert (command.state, command.attempts) == (CommandState.FAILED, 1)


def test_callbacks_that_come_at_once_are_all_applied(settings: Settings) -> None:
    settings.CALLBACK_AUTH = "off"
    for _ in range(ROUNDS):
        call = call_made(state=CallState.ANSWERING, connection_id=None)
        events = [
            connected(0),
            participants(1, CALLER, seconds=1),
            participants(2, CALLER, AGENT, seconds=2),
            participants(3, AGENT, seconds=3),
            disconnected(9),
        ]

        answers = at_once(*[partial(post_callback, call, event) for event in events])

        assert [getattr(answer, "status_code", 0) for answer in answers] == [200] * 5
        call.refresh_from_db()
        caller = call.participants.get(raw_id=CALLER)
        agent = call.participants.get(raw_id=AGENT)
        assert (call.state, call.connected_at) == (CallState.ENDED, START)
        assert caller.left_at == events_time(3)
        assert (agent.joined_at, agent.left_at) == (events_time(2), events_time(9))
        call.delete()


def test_a_sweep_and_callbacks_settle_without_a_deadlock(settings: Settings) -> None:
    settings.CALLBACK_AUTH = "off"
    call = call_made(streaming_state=StreamingState.REQUESTED)
    kind = CommandKind.START_STREAMING
    commands = [
        StreamCommand.objects.create(call=call, kind=kind, state=CommandState.SENT)
        for _ in range(20)
    ]
    proofs = [
        streaming("Started", 1, operationContext=str(command.id))
        for command in commands
    ]

    def sweep() -> None:
        for command in reversed(commands):
            control.command_settle(command.id, CommandState.TIMED_OUT)

    _, answer = at_once(sweep, partial(post_callback, call, *proofs))

    assert getattr(answer, "status_code", 0) == 200
    states = set(call.commands.values_list("state", flat=True))
    assert states == {CommandState.CONFIRMED}


def events_time(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


def test_copies_that_come_at_once_make_one_call() -> None:
    event = incoming_call()

    answers = at_once(*[partial(post_eventgrid, event)] * 4)

    assert [getattr(answer, "status_code", 0) for answer in answers] == [200] * 4
    assert Call.objects.count() == 1


def test_copies_under_ids_of_their_own_that_come_at_once_make_one_call() -> None:
    for number in range(ROUNDS):
        ids = {"correlationId": f"ring {number}"}
        deeds = [partial(post_eventgrid, incoming_call(**ids)) for _ in range(4)]

        answers = at_once(*deeds)

        assert [getattr(answer, "status_code", 0) for answer in answers] == [200] * 4
        call = Call.objects.get(correlation_id=f"ring {number}")
        assert call.commands.count() == 1
        assert call.events.count() == 4
