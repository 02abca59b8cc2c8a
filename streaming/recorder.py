"""One ingest process: its journals, its sockets, and what it does each second.

The recorder is made on the first socket (or at start-up by `manage.py ingest`) and
lives on the event loop that serves the sockets. Everything slow is elsewhere: the
journal's threads, the archive's threads. Of its two tasks one shows the process in the
live view each second, the other writes rows: a database that hangs does not make the
live view stop, nor a Redis that hangs the rows.
"""

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

from django.conf import settings

from calls.drafts import ArchiveBatch, CallFacts
from calls.journal import JournalError, JournalHeader
from calls.live import LiveCall, LiveProcess
from calls.load import LiveLoad
from calls.software import SOFTWARE
from streaming.archive import Archive
from streaming.auth import KINDS
from streaming.backlog import BacklogWatch
from streaming.call_audio import CallAudio
from streaming.call_details import DetailPublisher
from streaming.capacity import Capacity
from streaming.crowd import Crowd
from streaming.guard import Guard
from streaming.handlers.house import Handlers
from streaming.handlers.keys import KeyDesk
from streaming.ingest import MediaSession, Opening
from streaming.journal import Journal, JournalWriter, free_bytes
from streaming.late_facts import ask_again
from streaming.listen import Desk
from streaming.live import LivePublisher, call_snapshot
from streaming.outbound.desk import SpeakingDesk
from streaming.outbound.voice import Told
from streaming.resume import call_of, call_resume, is_behind, windows
from streaming.room import NoRoomError
from streaming.tasks import tasks_end
from streaming.totals import Totals
from streaming.transcription.desk import TranscriptDesk

log = logging.getLogger(__name__)

TICK = 1.0
# Figures and index rows go to the database this often; openings and ends at once.
ROWS_EVERY = 5.0
# Openings and ends come in crowds; each crowd is one transaction.
CROWD = 0.05
# Calls looked at in one go: hundreds would hold up their packets, and going back to
# the event loop after each of them costs as much as looking at it.
AT_ONCE = 8
# A call without sockets is forgotten after this long: a redial then goes on from rows.
FORGET_AFTER = 900.0
# At the end the journals have everything; rows are worth this much of waiting.
LAST_ROWS = 4.0
STOPS_TIMEOUT = 1.0


class Recorder:
    """What an ingest process holds. Its methods belong to one event loop."""

    def __init__(self) -> None:
        self.process_id: UUID = uuid4()
        self.journals = JournalWriter(settings.JOURNAL_DIR)
        self.archive = Archive()
        self.live = LivePublisher()
        self.details = DetailPublisher(self.process_id)
        self.calls: dict[UUID, CallAudio] = {}
        # From nought: what first appears with a count has not risen, for Prometheus.
        self.refused = Counter(dict.fromkeys(KINDS, 0))
        self.crowd = Crowd(settings.SOURCE_SOCKETS)
        self.capacity = Capacity(settings.MAX_STREAMS)
        self.packets_per_second = 0.0
        self.desk = Desk(
            self.process_id,
            self.calls,
            node=settings.NODE,
            journals=settings.JOURNAL_DIR,
        )
        self.told = Told()
        self.speaking = SpeakingDesk(self.calls, self.told)
        self.keys = KeyDesk(self.calls)
        self.transcripts = TranscriptDesk(self)
        self.totals = Totals()
        self.backlog = BacklogWatch(settings.JOURNAL_DIR)
        self.started_at = time.time()
        self._counted = (time.monotonic(), 0)
        self._ended: list[MediaSession] = []
        self._wake = asyncio.Event()
        self.guard = Guard(self.archive, self._wake.set)
        self.handlers = Handlers(
            self.archive,
            self._wake.set,
            self.transcripts.captions.tell,
            grace=settings.HANDLER_GRACE_SECONDS,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._is_ending = False
        self._is_draining = False
        # Why no further socket was taken when that was last looked at.
        self._full: str | None = None

    @property
    def streams(self) -> int:
        """Return the number of open media sockets."""
        return sum(len(call.sessions) for call in self.calls.values())

    @property
    def sockets(self) -> int:
        """Return the number of open sockets, those of transcription too."""
        return self.streams + len(self.transcripts.open)

    def start(self) -> None:
        """Begin to work, once."""
        if not self._tasks and not self._is_ending:
            settings.JOURNAL_DIR.mkdir(parents=True, exist_ok=True)
            self.capacity.lag.start()
            self.desk.start()
            self.speaking.start()
            self.keys.start()
            self.backlog.start()
            self._tasks = [
                asyncio.create_task(self._show(), name="recorder-live"),
                asyncio.create_task(self._write(), name="recorder-rows"),
            ]

    def drain(self) -> None:
        """Take no further socket; those that are open go on."""
        self._is_draining = True

    async def stop(self) -> None:
        """Seal what is open, write what waits, leave the live view. Once, for good."""
        self._is_ending = True
        self.capacity.lag.stop()
        await tasks_end(*self._tasks)
        await self.speaking.stop()
        await self.keys.stop()
        await self.backlog.stop()
        for call in self.calls.values():
            for session in list(call.sessions):
                self.close(session, 1012, "the ingest process ended")
        await self.handlers.stop(self.calls)
        for scribe in self.transcripts.open:
            self.transcripts.close(scribe, 1012, "the ingest process ended")
        await self.transcripts.captions.stop()
        await asyncio.to_thread(self.journals.close)
        await self.desk.stop()
        try:
            async with asyncio.timeout(LAST_ROWS):
                await self._last_rows()
        except TimeoutError:
            log.warning("the last rows were not written: the journals have the facts")
        await self.live.leave(self.process_id)
        await asyncio.to_thread(self.archive.close)

    async def _last_rows(self) -> None:
        now = time.monotonic()
        for call in self.calls.values():
            call.settle()
            self._put(call, (), now)
        self._put_ended()
        self.guard.end()
        # A process whose sockets are still open in the database has not left: the
        # sweep that finds its lease run out closes them.
        if await self.archive.flush():
            await self.archive.leave(self.process_id, datetime.now(UTC))

    def no_room(self) -> str | None:
        """Return why no further media socket can be taken, or None."""
        full = None if self._is_ending else self.capacity.refusal(self.streams)
        return full or self._no_journal()

    def _no_journal(self) -> str | None:
        """Return why no further journal can be opened, or None."""
        if self._is_ending:
            return "the ingest process is ending"
        if self._is_draining:
            return "the ingest process has been told to end"
        try:
            free = free_bytes(settings.JOURNAL_DIR)
        except OSError as exc:
            return f"the journal folder cannot be used: {exc.strerror}"
        if free < settings.MIN_FREE_MB * 1_000_000:
            return f"only {free // 1_000_000} MB are free for journals"
        for error in self.journals.health().errors:
            return f"journals cannot be written: {error}"
        return None

    def open(
        self,
        call_id: UUID,
        opening: Opening,
        facts: CallFacts | None,
        superseded: Callable[[], None],
    ) -> MediaSession:
        """Take a socket: its journal is opened, its row is on its way.

        Raises `NoRoomError`.
        """
        if reason := self.no_room():
            raise NoRoomError(reason)
        self.start()
        call, opened_at = self.call_taken(call_id, facts, opening.opened_at)
        opening = replace(opening, opened_at=opened_at)
        connection_id = uuid4()
        journal = self.journal_open(call_id, connection_id, opening)
        self.call_keep(call)
        call_resume(call, facts)
        self.totals.opened(call)
        session = MediaSession(call, connection_id, journal, opening)
        session.superseded, session.told = superseded, self.told
        self.handlers.opened(call, facts)
        self.desk.opened(call)

        def heard() -> None:
            self._put(call, [session], time.monotonic())
            self._wake.set()

        session.heard = heard
        heard()
        return session

    def call_taken(
        self, call_id: UUID, facts: CallFacts | None, opened_at: datetime
    ) -> tuple[CallAudio, datetime]:
        """Return the call of a socket, and when that opened by the call's clock.

        It is not among `calls` yet: its journal may not open.
        """
        known = self.calls.get(call_id)
        if known is None or is_behind(known, facts):
            call = call_of(call_id, facts)
        else:
            call = known
            if facts:
                call.stops = windows(facts.stops)
                call.mask(masks_tones=facts.masks_tones)
        if known is None or facts:
            self.guard.admit(call, facts)
            call.may_speak = settings.MEDIA_AUTH == "off" or bool(
                facts and facts.is_bidirectional
            )
        call.has_news = self._wake.set
        return call, call.now(opened_at, time.monotonic())

    def call_keep(self, call: CallAudio) -> None:
        """Have a call among `calls`: a journal of it is open."""
        known = self.calls.get(call.call_id)
        if known is not None and known is not call:
            call.take_over(known)
        self.calls[call.call_id] = call

    def wake(self) -> None:
        """Have what is new written soon."""
        self._wake.set()

    def journal_open(
        self,
        call_id: UUID,
        connection_id: UUID,
        opening: Opening,
        *,
        socket: str = "media",
    ) -> Journal:
        """Return a new journal. Raises `NoRoomError`."""
        if reason := self._no_journal():
            raise NoRoomError(reason)
        header = JournalHeader(
            call_id=call_id,
            connection_id=connection_id,
            call_connection_id=opening.call_connection_id,
            correlation_id=opening.correlation_id or None,
            opened_at=opening.opened_at,
            node=settings.NODE,
            pid=os.getpid(),
            software=SOFTWARE,
            socket=socket,
        )
        try:
            return self.journals.open(header)
        except JournalError as exc:
            raise NoRoomError(f"no journal can be opened: {exc}") from exc

    def close(self, session: MediaSession, code: int | None, reason: str) -> None:
        """Seal a socket's journal; its last figures go to the database at once."""
        if session.close(code, reason, datetime.now(UTC)) is None:
            return
        self.totals.closed(session)
        self._ended.append(session)
        self.call_left(session.call)
        self._wake.set()

    def call_left(self, call: CallAudio) -> None:
        """Note that a socket of a call has closed; it may have been the last."""
        if not call.sessions:
            if not call.scribes:
                call.idle_since = time.monotonic()
            call.hush()
            self.guard.dismiss(call)
            self.handlers.closed(call)

    # The live view.

    async def _show(self) -> None:
        due = time.monotonic()
        while True:
            due = max(due + TICK, time.monotonic())
            await _outlive(self._tick())
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _tick(self) -> None:
        shown, wall = [], datetime.now(UTC)
        for number, call in enumerate(list(self.calls.values()), 1):
            if call.sessions:
                call.measure()
                call.explain()
                self.guard.look(call, wall)
                shown.append(call_snapshot(call))
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        now = time.monotonic()
        self._count_packets(now)
        self._weigh(now)
        watched = await self.live.publish(self.snapshot(shown))
        await self.details.publish(self.live.redis, self.calls, watched)

    def _count_packets(self, now: float) -> None:
        self.totals.look()
        packets = self.totals.packets(self.calls.values())
        then, before = self._counted
        self.packets_per_second = (packets - before) / max(now - then, 0.001)
        self._counted = (now, packets)

    def _weigh(self, now: float) -> None:
        """See how much this process bears; say once when it can take no more."""
        with suppress(OSError):
            self.capacity.tick(
                now,
                cpu=time.process_time(),
                written=self.journals.written_bytes,
                free=free_bytes(settings.JOURNAL_DIR),
                streams=self.streams,
                others=self.live.others_bytes_per_second,
            )
        if self._is_draining:
            # It refuses because it was told to: nobody need come for that.
            return
        load = self.load()
        self.guard.weigh(load, self.streams)
        full = load["reason"] or None
        if full and not self._full:
            log.error("no further media socket is taken: %s", full)
        elif self._full and not full:
            log.warning("media sockets are taken again")
        self._full = full

    # Rows.

    async def _write(self) -> None:
        due = 0.0
        while True:
            now = time.monotonic()
            if now >= due:
                due = now + ROWS_EVERY
                await _outlive(self._rows(now))
            else:
                await _outlive(self._news())
            await self._woken(due - time.monotonic())

    async def _woken(self, patience: float) -> None:
        try:
            async with asyncio.timeout(max(patience, CROWD)):
                await self._wake.wait()
        except TimeoutError:
            return
        await asyncio.sleep(CROWD)
        self._wake.clear()

    async def _rows(self, now: float) -> None:
        """Send what changed to the database; forget calls long without sockets."""
        await self.archive.renew(
            self.process_id, streams=self.streams, refused=self.refused.total()
        )
        await self._stops()
        await ask_again(self)
        await self.guard.learn(list(self.calls.values()), is_first=False)
        await self.guard.learn_transcripts(list(self.calls.values()))
        self.guard.tell()
        await self.transcripts.end_over(now)
        self.transcripts.put(everything=True)
        self._put_ended()
        for number, call in enumerate(list(self.calls.values()), 1):
            call.settle()
            self._put(call, call.sessions, now)
            idle = call.idle_since
            if idle is not None and now - idle > FORGET_AFTER:
                del self.calls[call.call_id]
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        await self.archive.flush()

    async def _stops(self) -> None:
        """Learn which of the pauses were ordered: a stop is no loss."""
        paused = [
            call.call_id
            for call in self.calls.values()
            if any(track.audio.pauses for track in call.tracks.values())
        ]
        stops = await self.archive.stops(paused, STOPS_TIMEOUT) if paused else {}
        for call_id, ordered in stops.items():
            if call := self.calls.get(call_id):
                call.stops = windows(ordered)

    async def _news(self) -> None:
        """Send openings, ends and alarms to the database."""
        await self.guard.learn(self.calls.values(), is_first=True)
        self._put_ended()
        await self.archive.flush()

    def _put_ended(self) -> None:
        self.transcripts.put()
        ended, self._ended = self._ended, []
        for session in ended:
            self._put(session.call, [session], time.monotonic())
        self.archive.put(self.told.batch())

    def _put(
        self, call: CallAudio, sessions: Iterable[MediaSession], now: float
    ) -> None:
        batch = ArchiveBatch(
            connections=[
                session.draft(process_id=self.process_id, node=settings.NODE)
                for session in sessions
            ],
            subscriptions=[
                draft for session in sessions for draft in session.subscription_drafts()
            ],
            tracks=list(call.drafts(now)),
            chunks=[draft for session in sessions for draft in session.chunk_drafts()],
            tones=[draft for session in sessions for draft in session.tone_drafts()],
            alarms=call.watch.drafts(),
        )
        self.archive.put(batch)

    def load(self) -> LiveLoad:
        """Return what this process bears, and what it could hold."""
        return self.capacity.load(self.streams, self.no_room())

    def snapshot(self, calls: list[LiveCall]) -> LiveProcess:
        """Return what this process and its `calls` are like, for the live view."""
        health = self.journals.health()
        shown: LiveProcess = {
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
            "load": self.load(),
            "started_at": self.started_at,
            "draining": self._is_draining,
            "totals": self.totals.told(
                self.calls.values(),
                dropped=health.dropped_records,
                refused=self.refused,
            ),
            "calls": calls,
        }
        if self.backlog.now is not None:
            shown["backlog"] = self.backlog.now
        return shown


async def _outlive(work: Awaitable[None]) -> None:
    """Await `work`; recording must go on whatever fault is in it."""
    try:
        await work
    except Exception:
        # The recorder's tasks are a process edge: nobody else would hear of it.
        log.exception("the recorder met a fault and goes on")


_recorder: Recorder | None = None


def recorder() -> Recorder:
    """Return this process's recorder, made on first use."""
    global _recorder
    if _recorder is None:
        _recorder = Recorder()
    return _recorder


async def recorder_stop() -> None:
    """Stop this process's recorder, if there is one."""
    if _recorder is not None:
        await _recorder.stop()
