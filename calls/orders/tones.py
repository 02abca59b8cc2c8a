"""Orders about a participant's keys: have ACS tell of them by callbacks, or no more."""

from calls.acs import Acs
from calls.models import Call, CommandKind, CommandState, StreamCommand
from calls.orders.order import (
    Arguments,
    Order,
    connection_id_of,
    mark_of,
    not_connected,
)
from calls.orders.people import present_read
from calls.roster import was_away

KINDS = (CommandKind.START_TONES, CommandKind.STOP_TONES)
RECEIVED = "ContinuousDtmfRecognitionToneReceived"
STOPPED = "ContinuousDtmfRecognitionStopped"


def is_recognised(call: Call, raw_id: str) -> bool:
    """Say whether somebody's keys are told by callbacks, as far as orders tell.

    Who leaves and joins again is another leg of the call: nobody listens to that.
    """
    orders = call.commands.filter(
        kind__in=KINDS, arguments__participant=raw_id, state=CommandState.CONFIRMED
    )
    last = orders.order_by("-asked_at").first()
    if last is None or last.kind != CommandKind.START_TONES:
        return False
    return not was_away(call, raw_id, last.asked_at)


def _start_refusal(call: Call, arguments: Arguments) -> str:
    if call.is_live and is_recognised(call, arguments["participant"]):
        return "That participant's keys are recognised already."
    return not_connected(call)


def _stop_refusal(call: Call, arguments: Arguments) -> str:
    if call.is_live and not is_recognised(call, arguments["participant"]):
        return "That participant's keys are not recognised."
    return not_connected(call)


def _start_send(acs: Acs, command: StreamCommand) -> str:
    acs.start_tones(*_whom(command), mark=mark_of(command))
    # No callback says that it began: ACS answers 200, not 202, once it has.
    return "ACS answered that it recognises them."


def _stop_send(acs: Acs, command: StreamCommand) -> None:
    acs.stop_tones(*_whom(command), mark=mark_of(command))


def _whom(command: StreamCommand) -> tuple[str, str]:
    return connection_id_of(command.call), command.arguments["participant"]


ORDERS: dict[str, Order] = {
    CommandKind.START_TONES: Order(
        permission="calls.control_participants",
        read=present_read,
        refusal=_start_refusal,
        send=_start_send,
        is_repeatable=False,
        excludes=KINDS,
        per_participant=True,
    ),
    CommandKind.STOP_TONES: Order(
        permission="calls.control_participants",
        read=present_read,
        refusal=_stop_refusal,
        send=_stop_send,
        is_repeatable=False,
        proofs=frozenset({STOPPED}),
        at_call_end=(CommandState.CONFIRMED, "It stopped as the call ended."),
        excludes=KINDS,
        per_participant=True,
    ),
}
