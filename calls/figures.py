"""Figures that are kept with a call so that the archive can be filtered by them.

Written in the transaction of what they are figures of: people and silence with the rows
of participants and tracks, the duration with the end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Case, DurationField, ExpressionWrapper, F, Func, When
from django.db.models.expressions import Combinable, Value
from django.db.models.fields import BigIntegerField, DateTimeField
from django.db.models.functions import Coalesce, Greatest

from calls.models import Call, Participant
from streaming.protocol import NOBODY


@dataclass(frozen=True, slots=True)
class People:
    """Who is or was in a call. Mixed audio is nobody, nor is what we say ourselves."""

    count: int | None
    text: str


def people_of(calls: Collection[UUID]) -> dict[UUID, People]:
    """Return who is or was in each of some calls, by one query."""
    rows = Participant.objects.filter(call_id__in=calls).order_by("raw_id")
    named: dict[UUID, list[tuple[str, str]]] = {call_id: [] for call_id in calls}
    for call_id, raw_id, name in rows.values_list("call_id", "raw_id", "display_name"):
        named[call_id].append((raw_id, name))
    return {call_id: _people(pairs) for call_id, pairs in named.items()}


def _people(pairs: Iterable[tuple[str, str]]) -> People:
    lines = [
        f"{raw_id} {name}".rstrip() for raw_id, name in pairs if raw_id not in NOBODY
    ]
    # Of a call whose roster nobody told us it is not known that it was empty.
    return People(len(lines) or None, "\n".join(lines))


def people_refresh(call_id: UUID) -> None:
    """Bring what a call says of its people in line with their rows."""
    people = people_of([call_id])[call_id]
    Call.objects.filter(pk=call_id).update(
        people_count=people.count, people_text=people.text
    )


class _Milliseconds(Func):
    """A length of time in whole milliseconds."""

    output_field = BigIntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """Return the SQL for PostgreSQL's intervals."""
        template = "CAST(EXTRACT(EPOCH FROM %(expressions)s) * 1000 AS bigint)"
        return self.as_sql(compiler, connection, template=template, **extra)

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """Return the SQL for SQLite, where they are whole microseconds."""
        template = "(%(expressions)s) / 1000"
        return self.as_sql(compiler, connection, template=template, **extra)


def lasted(until: datetime | Combinable, since: Combinable | None = None) -> Combinable:
    """Return how long a call lasted in ms, as `Call.duration` counts it, for an UPDATE.

    `until` and `since` (when it was connected) are what the same UPDATE writes. Null if
    `until` is: the call runs.
    """
    end = Value(until, DateTimeField()) if isinstance(until, datetime) else until
    start = Coalesce(since or F("connected_at"), F("rang_at"))
    length = ExpressionWrapper(end - start, output_field=DurationField())
    known = Greatest(_Milliseconds(length), Value(0, BigIntegerField()))
    if isinstance(until, datetime):
        return known
    return Case(When(ended_at=None, then=Value(None, BigIntegerField())), default=known)
