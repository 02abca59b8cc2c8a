"""From journals back to tracks: what finishing and recovery have in common.

`CallReplay` walks the journals of one call in the order their sockets opened and
hands every packet to its track, as ingest did when it arrived. What has no place on a
timeline (a late duplicate, a malformed frame) goes to the `aside` callback, so that
nothing received is thrown away with the journal.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from calls import identity
from calls.audio.ledger import State
from calls.audio.timeline import Placement
from calls.audio.track import TrackAudio
from calls.drafts import ChunkDraft, ConnectionDraft, SubscriptionDraft, TrackDraft
from calls.journal import JournalError, JournalFile, JournalHeader, Kind, Record, read
from streaming.protocol import MIXED, AudioMetadata, DecodeError, decode

CHUNK_SECONDS = 5
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
R = TypeVar("R")
# The meter keeps packets until it measures them; offline nothing else asks it to.
MEASURE_EVERY = 500


@dataclass(slots=True)
class JournalCount:
    """What one journal held."""

    path: Path
    header: JournalHeader
    subscription: SubscriptionDraft | None = None
    messages: int = 0
    packets: int = 0
    bytes: int = 0
    malformed: int = 0
    unknown: int = 0
    unjournaled: int = 0
    last_arrival_us: int = 0
    participants: set[str] = field(default_factory=set)
    damage: str | None = None
    close_code: int | None = None
    close_reason: str = ""
    is_sealed: bool = False

    def draft(self) -> ConnectionDraft:
        """Return the socket's row."""
        header = self.header
        return ConnectionDraft(
            id=header.connection_id,
            call_id=header.call_id,
            call_connection_id=header.call_connection_id,
            correlation_id=header.correlation_id or "",
            process_id=None,
            node=header.node,
            remote_address="",
            opened_at=header.opened_at,
            subscription_id=self.subscription.subscription_id
            if self.subscription
            else None,
            messages=self.messages,
            packets=self.packets,
            bytes=self.bytes,
            malformed=self.malformed,
            unknown=self.unknown,
            unjournaled=self.unjournaled,
            closed_at=header.opened_at + timedelta(microseconds=self.last_arrival_us),
            close_code=self.close_code,
            close_reason=self.close_reason
            or (self.damage or "the ingest process ended without sealing it"),
            is_torn=not self.is_sealed,
        )


@dataclass(frozen=True, slots=True)
class PacketRef:
    """Where a packet came from: its journal and its record."""

    count: JournalCount
    record: Record
    pcm: bytes


def moment(us: int) -> datetime:
    """Return microseconds since 1970 as an aware datetime."""
    return EPOCH + timedelta(microseconds=us)


Placed = Callable[[str, int, Placement[PacketRef]], None]
Aside = Callable[[JournalCount, Record], None]


class CallReplay:
    """Replays journals of one call into tracks.

    `placed(raw_id, rate, placement)` is called for each packet on a timeline;
    `aside(count, record)` for each record that has no place on one.
    """

    def __init__(self, call_id: UUID, *, placed: Placed, aside: Aside) -> None:
        self.call_id = call_id
        self.tracks: dict[tuple[str, int], TrackAudio[PacketRef]] = {}
        self.counts: list[JournalCount] = []
        self._placed = placed
        self._aside = aside
        self._chunks: dict[tuple[UUID, UUID, int], list[int]] = {}

    def run(self, paths: Iterable[Path]) -> None:
        """Replay the journals at `paths`, earliest socket first, to the end.

        Raises `JournalError` if a header cannot be read.
        """
        for path in sorted(paths, key=_opened):
            with read(path) as journal:
                self._journal(path, journal)
        for (raw_id, rate), track in self.tracks.items():
            self._settle(raw_id, rate, track.flush())
            track.meter.take()

    def chunks(self) -> Iterator[ChunkDraft]:
        """Return the index rows of everything that was placed."""
        for (track_id, connection_id, number), figures in self._chunks.items():
            start, samples, packets, silent = figures
            yield ChunkDraft(
                track_id, connection_id, number, start, samples, packets, silent
            )

    def _journal(self, path: Path, journal: JournalFile) -> None:
        count = JournalCount(path, journal.header)
        self.counts.append(count)
        rate = 0
        # A damaged byte in the middle costs its record, not all that follow it.
        for record in journal.records(past_damage=True):
            count.last_arrival_us = max(count.last_arrival_us, record.arrival_us)
            if record.kind == Kind.AUDIO:
                raw_id = journal.participants.get(record.participant) or MIXED
                count.participants.add(raw_id)
                self._packet(count, raw_id, rate, record)
            elif record.kind == Kind.METADATA:
                rate = self._metadata(count, record)
            else:
                self._other(count, record)
        count.damage = journal.damage
        seal = journal.sealed
        if seal is not None:
            count.is_sealed = True
            count.close_code, count.close_reason = seal.code, seal.reason
            count.unjournaled = seal.dropped_packets

    def _metadata(self, count: JournalCount, record: Record) -> int:
        count.messages += 1
        try:
            metadata = decode(record.text)
        except DecodeError as exc:
            raise JournalError(f"{count.path.name}: metadata: {exc}") from exc
        if not isinstance(metadata, AudioMetadata):
            raise JournalError(f"{count.path.name}: metadata is of another kind")
        count.subscription = SubscriptionDraft(
            call_id=self.call_id,
            subscription_id=metadata.subscription_id,
            encoding=metadata.encoding,
            sample_rate=metadata.sample_rate,
            channels=metadata.channels,
            frame_bytes=metadata.length,
            started_at=moment(count.header.opened_at_us + record.arrival_us),
        )
        return metadata.sample_rate

    def _packet(
        self, count: JournalCount, raw_id: str, rate: int, record: Record
    ) -> None:
        if not rate:
            # Ingest refuses audio before metadata; such a record is not to be lost.
            self._aside(count, record)
            return
        pcm = bytes(record.pcm)
        count.messages += 1
        count.packets += 1
        count.bytes += len(pcm)
        track = self.tracks.get((raw_id, rate))
        if track is None:
            track = self.tracks[raw_id, rate] = TrackAudio(rate)
        placements = track.take(
            timestamp_us=record.timestamp_us,
            arrival_us=count.header.opened_at_us + record.arrival_us,
            pcm=pcm,
            silent=record.silent,
            ref=PacketRef(count, record, pcm),
        )
        if placements:
            self._settle(raw_id, rate, placements)
        if track.packets % MEASURE_EVERY == 0:
            track.meter.take()

    def _settle(
        self, raw_id: str, rate: int, placements: Iterable[Placement[PacketRef]]
    ) -> None:
        for placement in placements:
            if placement.start is None:
                self._aside(placement.ref.count, placement.ref.record)
                continue
            self._index(raw_id, rate, placement, placement.start)
            self._placed(raw_id, rate, placement)

    def _index(
        self, raw_id: str, rate: int, placement: Placement[PacketRef], start: int
    ) -> None:
        key = (
            identity.track_id(self.call_id, raw_id, rate),
            placement.ref.count.header.connection_id,
            max(start, 0) // (rate * CHUNK_SECONDS),
        )
        chunk = self._chunks.get(key)
        if chunk is None:
            chunk = self._chunks[key] = [start, 0, 0, 0]
        chunk[0] = min(chunk[0], start)
        chunk[1] += placement.samples
        chunk[2] += 1
        chunk[3] += placement.silent

    def _other(self, count: JournalCount, record: Record) -> None:
        if record.kind in (Kind.PARTICIPANT, Kind.SEAL, Kind.NOTE):
            return
        count.messages += 1
        if record.kind == Kind.MALFORMED:
            count.malformed += 1
        elif record.kind == Kind.UNKNOWN:
            count.unknown += 1
        self._aside(count, record)


def _opened(path: Path) -> tuple[int, str]:
    with read(path) as journal:
        return journal.header.opened_at_us, path.name


def track_draft(call_id: UUID, raw_id: str, track: TrackAudio[R]) -> TrackDraft:
    """Return a track's figures as the row they make. Levels cover audible packets."""
    timeline, ledger = track.timeline, track.ledger
    level = track.meter.total
    if timeline.origin is None:
        raise AssertionError("a track has an origin once it has a packet")
    return TrackDraft(
        call_id=call_id,
        raw_id=raw_id,
        sample_rate=track.rate,
        origin_us=timeline.origin,
        samples=timeline.end,
        packets=track.packets,
        bytes=track.bytes,
        silent_packets=track.silent_packets,
        talk_samples=ledger.total(State.RECEIVED),
        gap_count=ledger.gap_count,
        gap_samples=ledger.total(State.GAP),
        stopped_samples=ledger.total(State.STOPPED),
        late=ledger.late,
        duplicates=ledger.duplicates,
        discarded=ledger.discarded,
        bad_timestamps=timeline.bad_timestamps,
        first_packet_at=moment(track.first_arrival_us),
        last_packet_at=moment(track.last_arrival_us),
        jitter_us=round(timeline.jitter_us),
        rms_dbfs=level.rms_dbfs,
        peak_dbfs=level.peak_dbfs,
        clipped_samples=level.clipped,
        completeness=ledger.completeness,
        ledger=ledger.to_json(),
    )
