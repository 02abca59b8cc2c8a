"""Sending a command: once, or again when that cannot do harm."""

import logging
from contextlib import suppress
from datetime import datetime, timedelta
from secrets import SystemRandom
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone

from calls import pacing
from calls.acs import Acs, AcsRefused, acs
from calls.control.settling import call_end_if_gone, command_settle
from calls.models import CommandKind, CommandState, Evidence, StreamCommand
from calls.orders import ORDERS
from calls.orders.transcription import PAUSED
from calls.tracing import call_trace_leave, span
from calls.words import explain_refusal

MAX_ATTEMPTS = 6
FIRST_BACKOFF = 0.5
# A request and the question before it, each with its time limits, and some.
SENDING_SECONDS = 22
# How long ACS may need until what it took shows in its answers. In recorded calls
# streaming was up within 5.4 s of the answer, test waits included.
UNSURE_SECONDS = 6
# A question and an order.
COST = 2
TOO_MANY_REQUESTS = 429

log = logging.getLogger(__name__)
_random = SystemRandom()


def command_send(command_id: UUID, *, has_turn: bool = False) -> float | None:
    """Send a queued command, unless nothing is left to do.

    Returns the seconds after which to call this again, or None. A command that is not
    queued, or not due, is left alone: another worker has it. `has_turn`: it has waited
    for its turn under the rate limit already.
    """
    if not has_turn and (wait := _turn(command_id)):
        return _wait(command_id, wait)
    command = _claim(command_id)
    if command is None:
        return None
    try:
        # Of what ingest is told ACS need not know, nor be known.
        client: Any = acs() if ORDERS[command.kind].told == "ACS" else None
        _carry_out(client, command)
    except AcsRefused as refused:
        return _refused(command, refused)
    return None


def _turn(command_id: UUID) -> float:
    """Take a command's turn; return the seconds to wait for it."""
    queued = StreamCommand.objects.filter(pk=command_id, state=CommandState.QUEUED)
    command = queued.only("kind", "why").first()
    if command is None or ORDERS[command.kind].told != "ACS":
        return 0.0
    wait = pacing.turn_take(COST)
    # What it takes is taken from the others all the same.
    return 0.0 if _is_urgent(command) else wait


def _is_urgent(command: StreamCommand) -> bool:
    """Say whether a command does not wait; a pause does not for transcription either.

    What is said until then is written down.
    """
    is_pause = command.kind == CommandKind.STOP_TRANSCRIPTION and command.why == PAUSED
    return ORDERS[command.kind].is_urgent or is_pause


def _carry_out(client: Acs, command: StreamCommand) -> None:
    order = ORDERS[command.kind]
    found = order.evidence(client, command)
    if found:
        _confirm(command, found, Evidence.ASKED)
        return
    call_id, order_id = str(command.call_id), str(command.pk)
    structlog.contextvars.bind_contextvars(call_id=call_id)
    name = f"{order.told} {command.kind}"
    with span(name, kind="CLIENT", call_id=call_id, command_id=order_id):
        # Before the request: ACS may dial before it has answered.
        call_trace_leave(command.call_id)
        answer = order.send(client, command)
    taken = StreamCommand.objects.filter(pk=command.pk)
    taken.update(accepted_at=timezone.now())
    # A callback may have settled it before this answer came: its words stay.
    taken.filter(state=CommandState.SENT).update(result="")
    if answer:
        _confirm(command, answer, Evidence.ANSWER)
    elif order.asks_at_once:
        # Without an answer a sweep asks again: the order itself was taken.
        with suppress(AcsRefused):
            command_verify(client, command)


def _confirm(command: StreamCommand, words: str, evidence: Evidence) -> None:
    command_settle(command.id, CommandState.CONFIRMED, words=words, evidence=evidence)


def command_verify(client: Acs, command: StreamCommand) -> bool:
    """Ask ACS whether a command it took was carried out. True if that settled it.

    Refusals are for the next time, unless ACS no longer knows the call.
    """
    try:
        found = ORDERS[command.kind].evidence(client, command)
    except AcsRefused as refused:
        if refused.is_call_gone and call_end_if_gone(client, command.call):
            return True
        raise
    if found:
        _confirm(command, found, Evidence.ASKED)
    return bool(found)


def _wait(command_id: UUID, seconds: float) -> float | None:
    """Have a command wait for its turn. None if it is not queued any more."""
    turn = timezone.now() + timedelta(seconds=seconds)
    waiting = StreamCommand.objects.filter(pk=command_id, state=CommandState.QUEUED)
    return seconds if waiting.update(due_at=turn, not_before=turn) else None


def _claim(command_id: UUID) -> StreamCommand | None:
    now = timezone.now()
    # What has never waited is due, whatever the clock said of the machine it was asked
    # on: if that is a moment ahead, nobody would send it before the next sweep.
    is_due = Q(due_at__lte=now) | Q(attempts=0, not_before=None)
    due = StreamCommand.objects.filter(
        is_due,
        pk=command_id,
        state=CommandState.QUEUED,
        due_at__gt=now - timedelta(seconds=settings.COMMAND_TIMEOUT),
    )
    if not due.update(state=CommandState.SENT, sent_at=now, attempts=F("attempts") + 1):
        return None
    return StreamCommand.objects.select_related("call__profile").get(pk=command_id)


def _refused(command: StreamCommand, refused: AcsRefused) -> float | None:
    """Queue another try, or let the command fail."""
    if refused.code == TOO_MANY_REQUESTS:
        pacing.hold(refused.retry_after or FIRST_BACKOFF)
    if refused.is_call_gone and call_end_if_gone(acs(), command.call):
        return None
    if refused.may_have_arrived:
        # Whether it was carried out is not known: proof that comes late still counts.
        StreamCommand.objects.filter(pk=command.pk).update(is_unsure=True)
    words = explain_refusal(
        code=refused.code, subcode=refused.subcode, message=refused.message
    )
    is_unsure = refused.may_have_arrived and not ORDERS[command.kind].is_repeatable
    delay = _delay(command.attempts, refused, is_unsure=is_unsure)
    due_at = timezone.now() + timedelta(seconds=delay)
    in_time = due_at < _last_try(command)
    if refused.is_retryable and command.attempts < MAX_ATTEMPTS and in_time:
        log.warning("command %s: again in %.1f s: %s", command.id, delay, refused)
        waiting = StreamCommand.objects.filter(pk=command.pk, state=CommandState.SENT)
        again = waiting.update(
            state=CommandState.QUEUED, due_at=due_at, result=str(words)[:500]
        )
        return delay if again else None
    log.error("command %s failed: %s", command.id, refused)
    command_settle(
        command.id,
        CommandState.FAILED,
        code=refused.code,
        subcode=refused.subcode,
        words=str(words),
        evidence=Evidence.ANSWER if refused.code else Evidence.NONE,
    )
    return None


def _last_try(command: StreamCommand) -> datetime:
    begin = command.not_before or command.asked_at
    return begin + timedelta(seconds=settings.COMMAND_TIMEOUT)


def _delay(attempts: int, refused: AcsRefused, *, is_unsure: bool) -> float:
    """Return seconds to the next try: as ACS asked, else doubling; never in step.

    What may have been carried out is not repeated before ACS's own answers show it:
    starting twice makes ACS drop the socket.
    """
    if refused.retry_after is not None:
        delay = refused.retry_after + _random.uniform(0, FIRST_BACKOFF)
    else:
        delay = FIRST_BACKOFF * 2.0 ** (attempts - 1) * _random.uniform(1, 1.5)
    return max(delay, UNSURE_SECONDS) if is_unsure else delay
