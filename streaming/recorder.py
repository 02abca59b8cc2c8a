"""One ingest process: its journals, its sockets, and what it does each second.

The recorder is made on the first socket (or at start-up by `manage.py ingest`) and
lives on the event loop that serves the sockets. Everything slow is elsewhere: the
journal's threads, the archive's threads. Of its two tasks one shows the process in the
live view each second (`streaming.showing`), the other writes rows (`streaming.rows`):
a database that hangs does not make the live view stop, nor a Redis that hangs the rows.
"""

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from uuid import UUID, uuid4

from django.conf import settings

from calls.drafts import CallFacts
from calls.journals.reading import JournalError, JournalHeader
from calls.software import SOFTWARE
from streaming.archive import Archive
from streaming.auth import KINDS
from streaming.backlog import BacklogWatch
from streaming.call_audio import CallAudio
from streaming.capacity import Capacity, NoRoomError
from streaming.crowd import Crowd
from streaming.guard import Guard
from streaming.handlers.keys import KeyDesk
from streaming.handlers.of_process import Handlers
from streaming.ingest import MediaSession
from streaming.journal import Journal, JournalWriter, free_bytes
from streaming.listen.desk import ListenDesk
from streaming.live import LivePublisher
from streaming.outbound.desk import SpeakingDesk
from streaming.outbound.voice import SpeechNews
from streaming.resume import call_from_rows, call_resume, is_behind, windows
from streaming.rows import Rows
from streaming.showing import Showing
from streaming.socket_rows import Opening
from streaming.tasks import tasks_end
from streaming.totals import Totals
from streaming.transcription.desk import TranscriptDesk

log = logging.getLogger(__name__)

# At the end the journals have everything; rows are worth this much of waiting.
LAST_ROWS = 4.0


class Recorder:
    """What an ingest process holds. Its methods belong to one event loop."""

    def __init__(self) -> None:
        self.process_id: UUID = uuid4()
        self.journals = JournalWriter(settings.JOURNAL_DIR)
        self.archive = Archive()
        self.live = LivePublisher()
        self.calls: dict[UUID, CallAudio] = {}
        # From nought: what first appears with a count has not risen, for Prometheus.
        self.refused = Counter(dict.fromkeys(KINDS, 0))
        self.crowd = Crowd(settings.SOURCE_SOCKETS)
        self.capacity = Capacity(settings.MAX_STREAMS)
        self.listening = ListenDesk(
            self.process_id,
            self.calls,
            node=settings.NODE,
            journals=settings.JOURNAL_DIR,
        )
        self.speech_news = SpeechNews()
        self.speaking = SpeakingDesk(self.calls, self.speech_news)
        self.keys = KeyDesk(self.calls)
        self.transcripts = TranscriptDesk(self)
        self.totals = Totals()
        self.backlog = BacklogWatch(settings.JOURNAL_DIR)
        self.started_at = time.time()
        self.rows = Rows(self)
        self.showing = Showing(self)
        self.guard = Guard(self.archive, self.rows.wake)
        self.handlers = Handlers(
            self.archive,
            self.rows.wake,
            self.transcripts.captions.tell,
            grace=settings.HANDLER_GRACE_SECONDS,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._is_ending = False
        self.is_draining = False

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
            self.listening.start()
            self.speaking.start()
            self.keys.start()
            self.backlog.start()
            self._tasks = [
                asyncio.create_task(self.showing.run(), name="recorder-live"),
                asyncio.create_task(self.rows.run(), name="recorder-rows"),
            ]

    def drain(self) -> None:
        """Take no further socket; those that are open go on."""
        self.is_draining = True

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
        for transcription in self.transcripts.open:
            self.transcripts.close(transcription, 1012, "the ingest process ended")
        await self.transcripts.captions.stop()
        await asyncio.to_thread(self.journals.close)
        await self.listening.stop()
        try:
            async with asyncio.timeout(LAST_ROWS):
                await self.rows.last()
        except TimeoutError:
            log.warning("the last rows were not written: the journals have the facts")
        await self.live.leave(self.process_id)
        await asyncio.to_thread(self.archive.close)

    def no_room(self) -> str | None:
        """Return why no further media socket can be taken, or None."""
        full = None if self._is_ending else self.capacity.refusal(self.streams)
        return full or self._no_journal()

    def _no_journal(self) -> str | None:
        """Return why no further journal can be opened, or None."""
        if self._is_ending:
            return "the ingest process is ending"
        if self.is_draining:
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
        session.superseded, session.speech_news = superseded, self.speech_news
        self.handlers.opened(call, facts)
        self.listening.opened(call)
        session.heard = partial(self.rows.opened, session)
        self.rows.opened(session)
        return session

    def call_taken(
        self, call_id: UUID, facts: CallFacts | None, opened_at: datetime
    ) -> tuple[CallAudio, datetime]:
        """Return the call of a socket, and when that opened by the call's clock.

        It is not among `calls` yet: its journal may not open.
        """
        known = self.calls.get(call_id)
        if known is None or is_behind(known, facts):
            call = call_from_rows(call_id, facts)
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
        call.has_news = self.rows.wake
        return call, call.now(opened_at, time.monotonic())

    def call_keep(self, call: CallAudio) -> None:
        """Have a call among `calls`: a journal of it is open."""
        known = self.calls.get(call.call_id)
        if known is not None and known is not call:
            call.take_over(known)
        self.calls[call.call_id] = call

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
        self.rows.closed(session)
        self.call_left(session.call)

    def call_left(self, call: CallAudio) -> None:
        """Note that a socket of a call has closed; it may have been the last."""
        if not call.sessions:
            if not call.transcription_sessions:
                call.idle_since = time.monotonic()
            call.hush()
            self.guard.dismiss(call)
            self.handlers.closed(call)


_recorder: Recorder | None = None


def current_recorder() -> Recorder:
    """Return this process's recorder, made on first use."""
    global _recorder
    if _recorder is None:
        _recorder = Recorder()
    return _recorder


async def recorder_stop() -> None:
    """Stop this process's recorder, if there is one."""
    if _recorder is not None:
        await _recorder.stop()
