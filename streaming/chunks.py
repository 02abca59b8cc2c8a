"""The index of stored audio as one socket makes it: a row per track and 5 seconds."""

from dataclasses import dataclass
from uuid import UUID

from calls.drafts import ChunkDraft
from calls.replay import CHUNK_SECONDS

# Index rows of the last minute can still change: late packets fill gaps in them.
CHUNKS_KEPT = 12


@dataclass(slots=True)
class _Chunk:
    start: int
    samples: int = 0
    packets: int = 0
    silent_packets: int = 0
    is_dirty: bool = True


class ChunkIndex:
    """Counts a socket's placed packets by track and 5 s, and forgets old counts."""

    def __init__(self) -> None:
        self._chunks: dict[tuple[UUID, int], _Chunk] = {}

    def add(
        self, track: UUID, rate: int, start: int, samples: int, silent: bool
    ) -> None:
        """Count a packet that was placed at sample `start`."""
        key = (track, start // (rate * CHUNK_SECONDS))
        chunk = self._chunks.get(key)
        if chunk is None:
            chunk = self._chunks[key] = _Chunk(start)
        chunk.start = min(chunk.start, start)
        chunk.samples += samples
        chunk.packets += 1
        chunk.silent_packets += silent
        chunk.is_dirty = True

    def drafts(self, connection: UUID) -> list[ChunkDraft]:
        """Return the rows that changed since the last call."""
        drafts = []
        newest: dict[UUID, int] = {}
        for track, number in self._chunks:
            newest[track] = max(newest.get(track, 0), number)
        for (track, number), chunk in list(self._chunks.items()):
            if chunk.is_dirty:
                chunk.is_dirty = False
                drafts.append(
                    ChunkDraft(
                        track,
                        connection,
                        number,
                        chunk.start,
                        chunk.samples,
                        chunk.packets,
                        chunk.silent_packets,
                    )
                )
            if number < newest[track] - CHUNKS_KEPT:
                del self._chunks[track, number]
        return drafts
