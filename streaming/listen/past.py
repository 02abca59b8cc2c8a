"""A live call's past, read from its journals. No Django.

One thread of low priority reads for everybody who listens, within a budget of bytes
per second. It opens what is on the disk at that moment, whoever wrote it: also the
journals of earlier sockets, and of a process that was killed.

For seeking, each journal gets a sparse index when it is first wanted: about every five
seconds of arrivals, the offset of a record and how late the capture times before it
were. Only the records' heads are read for that, once; later, only what was added.
"""

import heapq
import os
import threading
import time
from asyncio import get_running_loop
from bisect import bisect_left
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self
from uuid import UUID

from calls.audio.pcm import BYTES_PER_SAMPLE, SLOTS_PER_SECOND
from calls.journals.format import SUFFIX, ZEROS
from calls.journals.reading import (
    NO_PARTICIPANT,
    JournalError,
    JournalFile,
    Kind,
    Record,
    read,
)
from streaming.listen.wire import Packet, Past, Read
from streaming.protocol import MIXED, AudioMetadata, DecodeError, decode

BYTES_PER_SECOND = 8_000_000
# A piece ends at this size whatever time it covers: a burst after a stall is dense.
MAX_PIECE_BYTES = 400_000
INDEX_EVERY_US = 5_000_000
# While nobody waits for an index, so many heads are looked at between two rests.
HEADS_AT_ONCE = 1_000
REST_SECONDS = 0.002
NICENESS = 10


class Mark(NamedTuple):
    """A place in a journal from which it can be read."""

    offset: int
    # Of the record there; µs since 1970.
    arrival_us: int


@dataclass
class Index:
    """What is known of one journal."""

    path: Path
    call_id: UUID
    connection: str
    opened_us: int
    marks: list[Mark] = field(default_factory=list)
    # The latest capture time of all packets before each mark: it never falls.
    latest_us: list[int] = field(default_factory=list)
    raw_ids: dict[int, str] = field(default_factory=dict)
    # Sample rates, each with the offset of the metadata that told it.
    rates: list[tuple[int, int]] = field(default_factory=list)
    # Where indexing goes on, and what it has seen.
    offset: int = 0
    seen_us: int = -(2**63)

    def mark_of(self, capture_us: int) -> Mark:
        """Return the last mark before which nothing was captured at `capture_us`."""
        place = bisect_left(self.latest_us, capture_us)
        return self.marks[max(0, place - 1)]

    def rate_at(self, offset: int) -> int:
        """Return the sample rate of a record; 0 while none was told."""
        place = bisect_left(self.rates, (offset, 0))
        return self.rates[place - 1][1] if place else 0


class PastDesk:
    """Reads journals in `folder` for those who listen."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._threads = ThreadPoolExecutor(
            1, thread_name_prefix="listen-past", initializer=_be_modest
        )
        # By file name; of files that cannot be read, None.
        self._indexes: dict[str, Index | None] = {}
        self._rested = threading.Event()
        self._spent = 0.0

    def close(self) -> None:
        """End the thread; what waits is not read."""
        self._rested.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def read(self, call_id: UUID, ask: Read, *, node: str) -> Past:
        """Return the piece that was asked for; an empty one without a journal."""
        loop = get_running_loop()
        return await loop.run_in_executor(self._threads, self.piece, call_id, ask, node)

    def prepare(self, call_id: UUID) -> None:
        """Index a call's journals, so that the first seek need not wait for it."""
        self._threads.submit(self._prepare, call_id)

    # In the thread.

    def _prepare(self, call_id: UUID) -> None:
        for index in self._of_call(call_id):
            with suppress(JournalError, OSError):
                extend(index, rested=self._rested)

    def piece(self, call_id: UUID, ask: Read, node: str) -> Past:
        """Return the piece that was asked for; an empty one without a journal."""
        with Reading(ask.span_us) as reading:
            for index in self._of_call(call_id):
                # A journal may be finished, and deleted, while it is read.
                with suppress(JournalError, OSError):
                    extend(index)
                    reading.open(index, *_beginning(index, ask))
            past = reading.piece(ask.ask, node)
        self._pay(reading.size)
        return past

    def _of_call(self, call_id: UUID) -> list[Index]:
        found = {path.name: path for path in self._folder.glob(f"*{SUFFIX}")}
        for name in self._indexes.keys() - found.keys():
            del self._indexes[name]
        for name in found.keys() - self._indexes.keys():
            try:
                self._indexes[name] = _index(found[name])
            except (JournalError, OSError):
                self._indexes[name] = None
        ours = [one for one in self._indexes.values() if one and one.call_id == call_id]
        return sorted(ours, key=lambda one: (one.opened_us, one.connection))

    def _pay(self, size: int) -> None:
        """Rest until what was read is within the budget."""
        now = time.monotonic()
        self._spent = max(self._spent, now - 1.0) + size / BYTES_PER_SECOND
        if self._spent > now:
            self._rested.wait(self._spent - now)


def _beginning(index: Index, ask: Read) -> tuple[int, int]:
    """Return from which offset to read, and from which capture time to tell."""
    if ask.cursor is not None and index.connection in ask.cursor:
        return ask.cursor[index.connection], ask.from_us
    if not index.marks:
        return index.offset, ask.from_us
    return index.mark_of(ask.from_us).offset, ask.from_us


def _be_modest() -> None:
    # Linux counts threads as processes here; elsewhere it is not worth the trouble.
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _index(path: Path) -> Index:
    with read(path) as journal:
        header = journal.header
        first = journal.first_offset
    connection = str(header.connection_id)
    index = Index(path, header.call_id, connection, header.opened_at_us)
    index.offset = first
    return index


def extend(index: Index, rested: threading.Event | None = None) -> None:
    """Bring an index up to what is on the disk now. Raises JournalError, OSError.

    With `rested` it rests now and then, and ends early if that is set.
    """
    with read(index.path) as journal:
        heads = journal.heads(index.offset)
        for number, head in enumerate(heads):
            is_time = number % HEADS_AT_ONCE == HEADS_AT_ONCE - 1
            if rested and is_time and rested.wait(REST_SECONDS):
                return
            _note(index, head)


def _note(index: Index, head: Record) -> None:
    arrival = index.opened_us + head.arrival_us
    marks = index.marks
    if not marks or arrival - marks[-1].arrival_us >= INDEX_EVERY_US:
        marks.append(Mark(head.offset, arrival))
        index.latest_us.append(index.seen_us)
    if head.kind == Kind.AUDIO:
        stamp = arrival if head.timestamp_us is None else head.timestamp_us
        index.seen_us = max(index.seen_us, stamp)
    elif head.kind == Kind.METADATA:
        if rate := rate_of(head):
            index.rates.append((head.offset, rate))
    elif head.kind == Kind.PARTICIPANT:
        index.raw_ids[head.participant] = head.text
    index.offset = head.end


def rate_of(record: Record) -> int:
    """Return the rate that a METADATA record tells; 0 if it tells none."""
    try:
        metadata = decode(record.text)
    except DecodeError:
        return 0
    return metadata.sample_rate if isinstance(metadata, AudioMetadata) else 0


class Reading:
    """One piece of a call's past on its way out of its journals."""

    def __init__(self, span_us: int) -> None:
        self.size = 0
        self._span_us = span_us
        self._cursor: dict[str, int] = {}
        self._reached: dict[str, int] = {}
        self._streams: list[Iterator[tuple[int, int, Index, Record]]] = []
        self._journals: list[JournalFile] = []
        self._connections: dict[str, int] = {}
        self._tracks: dict[tuple[str, int], int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._streams.clear()
        for journal in self._journals:
            journal.close()

    def open(self, index: Index, offset: int, from_us: int) -> None:
        """Read one more journal. Raises JournalError, OSError."""
        journal = read(index.path)
        self._journals.append(journal)
        order = len(self._streams)
        self._cursor[index.connection] = offset
        records = journal.records_from(offset)
        self._streams.append(self._audio(records, index, order, from_us))

    def _audio(
        self, records: Iterator[Record], index: Index, order: int, from_us: int
    ) -> Iterator[tuple[int, int, Index, Record]]:
        """Yield the packets captured from `from_us` on, each with its arrival."""
        audio = int(Kind.AUDIO)
        for record in records:
            if record.kind == audio:
                arrival = index.opened_us + record.arrival_us
                stamp = arrival if record.timestamp_us is None else record.timestamp_us
                if stamp >= from_us:
                    yield arrival, order, index, record
                self._reached[index.connection] = arrival

    def piece(self, ask: str, node: str) -> Past:
        """Return the piece, in the order in which its packets arrived."""
        packets: list[Packet] = []
        until: int | None = None
        is_end = True
        for arrival, _, index, record in heapq.merge(*self._streams, key=_order):
            until = until or arrival + self._span_us
            if arrival > until or self.size > MAX_PIECE_BYTES:
                is_end = False
                break
            packets.append(self._packet(index, record, arrival))
            self._cursor[index.connection] = record.end
        return Past(
            ask=ask,
            node=node,
            cursor=self._cursor,
            connections=list(self._connections),
            tracks=list(self._tracks),
            packets=packets,
            reached=self._reached,
            is_end=is_end,
        )

    def _packet(self, index: Index, record: Record, arrival: int) -> Packet:
        pcm = record.pcm
        samples = len(pcm) // BYTES_PER_SAMPLE
        # Zeros need not travel: the page makes them itself.
        is_told = not record.silent and not record.flags & ZEROS
        rate = index.rate_at(record.offset) or samples * SLOTS_PER_SECOND
        key = (_speaker(index, record), rate)
        self.size += len(record.payload)
        return Packet(
            self._connections.setdefault(index.connection, len(self._connections)),
            self._tracks.setdefault(key, len(self._tracks)),
            arrival,
            arrival if record.timestamp_us is None else record.timestamp_us,
            samples,
            bytes(pcm) if is_told else b"",
        )


def _order(one: tuple[int, int, Index, Record]) -> tuple[int, int]:
    return one[:2]


def _speaker(index: Index, record: Record) -> str:
    """Return whose packet it is, as `JournalCount.raw_id` does."""
    if record.participant == NO_PARTICIPANT:
        return MIXED
    known = index.raw_ids.get(record.participant)
    return known or f"participant {record.participant} of {index.connection}"
