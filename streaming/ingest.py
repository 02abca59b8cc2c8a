"""What one media socket brings. No Django.

`MediaSession` is one socket: it journals every frame, places every packet on the tracks
of its call (`CallAudio`) and counts everything. Nothing here waits.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any
from uuid import UUID

from calls import identity
from calls.audio.timeline import Placement
from calls.audio.track import TrackAudio
from calls.audio.wave import Wave
from calls.drafts import ChunkDraft, ConnectionDraft, SubscriptionDraft, ToneDraft
from calls.tones.index import ToneIndex
from streaming.call_audio import CallAudio, TrackKey
from streaming.chunks import ChunkIndex, TrackChunks
from streaming.journal import Journal
from streaming.outbound.speaker import Send
from streaming.outbound.voice import SpeechNews
from streaming.protocol import (
    MASK,
    MIXED,
    US,
    AudioData,
    AudioMetadata,
    DtmfData,
    mask_keys,
)
from streaming.protocol.session import (
    AudioReceived,
    DtmfReceived,
    Event,
    MalformedReceived,
    MediaStream,
    MetadataReceived,
    Refused,
    TranscriptionReceived,
    UnknownReceived,
)
from streaming.socket_rows import Counts, Opening, socket_draft

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
POLICY_VIOLATION = 1008
TOO_BIG = 1009
# One is usual, a few after orders to stop and start; each becomes a row.
MAX_SUBSCRIPTIONS = 100
# What a peer is called that says that it is us: only we write as US.
NOT_US = "us, it says"


@dataclass(frozen=True, slots=True)
class _Lane:
    """One speaker on one socket at one rate, and what their packets touch."""

    rate: int
    index: int
    audio: "TrackAudio[MediaSession]"
    wave: Wave
    chunks: TrackChunks
    raw_id: str


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
        # What sends over this socket, until it ends; and where news of that goes.
        self.send: Send | None = None
        # What measures how long a word and its answer take, where the server can.
        self.ping: Callable[[Callable[[int], None]], None] | None = None
        self.speech_news = SpeechNews()
        self._ours: _Lane | None = None
        self._chunks = ChunkIndex()
        self._opened_us = (opening.opened_at - EPOCH) // MICROSECOND
        self._tones = ToneIndex(call.call_id, connection_id, self._opened_us)
        self._rate = 0
        # By raw id as it came, and by key: who speaks over this socket.
        self._lanes: dict[str | None, _Lane] = {}
        self._chunks_of: dict[TrackKey, TrackChunks] = {}
        call.sessions.append(self)
        call.idle_since = None

    def take(self, frame: str | bytes, arrival_us: int) -> Refused | None:
        """Journal, place and count one message."""
        event = self.stream.receive(frame)
        if type(event) is AudioReceived:
            return self._audio(event.audio, frame, arrival_us)
        return self._other(event, frame, arrival_us)

    def _other(
        self, event: Event, frame: str | bytes, arrival_us: int
    ) -> Refused | None:
        match event:
            case MetadataReceived(metadata):
                return self._metadata(metadata, frame, arrival_us)
            case DtmfReceived(dtmf):
                self._dtmf(dtmf, frame, arrival_us)
            case TranscriptionReceived():
                self.journal.transcription(frame, arrival_us)
            case UnknownReceived():
                self.journal.unknown(self.call.kept(frame), arrival_us)
            case MalformedReceived(reason):
                self._malformed(reason, frame, arrival_us)
            case Refused(reason) as refused:
                self._malformed(reason, frame, arrival_us)
                return refused
            case AudioReceived():
                raise AssertionError("audio was taken before")
        return None

    def _dtmf(self, dtmf: DtmfData, frame: str | bytes, arrival_us: int) -> None:
        """Keep a key that was pressed; which one, unless the call masks it."""
        stamp = _microseconds(dtmf.timestamp)
        if (handler := self.call.handler) is not None:
            raw_id = dtmf.participant_raw_id or ""
            at_us = stamp or self._opened_us + arrival_us
            # No callback tells of a masked key, so that none is remembered.
            if self.call.masks_tones or self.call.keys.from_socket(
                dtmf.data, raw_id, at_us
            ):
                # The key itself, whatever is masked elsewhere: it is kept nowhere.
                handler.press(dtmf.data, raw_id or MIXED)
        if self.call.masks_tones:
            frame = mask_keys(frame)
            dtmf = DtmfData(MASK, dtmf.timestamp, dtmf.participant_raw_id)
        self.journal.dtmf(frame, arrival_us, stamp)
        self._tones.add(dtmf, arrival_us)

    def take_too_big(self, frame: str | bytes, arrival_us: int) -> Refused:
        """Keep a message that is too long to be read, and refuse its socket."""
        self.counts.too_big += 1
        reason = f"a message of {len(frame)} bytes"
        return self._refuse(reason, TOO_BIG, frame, arrival_us)

    def _refuse(
        self, reason: str, code: int, frame: str | bytes, arrival_us: int
    ) -> Refused:
        self._malformed(reason, frame, arrival_us)
        return Refused(reason, code)

    def _malformed(self, reason: str, frame: str | bytes, arrival_us: int) -> None:
        """Keep a message that nobody can use: all that was received is kept."""
        self.counts.malformed += 1
        self.counts.last_fault = reason
        self.journal.malformed(self.call.kept(frame), arrival_us)

    def _metadata(
        self, metadata: AudioMetadata, frame: str | bytes, arrival_us: int
    ) -> Refused | None:
        known = self.subscriptions
        if metadata.subscription_id not in known and len(known) >= MAX_SUBSCRIPTIONS:
            reason = "more subscriptions than a socket can have"
            return self._refuse(reason, POLICY_VIOLATION, frame, arrival_us)
        # First: what was heard of us up to now is of the rate before, to a journal too.
        self.call.end_voice(unless=metadata.sample_rate)
        self.journal.metadata(frame, arrival_us)
        self._rate = metadata.sample_rate
        known[metadata.subscription_id] = SubscriptionDraft(
            call_id=self.call.call_id,
            subscription_id=metadata.subscription_id,
            encoding=metadata.encoding,
            sample_rate=metadata.sample_rate,
            channels=metadata.channels,
            frame_bytes=metadata.length,
            started_at=self.opening.opened_at + timedelta(microseconds=arrival_us),
        )
        self.attach()
        # A redial: the newer socket has the call; those dialled before it are told to
        # go, never one that was dialled later and has not spoken yet.
        for older in takewhile(lambda other: other is not self, self.call.sessions):
            if older.superseded:
                tell, older.superseded = older.superseded, None
                tell()
        return None

    def attach(self) -> None:
        """Let the call speak over this socket from now on, if it may, and be heard.

        Once its format is known; sooner it does nothing.
        """
        if not self._rate:
            return
        while self.call.unwritten:
            self.remark(self.call.unwritten.popleft())
        voice = self.call.give_voice(self._rate, self.speech_news)
        held, self.call.held = self.call.held, []
        for act in held:
            act(self.call)
        if voice is not None and self.send is not None:
            voice.attach(self, self.send)
        if self.call.handler is not None:
            self.call.handler.begin(self._rate)

    def spoke(self, rate: int, pcm: bytes, stamp_us: int) -> None:
        """Keep what was heard of us, at its capture time.

        It is audio of the call like any other, but it came over no socket: it counts
        among no packets.
        """
        arrived = self.call.at_us(time.monotonic_ns() // 1000)
        arrival_us = max(arrived - self._opened_us, 0)
        lane = self._ours
        if lane is None or lane.rate != rate:
            lane = self._ours = self._lane_of(US, US, rate, arrival_us)
        if lane is None:
            raise AssertionError("there is always room for our own track")
        self.journal.audio(lane.index, stamp_us, arrival_us, pcm, False)
        if (tap := self.call.tap) is not None:
            tap.take(self.id, US, rate, arrived, stamp_us, pcm, False)
        placements = lane.audio.take(stamp_us, arrived, pcm, False, self)
        lane.wave.take(pcm, placements)
        for placement in placements:
            self._place_aside(lane, placement)

    def remark(self, remark: Mapping[str, Any]) -> None:
        """Write something about this call into the journal."""
        arrived = self.call.at_us(time.monotonic_ns() // 1000)
        self.journal.note(remark, max(arrived - self._opened_us, 0))

    def _audio(
        self, audio: AudioData, frame: str | bytes, arrival_us: int
    ) -> Refused | None:
        # The one hot method, 50 times a second per speaker.
        lane = self._lanes.get(audio.participant_raw_id)
        if lane is None or lane.rate != self._rate:
            lane = self._lane(audio.participant_raw_id, arrival_us)
            if lane is None:
                reason = "more participants than a call can have"
                return self._refuse(reason, POLICY_VIOLATION, frame, arrival_us)
        timestamp, pcm, silent = audio.timestamp, audio.data, audio.silent
        stamp = None if timestamp is None else (timestamp - EPOCH) // MICROSECOND
        self.journal.audio(lane.index, stamp, arrival_us, pcm, silent)
        counts = self.counts
        counts.packets += 1
        counts.bytes += len(pcm)
        counts.last_packet_us = arrival_us
        if self.heard:
            heard, self.heard = self.heard, None
            heard()
        arrived = self._opened_us + arrival_us
        if stamp is not None:
            clock = self.call.clock
            clock.stamp_us = stamp
            if arrived - stamp < clock.least:
                clock.note(arrived - stamp)
        if (tap := self.call.tap) is not None:
            tap.take(self.id, lane.raw_id, lane.rate, arrived, stamp, pcm, silent)
        if (handler := self.call.handler) is not None:
            handler.hear(lane.raw_id, lane.rate, arrived, stamp, pcm, silent)
        placements = lane.audio.take(stamp, arrived, pcm, silent, self)
        lane.wave.take(pcm, placements)
        self._place(lane, placements)
        return None

    def _place(
        self, lane: "_Lane", placements: "Iterable[Placement[MediaSession]]"
    ) -> None:
        for placement in placements:
            if placement.ref is self and placement.start is not None:
                lane.chunks.add(placement.start, placement.samples, placement.silent)
            else:
                self._place_aside(lane, placement)

    def _lane(self, named: str | None, arrival_us: int) -> "_Lane | None":
        """Return who speaks under that name at the present rate; None if too many."""
        shown = NOT_US if named == US else named
        lane = self._lane_of(shown or MIXED, shown, self._rate, arrival_us)
        if lane is not None:
            self._lanes[named] = lane
        return lane

    def _lane_of(
        self, raw_id: str, named: str | None, rate: int, arrival_us: int
    ) -> "_Lane | None":
        track = self.call.track(raw_id, rate)
        if track is None:
            return None
        return _Lane(
            rate,
            self.journal.participant(named, arrival_us),
            track.audio,
            track.wave,
            self._track_chunks((raw_id, rate)),
            raw_id,
        )

    def _track_chunks(self, key: TrackKey) -> TrackChunks:
        chunks = self._chunks_of.get(key)
        if chunks is None:
            track = identity.track_id(self.call.call_id, *key)
            chunks = self._chunks_of[key] = self._chunks.of(track, key[1])
        return chunks

    def _place_aside(self, lane: "_Lane", placement: "Placement[MediaSession]") -> None:
        """Count a packet that has no place, or that came over another socket."""
        session = placement.ref
        if placement.start is None:
            session.counts.unplaced += 1
            return
        chunks = session._track_chunks((lane.raw_id, lane.rate))
        chunks.add(placement.start, placement.samples, placement.silent)

    def close(self, code: int | None, reason: str, at: datetime) -> Future[Path] | None:
        """Seal the journal, once; the future resolves when all of it is on disk."""
        if self.counts.closed_at is not None:
            return None
        if self.call.voice is not None and self.send is not None:
            self.call.voice.detach(self, self.send)
        counts = self.counts
        counts.closed_at, counts.close_code, counts.close_reason = at, code, reason
        self.call.sessions.remove(self)
        self.call.left_at = time.monotonic()
        if self.call.handler is not None:
            self.remark(self.call.handler.remark("socket closed"))
        return self.journal.seal(
            code,
            reason,
            {
                "messages": self.messages,
                "packets": counts.packets,
                "bytes": counts.bytes,
                "malformed": counts.malformed,
                "unknown": self.unknown,
            },
        )

    @property
    def last_arrival_us(self) -> int:
        """Return when its last packet came, µs since 1970; 0 if none has."""
        counts = self.counts
        return self._opened_us + counts.last_packet_us if counts.packets else 0

    @property
    def messages(self) -> int:
        """Return the number of messages received, of whatever kind."""
        return self.stream.messages + self.counts.too_big

    @property
    def unknown(self) -> int:
        """Return the number of frames of kinds we do not read."""
        return sum(self.stream.unknown_kinds.values())

    def subscription_drafts(self) -> Iterator[SubscriptionDraft]:
        """Return the subscriptions this socket announced, as rows."""
        mixed = None
        if self.counts.packets:
            mixed = any(raw_id == MIXED for raw_id, _ in self._chunks_of)
        for key, draft in self.subscriptions.items():
            # A redial goes on with the subscription: only its last socket ends it.
            goes_on = any(key in other.subscriptions for other in self.call.sessions)
            ended_at = None if goes_on else self.counts.closed_at
            yield replace(draft, is_mixed=mixed, ended_at=ended_at)

    def chunk_drafts(self) -> list[ChunkDraft]:
        """Return index rows that changed since the last call."""
        return self._chunks.drafts(self.id)

    def tone_drafts(self) -> list[ToneDraft]:
        """Return the DTMF tones that came since the last call, as rows."""
        return self._tones.drafts()

    def draft(self, *, process_id: UUID, node: str) -> ConnectionDraft:
        """Return this socket as the row it makes."""
        counts = self.counts
        came = timedelta(microseconds=counts.last_packet_us)
        return replace(
            socket_draft(self, process_id=process_id, node=node),
            subscription_id=next(reversed(self.subscriptions), None),
            packets=counts.packets,
            bytes=counts.bytes,
            unjournaled=self.journal.dropped_packets,
            last_packet_at=self.opening.opened_at + came if counts.packets else None,
        )


def _microseconds(stamp: datetime | None) -> int | None:
    return None if stamp is None else (stamp - EPOCH) // MICROSECOND
