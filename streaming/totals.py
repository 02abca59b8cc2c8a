"""What an ingest process has counted since it started. No Django.

A call's figures may fall (a gap is filled by a late packet) and go on where another
process left off. What is told here never falls and never counts what somebody else
counted: that is what Prometheus makes rates of.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

from calls.audio.ledger import State
from calls.audio.pcm import samples_to_us
from calls.live.ingest import LiveTotals

if TYPE_CHECKING:
    from streaming.call_audio import CallAudio
    from streaming.ingest import MediaSession

Figures: TypeAlias = tuple[int, ...]


class Totals:
    """Counts of one process. Its methods belong to the event loop."""

    def __init__(self) -> None:
        self._sockets = 0
        # Of sockets that have closed: packets, malformed, unknown.
        self._closed: Figures = (0, 0, 0)
        self._sums: Figures = (0,) * 6
        self._seen: dict[UUID, tuple[CallAudio, Figures]] = {}

    def opened(self, call: "CallAudio") -> None:
        """Count a socket; what its call has by now was counted, or is another's."""
        self._sockets += 1
        seen = self._seen.get(call.call_id)
        if seen is None or seen[0] is not call:
            self._seen[call.call_id] = (call, _figures(call))

    def closed(self, session: "MediaSession") -> None:
        """Take over the counts of a socket."""
        self._closed = _plus(self._closed, _counts(session))

    def look(self) -> None:
        """Add what has come to the calls since the last look."""
        for call_id, (call, seen) in list(self._seen.items()):
            now = _figures(call)
            risen = tuple(max(new - old, 0) for new, old in zip(now, seen, strict=True))
            self._sums = _plus(self._sums, risen)
            if call.sessions:
                highest = tuple(map(max, now, seen))
                self._seen[call_id] = (call, highest)
            else:
                del self._seen[call_id]

    def packets(self, calls: Iterable["CallAudio"]) -> int:
        """Return the packets of all sockets, open and closed."""
        return self._of_sockets(calls)[0]

    def told(
        self,
        calls: Iterable["CallAudio"],
        *,
        dropped: int,
        refused: Mapping[str, int],
    ) -> LiveTotals:
        """Return the counts for the live view."""
        packets, malformed, unknown = self._of_sockets(calls)
        gaps, gap_ms, late, duplicates, handler_dropped, underruns = self._sums
        return {
            "sockets": self._sockets,
            "packets": packets,
            "gaps": gaps,
            "gap_ms": gap_ms,
            "late": late,
            "duplicates": duplicates,
            "malformed": malformed,
            "unknown": unknown,
            "dropped_records": dropped,
            "handler_dropped": handler_dropped,
            "underruns": underruns,
            "refused": dict(Counter(refused)),
        }

    def _of_sockets(self, calls: Iterable["CallAudio"]) -> Figures:
        counts = self._closed
        for call in calls:
            for session in call.sessions:
                counts = _plus(counts, _counts(session))
        return counts


def _counts(session: "MediaSession") -> Figures:
    counts = session.counts
    return counts.packets, counts.malformed, session.unknown


def _figures(call: "CallAudio") -> Figures:
    gaps = gap_us = late = duplicates = 0
    for track in call.callers.values():
        ledger = track.audio.ledger
        gaps += ledger.gap_count
        gap_us += samples_to_us(ledger.total(State.GAP), track.audio.rate)
        late += ledger.late
        duplicates += ledger.duplicates
    dropped = call.handler.dropped if call.handler else 0
    underruns = call.speaker.playout.underruns if call.speaker else 0
    return gaps, gap_us // 1000, late, duplicates, dropped, underruns


def _plus(left: Figures, right: Figures) -> Figures:
    return tuple(map(sum, zip(left, right, strict=True)))
