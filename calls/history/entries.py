"""One moment in the story of a call, for pages and for export."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypedDict


class EntryKind(StrEnum):
    """What sort of moment it is: the console filters by it."""

    CALL = "call"
    COMMAND = "command"
    EVENT = "event"
    PARTICIPANT = "participant"
    TONE = "tone"
    STREAMING = "streaming"
    CONNECTION = "connection"
    RECORDING = "recording"
    SPOKEN = "spoken"
    ALARM = "alarm"
    AUDIT = "audit"

    @property
    def label(self) -> str:
        """Return what the filter for it is called."""
        return LABELS[self]


LABELS = {
    EntryKind.CALL: "Call",
    EntryKind.COMMAND: "Commands",
    EntryKind.EVENT: "Events of ACS",
    EntryKind.PARTICIPANT: "Participants",
    EntryKind.TONE: "Keys",
    EntryKind.STREAMING: "Streaming",
    EntryKind.CONNECTION: "Sockets",
    EntryKind.RECORDING: "Recordings",
    EntryKind.SPOKEN: "Said by us",
    EntryKind.ALARM: "Alarms",
    EntryKind.AUDIT: "Staff",
}

# What `details` may hold; names are words, for people and machines alike.
Detail = str | int | float | bool | None


class EntryJson(TypedDict):
    """An entry as exported: see docs/timeline.md."""

    at: str
    received_at: str | None
    kind: str
    what: str
    source: str
    why: str
    told: str
    details: dict[str, Detail]
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something that happened to a call.

    - `key` names it for good: the same moment has the same key at every reading.
    - `at` is by the clock of who tells it: ACS's for events, ours for all else.
    - `received_at` is when an event reached us; None for what happened here.
    - `what` is a few words, `told` a sentence or more, `why` the reason somebody gave.
    - `source` is who did it or says so: a user, "System", "ACS", a node.
    - `tone` is `good`, `bad`, `busy` or empty; `body` is an event as received.
    """

    key: str
    at: datetime
    kind: EntryKind
    what: str
    source: str
    why: str = ""
    told: str = ""
    details: Mapping[str, Detail] = field(default_factory=dict)
    received_at: datetime | None = None
    body: Any = None
    tone: str = ""

    @property
    def delay(self) -> float | None:
        """Return how many seconds an event was on its way, by two clocks."""
        if self.received_at is None:
            return None
        return (self.received_at - self.at).total_seconds()

    def as_json(self) -> EntryJson:
        """Return the entry as it is exported."""
        return {
            "at": utc(self.at),
            "received_at": utc(self.received_at) if self.received_at else None,
            "kind": self.kind.value,
            "what": self.what,
            "source": self.source,
            "why": self.why,
            "told": self.told,
            "details": dict(self.details),
            "body": self.body,
        }


def utc(at: datetime) -> str:
    """Return a moment in UTC, to the microsecond: 2026-03-01T12:00:00.123456Z."""
    text = at.astimezone(UTC).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")
