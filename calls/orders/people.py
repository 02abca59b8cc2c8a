"""Orders about who is in a call: mute, hold, add, remove, transfer."""

from collections.abc import Callable

from django.db.models import QuerySet

from calls.acs import Acs, ParticipantState
from calls.models import Call, CommandKind, Participant, StreamCommand
from calls.orders.coming import place_read
from calls.orders.order import (
    Arguments,
    CommandRefused,
    Given,
    Order,
    connection_id_of,
    mark_of,
    not_connected,
)
from streaming.protocol import NOBODY

INVITATION_SECONDS = 30
HOLDS = (CommandKind.HOLD, CommandKind.UNHOLD)

Asked = Callable[[Acs, StreamCommand], str]


def present_read(call: Call, given: Given) -> Arguments:
    """Return which participant is meant, or refuse one who is not there."""
    raw_id = str(given.get("participant") or "")
    if not raw_id:
        raise CommandRefused("Say which participant.")
    if raw_id in NOBODY:
        raise CommandRefused("That audio is no participant's.")
    if not call.participants.filter(raw_id=raw_id, left_at=None).exists():
        raise CommandRefused("That participant is not in the call.")
    return {"participant": raw_id}


def _mute_refusal(call: Call, arguments: Arguments) -> str:
    if _rows(call, arguments).filter(is_muted=True).exists():
        return "That participant is muted already."
    return not_connected(call)


def _hold_refusal(call: Call, arguments: Arguments) -> str:
    if _rows(call, arguments).filter(is_on_hold=True).exists():
        return "That participant is on hold already."
    return not_connected(call)


def _unhold_refusal(call: Call, arguments: Arguments) -> str:
    if _rows(call, arguments).filter(is_on_hold=False).exists():
        return "That participant is not on hold."
    return not_connected(call)


def _rows(call: Call, arguments: Arguments) -> QuerySet[Participant]:
    return call.participants.filter(raw_id=arguments["participant"])


def _asked(holds: Callable[[ParticipantState | None], bool], words: str) -> Asked:
    """Return a question about the participant an order names."""

    def ask(acs: Acs, command: StreamCommand) -> str:
        raw_id = command.arguments.get("participant") or command.arguments["target"]
        listed = acs.participants(connection_id_of(command.call))
        found = next((each for each in listed if each.raw_id == raw_id), None)
        return words if holds(found) else ""

    return ask


def _mute_send(acs: Acs, command: StreamCommand) -> None:
    acs.mute(*_whom(command), mark=mark_of(command))


def _hold_send(acs: Acs, command: StreamCommand) -> None:
    acs.hold(*_whom(command), mark=mark_of(command))


def _unhold_send(acs: Acs, command: StreamCommand) -> None:
    acs.unhold(*_whom(command), mark=mark_of(command))


def _remove_send(acs: Acs, command: StreamCommand) -> None:
    acs.remove_participant(*_whom(command), mark=mark_of(command))


def _whom(command: StreamCommand) -> tuple[str, str]:
    return connection_id_of(command.call), command.arguments["participant"]


def _add_read(call: Call, given: Given) -> Arguments:
    arguments = place_read(call, given)
    present = call.participants.filter(raw_id=arguments["target"], left_at=None)
    if present.exists():
        raise CommandRefused("That participant is in the call already.")
    return arguments


def _add_send(acs: Acs, command: StreamCommand) -> None:
    acs.add_participant(
        connection_id_of(command.call),
        command.arguments["target"],
        caller_id=command.arguments.get("caller_id", ""),
        seconds=INVITATION_SECONDS,
        mark=mark_of(command),
    )


def _transfer_send(acs: Acs, command: StreamCommand) -> None:
    acs.transfer(
        connection_id_of(command.call),
        command.arguments["target"],
        caller_id=command.arguments.get("caller_id", ""),
        mark=mark_of(command),
    )


ORDERS: dict[str, Order] = {
    CommandKind.MUTE: Order(
        permission="calls.control_participants",
        read=present_read,
        refusal=_mute_refusal,
        evidence=_asked(lambda one: one is not None and one.is_muted, "ACS says so."),
        send=_mute_send,
        asks_at_once=True,
        excludes=(CommandKind.MUTE,),
        per_participant=True,
    ),
    CommandKind.HOLD: Order(
        permission="calls.control_participants",
        read=present_read,
        refusal=_hold_refusal,
        evidence=_asked(lambda one: one is not None and one.is_on_hold, "ACS says so."),
        send=_hold_send,
        asks_at_once=True,
        is_repeatable=False,
        disproofs=frozenset({"HoldFailed"}),
        excludes=HOLDS,
        per_participant=True,
    ),
    CommandKind.UNHOLD: Order(
        permission="calls.control_participants",
        read=present_read,
        refusal=_unhold_refusal,
        evidence=_asked(
            lambda one: one is not None and not one.is_on_hold, "ACS says so."
        ),
        send=_unhold_send,
        asks_at_once=True,
        is_repeatable=False,
        excludes=HOLDS,
        per_participant=True,
    ),
    CommandKind.ADD_PARTICIPANT: Order(
        permission="calls.control_participants",
        read=_add_read,
        refusal=not_connected,
        evidence=_asked(lambda one: one is not None, "ACS lists them in the call."),
        send=_add_send,
        proofs=frozenset({"AddParticipantSucceeded"}),
        disproofs=frozenset({"AddParticipantFailed"}),
        excludes=(CommandKind.ADD_PARTICIPANT,),
        per_participant=True,
        takes_time=INVITATION_SECONDS,
    ),
    CommandKind.REMOVE_PARTICIPANT: Order(
        permission="calls.control_participants",
        read=present_read,
        refusal=not_connected,
        evidence=_asked(lambda one: one is None, "ACS no longer lists them."),
        send=_remove_send,
        proofs=frozenset({"RemoveParticipantSucceeded"}),
        disproofs=frozenset({"RemoveParticipantFailed"}),
        excludes=(CommandKind.REMOVE_PARTICIPANT,),
        per_participant=True,
    ),
    CommandKind.TRANSFER: Order(
        permission="calls.transfer_call",
        read=place_read,
        refusal=not_connected,
        send=_transfer_send,
        proofs=frozenset({"CallTransferAccepted"}),
        disproofs=frozenset({"CallTransferFailed"}),
        excludes=(CommandKind.TRANSFER, CommandKind.HANG_UP, CommandKind.LEAVE),
        takes_time=INVITATION_SECONDS,
    ),
}
