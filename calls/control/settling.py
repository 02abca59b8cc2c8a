"""Ending commands by evidence, and what that means for their calls."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from calls import lifecycle
from calls.acs import Acs, AcsRefused
from calls.alarms.raising import command_alarm_update, no_audio_alarm_raise
from calls.alarms.store import alarms_clear
from calls.control.asking import transcription_follow
from calls.control.counting import command_count
from calls.finishing_queue import call_finish_soon
from calls.live.ingest import board_poke
from calls.models import (
    Call,
    CommandKind,
    CommandState,
    Evidence,
    Participant,
    StreamCommand,
    StreamingState,
)
from calls.models.control import OPEN_COMMAND_STATES
from calls.orders import ORDERS

OPEN = Q(state__in=OPEN_COMMAND_STATES)
CONCLUDED = Q(state=CommandState.TIMED_OUT) | Q(
    Q(result_code=None) | Q(is_unsure=True), state=CommandState.FAILED
)
ENDED_UNHEARD = "ACS no longer knows the call"

_COMING = (CommandKind.ANSWER, CommandKind.PLACE_CALL, CommandKind.CONNECT_CALL)
_TURNED_AWAY = {
    CommandKind.REJECT: "It was rejected.",
    CommandKind.REDIRECT: "It was redirected.",
}


def command_settle(
    command_id: UUID,
    state: CommandState,
    *,
    code: int | None = None,
    subcode: int | None = None,
    words: str = "",
    evidence: Evidence = Evidence.NONE,
    is_proof: bool = False,
) -> bool:
    """End a command as confirmed, failed or timed out. False if it had ended.

    With `is_proof` (ACS's own word on this command) what was only concluded is
    overruled. What follows for the call is done in the same transaction.
    """
    endable = OPEN | CONCLUDED if is_proof else OPEN
    now = timezone.now()
    with transaction.atomic():
        # The call before its commands, as callbacks do: else two would wait in a ring.
        calls = Call.objects.select_for_update(of=("self",))
        calls.filter(commands=command_id).first()
        settled = StreamCommand.objects.filter(endable, pk=command_id).update(
            state=state,
            settled_at=now,
            result_code=code,
            result_subcode=subcode,
            result=words[:500],
            evidence=evidence,
        )
        if settled:
            command = StreamCommand.objects.select_related("call").get(pk=command_id)
            _follow(command, at=now)
            command_alarm_update(command, at=now)
            command_count(command)
            board_poke()
    return bool(settled)


def _follow(command: StreamCommand, *, at: datetime) -> None:
    """Let the call show what a settled command means for it."""
    is_done = command.state == CommandState.CONFIRMED
    kind = CommandKind(command.kind)
    if kind in _COMING:
        _follow_coming(command, at=at)
    elif is_done and kind in _TURNED_AWAY:
        lifecycle.call_failed(command.call_id, at=at, code=0, reason=command.result)
    elif is_done and kind in (CommandKind.HANG_UP, CommandKind.LEAVE):
        call_end(command.call_id, at=at, reason=command.result)
    _follow_shown(command, at=at)
    _follow_pause(command, at=at)
    transcription_follow(command)
    if is_done:
        _follow_participant(command)


def _follow_coming(command: StreamCommand, *, at: datetime) -> None:
    if command.state != CommandState.CONFIRMED:
        lifecycle.call_failed(command.call_id, at=at, reason=command.result)
    elif command.evidence == Evidence.ASKED and command.call.is_live:
        lifecycle.call_connected(command.call_id, at=at)


def _follow_shown(command: StreamCommand, *, at: datetime) -> None:
    shown = ORDERS[command.kind].shown
    if shown is None:
        return
    is_done = command.state == CommandState.CONFIRMED
    changes: dict[str, object] = {
        shown.column: shown.confirmed if is_done else shown.failed,
        shown.reason: "" if is_done else command.result,
    }
    if shown.column == "streaming_state":
        changes["streaming_at"] = at
    Call.objects.filter(pk=command.call_id, **{shown.column: shown.asked}).update(
        **changes
    )


def _follow_pause(command: StreamCommand, *, at: datetime) -> None:
    """Show a call as paused from when that was asked for, unless it failed."""
    is_done = command.state == CommandState.CONFIRMED
    call = Call.objects.filter(pk=command.call_id)
    if command.kind == CommandKind.PAUSE and is_done:
        call.live().filter(paused_at=None).update(
            paused_at=at, paused_why=command.arguments.get("reason", "")
        )
    is_over = command.kind == CommandKind.PAUSE and not is_done
    if is_over or (command.kind == CommandKind.RESUME and is_done):
        call.update(paused_at=None, paused_why="")


def _follow_participant(command: StreamCommand) -> None:
    raw_id = command.arguments.get("participant")
    rows = Participant.objects.filter(call_id=command.call_id, raw_id=raw_id)
    match command.kind:
        case CommandKind.MUTE:
            rows.update(is_muted=True)
        case CommandKind.HOLD:
            rows.update(is_on_hold=True)
        case CommandKind.UNHOLD:
            rows.update(is_on_hold=False)
        case _:
            pass


def call_end(
    call_id: UUID,
    *,
    at: datetime,
    code: int | None = None,
    subcode: int | None = None,
    reason: str,
) -> bool:
    """End a call: its state, its open commands, and its recordings to be made.

    False if that was known. Call it inside a transaction.
    """
    if not lifecycle.call_ended(
        call_id, at=at, code=code, subcode=subcode, reason=reason
    ):
        return False
    alarms_clear(Q(call_id=call_id), at=at)
    call = Call.objects.select_related("profile").get(pk=call_id)
    if call.streaming_state == StreamingState.FAILED and call.last_packet_at is None:
        no_audio_alarm_raise(call, at=at)
    for command in StreamCommand.objects.open().filter(call_id=call_id):
        state, words = ORDERS[command.kind].at_call_end
        command_settle(command.id, state, words=words, evidence=Evidence.CONCLUDED)
    call_finish_soon(call_id)
    return True


def call_end_if_gone(client: Acs, call: Call) -> bool:
    """End a call that ACS no longer knows. False if it does, or does not say.

    An order's 404 may be about a participant: the call itself is asked for.
    """
    if not call.connection_id:
        return False
    try:
        client.properties(call.connection_id)
    except AcsRefused as refused:
        if not refused.is_call_gone:
            return False
        with transaction.atomic():
            call_end(call.pk, at=timezone.now(), reason=ENDED_UNHEARD)
        return True
    return False


def streaming_seen(
    call_id: UUID, state: StreamingState, *, at: datetime, reason: str = ""
) -> bool:
    """Note what media shows of a call's streaming. True if that changed its state.

    `at` is when it was seen, by our clock: a socket's opening, the arrival of its last
    packet, its end (of a call's last socket). What was seen before the present state
    came about is ignored: packets that lay in a batch do not undo a stop.
    """
    with transaction.atomic():
        changed = lifecycle.streaming_state_see(call_id, state, at=at, reason=reason)
        if changed and state == StreamingState.STREAMING:
            lifecycle.call_connected(call_id, at=at)
        if changed:
            _settle_by_media(call_id, state)
    return changed


def _settle_by_media(call_id: UUID, state: StreamingState) -> None:
    kinds = [kind for kind, order in ORDERS.items() if order.media_proof == state]
    # Only what was sent: a socket that drops by itself obeys no order.
    proved = StreamCommand.objects.filter(
        call_id=call_id, kind__in=kinds, state=CommandState.SENT
    )
    words = "Audio arrives." if state == StreamingState.STREAMING else "Audio ceased."
    for command in proved:
        command_settle(
            command.id,
            CommandState.CONFIRMED,
            words=words,
            evidence=Evidence.MEDIA,
            is_proof=True,
        )
