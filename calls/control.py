"""Orders to ACS, from asking to evidence.

    queued ──▶ sent ──▶ confirmed | failed | timed out
       ▲────────┘ another try is due

A command is a row first, a Celery task second, a request third. It is confirmed only by
evidence: a callback that names it, media that really starts or ends, or ACS saying that
nothing was left to do. Every step is a conditional UPDATE, so of a worker, a callback
and a sweep that meet, one wins and the others change nothing.

What was only concluded (a time-out, an order nobody answered, a call that ended first)
is overruled by proof that comes late. What ACS itself refused is not.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from secrets import SystemRandom
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from calls import lifecycle
from calls.acs import AcsRefused, acs
from calls.models import (
    Call,
    CommandKind,
    CommandState,
    StreamCommand,
    StreamingState,
)
from calls.models.control import OPEN_COMMAND_STATES
from calls.orders import ORDERS
from calls.words import explain_refusal

if TYPE_CHECKING:
    from celery import Task
    from django.contrib.auth.models import User

MAX_ATTEMPTS = 6
FIRST_BACKOFF = 0.5
# A request and the question before it, each with its time limits, and some.
SENDING_SECONDS = 22
LOST_TASK_SECONDS = 5

OPEN = Q(state__in=OPEN_COMMAND_STATES)
CONCLUDED = Q(state=CommandState.TIMED_OUT) | Q(
    state=CommandState.FAILED, result_code=None
)

log = logging.getLogger(__name__)
_random = SystemRandom()


class CommandRefused(Exception):  # noqa: N818 the operator's to read, not an error
    """A command that makes no sense for the call now; the message says why."""


def command_ask(
    *,
    call: Call,
    kind: CommandKind,
    asked_by: "User | None" = None,
    why: str = "",
) -> StreamCommand:
    """Write a command down and have it sent once that is committed.

    Raises `CommandRefused` if it makes no sense for the call as it stands. If the
    broker is down, `commands_sweep` sends it.
    """
    order, now = ORDERS[kind], timezone.now()
    with transaction.atomic():
        # Two operators who press at once: the second sees what the first asked.
        call = Call.objects.select_for_update().get(pk=call.pk)
        reason = order.refusal(call) or _under_way(call, order.excludes)
        if reason:
            raise CommandRefused(reason)
        command = StreamCommand.objects.create(
            call=call,
            kind=kind,
            asked_by=asked_by,
            why=why[:255],
            asked_at=now,
            due_at=now,
        )
        if order.streaming:
            Call.objects.filter(pk=call.pk).update(
                desired_streaming=order.streaming.is_wanted,
                streaming_state=order.streaming.asked,
                streaming_reason="",
                streaming_at=now,
            )
        transaction.on_commit(partial(_queue, command.id))
    return command


def _under_way(call: Call, kinds: Iterable[CommandKind]) -> str:
    other = call.commands.filter(OPEN, kind__in=kinds).first()
    return f"“{other.get_kind_display()}” is still under way." if other else ""


def command_send(command_id: UUID) -> float | None:
    """Send a queued command, unless nothing is left to do.

    Returns the seconds after which to call this again, or None. A command that is not
    queued, or not due, is left alone: another worker has it.
    """
    command = _claim(command_id)
    if command is None:
        return None
    order = ORDERS[command.kind]
    try:
        client = acs()
        evidence = order.already(client, command.call)
        if not evidence:
            order.send(client, command)
    except AcsRefused as refused:
        return _refused(command, refused)
    if evidence:
        command_settle(command.id, CommandState.CONFIRMED, words=evidence)
    else:
        StreamCommand.objects.filter(pk=command.pk).update(accepted_at=timezone.now())
    return None


def _claim(command_id: UUID) -> StreamCommand | None:
    now = timezone.now()
    due = StreamCommand.objects.filter(
        pk=command_id, state=CommandState.QUEUED, due_at__lte=now
    ).filter(due_at__gt=now - _timeout())
    if not due.update(state=CommandState.SENT, sent_at=now, attempts=F("attempts") + 1):
        return None
    return StreamCommand.objects.select_related("call__profile").get(pk=command_id)


def _refused(command: StreamCommand, refused: AcsRefused) -> float | None:
    """Queue another try, or let the command fail."""
    delay = _delay(command.attempts, refused)
    due_at = timezone.now() + timedelta(seconds=delay)
    in_time = due_at < command.asked_at + _timeout()
    if refused.is_retryable and command.attempts < MAX_ATTEMPTS and in_time:
        log.warning("command %s: again in %.1f s: %s", command.id, delay, refused)
        waiting = StreamCommand.objects.filter(pk=command.pk, state=CommandState.SENT)
        again = waiting.update(
            state=CommandState.QUEUED, due_at=due_at, result=refused.message[:500]
        )
        return delay if again else None
    log.error("command %s failed: %s", command.id, refused)
    command_settle(
        command.id,
        CommandState.FAILED,
        code=refused.code,
        subcode=refused.subcode,
        words=str(
            explain_refusal(
                code=refused.code, subcode=refused.subcode, message=refused.message
            )
        ),
    )
    return None


def _delay(attempts: int, refused: AcsRefused) -> float:
    """Return seconds to the next try: as ACS asked, else doubling; never in step."""
    if refused.retry_after is not None:
        return refused.retry_after + _random.uniform(0, FIRST_BACKOFF)
    return FIRST_BACKOFF * 2.0 ** (attempts - 1) * _random.uniform(1, 1.5)


def command_settle(
    command_id: UUID,
    state: CommandState,
    *,
    code: int | None = None,
    subcode: int | None = None,
    words: str = "",
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
        )
        if settled:
            command = StreamCommand.objects.select_related("call").get(pk=command_id)
            _follow(command, at=now)
    return bool(settled)


def _follow(command: StreamCommand, *, at: datetime) -> None:
    """Let the call show what a settled command means for it."""
    confirmed = command.state == CommandState.CONFIRMED
    if command.kind == CommandKind.ANSWER and not confirmed:
        lifecycle.call_failed(command.call_id, at=at, reason=command.result)
    if command.kind == CommandKind.HANG_UP and confirmed:
        call_over(command.call_id, at=at, reason=command.result)
    shown = ORDERS[command.kind].streaming
    if shown:
        Call.objects.filter(pk=command.call_id, streaming_state=shown.asked).update(
            streaming_state=shown.confirmed if confirmed else shown.failed,
            streaming_reason="" if confirmed else command.result,
            streaming_at=at,
        )


def call_over(
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
    from calls.services import call_finish_soon  # services tells control of sockets

    if not lifecycle.call_ended(
        call_id, at=at, code=code, subcode=subcode, reason=reason
    ):
        return False
    for command in StreamCommand.objects.open().filter(call_id=call_id):
        state, words = ORDERS[command.kind].at_call_end
        command_settle(command.id, state, words=words)
    call_finish_soon(call_id)
    return True


def streaming_seen(
    call_id: UUID, state: StreamingState, *, at: datetime, reason: str = ""
) -> bool:
    """Note what media shows of a call's streaming. True if that changed its state.

    `at` is when it was seen, by our clock: a socket's opening, the arrival of its last
    packet, its end (of a call's last socket). What was seen before the present state
    came about is ignored: packets that lay in a batch do not undo a stop.
    """
    with transaction.atomic():
        changed = lifecycle.streaming_seen(call_id, state, at=at, reason=reason)
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
        command_settle(command.id, CommandState.CONFIRMED, words=words, is_proof=True)


def commands_time_out(now: datetime) -> int:
    """End commands that have waited too long. Returns how many."""
    before = now - _timeout()
    late = Q(state=CommandState.SENT, sent_at__lt=before) | Q(
        state=CommandState.QUEUED, due_at__lt=before
    )
    count = 0
    for command in StreamCommand.objects.filter(late):
        words = _silence(command)
        if command_settle(command.id, CommandState.TIMED_OUT, words=words):
            log.error("command %s timed out: %s", command.id, words)
            count += 1
    return count


def _silence(command: StreamCommand) -> str:
    if command.state == CommandState.QUEUED:
        return "It was never sent: no worker took it in time. Check that one runs."
    if command.accepted_at is None:
        return "It was sent, but no answer of ACS was recorded."
    return (
        "ACS took the order, but nothing has shown that it was carried out. Check that"
        " ACS reaches our webhooks."
    )


def commands_sweep(now: datetime) -> None:
    """Time out, take back from workers that died, and send what was not queued."""
    commands_time_out(now)
    held = StreamCommand.objects.filter(
        state=CommandState.SENT,
        accepted_at=None,
        sent_at__lt=now - timedelta(seconds=SENDING_SECONDS),
        attempts__lt=MAX_ATTEMPTS,
    )
    for command_id in list(held.values_list("id", flat=True)):
        # One row each: a statement that locks several could meet a callback's.
        held.filter(pk=command_id).update(state=CommandState.QUEUED, due_at=now)
    lost = StreamCommand.objects.filter(
        state=CommandState.QUEUED,
        due_at__lt=now - timedelta(seconds=LOST_TASK_SECONDS),
    )
    for command_id in lost.values_list("id", flat=True):
        _queue(command_id)


def _queue(command_id: UUID) -> None:
    from calls.tasks import send_command  # tasks imports this module

    task_send(send_command, str(command_id))


def task_send(
    task: "Task[Any, Any]",
    *args: str,
    queue: str | None = None,
    countdown: float | None = None,
) -> bool:
    """Hand a task to the broker. False, and a log line, if it cannot be reached.

    It never raises: every task sent this way has a sweep that finds what was not.
    """
    try:
        # A connection of its own: the pool's would try for six seconds, and a webhook
        # has to answer fast.
        with task.app.connection_for_write(transport_options={"max_retries": 0}) as to:
            options: dict[str, Any] = {"queue": queue, "countdown": countdown}
            task.apply_async(args, retry=False, **options | {"connection": to})
    except (OperationalError, RedisError, OSError) as exc:
        log.error("task %s was not queued: %s", task.name, type(exc).__name__)
        return False
    return True


def _timeout() -> timedelta:
    return timedelta(seconds=settings.COMMAND_TIMEOUT)
