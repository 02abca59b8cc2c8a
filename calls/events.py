"""What ACS tells us, stored as received and applied to its call.

Events come twice, late and out of order. Each is one row (its id is unique); what is
applied is such that every order of the same events ends in the same state.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import Enum
from uuid import UUID

from django.db import IntegrityError, transaction

from calls import lifecycle
from calls.control import call_end, command_settle
from calls.envelopes import Event, text_of
from calls.live.pressing import key_tell
from calls.models import (
    Call,
    CallEvent,
    CommandState,
    Evidence,
    StreamingState,
    TranscriptionState,
)
from calls.orders import ORDERS
from calls.orders.tones import RECEIVED
from calls.ringing import call_take
from calls.roster import roster_replay
from calls.tones.keeping import tones_settle
from calls.tones.masking import event_masked, masks_tones
from calls.tones.recognition import tones_recognise
from calls.words import Explanation, explain_event
from calls.words.told import numbered

# Not stored as received. Whoever reads the context may answer the call; whoever reads
# a validation's code or address may answer that.
KEPT_ELSEWHERE = "<kept until answered>"
TRANSCRIPTION_NEWS = {
    "TranscriptionStarted": TranscriptionState.RUNNING,
    "TranscriptionUpdated": TranscriptionState.RUNNING,
    "TranscriptionStopped": TranscriptionState.STOPPED,
    "TranscriptionFailed": TranscriptionState.FAILED,
}
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
    """Store Event Grid events; make a call of each new IncomingCall and act on it."""
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
    row.call = call_take(event, context=context, received_at=received_at)
    row.save(update_fields=["call"])


def validations_keep(events: Iterable[Event], *, received_at: datetime) -> None:
    """Store Event Grid's handshakes, so that it can be said when the last one was."""
    for event in events:
        _store(event, CallEvent.Source.EVENT_GRID, None, received_at)


class Taken(Enum):
    """What became of callbacks; only with `YES` is anything kept."""

    YES = "yes"
    NO_CALL = "there is no such call"
    OVER = "the call ended long ago"
    STRANGE = "an event is of another call"


def callbacks_take(
    call_id: UUID, events: Sequence[Event], *, received_at: datetime
) -> Taken:
    """Store the callbacks of a call and apply the new ones, or say why not."""
    with transaction.atomic():
        # Callbacks that come at once are applied one after the other: each must see
        # what the others stored.
        call = Call.objects.select_for_update().filter(pk=call_id).first()
        if call is None:
            return Taken.NO_CALL
        if call.is_secret_dead(received_at):
            return Taken.OVER
        if not _are_of(call, events):
            return Taken.STRANGE
        for event in _kept(call, events):
            row = _store(event, CallEvent.Source.CALLBACK, call_id, received_at)
            if row is not None:
                _apply(call_id, event, event.happened_at or received_at, received_at)
    return Taken.YES


def _kept(call: Call, events: Iterable[Event]) -> Iterable[Event]:
    """Return callbacks as they may be kept: without keys, if the call masks them."""
    return map(event_masked, events) if masks_tones(call.profile) else events


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


def _are_of(call: Call, events: Sequence[Event]) -> bool:
    """Say whether events are of this call's connection, and learn its id from them.

    In whatever case: the call may know the id from a socket's header.
    """
    ids = [event.text("callConnectionId", 128) for event in events]
    named = {each.lower(): each for each in ids if each}
    if not named:
        return True
    if call.connection_id:
        return set(named) == {call.connection_id.lower()}
    [first, *others] = named.values()
    if others or Call.objects.filter(connection_id=first).exists():
        return False
    lifecycle.connection_learn(call.id, first)
    return True


def _apply(call_id: UUID, event: Event, at: datetime, received_at: datetime) -> None:
    """Apply a new event. Kinds that are not named here are only stored."""
    match event.kind:
        case "CallConnected":
            lifecycle.call_connected(call_id, at=at)
            tones_recognise(call_id)
        case "ParticipantsUpdated":
            roster_replay(call_id)
            tones_recognise(call_id)
        case kind if kind == RECEIVED:
            tones_settle(call_id)
            key_tell(call_id, event)
        case "MediaStreamingStarted" | "MediaStreamingStopped" | "MediaStreamingFailed":
            _streaming_apply(call_id, event, received_at)
        case (
            "TranscriptionStarted"
            | "TranscriptionUpdated"
            | "TranscriptionStopped"
            | "TranscriptionFailed"
        ):
            _transcription_apply(call_id, event, received_at)
        case "CallDisconnected":
            code, subcode = _result(event)
            # A code marks it as ACS's word; old API versions give none.
            reason = explain(event).sentence
            call_end(call_id, at=at, code=code or 0, subcode=subcode, reason=reason)
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
    streaming = event.part("mediaStreamingUpdate")
    transcription = event.part("transcriptionUpdate")
    return explain_event(
        code=code,
        subcode=subcode,
        detail=text_of(streaming, "mediaStreamingStatusDetails")
        or text_of(transcription, "transcriptionStatusDetails"),
        message=text_of(event.part("resultInformation"), "message"),
        kind=event.kind,
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
                    evidence=Evidence.CALLBACK,
                    is_proof=True,
                )


def _streaming_apply(call_id: UUID, event: Event, received_at: datetime) -> None:
    """Show what ACS says of streaming, unless it has said something newer."""
    if _is_old(call_id, event, STREAMING_NEWS, received_at):
        return
    state = STREAMING_NEWS[event.kind]
    failed = state == StreamingState.FAILED
    reason = numbered(explain(event), event.kind, event.body) if failed else ""
    lifecycle.streaming_told(call_id, state, at=received_at, reason=reason)


def _transcription_apply(call_id: UUID, event: Event, received_at: datetime) -> None:
    """Show what ACS says of transcription, unless it has said something newer."""
    if _is_old(call_id, event, TRANSCRIPTION_NEWS, received_at):
        return
    state = TRANSCRIPTION_NEWS[event.kind]
    failed = state == TranscriptionState.FAILED
    lifecycle.transcription_told(
        call_id, state, reason=str(explain(event)) if failed else ""
    )


def _is_old(
    call_id: UUID, event: Event, kinds: Iterable[str], received_at: datetime
) -> bool:
    return CallEvent.objects.filter(
        call_id=call_id,
        source=CallEvent.Source.CALLBACK,
        kind__in=kinds,
        happened_at__gt=event.happened_at or received_at,
    ).exists()
