"""One ingest process: its journals, its sockets, and its clock tick.

The recorder is made on the first socket (or at start-up by `manage.py ingest`) and
lives on the event loop that serves the sockets. Everything slow is elsewhere: the
journal's threads, the archive's threads, and a task that ticks once a second.
"""

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import cast
from uuid import UUID, uuid4

from django.conf import settings

from calls.audio.ledger import LedgerJson
from calls.audio.track import TrackAudio, Window
from calls.drafts import ArchiveBatch, CallFacts, TrackDraft
from calls.journal import JournalHeader
from calls.journal_format import microseconds
from streaming.archive import Archive
from streaming.ingest import CallAudio, LiveTrack, MediaSession, Opening
from streaming.journal import JournalWriter, free_bytes
from streaming.live import LivePublisher, ProcessSnapshot, call_snapshot

log = logging.getLogger(__name__)

TICK = 1.0
# Figures and index rows go to the database this often; openings and ends at once.
ROWS_EVERY = 5.0
# A call without sockets is forgotten after this long: a redial then goes on from rows.
FORGET_AFTER = 900.0
SOFTWARE = "acsstream 0.1.0"


class Recorder:
    """What an ingest process holds. Its methods belong to one event loop."""

    def __init__(self) -> None:
        self.process_id: UUID = uuid4()
        self.journals = JournalWriter(settings.JOURNAL_DIR)
        self.archive = Archive()
        self.live = LivePublisher()
        self.calls: dict[UUID, CallAudio] = {}
        self.refused: Counter[str] = Counter()
        self.packets_per_second = 0.0
        self._packets_closed = 0
        self._packets_before = 0
        self._ended: list[MediaSession] = []
        self._wake = asyncio.Event()
        self._rows_due = 0.0
        self._task: asyncio.Task[None] | None = None

    @property
    def streams(self) -> int:
        """Return the number of open media sockets."""
        return sum(len(call.sessions) for call in self.calls.values())

    def start(self) -> None:
        """Begin to tick, once."""
        if self._task is None:
            settings.JOURNAL_DIR.mkdir(parents=True, exist_ok=True)
            self._task = asyncio.create_task(self._run(), name="recorder")

    async def stop(self) -> None:
        """Seal what is open, write what waits, leave the live view."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        for call in self.calls.values():
            for session in list(call.sessions):
                self.close(session, 1012, "the ingest process ended")
        await asyncio.to_thread(self.journals.close)
        await self._rows(time.monotonic())
        await self.archive.leave(self.process_id, datetime.now(UTC))
        await self.live.leave(self.process_id)
        await asyncio.to_thread(self.archive.close)

    def no_room(self) -> str | None:
        """Return why no further socket can be taken, or None."""
        if settings.MAX_STREAMS and self.streams >= settings.MAX_STREAMS:
            return f"{settings.MAX_STREAMS} streams are open, the limit"
        try:
            free = free_bytes(settings.JOURNAL_DIR)
        except OSError as exc:
            return f"the journal folder cannot be used: {exc.strerror}"
        if free < settings.MIN_FREE_MB * 1_000_000:
            return f"only {free // 1_000_000} MB are free for journals"
        return None

    def open(
        self,
        call_id: UUID,
        opening: Opening,
        facts: CallFacts | None,
        superseded: Callable[[], None],
    ) -> MediaSession:
        """Take a socket: its journal is opened, its row is on its way."""
        self.start()
        call = self.calls.get(call_id)
        if call is None:
            call = self.calls[call_id] = _call_of(call_id, facts)
        connection_id = uuid4()
        journal = self.journals.open(
            JournalHeader(
                call_id=call_id,
                connection_id=connection_id,
                call_connection_id=opening.call_connection_id,
                correlation_id=opening.correlation_id or None,
                opened_at=opening.opened_at,
                node=settings.NODE,
                pid=os.getpid(),
                software=SOFTWARE,
            )
        )
        session = MediaSession(call, connection_id, journal, opening)
        session.superseded = superseded

        def heard() -> None:
            self._put(call, [session])
            self._wake.set()

        session.heard = heard
        heard()
        return session

    def close(self, session: MediaSession, code: int | None, reason: str) -> None:
        """Seal a socket's journal; its last figures go to the database at once."""
        if session.close(code, reason, datetime.now(UTC)) is None:
            return
        self._packets_closed += session.counts.packets
        self._ended.append(session)
        if not session.call.sessions:
            session.call.idle_since = time.monotonic()
        self._wake.set()

    async def _run(self) -> None:
        due = time.monotonic()
        while True:
            due = max(due + TICK, time.monotonic())
            try:
                await self._tick(time.monotonic())
            except Exception:
                # The tick is a process edge: recording must outlive any fault in it.
                log.exception("a tick of the recorder failed")
            while (left := due - time.monotonic()) > 0:
                await self._woken(left)

    async def _woken(self, patience: float) -> None:
        """Wait for the next tick; write openings and ends that come meanwhile."""
        try:
            await asyncio.wait_for(self._wake.wait(), patience)
        except TimeoutError:
            return
        self._wake.clear()
        self._put_ended()
        await self.archive.flush()
        # Openings come in crowds; each crowd is one transaction.
        await asyncio.sleep(min(0.05, patience))

    async def _tick(self, now: float) -> None:
        for call in self.calls.values():
            call.measure()
        self._count_packets()
        if now >= self._rows_due:
            self._rows_due = now + ROWS_EVERY
            await self._stops()
            await self._rows(now)
            await self.archive.renew(
                self.process_id, streams=self.streams, refused=self.refused.total()
            )
        await self.live.publish(self.snapshot())

    def _count_packets(self) -> None:
        packets = self._packets_closed + sum(
            session.counts.packets
            for call in self.calls.values()
            for session in call.sessions
        )
        self.packets_per_second = (packets - self._packets_before) / TICK
        self._packets_before = packets

    async def _stops(self) -> None:
        """Learn which of the pauses were ordered: a stop is no loss."""
        for call in list(self.calls.values()):
            if any(track.audio.pauses for track in call.tracks.values()):
                facts = await self.archive.facts(call.call_id, 1.0)
                if facts:
                    call.stops = _windows(facts)

    async def _rows(self, now: float) -> None:
        """Send what changed to the database; forget calls long without sockets."""
        self._put_ended()
        for call in list(self.calls.values()):
            call.settle()
            self._put(call, call.sessions)
            idle = call.idle_since
            if not call.sessions and idle is not None and now - idle > FORGET_AFTER:
                del self.calls[call.call_id]
        await self.archive.flush()

    def _put_ended(self) -> None:
        ended, self._ended = self._ended, []
        for session in ended:
            self._put(session.call, [session])

    def _put(self, call: CallAudio, sessions: list[MediaSession]) -> None:
        self.archive.put(
            ArchiveBatch(
                connections=[
                    session.draft(process_id=self.process_id, node=settings.NODE)
                    for session in sessions
                ],
                subscriptions=[
                    draft
                    for session in sessions
                    for draft in session.subscription_drafts()
                ],
                tracks=list(call.drafts()),
                chunks=[
                    draft for session in sessions for draft in session.chunk_drafts()
                ],
            )
        )

    def snapshot(self) -> ProcessSnapshot:
        """Return what this process hears, for the live view."""
        health = self.journals.health()
        return {
            "process": str(self.process_id),
            "node": settings.NODE,
            "pid": os.getpid(),
            "at": time.time(),
            "streams": self.streams,
            "packets_per_second": self.packets_per_second,
            "refused": self.refused.total(),
            "journal": {
                "pending_bytes": health.pending_bytes,
                "error": next(iter(health.errors), None),
            },
            "database": self.archive.error,
            "calls": [
                call_snapshot(call) for call in self.calls.values() if call.sessions
            ],
        }


def _windows(facts: CallFacts) -> list[Window]:
    return [
        Window(microseconds(stop.start), microseconds(stop.end) if stop.end else None)
        for stop in facts.stops
    ]


def _call_of(call_id: UUID, facts: CallFacts | None) -> CallAudio:
    """Return a call with the tracks another process (or a former life) had begun."""
    call = CallAudio(call_id)
    if facts:
        call.stops = _windows(facts)
        for draft in facts.tracks:
            call.tracks[draft.raw_id, draft.sample_rate] = _track_of(draft)
    return call


def _track_of(draft: TrackDraft) -> LiveTrack:
    audio: TrackAudio[MediaSession] = TrackAudio.resume(
        cast(LedgerJson, draft.ledger),
        origin_us=draft.origin_us,
        packets=draft.packets,
        size=draft.bytes,
        silent_packets=draft.silent_packets,
        arrivals_us=(
            microseconds(draft.first_packet_at),
            microseconds(draft.last_packet_at),
        ),
    )
    return LiveTrack(audio, packets_reported=audio.packets)


_recorder: Recorder | None = None


def recorder() -> Recorder:
    """Return this process's recorder, made on first use."""
    global _recorder
    if _recorder is None:
        _recorder = Recorder()
    return _recorder


async def recorder_stop() -> None:
    """Stop this process's recorder, if there is one."""
    global _recorder
    if _recorder is not None:
        await _recorder.stop()
        _recorder = None
