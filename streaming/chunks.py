"""The index of stored audio as one socket makes it: a row per track and 5 seconds."""

from dataclasses import dataclass
from uuid import UUID

from calls.drafts import ChunkDraft
from calls.journals.replay import CHUNK_SECONDS

# Index rows of the last minute can still change: late packets fill gaps in them.
CHUNKS_KEPT = 12


@dataclass(slots=True)
class _Chunk:
    start: int
    samples: int = 0
    packets: int = 0
    silent_packets: int = 0
    is_dirty: bool = True


class TrackChunks:
    """One track's part of a socket's index."""

    def __init__(self, rate: int) -> None:
        self.chunks: dict[int, _Chunk] = {}
        self._size = rate * CHUNK_SECONDS
        # The chunk that grew last, and where it begins and ends: nearly always it is
        # the one that grows next.
        self._open = _Chunk(0)
        self._begin = self._end = 0

    def add(self, start: int, samples: int, silent: bool) -> None:
        """Count a packet that was placed at sample `start`."""
        if not self._begin <= start < self._end:
            self._turn(start)
        chunk = self._open
        if start < chunk.start:
            chunk.start = start
        chunk.samples += samples
        chunk.packets += 1
        chunk.silent_packets += silent
        chunk.is_dirty = True

    def _turn(self, start: int) -> None:
        number = start // self._size
        self._begin, self._end = number * self._size, (number + 1) * self._size
        chunk = self.chunks.get(number)
        if chunk is None:
            chunk = self.chunks[number] = _Chunk(start)
        self._open = chunk

    def forget(self, number: int) -> None:
        """Drop a chunk that will change no more."""
        if self.chunks.pop(number) is self._open:
            self._begin = self._end = 0


class ChunkIndex:
    """Counts a socket's placed packets by track and 5 s, and forgets old counts."""

    def __init__(self) -> None:
        self._tracks: dict[UUID, TrackChunks] = {}

    def of(self, track: UUID, rate: int) -> TrackChunks:
        """Return a track's part, made on first use."""
        chunks = self._tracks.get(track)
        if chunks is None:
            chunks = self._tracks[track] = TrackChunks(rate)
        return chunks

    def drafts(self, connection: UUID) -> list[ChunkDraft]:
        """Return the rows that changed since the last call."""
        drafts = []
        for track, of in self._tracks.items():
            newest = max(of.chunks, default=0)
            for number, chunk in list(of.chunks.items()):
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
                if number < newest - CHUNKS_KEPT:
                    of.forget(number)
        return drafts
