"""A call rings: it becomes a row, the answering rules decide, ACS is told.

ACS may tell of one ring twice, under two event ids. Copies have the same correlation
id, server call id, caller and called party, and say that it rang at the same time, give
or take seconds. Legs of one call share the correlation id but not all four; and
somebody who was in a call, left and is rung again, rings later or after the first
call's end.

Of two copies that come at the same moment the database settles which is the call: its
key follows from those four, so the second cannot be stored.
"""

import logging
from datetime import datetime, timedelta
from itertools import count
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction

from calls import control, identity
from calls.envelopes import Event, text_of
from calls.models import (
    AnswerRule,
    Call,
    CallState,
    CommandKind,
    Retention,
    StreamingProfile,
)
from calls.policy.deciding import Decision, Ring, decide

SAME_RING = timedelta(seconds=10)

log = logging.getLogger(__name__)


def call_take(event: Event, *, context: str, received_at: datetime) -> Call:
    """Return the call that an IncomingCall tells of, new or known, and act on it once.

    `context` is the right to answer it. Must run in the transaction that stores the
    event.
    """
    at = event.happened_at or received_at
    call_id, known = _key(event, at)
    if known is not None:
        return known
    ring = Ring(
        from_raw_id=text_of(event.part("from"), "rawId")[:255],
        to_raw_id=text_of(event.part("to"), "rawId")[:255],
        at=at,
        key="\n".join(_ids(event)) if any(_ids(event)) else event.id,
    )
    decision = decide(ring, AnswerRule.objects.in_order())
    _warn(decision)
    call = _row(call_id, event, ring, decision)
    if decision.action == AnswerRule.Action.ANSWER:
        call.incoming_call_context = context
        call.stream_as(decision.profile or StreamingProfile.default())
    elif decision.action == AnswerRule.Action.IGNORE:
        call.state, call.ended_at, call.duration_ms = CallState.FAILED, at, 0
        call.end_reason = f"Not answered: {decision.reason}"[:500]
    else:
        call.incoming_call_context = context
    try:
        with transaction.atomic():
            call.save(force_insert=True)
    except IntegrityError:
        # Its copy was quicker by a moment, and has been committed since.
        return Call.objects.get(pk=call_id)
    _tell_acs(call, decision)
    return call


def _ids(event: Event) -> tuple[str, str]:
    return event.text("correlationId", 128), text_of(event.data, "serverCallId")


def _key(event: Event, at: datetime) -> tuple[UUID, Call | None]:
    """Return the key of the ring that an event tells of, and its call if it is known.

    Without both ids nothing says that two events are one call.
    """
    ids = _ids(event)
    if not all(ids):
        return uuid4(), None
    parties = (text_of(event.part(name), "rawId") for name in ("from", "to"))
    ring = "\n".join((*ids, *parties))
    for number in count():
        call_id = identity.ring_id(ring, number)
        call = Call.objects.filter(pk=call_id).first()
        if call is None or _is_same(call, at):
            return call_id, call
    raise AssertionError("count() never ends")


def _is_same(call: Call, at: datetime) -> bool:
    was_over = call.state == CallState.ENDED and call.ended_at and call.ended_at <= at
    return abs(call.rang_at - at) <= SAME_RING and not was_over


def _row(call_id: UUID, event: Event, ring: Ring, decision: Decision) -> Call:
    correlation_id, server_call_id = _ids(event)
    return Call(
        id=call_id,
        server_call_id=server_call_id,
        correlation_id=correlation_id,
        from_raw_id=ring.from_raw_id,
        to_raw_id=ring.to_raw_id,
        caller_name=event.text("callerDisplayName"),
        rang_at=ring.at,
        rule=decision.rule,
        retention=Retention.STANDARD,
    )


def _tell_acs(call: Call, decision: Decision) -> None:
    rule = decision.rule
    match decision.action:
        case AnswerRule.Action.ANSWER:
            _ask(call, CommandKind.ANSWER, decision, {})
        case AnswerRule.Action.REJECT if rule:
            reason = {"reason": rule.reject_reason}
            _ask(call, CommandKind.REJECT, decision, reason)
        case AnswerRule.Action.REDIRECT if rule:
            target = {"target": rule.target}
            _ask(call, CommandKind.REDIRECT, decision, target)
        case _:
            log.info("call %s: ignored by rule %s", call.pk, rule and rule.pk)


def _ask(
    call: Call, kind: CommandKind, decision: Decision, arguments: dict[str, str]
) -> None:
    control.command_ask(call=call, kind=kind, why=decision.reason, arguments=arguments)


def _warn(decision: Decision) -> None:
    """Log the rules that had to be passed over; what is in them stays out of logs."""
    for each in decision.considered:
        faults = each.rule.faults() if each.rule.enabled and not each.matched else {}
        if faults:
            fields = ", ".join(faults)
            log.error("answering rule %d is not applied: %s", each.rule.pk, fields)
