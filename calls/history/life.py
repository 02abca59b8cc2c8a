"""The call itself, and what staff did about it."""

from collections.abc import Iterator
from datetime import datetime

from calls import formats
from calls.audit.words import sentence
from calls.history.entries import Detail, Entry, EntryKind
from calls.history.rows import CallRows
from calls.models import AuditAction, CallState


def call_entries(rows: CallRows) -> Iterator[Entry]:
    """Yield when the call rang, was connected and ended."""
    call = rows.call
    start = formats.who(call.caller_name, call.from_raw_id) or "?"
    to = formats.party(call.to_raw_id) or "?"
    yield _moment("rang", call.rang_at, "The call began", f"{start} → {to}")
    if call.connected_at:
        yield _moment("connected", call.connected_at, "The call was connected")
    if call.ended_at:
        is_over = call.state == CallState.ENDED
        details: dict[str, Detail] = {
            name: number
            for name, number in (("code", call.end_code), ("subcode", call.end_subcode))
            if number is not None
        }
        yield Entry(
            key="call:ended",
            at=call.ended_at,
            kind=EntryKind.CALL,
            what="The call ended" if is_over else "The call was not answered",
            source="ACS" if call.end_code is not None else "System",
            told=call.end_reason,
            details=details,
            tone="" if is_over else "bad",
        )


def _moment(key: str, at: datetime, what: str, told: str = "") -> Entry:
    return Entry(
        key=f"call:{key}",
        at=at,
        kind=EntryKind.CALL,
        what=what,
        source="ACS",
        told=told,
    )


def audit_entries(rows: CallRows) -> Iterator[Entry]:
    """Yield what staff did about the call: orders refused, audio played or taken."""
    for entry in rows.audit:
        refused = entry.action == AuditAction.COMMAND_REFUSED
        yield Entry(
            key=f"audit:{entry.pk}",
            at=entry.at,
            kind=EntryKind.AUDIT,
            what=entry.get_action_display(),
            source=entry.actor,
            why=str(entry.details.get("why", "")),
            told=f"{entry.actor} {sentence(entry)}.".replace("..", "."),
            details={"from": entry.address} if entry.address else {},
            tone="bad" if refused else "",
        )
