"""From journals back to tracks: what finishing and recovery have in common.

`CallReplay` walks the journals of one call and hands every packet to its track, in the
order ingest did when they arrived. What has no place on a timeline (a late duplicate,
a malformed frame) goes to the `aside` callback, so that nothing received is thrown
away with the journal.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar
from uuid import UUID

from calls import identity
from calls.audio.ledger import State
from calls.audio.pcm import BYTES_PER_SAMPLE, SLOTS_PER_SECOND
from calls.audio.timeline import Placement
from calls.audio.track import TrackAudio
from calls.drafts import (
    ChunkDraft,
    SegmentDraft,
    SubscriptionDraft,
    ToneDraft,
    TrackDraft,
    UtteranceDraft,
)
from calls.handler_names import HANDLER_EVENT
from calls.instants import instant
from calls.journals.format import NO_MESSAGES
from calls.journals.reading import NO_PARTICIPANT, JournalError, Kind, Record
from calls.journals.said import Said
from calls.journals.walk import JournalCount, Walk, speaker, walk_together
from calls.tones.index import ToneIndex
from calls.transcripts.replay import TranscriptReplay
from streaming.protocol import US, AudioMetadata, DecodeError, DtmfData, decode

__all__ = [
    "CHUNK_SECONDS",
    "CallReplay",
    "JournalCount",
    "PacketRef",
    "track_draft",
]

CHUNK_SECONDS = 5
R = TypeVar("R")
# The meter keeps packets until it measures them; offline nothing else asks it to.
MEASURE_EVERY = 500
# What packets of 20 ms say about their rate, should damage have taken the metadata.
DOCUMENTED_RATES = (16_000, 24_000)


class PacketRef(NamedTuple):
    """Where a packet came from: its journal and its record."""

    source: JournalCount
    record: Record
    pcm: bytes


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
        # By socket: the DTMF tones that came over it.
        self._tones: dict[UUID, ToneIndex] = {}
        self._said = Said(call_id)
        self._transcript = TranscriptReplay(call_id)
        self._placed = placed
        self._aside = aside

    def run(self, paths: Iterable[Path]) -> None:
        """Replay the journals at `paths` to the end.

        Raises `JournalError` if a header or metadata cannot be read.
        """
        walks = sorted(map(Walk, paths))
        self.counts = [walk.count for walk in walks]
        for count, record in walk_together(walks):
            if record.kind == Kind.AUDIO:
                self._packet(count, record)
            elif record.kind == Kind.METADATA:
                self._metadata(count, record)
            else:
                self._other(count, record)
        for (raw_id, rate), track in self.tracks.items():
            self._settle(raw_id, rate, track.flush())
            track.meter.take()

    def chunks(self) -> Iterator[ChunkDraft]:
        """Return the index rows of everything that was placed."""
        for count in self.counts:
            for (raw_id, rate, number), figures in count.chunks.items():
                start, samples, packets, silent = figures
                track_id = identity.track_id(self.call_id, raw_id, rate)
                connection_id = count.header.connection_id
                yield ChunkDraft(
                    track_id, connection_id, number, start, samples, packets, silent
                )

    def tones(self) -> Iterator[ToneDraft]:
        """Return the DTMF tones of all journals."""
        for index in self._tones.values():
            yield from index.drafts()

    def utterances(self) -> list[UtteranceDraft]:
        """Return what we said, as far as it got."""
        return self._said.drafts()

    def segments(self) -> Iterator[SegmentDraft]:
        """Return what was said in words, of all journals."""
        yield from self._transcript.segments

    def _metadata(self, count: JournalCount, record: Record) -> None:
        count.messages += 1
        try:
            metadata = decode(record.text)
        except DecodeError as exc:
            raise JournalError(f"{count.path.name}: metadata: {exc}") from exc
        if not isinstance(metadata, AudioMetadata):
            raise JournalError(f"{count.path.name}: metadata is of another kind")
        count.subscriptions[metadata.subscription_id] = SubscriptionDraft(
            call_id=self.call_id,
            subscription_id=metadata.subscription_id,
            encoding=metadata.encoding,
            sample_rate=metadata.sample_rate,
            channels=metadata.channels,
            frame_bytes=metadata.length,
            started_at=instant(count.opened_us + record.arrival_us),
        )
        count.rate = metadata.sample_rate

    def _packet(self, count: JournalCount, record: Record) -> None:
        pcm = bytes(record.pcm)
        raw_id = speaker(count, record)
        # What we said came over no socket.
        is_ours = raw_id == US
        if is_ours:
            self._said.hear(count, len(pcm) // BYTES_PER_SAMPLE)
        else:
            count.messages += 1
            count.packets += 1
            count.bytes += len(pcm)
        rate = count.rate or _likely_rate(pcm)
        if not rate:
            self._aside(count, record)
            return
        count.has_mixed |= record.participant == NO_PARTICIPANT
        track = self.tracks.get((raw_id, rate))
        if track is None:
            track = self.tracks[raw_id, rate] = TrackAudio(rate, is_ours=is_ours)
        placements = track.take(
            timestamp_us=record.timestamp_us,
            arrival_us=count.opened_us + record.arrival_us,
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
            start = placement.start
            if start is None:
                self._aside(placement.ref.source, placement.ref.record)
                continue
            key = (raw_id, rate, start // (rate * CHUNK_SECONDS))
            chunks = placement.ref.source.chunks
            chunk = chunks.get(key)
            if chunk is None:
                chunk = chunks[key] = [start, 0, 0, 0]
            elif start < chunk[0]:
                chunk[0] = start
            chunk[1] += placement.samples
            chunk[2] += 1
            chunk[3] += placement.silent
            ref = placement.ref
            ref.source.note_end(raw_id, rate, ref.record, start + placement.samples)
            self._placed(raw_id, rate, placement)

    def _other(self, count: JournalCount, record: Record) -> None:
        if record.kind == Kind.NOTE:
            self._said.note(count, record)
            self._transcript.remark(count, record)
            if json.loads(record.text).get("event") == HANDLER_EVENT:
                # Auditors ask what else heard a call when its journals are gone.
                self._aside(count, record)
        if record.kind in NO_MESSAGES:
            return
        count.messages += 1
        if record.kind == Kind.MALFORMED:
            count.malformed += 1
        elif record.kind == Kind.UNKNOWN:
            count.unknown += 1
        elif record.kind == Kind.DTMF:
            self._tone(count, record)
        elif record.kind == Kind.TRANSCRIPTION:
            self._transcript.take(count, record)
        self._aside(count, record)

    def _tone(self, count: JournalCount, record: Record) -> None:
        """Name a tone as ingest did. A frame nobody can read is only put aside."""
        with suppress(DecodeError):
            if isinstance(dtmf := decode(record.text), DtmfData):
                socket = count.header.connection_id
                index = self._tones.get(socket)
                if index is None:
                    index = ToneIndex(self.call_id, socket, count.opened_us)
                    self._tones[socket] = index
                index.add(dtmf, record.arrival_us)


def _likely_rate(pcm: bytes) -> int:
    """Return the rate of a packet of 20 ms; 0 if it is none of the documented.

    Ingest takes no audio before metadata: there is audio without any only where damage
    took the metadata, and that must cost no more than itself.
    """
    rate = len(pcm) // BYTES_PER_SAMPLE * SLOTS_PER_SECOND
    return rate if rate in DOCUMENTED_RATES else 0


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
        first_packet_at=instant(track.first_arrival_us),
        last_packet_at=instant(track.last_arrival_us),
        jitter_us=round(timeline.jitter_us),
        rms_dbfs=level.rms_dbfs,
        peak_dbfs=level.peak_dbfs,
        clipped_samples=level.clipped,
        completeness=ledger.completeness,
        ledger=dict(ledger.to_json()),
    )
