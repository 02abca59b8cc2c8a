"""Keys by callbacks, through Microsoft's SDK and an emulated ACS that tells of them."""

import pytest
from django.utils import timezone

from calls.control import CommandRefused
from calls.models import (
    Call,
    CommandKind,
    CommandState,
    Evidence,
    StreamingProfile,
)
from calls.orders.tones import RECEIVED, STOPPED
from calls.reconcile import calls_reconcile
from tests.control.line import Line, ask, fresh, send

pytestmark = [pytest.mark.database, pytest.mark.django_db]

CALLER = "4:+12065550150"
AGENT = "8:acs:r_agent"


def connected(line: Line, *, recognises: bool = True, **plan: object) -> Call:
    """Answer a call of a phone and an agent, and send what is asked by itself."""
    StreamingProfile.objects.create(
        name="Keys",
        is_default=True,
        start_at_answer=False,
        tone_recognition=recognises,
    )
    people = {"from": CALLER, "participants": [CALLER, AGENT]}
    call = line.ring(**people | plan)
    send(call.commands.get())
    line.bench.deliver_until("ParticipantsUpdated")
    for command in call.commands.filter(state=CommandState.QUEUED):
        send(command)
    return fresh(call)


def press(line: Line, tones: str) -> None:
    line.bench.tell(f"{line.path}/dtmf", tones=tones, participant=CALLER)
    for _ in tones:
        line.bench.deliver_until(RECEIVED)


def rows(call: Call) -> list[tuple[str, str]]:
    return [(row.tone, row.pressed_by) for row in call.tones.order_by("at_us")]


def test_phones_are_recognised_once_the_call_is_connected(line: Line) -> None:
    call = connected(line)

    [order] = call.commands.filter(kind=CommandKind.START_TONES)
    assert (order.state, order.evidence) == (CommandState.CONFIRMED, Evidence.ANSWER)
    assert order.arguments == {"participant": CALLER}
    assert line.report()["recognised"] == [CALLER]

    calls_reconcile(timezone.now())
    assert call.commands.filter(kind=CommandKind.START_TONES).count() == 1

    press(line, "12*#A")
    assert rows(call) == [(key, CALLER) for key in "12*#A"]


def test_a_phone_that_leaves_and_joins_again_is_recognised_again_unless_stopped(
    line: Line,
) -> None:
    call = connected(line)

    def come_back() -> int:
        """Leave and join; return how often its keys have been asked for."""
        for change in ("leave", "join"):
            line.bench.tell(f"{line.path}/{change}", participant=CALLER)
            line.bench.deliver_until("ParticipantsUpdated")
        orders = call.commands.filter(kind=CommandKind.START_TONES)
        for order in orders.filter(state=CommandState.QUEUED):
            assert send(order).state == CommandState.CONFIRMED
        return orders.count()

    assert come_back() == 2
    calls_reconcile(timezone.now())
    assert come_back() == 3

    send(ask(call, CommandKind.STOP_TONES, participant=CALLER))
    assert come_back() == 3


def test_recognition_stops_and_starts_by_order(line: Line) -> None:
    call = connected(line)
    with pytest.raises(CommandRefused, match="recognised already"):
        ask(call, CommandKind.START_TONES, participant=CALLER)

    stop = send(ask(call, CommandKind.STOP_TONES, participant=CALLER))
    line.bench.deliver_until(STOPPED)

    assert fresh(stop).evidence == Evidence.CALLBACK
    assert line.report()["recognised"] == []
    with pytest.raises(CommandRefused, match="not recognised"):
        ask(call, CommandKind.STOP_TONES, participant=CALLER)

    send(ask(call, CommandKind.START_TONES, participant=CALLER))
    press(line, "7")
    assert rows(call) == [("7", CALLER)]


def test_nobody_is_recognised_where_the_profile_does_not_ask_for_it(line: Line) -> None:
    call = connected(line, recognises=False)

    assert not call.commands.filter(kind=CommandKind.START_TONES).exists()


def test_callbacks_that_come_late_and_twice_are_the_presses(line: Line) -> None:
    call = connected(
        line,
        options={
            "callbacks_late": f"{RECEIVED}:0.3",
            "callbacks_duplicated": f"{RECEIVED}:2",
        },
    )

    press(line, "4422")

    for _ in range(8):
        line.bench.deliver_until(RECEIVED)
    assert rows(call) == [(key, CALLER) for key in "4422"]


def test_a_tone_that_failed_is_no_tone_and_is_told(line: Line) -> None:
    call = connected(line, faults={"recognition": "fails"})

    line.bench.tell(f"{line.path}/dtmf", tones="1", participant=CALLER)
    line.bench.deliver_until("ContinuousDtmfRecognitionToneFailed")

    assert rows(call) == []
    assert call.events.filter(kind="ContinuousDtmfRecognitionToneFailed").exists()
