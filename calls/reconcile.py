"""Calls whose end was never announced: ask ACS whether they are still up.

CallDisconnected is lost for good when our webhooks are away for longer than ACS repeats
it; such a call would be live for ever. ACS is asked only about calls that have been
quiet for long, and about a few at a time.
"""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from calls.acs import Acs, AcsRefused, acs
from calls.control import call_over
from calls.models import (
    Call,
    CallEvent,
    CallState,
    CommandKind,
    Connection,
    StreamCommand,
)
from calls.models.call import CallQuerySet

MAX_QUESTIONS = 20
ENDED_UNHEARD = "ACS no longer knows the call"

log = logging.getLogger(__name__)


def calls_reconcile(now: datetime) -> int:
    """End quiet calls that ACS says are over. Returns how many.

    What ACS does not answer plainly leaves a call as it is: the next sweep asks again.
    """
    ended, refusals = 0, 0
    for call in _quiet(now).order_by("?")[:MAX_QUESTIONS]:
        try:
            is_over = _is_over(acs(), call)
        except AcsRefused as refused:
            refusals += 1
            if refusals == 1:
                log.warning("call %s: is it up? No answer: %s", call.pk, refused)
            if refused.is_retryable or refused.code is None:
                # The others would fare no better, and each may take seconds.
                break
            continue
        if is_over:
            log.warning("call %s is over, and its end was never announced", call.pk)
            with transaction.atomic():
                ended += call_over(
                    call.pk, at=_last_sign(call) or now, reason=ENDED_UNHEARD
                )
    return ended


def _quiet(now: datetime) -> CallQuerySet:
    """Return calls that should be up and of which nothing was heard for the grace.

    In any order: with more of them than questions, chance gives each its turn.
    """
    since = now - timedelta(seconds=settings.FINISH_GRACE)
    own = {"call": OuterRef("pk")}
    sockets = Connection.objects.filter(
        Q(closed_at=None) | Q(closed_at__gt=since), **own
    )
    events = CallEvent.objects.filter(received_at__gt=since, **own)
    answers = StreamCommand.objects.open().filter(kind=CommandKind.ANSWER, **own)
    return (
        Call.objects.filter(
            state__in=(CallState.ANSWERING, CallState.CONNECTED), rang_at__lte=since
        )
        .exclude(connection_id=None)
        .exclude(connection_id="")
        .exclude(Exists(sockets))
        .exclude(Exists(events))
        .exclude(Exists(answers))
    )


def _is_over(client: Acs, call: Call) -> bool:
    try:
        return client.properties(call.connection_id or "").state == "disconnected"
    except AcsRefused as refused:
        if refused.is_call_gone:
            return True
        raise


def _last_sign(call: Call) -> datetime | None:
    """Return when ACS closed the last socket, if it would have kept it till the end."""
    if not call.desired_streaming:
        return None
    last = call.connections.order_by("closed_at").last()
    return last.closed_at if last else None
