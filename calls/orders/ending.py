"""Orders that end a call: for everyone, or for us alone."""

from calls.acs import Acs, AcsRefused
from calls.models import CommandKind, CommandState, StreamCommand
from calls.orders.order import Order, connection_id_of, mark_of, not_connected

ENDINGS = (CommandKind.HANG_UP, CommandKind.LEAVE)


def _is_over(acs: Acs, command: StreamCommand) -> str:
    call = command.call
    if not call.is_live:
        return "The call had ended."
    try:
        found = acs.properties(connection_id_of(call))
    except AcsRefused as refused:
        if refused.is_call_gone:
            return "ACS says there is no such call any more."
        raise
    return "ACS says the call had ended." if found.state == "disconnected" else ""


def _hang_up_send(acs: Acs, command: StreamCommand) -> None:
    acs.hang_up(
        connection_id_of(command.call), for_everyone=True, mark=mark_of(command)
    )


def _leave_send(acs: Acs, command: StreamCommand) -> None:
    acs.hang_up(
        connection_id_of(command.call), for_everyone=False, mark=mark_of(command)
    )


# ACS sends no context with the end of a call; any end will do, if in time.
ORDERS: dict[str, Order] = {
    CommandKind.HANG_UP: Order(
        permission="calls.hang_up",
        refusal=not_connected,
        evidence=_is_over,
        send=_hang_up_send,
        at_call_end=(CommandState.CONFIRMED, "The call has ended."),
        excludes=ENDINGS,
    ),
    CommandKind.LEAVE: Order(
        permission="calls.hang_up",
        refusal=not_connected,
        evidence=_is_over,
        send=_leave_send,
        is_repeatable=False,
        at_call_end=(CommandState.CONFIRMED, "We have left the call."),
        excludes=ENDINGS,
    ),
}
