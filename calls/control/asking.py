"""Writing a command down, if it makes sense."""

from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from calls.control.queueing import command_queue
from calls.models import (
    Call,
    CommandKind,
    CommandState,
    StreamCommand,
    TranscriptionState,
)
from calls.models.control import OPEN_COMMAND_STATES
from calls.orders import (
    ORDERS,
    Arguments,
    CommandRefused,
    Given,
    Order,
    given_of,
    under_way,
)
from calls.orders.transcription import KINDS as TRANSCRIPTION_KINDS
from calls.orders.transcription import PAUSED

if TYPE_CHECKING:
    from datetime import datetime

    from django.contrib.auth.models import User

_RESUMED = "Recording was resumed."
# Whoever pauses for a card number wants no transcript of it either.
_COMPANIONS = {
    CommandKind.PAUSE: (
        CommandKind.STOP_TRANSCRIPTION,
        (TranscriptionState.REQUESTED, TranscriptionState.RUNNING),
    ),
    CommandKind.RESUME: (
        CommandKind.START_TRANSCRIPTION,
        (TranscriptionState.STOPPING, TranscriptionState.STOPPED),
    ),
}


def command_ask(
    *,
    call: Call,
    kind: CommandKind,
    asked_by: "User | None" = None,
    why: str = "",
    arguments: Given | None = None,
    bulk_id: UUID | None = None,
) -> StreamCommand:
    """Write a command down and have it sent once that is committed.

    Raises `CommandRefused` if it makes no sense for the call as it stands. If the
    broker is down, `commands_sweep` sends it.
    """
    order = ORDERS[kind]
    with transaction.atomic():
        # Two operators who press at once: the second sees what the first asked.
        call = Call.objects.select_for_update().get(pk=call.pk)
        read = order.read(call, given_of(arguments or {}))
        reason = _refusal(order, call, read)
        if reason:
            raise CommandRefused(reason)
        now = timezone.now()
        command = StreamCommand.objects.create(
            call=call,
            kind=kind,
            asked_by=asked_by,
            why=(why or read.get("reason", ""))[:255],
            arguments=read,
            bulk_id=bulk_id,
            asked_at=now,
            due_at=now,
        )
        _show(command, order, at=now)
        _companion_ask(command, asked_by)
        transaction.on_commit(partial(command_queue, command.id))
    return command


def command_refusal(call: Call, kind: CommandKind, arguments: Given) -> str:
    """Return why `command_ask` would refuse just now, for a preview; empty if not."""
    order = ORDERS[kind]
    try:
        return _refusal(order, call, order.read(call, given_of(arguments)))
    except CommandRefused as refused:
        return str(refused)


def _refusal(order: Order, call: Call, arguments: Arguments) -> str:
    return order.refusal(call, arguments) or under_way(
        order, arguments, call.commands.open().order_by("-asked_at")
    )


def _show(command: StreamCommand, order: Order, *, at: "datetime") -> None:
    """Let the call show what was asked."""
    changes: dict[str, object] = {}
    if shown := order.shown:
        changes |= {
            shown.wanted: shown.is_wanted,
            shown.column: shown.asked,
            shown.reason: "",
        }
        if shown.column == "streaming_state":
            changes["streaming_at"] = at
    if command.kind == CommandKind.PAUSE:
        changes |= {"paused_at": at, "paused_why": command.arguments["reason"]}
    if changes:
        Call.objects.filter(pk=command.call_id).update(**changes)


def _companion_ask(command: StreamCommand, asked_by: "User | None") -> None:
    """Pause and resume transcription with the recording, if it ran."""
    kind, states = _COMPANIONS.get(CommandKind(command.kind), (None, ()))
    call = command.call
    if kind is None or call.transcription_state not in states:
        return
    stops = call.commands.filter(kind=CommandKind.STOP_TRANSCRIPTION)
    last = stops.order_by("-asked_at").first()
    if command.kind == CommandKind.RESUME and (last is None or last.why != PAUSED):
        # Somebody stopped it for another reason.
        return
    if command_refusal(call, kind, {}):
        return
    command_ask(
        call=call,
        kind=kind,
        asked_by=asked_by,
        why=PAUSED if command.kind == CommandKind.PAUSE else _RESUMED,
        bulk_id=command.bulk_id,
    )


def companion_make_up(settled: StreamCommand) -> None:
    """Let transcription follow a pause, or its end, that it could not follow at once.

    Another order about it was under way then, which has `settled` now.
    """
    if settled.kind not in TRANSCRIPTION_KINDS:
        return
    # Read anew: its call shows what settling has made of it.
    orders = StreamCommand.objects.filter(call_id=settled.call_id, kind__in=_COMPANIONS)
    last = orders.order_by("-asked_at").first()
    if last is None or last.asked_at <= settled.asked_at:
        return
    if last.state not in (*OPEN_COMMAND_STATES, CommandState.CONFIRMED):
        return
    if last.kind == CommandKind.PAUSE and not last.call.paused_at:
        return
    _companion_ask(last, last.asked_by)
