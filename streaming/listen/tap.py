"""A tap on a call: what its sockets receive, for those who listen. No Django.

The receive path asks `CallAudio.tap` once per packet, and while nobody listens that is
all. A tap holds what came since the last batch, up to a limit: what nobody fetches is
lost to listeners, and counted; recording does not know of it.
"""

import time
from typing import TYPE_CHECKING
from uuid import UUID

from calls.audio.pcm import BYTES_PER_SAMPLE, samples_to_us
from streaming.listen.wire import Batch, Heard, Packet

if TYPE_CHECKING:
    from streaming.call_audio import CallAudio

# Two seconds of ten participants; a batch is fetched sixteen times a second.
MAX_PACKETS = 1000


class Tap:
    """Collects the packets of one call between two batches."""

    __slots__ = ("_bases", "_call", "_packets", "_tracks", "edge_us", "lost")

    def __init__(self, call: "CallAudio") -> None:
        self._call = call
        self._packets: list[tuple[UUID, str, int, int, int, bytes, bool]] = []
        self._tracks: dict[tuple[str, int], int] = {}
        self.lost = 0
        # Where what was captured so far ends, µs since 1970.
        self.edge_us = _edge(call)
        # By connection, the arrival of the last packet that was in no batch yet.
        self._bases: dict[UUID, int] = {
            session.id: session.last_arrival_us for session in call.sessions
        }

    def take(
        self,
        connection: UUID,
        raw_id: str,
        rate: int,
        arrival_us: int,
        stamp_us: int | None,
        pcm: bytes,
        silent: bool,
    ) -> None:
        """Keep a packet for the next batch. Times are µs since 1970."""
        if len(self._packets) >= MAX_PACKETS:
            self.lost += 1
            # The batches then do not join, and whoever reads them sees it.
            self._bases[connection] = arrival_us
            return
        stamp = arrival_us if stamp_us is None else stamp_us
        self._packets.append((connection, raw_id, rate, arrival_us, stamp, pcm, silent))

    def batch(self, process: str) -> Batch:
        """Return what came since the last batch."""
        packets, self._packets = self._packets, []
        lost, self.lost = self.lost, 0
        indexes: dict[UUID, int] = {}
        heard: list[Heard] = []
        for session in self._call.sessions:
            indexes[session.id] = len(heard)
            heard.append(Heard(str(session.id), self._bases.get(session.id, 0)))
        told = []
        for connection, raw_id, rate, arrival, stamp, pcm, silent in packets:
            index = indexes.get(connection)
            if index is None:
                # Its socket closed since.
                index = indexes[connection] = len(heard)
                heard.append(Heard(str(connection), self._bases.get(connection, 0)))
            track = self._tracks.setdefault((raw_id, rate), len(self._tracks))
            samples = len(pcm) // BYTES_PER_SAMPLE
            told.append(
                Packet(index, track, arrival, stamp, samples, b"" if silent else pcm)
            )
            end = stamp + samples_to_us(samples, rate)
            if self.edge_us is None or end > self.edge_us:
                self.edge_us = end
            self._bases[connection] = max(arrival, self._bases.get(connection, 0))
        return Batch(
            process=process,
            sent_at=time.time(),
            origin_us=self._origin(),
            edge_us=self.edge_us,
            sockets=len(self._call.sessions),
            connections=heard,
            tracks=list(self._tracks),
            packets=told,
            lost=lost,
        )

    def _origin(self) -> int | None:
        origins = (t.audio.timeline.origin for t in self._call.tracks.values())
        return min((one for one in origins if one is not None), default=None)


def _edge(call: "CallAudio") -> int | None:
    timelines = (track.audio.timeline for track in call.tracks.values())
    ends = (
        one.origin + samples_to_us(one.end, one.rate)
        for one in timelines
        if one.origin is not None
    )
    return max(ends, default=None)
