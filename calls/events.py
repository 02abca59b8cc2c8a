"""What ACS tells us, stored as received and applied to its call.

Events come twice, late and out of order. Each is one row (its id is unique); what is
applied is such that every order of the same events ends in the same state.
"""

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from calls import identity, lifecycle
from calls.control import call_over, command_ask, command_settle
from calls.envelopes import Event, integer_of, part_of, text_of
from calls.models import (
    Call,
    CallEvent,
    CallState,
    CommandKind,
    CommandState,
    Participant,
    StreamingProfile,
    StreamingState,
)
from calls.orders import ORDERS
from calls.words import Explanation, explain_event
from calls.words.told import numbered

# Not stored as received. Whoever reads the context may answer the call; whoever reads
# a validation's code or address may answer that.
KEPT_ELSEWHERE = "<kept until answered>"
SECRET_PARTS = {
    "incomingCallContext": KEPT_ELSEWHERE,
    "validationCode": "<answered>",
    "validationUrl": "<not used>",
}
STREAMING_NEWS = {
    "MediaStreamingStarted": StreamingState.CONNECTING,
    "MediaStreamingStopped": StreamingState.STOPPED,
    "MediaStreamingFailed": StreamingState.FAILED,
}

log = logging.getLogger(__name__)


def incoming_calls_take(events: Iterable[Event], *, received_at: datetime) -> None:
    """Store Event Grid events; make a call of each new IncomingCall and answer it."""
    with transaction.atomic():
        for event in events:
            _incoming_take(event, received_at)


def _incoming_take(event: Event, received_at: datetime) -> None:
    row = _store(event, CallEvent.Source.EVENT_GRID, None, received_at)
    if row is None or event.kind != "IncomingCall":
        return
    context = text_of(event.data, "incomingCallContext")
    if not context:
        log.error("event %d: an incoming call that cannot be answered", row.pk)
        return
    to_raw_id = text_of(event.part("to"), "rawId")[:255]
    profile = StreamingProfile.for_called(to_raw_id)
    call = Call.objects.create(
        server_call_id=text_of(event.data, "serverCallId"),
        correlation_id=event.text("correlationId", 128),
        from_raw_id=text_of(event.part("from"), "rawId")[:255],
        to_raw_id=to_raw_id,
        caller_name=event.text("callerDisplayName"),
        incoming_call_context=context,
        profile=profile,
        rang_at=event.happened_at or received_at,
        desired_streaming=profile.start_at_answer,
        streaming_state=StreamingState.REQUESTED
        if profile.start_at_answer
        else StreamingState.OFF,
    )
    row.call = call
    row.save(update_fields=["call"])
    command_ask(call=call, kind=CommandKind.ANSWER, why="The call rang.")


def validations_keep(events: Iterable[Event], *, received_at: datetime) -> None:
    """Store Event Grid's handshakes, so that it can be said when the last one was."""
    for event in events:
        _store(event, CallEvent.Source.EVENT_GRID, None, received_at)


def callbacks_take(
    call_id: UUID, events: Iterable[Event], *, received_at: datetime
) -> bool:
    """Store the callbacks of a call and apply the new ones. False: no such call."""
    with transaction.atomic():
        # Callbacks that come at once are applied one after the other: each must see
        # what the others stored.
        call = Call.objects.select_for_update().filter(pk=call_id).first()
        if call is None:
            return False
        for event in events:
            row = _store(event, CallEvent.Source.CALLBACK, call_id, received_at)
            if row is not None and _is_of(call, event):
                _apply(call_id, event, event.happened_at or received_at, received_at)
    return True


def _store(
    event: Event,
    source: CallEvent.Source,
    call_id: UUID | None,
    received_at: datetime,
) -> CallEvent | None:
    """Store an event. None if it is a copy."""
    hidden = {name: SECRET_PARTS[name] for name in SECRET_PARTS if name in event.data}
    body = event.body | ({"data": event.data | hidden} if hidden else {})
    try:
        with transaction.atomic():
            return CallEvent.objects.create(
                source=source,
                event_id=event.id,
                kind=event.kind,
                call_id=call_id,
                happened_at=event.happened_at,
                received_at=received_at,
                body=body,
            )
    except IntegrityError:
        return None


def _is_of(call: Call, event: Event) -> bool:
    """Say whether an event is of this call's connection, and learn its id from it."""
    connection_id = event.text("callConnectionId", 128)
    if call.connection_id and connection_id not in ("", call.connection_id):
        log.warning("call %s: %s of another connection", call.id, event.kind)
        return False
    if not call.connection_id:
        lifecycle.connection_learn(call.id, connection_id)
    return True


def _apply(call_id: UUID, event: Event, at: datetime, received_at: datetime) -> None:
    """Apply a new event. Kinds that are not named here are only stored."""
    match event.kind:
        case "CallConnected":
            lifecycle.call_connected(call_id, at=at)
        case "ParticipantsUpdated":
            _participants_replay(call_id)
        case "MediaStreamingStarted" | "MediaStreamingStopped" | "MediaStreamingFailed":
            _streaming_apply(call_id, event, received_at)
        case "CallDisconnected":
            code, subcode = _result(event)
            # A code marks it as ACS's word; old API versions give none.
            reason = explain(event).sentence
            call_over(call_id, at=at, code=code or 0, subcode=subcode, reason=reason)
        case "AnswerFailed" | "CreateCallFailed" | "ConnectFailed":
            code, subcode = _result(event)
            reason = str(explain(event))
            lifecycle.call_failed(
                call_id, at=at, code=code or 0, subcode=subcode, reason=reason
            )
        case _:
            pass
    _commands_settle(call_id, event)


def explain(event: Event) -> Explanation:
    """Return what an event says, in words."""
    code, subcode = _result(event)
    update = event.part("mediaStreamingUpdate")
    return explain_event(
        code=code,
        subcode=subcode,
        detail=text_of(update, "mediaStreamingStatusDetails"),
        message=text_of(event.part("resultInformation"), "message"),
    )


def _result(event: Event) -> tuple[int | None, int | None]:
    name = "resultInformation"
    return event.number(name, "code"), event.number(name, "subCode")


def _commands_settle(call_id: UUID, event: Event) -> None:
    """Let an event prove or disprove the commands it speaks of."""
    context = event.text("operationContext")
    code, subcode = _result(event)
    for kind, order in ORDERS.items():
        if event.kind in order.proofs:
            state, words = CommandState.CONFIRMED, ""
        elif event.kind in order.disproofs:
            state, words = CommandState.FAILED, str(explain(event))
            code = code or 0
        else:
            continue
        for command in Call(pk=call_id).commands.filter(kind=kind):
            if not order.needs_context or context == str(command.id):
                command_settle(
                    command.id,
                    state,
                    code=code,
                    subcode=subcode,
                    words=words,
                    is_proof=True,
                )


def _streaming_apply(call_id: UUID, event: Event, received_at: datetime) -> None:
    """Show what ACS says of streaming, unless it has said something newer."""
    newer = CallEvent.objects.filter(
        call_id=call_id,
        source=CallEvent.Source.CALLBACK,
        kind__in=STREAMING_NEWS,
        happened_at__gt=event.happened_at or received_at,
    )
    if newer.exists():
        return
    state = STREAMING_NEWS[event.kind]
    failed = state == StreamingState.FAILED
    reason = numbered(explain(event), event.kind, event.body) if failed else ""
    lifecycle.streaming_told(call_id, state, at=received_at, reason=reason)


def _participants_replay(call_id: UUID) -> None:
    """Bring participants in line with all ParticipantsUpdated stored so far.

    Each lists everybody who is in the call; `sequenceNumber` is their true order. They
    are few, so all are replayed: one that comes late then falls into its place.
    """
    call = Call.objects.get(pk=call_id)
    stored = call.events.filter(
        source=CallEvent.Source.CALLBACK, kind="ParticipantsUpdated"
    )
    updates = [part_of(row.body, "data") for row in stored]
    moments = [row.happened_at or row.received_at for row in stored]
    known: dict[str, Participant] = {}
    for update, at in sorted(
        zip(updates, moments, strict=True), key=lambda pair: (_number(pair[0]), pair[1])
    ):
        _roll_call(known, update, at, call)
    if call.state == CallState.ENDED:
        for participant in known.values():
            participant.left_at = participant.left_at or call.ended_at
    Participant.objects.bulk_create(
        known.values(),
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=[
            "joined_at",
            "left_at",
            "is_muted",
            "is_on_hold",
            "sequence_number",
        ],
    )


def _roll_call(
    known: dict[str, Participant], update: dict[str, Any], at: datetime, call: Call
) -> None:
    """Apply one list of who is in the call to the participants known so far."""
    present = {each[0]: each[1] for each in _listed(update)}
    for raw_id, entry in present.items():
        participant = known.get(raw_id) or Participant(
            id=identity.participant_id(call.id, raw_id),
            call=call,
            raw_id=raw_id,
            display_name=call.caller_name if raw_id == call.from_raw_id else "",
            joined_at=at,
        )
        participant.left_at = None
        participant.is_muted = entry.get("isMuted") is True
        participant.is_on_hold = entry.get("isOnHold") is True
        participant.sequence_number = _number(update)
        known[raw_id] = participant
    for raw_id, participant in known.items():
        if raw_id not in present and participant.left_at is None:
            participant.left_at = at
            participant.sequence_number = _number(update)


def _listed(update: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    entries = update.get("participants")
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict):
            raw_id = text_of(part_of(entry, "identifier"), "rawId")
            if 0 < len(raw_id) <= 255:
                yield raw_id, entry


def _number(update: dict[str, Any]) -> int:
    number = integer_of(update, "sequenceNumber")
    return -1 if number is None else number
