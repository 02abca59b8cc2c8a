"""Figures that are kept with a call so that the archive can be filtered by them.

Written in the transaction of what they are figures of: with the rows of participants
and tracks. How long a call lasted is written with its end (`calls.durations`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from calls.lifecycle import streaming_came_after_all
from calls.models import Call, Connection, Participant, Track
from calls.models.sockets import UNFINISHED_JOURNALS
from calls.models.states import ArchiveState
from streaming.protocol import NOBODY, US

CALL_FIGURES = [
    "origin_us",
    "completeness",
    "last_packet_at",
    "silence_ratio",
    "people_count",
    "people_text",
]


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


@dataclass(slots=True)
class CallFigures:
    """What the tracks of a call sum up to; lengths in seconds."""

    received: float = 0.0
    expected: float = 0.0
    packets: int = 0
    silent_packets: int = 0
    origin_us: int | None = None
    last_packet_at: datetime | None = None

    @property
    def silence_ratio(self) -> float | None:
        """Return the silent share of all packets, 0 to 1; None without any."""
        return self.silent_packets / self.packets if self.packets else None

    @property
    def completeness(self) -> float | None:
        """Return the received share, 0 to 1; None if nothing was expected."""
        return self.received / self.expected if self.expected else None

    def add(self, track: Track) -> None:
        """Add a track's figures; of what we said ourselves only when it began."""
        self.origin_us = min(self.origin_us or track.origin_us, track.origin_us)
        if track.participant.raw_id == US:
            return
        wanted = track.samples - track.stopped_samples
        self.received += (wanted - track.gap_samples) / track.sample_rate
        self.expected += wanted / track.sample_rate
        self.packets += track.packets
        self.silent_packets += track.silent_packets
        last = self.last_packet_at or track.last_packet_at
        self.last_packet_at = max(last, track.last_packet_at)


def calls_figures_refresh(calls: Collection[UUID]) -> None:
    """Bring calls' own figures in line with their tracks', in a few queries."""
    # Not of calls that were removed: writing figures must not bring them back.
    known = Call.objects.filter(pk__in=calls).values_list("pk", flat=True)
    figures = {call_id: CallFigures() for call_id in known}
    people = people_of(figures)
    tracks = Track.objects.filter(call_id__in=figures).select_related("participant")
    for track in tracks.defer("ledger"):
        figures[track.call_id].add(track)
    _figures_write(figures, people)
    streaming_came_after_all(
        [call_id for call_id, of in figures.items() if of.origin_us is not None]
    )
    # A socket that came after the recording was made brings it up to date again.
    journals = Connection.objects.filter(
        call_id__in=figures, journal_state__in=UNFINISHED_JOURNALS
    )
    Call.objects.filter(
        pk__in=journals.order_by().values("call_id"),
        archive_state__in=(ArchiveState.NONE, ArchiveState.FINISHED),
    ).update(archive_state=ArchiveState.LIVE)


def _figures_write(
    figures: Mapping[UUID, CallFigures], people: Mapping[UUID, People]
) -> None:
    """Write figures to the rows of their calls: of six columns each, in one go.

    Every ingest process does so for all its calls, again and again. An upsert of rows
    made by the ORM would take along the other fifty columns of each.
    """
    if not figures:
        return
    by_name = {field.name: field for field in Call._meta.concrete_fields}
    fields = [by_name[name] for name in (*CALL_FIGURES, "id")]
    rows = []
    for call_id, of in figures.items():
        values = (
            of.origin_us,
            of.completeness,
            of.last_packet_at,
            of.silence_ratio,
            people[call_id].count,
            people[call_id].text,
            call_id,
        )
        rows.append(
            [
                field.get_db_prep_save(value, connection)
                for field, value in zip(fields, values, strict=True)
            ]
        )
    quoted = connection.ops.quote_name
    # Names of our own columns, none from anywhere else.
    wanted = ", ".join(f"{quoted(str(field.column))} = %s" for field in fields[:-1])
    table, key = quoted(Call._meta.db_table), quoted(str(fields[-1].column))
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {table} SET {wanted} WHERE {key} = %s", rows)  # noqa: S608 our own names
