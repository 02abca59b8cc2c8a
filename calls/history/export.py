"""A call's timeline as one JSON document: see docs/timeline.md for what is in it."""

from datetime import datetime
from typing import TypedDict

from django.utils import timezone

from calls.history import EntryJson, history_of, rows_of
from calls.history.entries import utc
from calls.models import Call

SCHEMA = 1


class CallJson(TypedDict):
    """The call a timeline is about."""

    id: str
    connection_id: str | None
    server_call_id: str
    correlation_id: str
    direction: str
    from_raw_id: str
    to_raw_id: str
    caller_name: str
    state: str
    rang_at: str
    connected_at: str | None
    ended_at: str | None


class TimelineJson(TypedDict):
    """Everything that happened to a call, oldest first."""

    schema: int
    exported_at: str
    call: CallJson
    entries: list[EntryJson]


def timeline_of(call: Call, *, now: datetime) -> TimelineJson:
    """Return the whole timeline of a call, nothing left out."""
    return {
        "schema": SCHEMA,
        "exported_at": utc(now),
        "call": call_json(call),
        "entries": [entry.as_json() for entry in history_of(rows_of(call)).entries],
    }


def call_json(call: Call) -> CallJson:
    """Return which call it is."""
    return {
        "id": str(call.pk),
        "connection_id": call.connection_id,
        "server_call_id": call.server_call_id,
        "correlation_id": call.correlation_id,
        "direction": call.direction,
        "from_raw_id": call.from_raw_id,
        "to_raw_id": call.to_raw_id,
        "caller_name": call.caller_name,
        "state": call.state,
        "rang_at": utc(call.rang_at),
        "connected_at": _utc(call.connected_at),
        "ended_at": _utc(call.ended_at),
    }


def _utc(at: datetime | None) -> str | None:
    return utc(at) if at else None


def file_name(call: Call) -> str:
    """Return a file name that sorts by time and tells the call; no number is in it."""
    start = timezone.localtime(call.rang_at)
    return f"{start:%Y%m%d-%H%M%S}_{call.pk}_timeline.json"
