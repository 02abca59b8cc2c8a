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
_PAUSES = (CommandKind.PAUSE, CommandKind.RESUME)


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
        if kind == CommandKind.PAUSE:
            _transcription_stop(command)
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


def transcription_follow(settled: StreamCommand) -> None:
    """Let transcription follow a pause, or its end, by what is settled now.

    A pause stops it at once, unless another order about it is under way: then when that
    is settled. It is taken up when the recording is: not by an order to resume that
    fails, but also after a pause that failed.
    """
    if settled.kind not in (*_PAUSES, *TRANSCRIPTION_KINDS):
        return
    # Read anew: its call shows what settling has made of it.
    orders = StreamCommand.objects.filter(call_id=settled.call_id)
    pause = orders.filter(kind=CommandKind.PAUSE).order_by("-asked_at").first()
    if pause is None:
        return
    is_of_recording = settled.kind in _PAUSES
    if end := _end_of(pause):
        is_due = settled.asked_at < end.asked_at or settled.why == PAUSED
        if is_of_recording or is_due:
            _transcription_take_up(end)
        return
    # What was asked for during the pause is left alone.
    is_late = not is_of_recording and settled.asked_at < pause.asked_at
    if is_late and pause.call.paused_at:
        _transcription_stop(pause)


def _end_of(pause: StreamCommand) -> StreamCommand | None:
    """Return the order that has ended a pause: its own, if that failed."""
    if pause.state not in (*OPEN_COMMAND_STATES, CommandState.CONFIRMED):
        return pause
    ends = StreamCommand.objects.filter(
        call_id=pause.call_id,
        kind=CommandKind.RESUME,
        state=CommandState.CONFIRMED,
        asked_at__gt=pause.asked_at,
    )
    return ends.first()


def _transcription_stop(pause: StreamCommand) -> None:
    # Whoever pauses for a card number wants no transcript of it either.
    if pause.call.transcription_state in (
        TranscriptionState.REQUESTED,
        TranscriptionState.RUNNING,
    ):
        _companion_ask(pause, CommandKind.STOP_TRANSCRIPTION, PAUSED)


def _transcription_take_up(end: StreamCommand) -> None:
    stops = end.call.commands.filter(kind=CommandKind.STOP_TRANSCRIPTION)
    last = stops.order_by("-asked_at").first()
    # Else somebody stopped it for another reason.
    if (
        last
        and last.why == PAUSED
        and end.call.transcription_state
        in (
            TranscriptionState.STOPPING,
            TranscriptionState.STOPPED,
        )
    ):
        _companion_ask(end, CommandKind.START_TRANSCRIPTION, _RESUMED)


def _companion_ask(command: StreamCommand, kind: CommandKind, why: str) -> None:
    """Ask in the name of who gave an order for what belongs to it, if that may be."""
    if not command_refusal(command.call, kind, {}):
        command_ask(
            call=command.call,
            kind=kind,
            asked_by=command.asked_by,
            why=why,
            bulk_id=command.bulk_id,
        )
