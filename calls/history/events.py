"""Callbacks and Event Grid events, and what they tell of participants."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from calls.envelopes import integer_of, part_of, text_of
from calls.history.entries import Detail, Entry, EntryKind
from calls.history.rows import CallRows
from calls.models import CallEvent
from calls.tones.masking import without_keys
from calls.words.told import numbered, told_by

FLAGS = (
    ("isMuted", "muted", "no longer muted"),
    ("isOnHold", "on hold", "no longer on hold"),
)


def event_entries(rows: CallRows) -> Iterator[Entry]:
    """Yield every event as ACS sent it, when ACS says it happened."""
    orders = {str(one.pk): one.get_kind_display() for one in rows.commands}
    for event in rows.events:
        data = part_of(_body(event), "data")
        told = told_by(event.kind, event.body)
        details = _numbers(data)
        if order := orders.get(text_of(data, "operationContext")):
            details["answers"] = order
        yield Entry(
            key=f"event:{event.pk}",
            at=event.happened_at or event.received_at,
            received_at=event.received_at,
            kind=EntryKind.EVENT,
            what=event.kind or "An event without a type",
            source="ACS"
            if event.source == CallEvent.Source.CALLBACK
            else event.get_source_display(),
            told=numbered(told.words, event.kind, event.body) if told else "",
            details=details,
            # Whoever may see a call sees this; keys are for those who may listen.
            body=without_keys(event.body),
            tone="bad" if event.kind.endswith("Failed") else "",
        )


def _body(event: CallEvent) -> dict[str, Any]:
    return event.body if isinstance(event.body, dict) else {}


def _numbers(data: dict[str, Any]) -> dict[str, Detail]:
    result = part_of(data, "resultInformation")
    found = (("code", "code"), ("subcode", "subCode"))
    return {
        name: number
        for name, member in found
        if (number := integer_of(result, member)) is not None
    }


# --- participants -----------------------------------------------------------------

Listed = Mapping[str, Mapping[str, bool]]


def participant_entries(rows: CallRows) -> Iterator[Entry]:
    """Yield who joined and left, was muted or put on hold, by ParticipantsUpdated.

    Each lists everybody; `sequenceNumber` is their order, and what differs from the
    one before is what happened. If older events were not read, the first one that was
    says nothing.
    """
    updates = [each for each in rows.events if each.kind == "ParticipantsUpdated"]
    updates.sort(
        key=lambda each: (_sequence(each), each.happened_at or each.received_at)
    )
    known: Listed | None = None if rows.unread else {}
    for update in updates:
        listed = _listed(update)
        if known is not None:
            for raw_id, change in _changes(known, listed):
                yield _changed(rows, update, raw_id, change)
        known = listed
    yield from _gone_with_the_call(rows, known or {})


def _changed(rows: CallRows, update: CallEvent, raw_id: str, change: str) -> Entry:
    return _participant(
        rows,
        f"{update.pk}:{change}",
        update.happened_at or update.received_at,
        raw_id,
        change,
    )


def _gone_with_the_call(rows: CallRows, known: Listed) -> Iterator[Entry]:
    """Yield who was there to the end: ACS sends no list once the call is over."""
    for person in rows.people:
        if person.raw_id in known and person.left_at:
            yield _participant(rows, "end", person.left_at, person.raw_id, "left")


def _participant(
    rows: CallRows, moment: str, at: datetime, raw_id: str, change: str
) -> Entry:
    return Entry(
        key=f"participant:{moment}:{raw_id}",
        at=at,
        kind=EntryKind.PARTICIPANT,
        what=f"{rows.name(raw_id)}: {change}",
        source="ACS",
        details={"raw id": raw_id},
    )


def _changes(before: Listed, after: Listed) -> Iterator[tuple[str, str]]:
    """Yield raw ids and what changed for them."""
    for raw_id, flags in after.items():
        if raw_id not in before:
            yield raw_id, "joined"
        earlier = before.get(raw_id, {})
        for member, begun, over in FLAGS:
            if flags[member] != earlier.get(member, False):
                yield raw_id, begun if flags[member] else over
    for raw_id in before:
        if raw_id not in after:
            yield raw_id, "left"


def _sequence(event: CallEvent) -> int:
    number = integer_of(part_of(_body(event), "data"), "sequenceNumber")
    return -1 if number is None else number


def _listed(event: CallEvent) -> Listed:
    """Return who is listed, with their flags; what cannot be read is left out."""
    entries = part_of(_body(event), "data").get("participants")
    found: dict[str, dict[str, bool]] = {}
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict):
            raw_id = text_of(part_of(entry, "identifier"), "rawId")
            if raw_id:
                found[raw_id] = {name: entry.get(name) is True for name, _, _ in FLAGS}
    return found
