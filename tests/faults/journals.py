"""What rows must say, counted from the journals by other means than the product's."""

import asyncio
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any
from uuid import UUID

from calls.journals.reading import Kind, read
from tests.faults.line import LABEL, PACKET_BYTES
from tests.streaming.house import PATIENCE, House, eventually
from tests.streaming.wire import SAMPLES

CHUNK_PACKETS = 250
Facts = dict[tuple[Any, ...], tuple[int, ...]]

SOCKETS = "select id, packets, bytes, messages, malformed from calls_connection"
TRACKS = """
    select t.call_id, p.raw_id, t.packets, t.bytes, t.samples, t.gap_samples
    from calls_track t join calls_participant p on p.id = t.participant_id
"""
CHUNKS = """
    select t.call_id, p.raw_id, c.connection_id, c.number,
           c.start_sample, c.samples, c.packets
    from calls_audiochunk c
    join calls_track t on t.id = c.track_id
    join calls_participant p on p.id = t.participant_id
"""


def facts_of_journals(house: House) -> Facts:
    """Return the figures of every socket, track and chunk, by what they are of."""
    heard: dict[tuple[UUID, str], list[tuple[int, UUID]]] = defaultdict(list)
    facts: Facts = {}
    for path in house.journals:
        packets, metadata = 0, 0
        with read(path) as journal:
            header = journal.header
            for record in journal.records():
                metadata += record.kind == Kind.METADATA
                if record.kind == Kind.AUDIO:
                    packets += 1
                    speaker = journal.participants[record.participant] or ""
                    number = LABEL.unpack_from(record.pcm)[2]
                    heard[header.call_id, speaker].append(
                        (number, header.connection_id)
                    )
        facts["socket", header.connection_id] = (
            *(packets, packets * PACKET_BYTES),
            *(packets + metadata, 0),
        )
    for (call, speaker), numbers in heard.items():
        facts |= _facts_of_track(call, speaker, numbers)
    return facts


def _facts_of_track(call: UUID, speaker: str, numbers: list[tuple[int, UUID]]) -> Facts:
    first, last = min(numbers)[0], max(numbers)[0]
    slots, packets = last - first + 1, len(numbers)
    facts: Facts = {
        ("track", call, speaker): (
            *(packets, packets * PACKET_BYTES),
            *(slots * SAMPLES, (slots - packets) * SAMPLES),
        )
    }
    chunks = Counter(
        (socket, (number - first) // CHUNK_PACKETS) for number, socket in numbers
    )
    for (socket, chunk), count in chunks.items():
        start = min(
            number - first
            for number, other in numbers
            if other == socket and (number - first) // CHUNK_PACKETS == chunk
        )
        facts["chunk", call, speaker, socket, chunk] = (
            *(start * SAMPLES, count * SAMPLES),
            count,
        )
    return facts


def facts_of_rows(house: House) -> Facts:
    """Return the same as the database has it."""
    facts: Facts = {}
    for query, kind, keys in (
        (SOCKETS, "socket", 1),
        (TRACKS, "track", 2),
        (CHUNKS, "chunk", 4),
    ):
        for row in house.rows(query):
            values = list(row.values())
            facts[kind, *map(_plain, values[:keys])] = tuple(values[keys:])
    return facts


def _is_sealed(path: Path) -> bool:
    with read(path) as journal:
        return journal.sealed is not None


def _plain(value: Any) -> Any:
    """Return a key as it is in both databases; SQLite has UUIDs as hex digits."""
    if isinstance(value, str) and len(value) == 32:
        return UUID(value)
    return value


async def rows_catch_up(house: House) -> None:
    """Wait until the rows of sockets that are closed say what their journals say."""
    await eventually(lambda: all(map(_is_sealed, house.journals)))
    expected = facts_of_journals(house)
    deadline = time.monotonic() + PATIENCE
    while (found := facts_of_rows(house)) != expected:
        if time.monotonic() > deadline:
            # For pytest to show how they differ.
            assert found == expected
        await asyncio.sleep(0.2)
