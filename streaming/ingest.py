"""What one media socket brings, and what a call's tracks make of it. No Django.

`CallAudio` is a call as this process hears it: its tracks outlive its sockets, so a
redial goes on where the last socket ended. `MediaSession` is one socket: it journals
every frame, places every packet and counts everything. Nothing here waits.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

from calls import identity
from calls.audio.ledger import overtalk_us
from calls.audio.levels import Level
from calls.audio.timeline import Placement
from calls.audio.track import TrackAudio, Window
from calls.drafts import ChunkDraft, ConnectionDraft, SubscriptionDraft, TrackDraft
from calls.replay import CHUNK_SECONDS, track_draft
from streaming.journal import Journal
from streaming.protocol import MIXED, AudioData, AudioMetadata
from streaming.protocol.session import (
    AudioReceived,
    DtmfReceived,
    MalformedReceived,
    MediaStream,
    MetadataReceived,
    Refused,
    TranscriptionReceived,
    UnknownReceived,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
POLICY_VIOLATION = 1008
# ACS sends the four most dominant speakers; they rotate, but a call has not this many.
MAX_TRACKS = 250
# Index rows of the last minute can still change: late packets fill gaps in them.
CHUNKS_KEPT = 12
# A second louder than this counts as talking now, for the eye only.
TALK_DBFS = -60.0

TrackKey: TypeAlias = tuple[str, int]


@dataclass(slots=True)
class LiveTrack:
    """A track, and what its last second was like."""

    audio: "TrackAudio[MediaSession]"
    level: Level | None = None
    is_talking: bool = False
    packets_reported: int = 0


class CallAudio:
    """A call's audio as this process receives it."""

    def __init__(self, call_id: UUID) -> None:
        self.call_id = call_id
        self.tracks: dict[TrackKey, LiveTrack] = {}
        self.sessions: list[MediaSession] = []
        self.stops: Sequence[Window] = ()
        self.overtalk_ms = 0
        self.idle_since: float | None = None

    def track(self, raw_id: str, rate: int) -> LiveTrack | None:
        """Return the track of a participant, made on first use; None if too many."""
        key = (raw_id, rate)
        track = self.tracks.get(key)
        if track is None:
            if len(self.tracks) >= MAX_TRACKS:
                return None
            track = self.tracks[key] = LiveTrack(TrackAudio(rate))
        return track

    def measure(self) -> None:
        """Close the last second: levels, who talks. Called once a second."""
        for track in self.tracks.values():
            audio = track.audio
            track.level = audio.meter.take()
            track.is_talking = track.level.rms_dbfs > TALK_DBFS

    def settle(self) -> None:
        """Bring figures that need the whole ledger up to date: stops and overtalk."""
        tracks = [track.audio for track in self.tracks.values()]
        for audio in tracks:
            audio.mark_stopped(self.stops)
        if len(tracks) > 1:
            starts = [(audio.timeline.origin or 0, audio.ledger) for audio in tracks]
            self.overtalk_ms = overtalk_us(starts) // 1000

    def drafts(self) -> Iterator[TrackDraft]:
        """Return the figures of tracks that received something since the last call."""
        for (raw_id, _), track in self.tracks.items():
            audio = track.audio
            if audio.packets == track.packets_reported or audio.timeline.origin is None:
                continue
            track.packets_reported = audio.packets
            yield track_draft(self.call_id, raw_id, audio)


@dataclass(frozen=True, slots=True)
class Opening:
    """Who opened a socket, as far as the handshake tells."""

    call_connection_id: str
    correlation_id: str
    remote_address: str
    opened_at: datetime


@dataclass(slots=True)
class Counts:
    """What came over one socket."""

    packets: int = 0
    bytes: int = 0
    unplaced: int = 0
    last_fault: str = ""
    close_code: int | None = None
    close_reason: str = ""
    closed_at: datetime | None = None


@dataclass(slots=True)
class _Chunk:
    start: int
    samples: int = 0
    packets: int = 0
    silent_packets: int = 0
    is_dirty: bool = True


@dataclass(slots=True)
class _Chunks:
    """Index rows of one socket, per track and 5 s."""

    rows: dict[tuple[UUID, int], _Chunk] = field(default_factory=dict)

    def add(
        self, track: UUID, rate: int, start: int, samples: int, silent: bool
    ) -> None:
        key = (track, start // (rate * CHUNK_SECONDS))
        chunk = self.rows.get(key)
        if chunk is None:
            chunk = self.rows[key] = _Chunk(start)
        chunk.start = min(chunk.start, start)
        chunk.samples += samples
        chunk.packets += 1
        chunk.silent_packets += silent
        chunk.is_dirty = True

    def drafts(self, connection: UUID) -> Iterator[ChunkDraft]:
        newest: dict[UUID, int] = {}
        for track, number in self.rows:
            newest[track] = max(newest.get(track, 0), number)
        for (track, number), chunk in list(self.rows.items()):
            if chunk.is_dirty:
                chunk.is_dirty = False
                yield ChunkDraft(
                    track,
                    connection,
                    number,
                    chunk.start,
                    chunk.samples,
                    chunk.packets,
                    chunk.silent_packets,
                )
            if number < newest[track] - CHUNKS_KEPT:
                del self.rows[track, number]


class MediaSession:
    """One media socket, from its handshake to its seal.

    Feed it each message with its arrival (µs since the socket opened, by a monotonic
    clock); a `Refused` says to close the socket with its code.
    """

    def __init__(
        self,
        call: CallAudio,
        connection_id: UUID,
        journal: Journal,
        opening: Opening,
        *,
        max_malformed: int = 50,
    ) -> None:
        self.call = call
        self.id = connection_id
        self.journal = journal
        self.opening = opening
        self.stream = MediaStream(max_malformed)
        self.counts = Counts()
        self.subscriptions: dict[str, SubscriptionDraft] = {}
        self.superseded: Callable[[], None] | None = None
        # Called once, with the first packet: until then streaming is only promised.
        self.heard: Callable[[], None] | None = None
        self._chunks = _Chunks()
        self._opened_us = (opening.opened_at - EPOCH) // MICROSECOND
        self._rate = 0
        self._track_ids: dict[TrackKey, UUID] = {}
        call.sessions.append(self)
        call.idle_since = None

    def take(self, frame: str | bytes, arrival_us: int) -> Refused | None:
        """Journal, place and count one message."""
        match self.stream.receive(frame):
            case AudioReceived(audio):
                return self._audio(audio, arrival_us)
            case MetadataReceived(metadata, raw):
                self.journal.metadata(raw, arrival_us)
                self._metadata(metadata, arrival_us)
            case DtmfReceived(dtmf):
                stamp = _microseconds(dtmf.timestamp)
                index = self.journal.participant(dtmf.participant_raw_id, arrival_us)
                self.journal.dtmf(frame, arrival_us, stamp, index)
            case TranscriptionReceived():
                self.journal.transcription(frame, arrival_us)
            case UnknownReceived():
                self.journal.unknown(frame, arrival_us)
            case MalformedReceived(reason):
                self.counts.last_fault = reason
                self.journal.malformed(frame, arrival_us)
            case Refused(reason) as refused:
                self.counts.last_fault = reason
                self.journal.malformed(frame, arrival_us)
                return refused
        return None

    def _metadata(self, metadata: AudioMetadata, arrival_us: int) -> None:
        self._rate = metadata.sample_rate
        started_at = self.opening.opened_at + timedelta(microseconds=arrival_us)
        self.subscriptions[metadata.subscription_id] = SubscriptionDraft(
            call_id=self.call.call_id,
            subscription_id=metadata.subscription_id,
            encoding=metadata.encoding,
            sample_rate=metadata.sample_rate,
            channels=metadata.channels,
            frame_bytes=metadata.length,
            started_at=started_at,
        )
        # A redial: the newer socket has the call; the older one is told to go.
        for other in self.call.sessions:
            if other is not self and other.superseded:
                other.superseded()

    def _audio(self, audio: AudioData, arrival_us: int) -> Refused | None:
        raw_id = audio.participant_raw_id or MIXED
        track = self.call.track(raw_id, self._rate)
        if track is None:
            self.counts.last_fault = "more participants than a call can have"
            return Refused(self.counts.last_fault, POLICY_VIOLATION)
        stamp = _microseconds(audio.timestamp)
        pcm = audio.data
        index = self.journal.participant(audio.participant_raw_id, arrival_us)
        self.journal.audio(index, stamp, arrival_us, pcm, audio.silent)
        counts = self.counts
        counts.packets += 1
        counts.bytes += len(pcm)
        if self.heard:
            heard, self.heard = self.heard, None
            heard()
        placements = track.audio.take(
            timestamp_us=stamp,
            arrival_us=self._opened_us + arrival_us,
            pcm=pcm,
            silent=audio.silent,
            ref=self,
        )
        if placements:
            self._placed((raw_id, self._rate), placements)
        return None

    def _placed(
        self, key: TrackKey, placements: Iterable["Placement[MediaSession]"]
    ) -> None:
        track = self._track_ids.get(key)
        if track is None:
            track = identity.track_id(self.call.call_id, *key)
            self._track_ids[key] = track
        for placement in placements:
            session = placement.ref
            if placement.start is None:
                session.counts.unplaced += 1
                continue
            session._chunks.add(
                track, key[1], placement.start, placement.samples, placement.silent
            )

    def close(self, code: int | None, reason: str, at: datetime) -> Future[Path] | None:
        """Seal the journal, once; the future resolves when all of it is on disk."""
        if self.counts.closed_at is not None:
            return None
        counts = self.counts
        counts.closed_at, counts.close_code, counts.close_reason = at, code, reason
        self.call.sessions.remove(self)
        return self.journal.seal(
            code,
            reason,
            {
                "messages": self.stream.messages,
                "packets": counts.packets,
                "bytes": counts.bytes,
                "malformed": self.stream.malformed,
                "unknown": self.unknown,
            },
        )

    @property
    def unknown(self) -> int:
        """Return the number of frames of kinds we do not read."""
        return sum(self.stream.unknown_kinds.values())

    def subscription_drafts(self) -> Iterator[SubscriptionDraft]:
        """Return the subscriptions this socket announced, as rows."""
        mixed = None
        if self.counts.packets:
            mixed = any(raw_id == MIXED for raw_id, _ in self._track_ids)
        for draft in self.subscriptions.values():
            yield SubscriptionDraft(
                call_id=draft.call_id,
                subscription_id=draft.subscription_id,
                encoding=draft.encoding,
                sample_rate=draft.sample_rate,
                channels=draft.channels,
                frame_bytes=draft.frame_bytes,
                started_at=draft.started_at,
                is_mixed=mixed,
                ended_at=self.counts.closed_at,
            )

    def chunk_drafts(self) -> Iterator[ChunkDraft]:
        """Return index rows that changed since the last call."""
        return self._chunks.drafts(self.id)

    def draft(self, *, process_id: UUID, node: str) -> ConnectionDraft:
        """Return this socket as the row it makes."""
        counts, opening = self.counts, self.opening
        return ConnectionDraft(
            id=self.id,
            call_id=self.call.call_id,
            call_connection_id=opening.call_connection_id,
            correlation_id=opening.correlation_id,
            process_id=process_id,
            node=node,
            remote_address=opening.remote_address,
            opened_at=opening.opened_at,
            subscription_id=next(reversed(self.subscriptions), None),
            messages=self.stream.messages,
            packets=counts.packets,
            bytes=counts.bytes,
            malformed=self.stream.malformed,
            unknown=self.unknown,
            unjournaled=self.journal.dropped_packets,
            last_fault=counts.last_fault,
            closed_at=counts.closed_at,
            close_code=counts.close_code,
            close_reason=counts.close_reason,
        )


def _microseconds(stamp: datetime | None) -> int | None:
    return None if stamp is None else (stamp - EPOCH) // MICROSECOND
