"""The waveform of a track that still grows: a byte for each 100 ms, for live pages.

A byte is the loudest sample of its tenth of a second, 0 to 254 on the scale of 16 bits
(`|sample| / 128`, rounded up: a whisper is not drawn as silence). Silence that the
sender flagged, and what is missing, are 0: which of them it was is in the ledger.
`UNKNOWN` stands for what another process received before this one took over. An hour
of a track is 36 kB.

For each packet only a reference is kept. The arithmetic happens once a second, over
all that came since.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from calls.audio.pcm import BYTES_PER_SAMPLE, decode
from calls.audio.placement import Placement

PER_SECOND = 10
UNKNOWN = 255
LOUDEST = 254
# Of how many of the last calls of `settle` it is known what they changed.
REMEMBERED = 16
# Packets kept before they are looked at, should nobody ask: five seconds of them.
_MOST_WAITING = 250


class Wave:
    """The growing waveform of a track at `rate` samples per second.

    `known_from` is the sample before which nobody here knows what was said.
    """

    __slots__ = (
        "_changed",
        "_changes",
        "_pending",
        "_placed",
        "_starts",
        "data",
        "rate",
        "rev",
    )

    def __init__(self, rate: int, known_from: int = 0) -> None:
        self.rate = rate
        self.data = bytearray([UNKNOWN]) * self._slot(known_from)
        # How often `settle` found something new.
        self.rev = 0
        self._changed: int | None = 0 if self.data else None
        self._changes: deque[int] = deque(maxlen=REMEMBERED)
        # Audio that has a place, and packets whose place is not decided yet. Two lists
        # and no pairs: a pair for each packet would be looked at by the garbage
        # collector, and begin its rounds.
        self._starts: list[int] = []
        self._placed: list[bytes] = []
        self._pending: deque[bytes] = deque()

    def take(self, pcm: bytes, placements: Sequence[Placement[Any]]) -> None:
        """Take a packet, and the placements that became final by it.

        A timeline gives each packet's placement back once, in the order in which they
        came. The buffer must not change until the next `settle`.
        """
        if len(placements) == 1 and not self._pending:
            placement = placements[0]
            if placement.start is not None and not placement.silent:
                self._starts.append(placement.start)
                self._placed.append(pcm)
                if len(self._starts) >= _MOST_WAITING:
                    self._measure()
            return
        self._pending.append(pcm)
        for placement in placements:
            placed = self._pending.popleft()
            if placement.start is not None and not placement.silent:
                self._starts.append(placement.start)
                self._placed.append(placed)

    def settle(self, end: int) -> None:
        """Bring the waveform up to date; the track is `end` samples long."""
        self._measure()
        self._grow(-(-end * PER_SECOND // self.rate))
        if self._changed is not None:
            self.rev += 1
            self._changes.append(self._changed)
            self._changed = None

    @property
    def changes(self) -> list[int]:
        """From which byte on it changed in each of its latest revisions."""
        return list(self._changes)

    def changed_since(self, rev: int) -> int:
        """Return from which byte on one who saw revision `rev` has to look again.

        0 if that was too long ago to be known.
        """
        behind = self.rev - rev
        if behind == 0:
            return len(self.data)
        if behind < 0 or behind > len(self._changes):
            return 0
        return min(list(self._changes)[-behind:])

    def _measure(self) -> None:
        for start, pcm in self._stretches():
            self._draw(start, pcm)
        self._starts.clear()
        self._placed.clear()

    def _stretches(self) -> Iterator[tuple[int, bytes]]:
        """Yield what waits, packets that follow each other joined: usually one."""
        begin = end = 0
        joined: list[bytes] = []
        for start, pcm in zip(self._starts, self._placed, strict=True):
            if start != end and joined:
                yield begin, b"".join(joined)
                joined = []
            if not joined:
                begin = start
            joined.append(pcm)
            end = start + len(pcm) // BYTES_PER_SAMPLE
        if joined:
            yield begin, b"".join(joined)

    def _draw(self, start: int, pcm: bytes) -> None:
        samples = decode(pcm)
        if not len(samples):
            return
        first = self._slot(start)
        stop = self._slot(start + len(samples) - 1) + 1
        self._grow(stop)
        # Where each slot begins, in samples; the first one may have begun earlier.
        begins = -(-np.arange(first, stop) * self.rate // PER_SECOND) - start
        begins[0] = 0
        highs = np.maximum.reduceat(samples, begins).astype(np.int32)
        lows = np.minimum.reduceat(samples, begins).astype(np.int32)
        peaks = np.minimum((np.maximum(highs, -lows) + 127) >> 7, LOUDEST)
        drawn = np.frombuffer(self.data, np.uint8)[first:stop]
        known = np.where(drawn == UNKNOWN, 0, drawn)
        self.data[first:stop] = np.maximum(known, peaks).astype(np.uint8).tobytes()
        self._note(first)

    def _grow(self, length: int) -> None:
        more = length - len(self.data)
        if more > 0:
            self._note(len(self.data))
            self.data += bytes(more)

    def _note(self, first: int) -> None:
        if self._changed is None or first < self._changed:
            self._changed = first

    def _slot(self, sample: int) -> int:
        return sample * PER_SECOND // self.rate
