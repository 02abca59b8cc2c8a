"""The journals of one call, walked together in the order their records arrived.

Sockets overlap: ACS dials a new one while the last packets of the old are under way.
Ingest placed packets as they arrived, so whoever places them again must keep that
order, or the figures on the screen and in the archive would differ.
"""

import heapq
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from calls.drafts import ConnectionDraft, SubscriptionDraft
from calls.journals.reading import (
    NO_PARTICIPANT,
    JournalFile,
    JournalHeader,
    Kind,
    Record,
    read,
)
from streaming.protocol import MIXED


class Break(NamedTuple):
    """A place in a journal where records are missing: damage, or its torn end."""

    # Of the first record behind it; the length of the file at its end.
    offset: int
    # When the last record before it had arrived, µs since the socket opened.
    arrival_us: int
    is_end: bool


@dataclass(slots=True)
class JournalCount:
    """What one journal held."""

    path: Path
    header: JournalHeader
    # Of audio packets; 0 while no metadata has told it.
    rate: int = 0
    subscriptions: dict[str, SubscriptionDraft] = field(default_factory=dict)
    raw_ids: dict[int, str | None] = field(default_factory=dict)
    # Whatever they are, ours too; only the seal is none of them.
    records: int = 0
    messages: int = 0
    packets: int = 0
    bytes: int = 0
    malformed: int = 0
    unknown: int = 0
    unjournaled: int = 0
    last_arrival_us: int = 0
    has_mixed: bool = False
    damage: str | None = None
    breaks: list[Break] = field(default_factory=list)
    # Per (raw id, rate, breaks before it): where the audio between two breaks ends, and
    # when the packet that ends it arrived.
    ends: dict[tuple[str, int, int], tuple[int, int]] = field(default_factory=dict)
    close_code: int | None = None
    close_reason: str = ""
    is_sealed: bool = False
    # (raw id, rate, number of the chunk): first sample, samples, packets, silent ones.
    chunks: dict[tuple[str, int, int], list[int]] = field(default_factory=dict)
    # `header.opened_at` in microseconds since 1970; asked for with every packet.
    opened_us: int = field(init=False)

    def __post_init__(self) -> None:
        self.opened_us = self.header.opened_at_us

    def raw_id(self, record: Record) -> str | None:
        """Return who a record is of; None if its frame named nobody.

        If damage took the record that names a participant, the audio is still one
        person's and must not end up in the mixed track.
        """
        if record.participant == NO_PARTICIPANT:
            return None
        named = self.raw_ids.get(record.participant)
        return (
            named or f"participant {record.participant} of {self.header.connection_id}"
        )

    def note_end(self, raw_id: str, rate: int, record: Record, end: int) -> None:
        """Note that a record's audio was placed and ends at sample `end`."""
        broken = 0
        if self.breaks:
            broken = sum(at.offset <= record.offset for at in self.breaks)
        key = raw_id, rate, broken
        known = self.ends.get(key)
        if known is None or known[0] < end:
            self.ends[key] = end, record.arrival_us

    @property
    def closed_at(self) -> datetime:
        """Return when the last record arrived."""
        return self.header.opened_at + timedelta(microseconds=self.last_arrival_us)

    def draft(self) -> ConnectionDraft:
        """Return the socket's row."""
        return replace(
            header_draft(self.header),
            subscription_id=next(reversed(self.subscriptions), None),
            messages=self.messages,
            # What came, as ingest counts it: also what the disk did not take.
            packets=self.packets + self.unjournaled,
            bytes=self.bytes,
            malformed=self.malformed,
            unknown=self.unknown,
            unjournaled=self.unjournaled,
            closed_at=self.closed_at,
            close_code=self.close_code,
            close_reason=self.close_reason
            if self.is_sealed
            else self.damage or "the ingest process ended without sealing it",
            is_torn=not self.is_sealed,
        )

    def subscription_drafts(self) -> Iterator[SubscriptionDraft]:
        """Return the subscriptions the socket announced, as rows; all are over."""
        mixed = self.has_mixed if self.packets else None
        for draft in self.subscriptions.values():
            yield replace(draft, is_mixed=mixed, ended_at=self.closed_at)


def header_draft(header: JournalHeader) -> ConnectionDraft:
    """Return what a journal's header alone tells of its socket."""
    return ConnectionDraft(
        id=header.connection_id,
        call_id=header.call_id,
        call_connection_id=header.call_connection_id,
        correlation_id=header.correlation_id or "",
        process_id=None,
        node=header.node,
        remote_address="",
        opened_at=header.opened_at,
        kind=header.socket,
    )


class Walk:
    """One journal on its way through its records; opened when its turn comes.

    Raises `JournalError` if its header cannot be read.
    """

    def __init__(self, path: Path) -> None:
        with read(path) as journal:
            self.count = JournalCount(path, journal.header)
        self.opened_us = self.count.opened_us
        self._journal: JournalFile | None = None
        self._records: Iterator[Record] = iter(())

    def __lt__(self, other: "Walk") -> bool:
        return (self.opened_us, self.count.path) < (other.opened_us, other.count.path)

    def next(self) -> Record | None:
        """Return the next record; None at the end, when the journal is closed."""
        journal = self._journal
        if journal is None:
            journal = self._journal = read(self.count.path)
            # A damaged byte in the middle costs its record, not all that follow it.
            self._records = journal.records(past_damage=True)
            record = next(self._records, None)
            # Asked for before the first record it would walk through all of them.
            self.count.raw_ids = journal.participants
        else:
            record = next(self._records, None)
        if record is None:
            self._end(journal)
            return None
        count = self.count
        if len(journal.resumed_at) > len(count.breaks):
            count.breaks.append(Break(record.offset, count.last_arrival_us, False))
        if record.arrival_us > count.last_arrival_us:
            count.last_arrival_us = record.arrival_us
        count.records += record.kind != Kind.SEAL
        if record.kind == Kind.NOTE:
            count.unjournaled += _dropped(record)
        return record

    def _end(self, journal: JournalFile) -> None:
        count = self.count
        count.damage, seal = journal.damage, journal.sealed
        if seal is not None:
            count.is_sealed = True
            count.close_code, count.close_reason = seal.code, seal.reason
            count.unjournaled = seal.dropped_packets
        if not journal.is_ended:
            count.breaks.append(Break(journal.size, count.last_arrival_us, True))
        journal.close()


def _dropped(note: Record) -> int:
    """Return how many packets the disk had not taken, if that is what a NOTE says."""
    remark = json.loads(note.text)
    return int(remark["packets"]) if remark.get("event") == "dropped" else 0


def walk_together(walks: Iterable[Walk]) -> Iterator[tuple[JournalCount, Record]]:
    """Yield all records of a call's journals in the order they arrived here.

    Only journals that overlap are open at once.
    """
    waiting = sorted(walks, reverse=True)
    active: list[tuple[int, Walk, Record]] = []
    while waiting or active:
        while waiting and (not active or waiting[-1].opened_us <= active[0][0]):
            walk = waiting.pop()
            _push(active, walk)
        if len(active) == 1:
            yield from _walk_alone(active, waiting[-1].opened_us if waiting else None)
        elif active:
            _, walk, record = heapq.heappop(active)
            yield walk.count, record
            _push(active, walk)


def _walk_alone(
    active: list[tuple[int, Walk, Record]], until_us: int | None
) -> Iterator[tuple[JournalCount, Record]]:
    """Yield the records of the only open journal until another one is due.

    That is nearly all of a call, and there is nothing to put in order.
    """
    at, walk, found = active.pop()
    count, opened_us, after = walk.count, walk.opened_us, walk.next
    record: Record | None = found
    while record is not None and (until_us is None or at < until_us):
        yield count, record
        record = after()
        if record is not None:
            at = opened_us + record.arrival_us
    if record is not None:
        active.append((at, walk, record))


def _push(active: list[tuple[int, Walk, Record]], walk: Walk) -> None:
    record = walk.next()
    if record is not None:
        heapq.heappush(active, (walk.opened_us + record.arrival_us, walk, record))


def speaker(count: JournalCount, record: Record) -> str:
    """Return the raw id of the track that an AUDIO record belongs to."""
    return count.raw_ids.get(record.participant) or count.raw_id(record) or MIXED
