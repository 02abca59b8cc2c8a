"""The seam to `calls.services`: drafts go to the database in worker threads.

A database that is down costs nothing but patience. Drafts are kept by their key, a
newer one in the place of an older, so what waits stays small however long it waits;
the journal has the facts in any case.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from django.db import DatabaseError, InterfaceError, close_old_connections, connections

from calls import services
from calls.drafts import (
    ArchiveBatch,
    CallFacts,
    ChunkDraft,
    ConnectionDraft,
    SubscriptionDraft,
    TrackDraft,
)

log = logging.getLogger(__name__)
T = TypeVar("T")

# Index rows can be made again from the journal: this many may wait, no more.
MAX_CHUNKS = 200_000


class Archive:
    """Sends drafts to the database and asks it for facts, off the event loop."""

    def __init__(self) -> None:
        self.error: str | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="archive-write")
        self._reader = ThreadPoolExecutor(2, thread_name_prefix="archive-read")
        self._connections: dict[UUID, ConnectionDraft] = {}
        self._subscriptions: dict[tuple[UUID, str], SubscriptionDraft] = {}
        self._tracks: dict[UUID, TrackDraft] = {}
        self._chunks: dict[tuple[UUID, UUID, int], ChunkDraft] = {}

    @property
    def waiting(self) -> int:
        """Return how many drafts are not yet in the database."""
        return (
            len(self._connections)
            + len(self._subscriptions)
            + len(self._tracks)
            + len(self._chunks)
        )

    def put(self, batch: ArchiveBatch) -> None:
        """Add drafts to what the next `flush` writes."""
        for connection in batch.connections:
            self._connections[connection.id] = connection
        for subscription in batch.subscriptions:
            key = (subscription.call_id, subscription.subscription_id)
            self._subscriptions[key] = subscription
        for track in batch.tracks:
            self._tracks[track.id] = track
        for chunk in batch.chunks:
            if len(self._chunks) < MAX_CHUNKS:
                address = (chunk.track_id, chunk.connection_id, chunk.number)
                self._chunks[address] = chunk

    async def flush(self) -> bool:
        """Write what waits. False if the database did not take it; it waits on."""
        batch = ArchiveBatch(
            connections=list(self._connections.values()),
            subscriptions=list(self._subscriptions.values()),
            tracks=list(self._tracks.values()),
            chunks=list(self._chunks.values()),
        )
        if not batch:
            return True
        self._connections, self._subscriptions = {}, {}
        self._tracks, self._chunks = {}, {}
        if await self._run(self._writer, lambda: services.batch_store(batch)):
            return True
        self._put_back(batch)
        return False

    def _put_back(self, batch: ArchiveBatch) -> None:
        """Keep a batch that was not written, unless newer drafts came meanwhile."""
        newer = ArchiveBatch(
            connections=list(self._connections.values()),
            subscriptions=list(self._subscriptions.values()),
            tracks=list(self._tracks.values()),
            chunks=list(self._chunks.values()),
        )
        self.put(batch)
        self.put(newer)

    async def facts(self, call_id: UUID, patience: float) -> CallFacts | None:
        """Return what is stored of a call; None if that takes over `patience` s."""
        found: list[CallFacts] = []
        asked = self._run(
            self._reader, lambda: found.append(services.call_facts(call_id))
        )
        try:
            await asyncio.wait_for(asked, patience)
        except TimeoutError:
            log.warning("call %s: the database did not answer in time", call_id)
        return found[0] if found else None

    async def renew(self, process_id: UUID, *, streams: int, refused: int) -> None:
        """Renew this process's lease."""
        await self._run(
            self._writer,
            lambda: services.process_renew(
                process_id, streams=streams, refused=refused
            ),
        )

    async def leave(self, process_id: UUID, at: datetime) -> None:
        """Say that this process ends in good order."""
        await self._run(self._writer, lambda: services.process_leave(process_id, at))

    def close(self) -> None:
        """End the worker threads and their database connections."""
        self._writer.submit(connections.close_all)
        self._reader.submit(connections.close_all)
        self._writer.shutdown()
        self._reader.shutdown()

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[[], object]) -> bool:
        loop = asyncio.get_running_loop()
        error = await loop.run_in_executor(pool, _guarded, work)
        if error and not self.error:
            log.error("the database does not take our rows: %s", error)
        if not error and self.error:
            log.warning("the database takes our rows again")
        self.error = error
        return error is None


def _guarded(work: Callable[[], object]) -> str | None:
    """Run database work; return what went wrong with the database, in words."""
    close_old_connections()
    try:
        work()
    except (DatabaseError, InterfaceError) as exc:
        close_old_connections()
        return f"{type(exc).__name__}: {exc}".strip()
    return None
