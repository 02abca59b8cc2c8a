"""What a beat does about commands: time out, ask after, take back, send again."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from calls import pacing
from calls.acs import AcsRefused, acs
from calls.control.queueing import command_queue
from calls.control.sending import MAX_ATTEMPTS, SENDING_SECONDS, command_verify
from calls.control.settling import command_settle
from calls.models import CommandState, Evidence, StreamCommand, Utterance
from calls.orders import ORDERS
from calls.utterances import is_held

LOST_TASK_SECONDS = 5
# Callbacks come within a second or two; only what stays open longer is asked after.
VERIFY_SECONDS = 3
UNHEARD_SECONDS = 12
MAX_QUESTIONS = 20

log = logging.getLogger(__name__)


def commands_time_out(now: datetime) -> int:
    """End commands that have waited too long. Returns how many."""
    count = 0
    # What stands in line behind something that is heard is not late.
    queued = Utterance.objects.filter(
        is_held(now), command=OuterRef("pk"), state=Utterance.State.QUEUED
    )
    for command in StreamCommand.objects.filter(_late(now)).exclude(Exists(queued)):
        words = _silence(command)
        if command_settle(
            command.id,
            CommandState.TIMED_OUT,
            words=words,
            evidence=Evidence.CONCLUDED,
        ):
            log.error("command %s timed out: %s", command.id, words)
            count += 1
    return count


def _late(now: datetime) -> Q:
    """Return which commands have waited too long: those that ring people wait more."""
    before = now - timedelta(seconds=settings.COMMAND_TIMEOUT)
    late = Q(state=CommandState.QUEUED, due_at__lt=before)
    for seconds in {order.takes_time for order in ORDERS.values()}:
        kinds = [kind for kind, each in ORDERS.items() if each.takes_time == seconds]
        late |= Q(
            state=CommandState.SENT,
            kind__in=kinds,
            sent_at__lt=before - timedelta(seconds=seconds),
        )
    return late


def _silence(command: StreamCommand) -> str:
    if command.state == CommandState.QUEUED:
        return "It was never sent: no worker took it in time. Check that one runs."
    if ORDERS[command.kind].told == "Ingest":
        return (
            "Ingest was told, but nothing was heard of it: no ingest process has this"
            " call's socket."
        )
    if command.accepted_at is None:
        return "It was sent, but no answer of ACS was recorded."
    if command.result:
        return f"ACS took the order. {command.result}"
    return (
        "ACS took the order, but nothing has shown that it was carried out. Check that"
        " ACS reaches our webhooks."
    )


def commands_verify(now: datetime) -> int:
    """Ask ACS after commands of which no callback came. Returns how many it settled."""
    kinds = [kind for kind, order in ORDERS.items() if order.can_be_asked]
    # A worker may have died before it could say that ACS took the order.
    unheard = Q(accepted_at=None, sent_at__lt=now - timedelta(seconds=UNHEARD_SECONDS))
    waiting = StreamCommand.objects.filter(
        unheard | Q(accepted_at__lt=now - timedelta(seconds=VERIFY_SECONDS)),
        state=CommandState.SENT,
        kind__in=kinds,
    )
    settled = 0
    for command in waiting.select_related("call").order_by("sent_at")[:MAX_QUESTIONS]:
        if not pacing.turn_wait(1):
            break
        try:
            settled += command_verify(acs(), command)
        except AcsRefused as refused:
            log.warning("command %s: done? No answer: %s", command.id, refused)
            if refused.is_retryable or refused.code is None:
                # The others would fare no better, and each may take seconds.
                break
        else:
            _note_not_yet(command)
    return settled


def _note_not_yet(command: StreamCommand) -> None:
    """Keep what ACS said, for whoever looks, and for the words of a time-out."""
    StreamCommand.objects.filter(
        pk=command.pk, state=CommandState.SENT, accepted_at__isnull=False
    ).update(result="Asked again, it does not say that the order was carried out.")


def commands_sweep(now: datetime) -> None:
    """Time out, take back from workers that died, and send what was not queued."""
    # First: after a pause of the beat much is late that was carried out in time.
    commands_verify(now)
    commands_time_out(now)
    held = StreamCommand.objects.filter(
        state=CommandState.SENT,
        accepted_at=None,
        sent_at__lt=now - timedelta(seconds=SENDING_SECONDS),
        attempts__lt=MAX_ATTEMPTS,
    )
    for command_id in list(held.values_list("id", flat=True)):
        # One row each: a statement that locks several could meet a callback's.
        taken = held.filter(pk=command_id).update(
            state=CommandState.QUEUED, due_at=now, is_unsure=True
        )
        if taken:
            log.warning("command %s: its worker is gone; another takes it", command_id)
            command_queue(command_id)
    lost = StreamCommand.objects.filter(
        state=CommandState.QUEUED,
        due_at__lt=now - timedelta(seconds=LOST_TASK_SECONDS),
    )
    for command_id in lost.values_list("id", flat=True):
        command_queue(command_id)
