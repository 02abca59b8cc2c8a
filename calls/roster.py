"""Who is in a call: by ACS's lists, whichever way they came."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from calls import identity
from calls.acs import ParticipantState
from calls.envelopes import integer_of, part_of, text_of
from calls.figures import people_refresh
from calls.models import Call, CallEvent, CallState, Participant

# All a list tells of a participant.
TOLD = ["joined_at", "left_at", "is_muted", "is_on_hold", "sequence_number"]


def roster_told(
    call: Call, listed: Iterable[ParticipantState], *, at: datetime
) -> None:
    """Bring participants in line with what ACS answered when it was asked.

    The next ParticipantsUpdated is a whole list again and replaces it.
    """
    known = {each.raw_id: each for each in call.participants.all()}
    present = {each.raw_id: each for each in listed if 0 < len(each.raw_id) <= 255}
    for raw_id, state in present.items():
        participant = known.get(raw_id) or _newcomer(call, raw_id, at)
        participant.joined_at = participant.joined_at or at
        participant.left_at = None
        participant.is_muted = state.is_muted
        participant.is_on_hold = state.is_on_hold
        known[raw_id] = participant
    for raw_id, participant in known.items():
        if raw_id not in present and participant.joined_at:
            participant.left_at = participant.left_at or at
    _store(call.pk, known)


def roster_replay(call_id: UUID) -> None:
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
    _store(call_id, known)


def was_away(call: Call, raw_id: str, since: datetime) -> bool:
    """Say whether a list of who is in the call has left somebody out since then."""
    updates = call.events.filter(
        source=CallEvent.Source.CALLBACK, kind="ParticipantsUpdated"
    ).filter(received_at__gt=since)
    return any(
        raw_id not in dict(_listed(part_of(row.body, "data")))
        for row in updates
        # A list may come late, and be of a time before they joined.
        if (row.happened_at or row.received_at) > since
    )


def _store(call_id: UUID, known: dict[str, Participant]) -> None:
    Participant.objects.bulk_create(
        known.values(), update_conflicts=True, unique_fields=["id"], update_fields=TOLD
    )
    people_refresh(call_id)


def _newcomer(call: Call, raw_id: str, at: datetime) -> Participant:
    return Participant(
        id=identity.participant_id(call.id, raw_id),
        call=call,
        raw_id=raw_id,
        display_name=call.caller_name if raw_id == call.from_raw_id else "",
        joined_at=at,
    )


def _roll_call(
    known: dict[str, Participant], update: dict[str, Any], at: datetime, call: Call
) -> None:
    """Apply one list of who is in the call to the participants known so far."""
    present = {each[0]: each[1] for each in _listed(update)}
    for raw_id, entry in present.items():
        participant = known.get(raw_id) or _newcomer(call, raw_id, at)
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
