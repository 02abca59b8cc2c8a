"""Calls that begin here, against the emulator, to being connected or to failing."""

from typing import Any

import pytest
from pytest_django import Settings

from calls import tasks
from calls.models import Call, CallState, CommandState
from calls.placing import call_connect, call_place
from tests.control.bench import Bench
from tests.control.line import Line
from tests.factories import UserFactory

pytestmark = [pytest.mark.database, pytest.mark.django_db]


def place(bench: Bench, **outgoing: Any) -> Call:
    """Place a call that goes as told, and send its order."""
    # The bench outlives the test: what an earlier one asked for is undone.
    bench.put("outgoing", **outgoing)
    call = call_place(
        target="+12065550777",
        caller_id="+18005550199",
        profile=None,
        asked_by=UserFactory.create(),
    )
    send(call)
    return call


def send(call: Call) -> None:
    tasks.send_command.apply(args=(str(call.commands.get().pk),))
    call.refresh_from_db()


def report(bench: Bench, call: Call) -> Any:
    return bench.get(f"calls/{call.connection_id}")


def test_a_placed_call_rings_and_is_connected(bench: Bench) -> None:
    call = place(bench)
    assert call.state == CallState.RINGING
    assert call.connection_id

    bench.deliver_until("CallConnected")

    call.refresh_from_db()
    assert call.state == CallState.CONNECTED
    assert call.commands.get().state == CommandState.CONFIRMED
    assert report(bench, call)["state"] == "connected"
    bench.tell(f"calls/{call.connection_id}/hangup")


def test_a_placed_call_that_nobody_takes_says_so(bench: Bench) -> None:
    call = place(bench, faults={"answer": "failed"})

    bench.deliver_until("CreateCallFailed")

    call.refresh_from_db()
    assert call.state == CallState.FAILED
    assert call.end_reason
    assert call.commands.get().state == CommandState.FAILED
    bench.put("outgoing")


def test_a_running_call_is_joined(bench: Bench) -> None:
    first = place(bench)
    bench.deliver_until("CallConnected")
    first.refresh_from_db()

    second = call_connect(
        locator_kind="server_call_id",
        locator_id=first.server_call_id,
        profile=None,
        asked_by=UserFactory.create(),
    )
    send(second)
    bench.deliver_until("CallConnected")

    second.refresh_from_db()
    assert second.state == CallState.CONNECTED
    assert second.commands.get().state == CommandState.CONFIRMED
    for call in (first, second):
        bench.tell(f"calls/{call.connection_id}/hangup")


def test_each_way_to_come_about_names_the_azure_ai_resource(
    line: Line, settings: Settings
) -> None:
    settings.COGNITIVE_ENDPOINT = "https://ours.cognitive.example.com/"

    answered, placed = line.answer(), place(line.bench)
    placed_path = f"calls/{placed.connection_id}"
    line.bench.wait_for(placed_path, lambda told: told["state"] == "connected")
    joined = call_connect(
        locator_kind="server_call_id",
        locator_id=placed.server_call_id,
        profile=None,
        asked_by=UserFactory.create(),
    )
    send(joined)

    for call in (answered, placed, joined):
        told = report(line.bench, call)["cognitive_endpoint"]
        assert told == "https://ours.cognitive.example.com/"
    for call in (placed, joined):
        line.bench.tell(f"calls/{call.connection_id}/hangup")


def test_a_call_that_is_not_there_cannot_be_joined(bench: Bench) -> None:
    call = call_connect(
        locator_kind="server_call_id",
        locator_id="bm90LXRoZXJl",
        profile=None,
        asked_by=UserFactory.create(),
    )

    send(call)

    assert call.state == CallState.FAILED
    assert call.commands.get().state == CommandState.FAILED
    assert call.end_reason
