"""The seam to `calls.services`: drafts go to the database in worker threads.

A database that is down costs nothing but patience. Drafts are kept by their key, a
newer one in the place of an older, so what waits stays small however long it waits;
the journal has the facts in any case. A draft that no database takes is dropped and
said: it must not keep the others waiting.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from threading import Barrier, BrokenBarrierError
from typing import Generic, TypeVar
from uuid import UUID

from django.db import (
    DataError,
    IntegrityError,
    close_old_connections,
    connections,
)

from calls import ingest_facts, services
from calls.database import DATABASE_AWAY
from calls.drafts import (
    AlarmDraft,
    ArchiveBatch,
    CallFacts,
    ChunkDraft,
    ConnectionDraft,
    OutcomeDraft,
    SegmentDraft,
    StopWindow,
    SubscriptionDraft,
    ToneDraft,
    TrackDraft,
    UtteranceDraft,
)
from calls.lifecycle import streaming_refused, transcription_refused
from streaming.daemon_pool import DaemonPool

log = logging.getLogger(__name__)
K = TypeVar("K")
T = TypeVar("T")

# All of it can be made again from the journals: so many may wait, no more.
MAX_CHUNKS = 200_000
MAX_SOCKETS = 50_000
MAX_TRACKS = 10_000
MAX_TONES = 50_000
MAX_ALARMS = 10_000
MAX_UTTERANCES = 10_000
MAX_SEGMENTS = 50_000
READERS = 2
# A write that has taken longer is told as a fault. It is waited for all the same.
WRITE_PATIENCE = 10.0
# At the end a write may take so much longer.
LAST_PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What database work returned, or in words why it did not."""

    value: T | None
    error: str | None


class Archive:
    """Sends drafts to the database and asks it for facts, off the event loop."""

    def __init__(self) -> None:
        self.error: str | None = None
        # Drafts that were never written: too many waited, or none takes them.
        self.dropped = 0
        self._writer = DaemonPool(1, "archive-write")
        self._reader = DaemonPool(READERS, "archive-read")
        self._connections: dict[UUID, ConnectionDraft] = {}
        self._subscriptions: dict[tuple[UUID, str], SubscriptionDraft] = {}
        self._tracks: dict[UUID, TrackDraft] = {}
        self._chunks: dict[tuple[UUID, UUID, int], ChunkDraft] = {}
        self._tones: dict[UUID, ToneDraft] = {}
        self._alarms: dict[UUID, AlarmDraft] = {}
        self._utterances: dict[UUID, UtteranceDraft] = {}
        self._segments: dict[UUID, SegmentDraft] = {}
        self._outcomes: dict[UUID, OutcomeDraft] = {}

    @property
    def waiting(self) -> int:
        """Return how many drafts are not yet in the database."""
        return len(self._waiting())

    def put(self, batch: ArchiveBatch) -> None:
        """Add drafts to what the next `flush` writes."""
        for connection in batch.connections:
            self._keep(self._connections, connection.id, connection, MAX_SOCKETS)
        for subscription in batch.subscriptions:
            key = (subscription.call_id, subscription.subscription_id)
            self._keep(self._subscriptions, key, subscription, MAX_SOCKETS)
        for track in batch.tracks:
            self._keep(self._tracks, track.id, track, MAX_TRACKS)
        for chunk in batch.chunks:
            address = (chunk.track_id, chunk.connection_id, chunk.number)
            self._keep(self._chunks, address, chunk, MAX_CHUNKS)
        for tone in batch.tones:
            self._keep(self._tones, tone.id, tone, MAX_TONES)
        for alarm in batch.alarms:
            self._keep(self._alarms, alarm.id, alarm, MAX_ALARMS)
        self._put_spoken(batch)

    def _put_spoken(self, batch: ArchiveBatch) -> None:
        for said in batch.utterances:
            self._keep(self._utterances, said.id, said, MAX_UTTERANCES)
        for segment in batch.segments:
            self._keep(self._segments, segment.id, segment, MAX_SEGMENTS)
        for outcome in batch.outcomes:
            # The first one tells: what was stopped later was carried out all the same.
            if outcome.command_id not in self._outcomes:
                command = outcome.command_id
                self._keep(self._outcomes, command, outcome, MAX_UTTERANCES)

    def _keep(self, waiting: dict[K, T], key: K, draft: T, most: int) -> None:
        if key in waiting or len(waiting) < most:
            waiting[key] = draft
        else:
            self.dropped += 1

    async def flush(self) -> bool:
        """Write what waits. False if the database did not take it; it waits on."""
        batch = self._waiting()
        if not batch:
            return True
        self._connections, self._subscriptions = {}, {}
        self._tracks, self._chunks = {}, {}
        self._tones, self._alarms = {}, {}
        self._utterances, self._segments, self._outcomes = {}, {}, {}
        is_written = False
        try:
            answer = await self._write(partial(_store, batch))
            is_written = answer.error is None
            self.dropped += answer.value or 0
        finally:
            # Also when this is cancelled: to write twice is to write once.
            if not is_written:
                self._put_back(batch)
        return is_written

    def _waiting(self) -> ArchiveBatch:
        return ArchiveBatch(
            connections=list(self._connections.values()),
            subscriptions=list(self._subscriptions.values()),
            tracks=list(self._tracks.values()),
            chunks=list(self._chunks.values()),
            tones=list(self._tones.values()),
            alarms=list(self._alarms.values()),
            utterances=list(self._utterances.values()),
            segments=list(self._segments.values()),
            outcomes=list(self._outcomes.values()),
        )

    def _put_back(self, batch: ArchiveBatch) -> None:
        """Keep a batch that was not written, unless newer drafts came meanwhile."""
        newer = self._waiting()
        self.put(batch)
        self.put(newer)

    async def facts(self, call_id: UUID, patience: float) -> CallFacts | None:
        """Return what is stored of a call; None if that takes over `patience` s."""
        return await self.ask(partial(ingest_facts.call_facts, call_id), patience)

    async def stops(
        self, calls: Collection[UUID], patience: float
    ) -> dict[UUID, list[StopWindow]]:
        """Return when streaming of the calls was stopped by order, if known in time."""
        asked = partial(ingest_facts.stop_windows_by_call, calls)
        return await self.ask(asked, patience) or {}

    async def wanted(
        self, calls: Collection[UUID], patience: float
    ) -> set[UUID] | None:
        """Return which of the calls are to be streamed now; None if nobody knows."""
        return await self.ask(partial(ingest_facts.calls_wanted, calls), patience)

    async def ended(self, calls: Collection[UUID], patience: float) -> set[UUID] | None:
        """Return which of the calls have ended; None if nobody knows."""
        return await self.ask(partial(ingest_facts.calls_ended_among, calls), patience)

    async def transcripts_newest(
        self, calls: Collection[UUID], patience: float
    ) -> dict[UUID, int] | None:
        """Return which of the calls are to be transcribed; None if nobody knows.

        Each with when its newest piece of text begins, µs since 1970; 0: none.
        """
        return await self.ask(partial(ingest_facts.transcripts_newest, calls), patience)

    async def ask(self, work: Callable[[], T], patience: float) -> T | None:
        """Run database work; None if it fails or takes over `patience` s."""
        try:
            async with asyncio.timeout(patience):
                answer = await _in(self._reader, work)
        except TimeoutError:
            log.warning("the database did not answer within %g s", patience)
            return None
        if answer.error:
            log.warning("the database cannot be asked: %s", answer.error)
        return answer.value

    async def renew(self, process_id: UUID, *, streams: int, refused: int) -> None:
        """Renew this process's lease."""
        work = partial(
            services.process_renew, process_id, streams=streams, refused=refused
        )
        await self._write(work)

    async def note_refusal(self, call_id: UUID, reason: str) -> None:
        """Let a call tell that its media socket was refused, and why."""
        await self._write(partial(streaming_refused, call_id, reason))

    async def note_transcription_refusal(self, call_id: UUID, reason: str) -> None:
        """Let a call tell that its transcription socket was refused, and why."""
        await self._write(partial(transcription_refused, call_id, reason))

    async def leave(self, process_id: UUID, at: datetime) -> None:
        """Say that this process ends in good order."""
        await self._write(partial(services.process_leave, process_id, at))

    def close(self, *, wait: bool = False) -> None:
        """End the worker threads.

        One that hangs in a database is not waited for, unless `wait`: it ends with
        the process.
        """
        for pool, threads in ((self._writer, 1), (self._reader, READERS)):
            # Each thread has a connection of its own, and each must come to close it.
            meeting = Barrier(threads)
            for _ in range(threads):
                pool.submit(_close_connection, meeting)
            pool.shutdown(wait=wait)
        for pool in (self._writer, self._reader):
            pool.join(LAST_PATIENCE)

    async def _write(self, work: Callable[[], T]) -> Answer[T]:
        hangs = f"it has not answered for {WRITE_PATIENCE:g} s"
        watch = asyncio.get_running_loop().call_later(WRITE_PATIENCE, self._note, hangs)
        try:
            answer = await _in(self._writer, work)
        finally:
            watch.cancel()
        self._note(answer.error)
        return answer

    def _note(self, error: str | None) -> None:
        if error and not self.error:
            log.error("the database does not take our rows: %s", error)
        if not error and self.error:
            log.warning("the database takes our rows again")
        self.error = error


async def _in(pool: DaemonPool, work: Callable[[], T]) -> Answer[T]:
    return await asyncio.get_running_loop().run_in_executor(pool, _guarded, work)


def _close_connection(meeting: Barrier) -> None:
    with suppress(BrokenBarrierError):
        meeting.wait(1.0)
    connections.close_all()


def _guarded(work: Callable[[], T]) -> Answer[T]:
    """Run database work in a thread; the outcome says what went wrong with it."""
    close_old_connections()
    try:
        return Answer(work(), None)
    except DATABASE_AWAY as exc:
        close_old_connections()
        return Answer(None, _in_words(exc))
    except Exception as exc:
        # A thread's edge: a fault of ours must not stop the recorder.
        log.exception("database work failed")
        return Answer(None, type(exc).__name__)


def _store(batch: ArchiveBatch) -> int:
    """Write a batch; return how many drafts had to be dropped.

    If one of them is at fault rather than the database, each call is written by itself.
    """
    try:
        services.batch_store(batch)
    except Exception as exc:
        if _is_passing(exc):
            raise
        return sum(_store_alone(call_id, part) for call_id, part in batch.by_call())
    return 0


def _store_alone(call_id: UUID | None, batch: ArchiveBatch) -> int:
    try:
        services.batch_store(batch)
    except Exception as exc:
        if _is_passing(exc):
            raise
        log.error(
            "call %s: %d rows cannot be stored, its journals have the facts: %s",
            call_id,
            len(batch),
            _in_words(exc),
        )
        return len(batch)
    return 0


def _is_passing(exc: Exception) -> bool:
    """Say if the database is at fault, so that the same drafts may do later."""
    return isinstance(exc, DATABASE_AWAY) and not isinstance(
        exc, DataError | IntegrityError
    )


def _in_words(exc: Exception) -> str:
    # The first line only: PostgreSQL goes on with the values, which may be numbers.
    reason = str(exc).strip().partition("\n")[0]
    return f"{type(exc).__name__}: {reason}"[:300]
