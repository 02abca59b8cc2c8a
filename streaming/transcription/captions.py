"""Live captions on their way to Redis: see `calls.transcripts.wire`.

Ingest never waits for them. What is said just now replaces what was said just before
it; what is final waits for a Redis that is away, the newest of each call only: a page
that is opened later has the rows besides.
"""

import asyncio
import logging
from typing import Final
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError

from calls.transcripts.hearing import Piece
from calls.transcripts.wire import KEPT, LONGEST, Caption, captions_tell
from streaming.tasks import tasks_end

log = logging.getLogger(__name__)

# Captions come in bursts; a page that shows them a moment later is as live.
CROWD: Final = 0.05
# Between two attempts at a Redis that is away.
AWAY: Final = 1.0
MAX_CALLS: Final = 5_000


class Captions:
    """What waits to be told. It belongs to one event loop."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._waiting: dict[UUID, dict[UUID, Caption]] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_away = False

    def tell(self, piece: Piece) -> None:
        """Have a piece told; of too many unsaid ones, the oldest are left out."""
        call_id = piece.draft.call_id
        if call_id not in self._waiting and len(self._waiting) >= MAX_CALLS:
            return
        self._put(call_id, _caption(piece))
        self._wake.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="captions")

    def _put(self, call_id: UUID, caption: Caption) -> None:
        waiting = self._waiting.setdefault(call_id, {})
        # Behind what was put before it, also where it replaces something.
        waiting.pop(caption.id, None)
        waiting[caption.id] = caption
        while len(waiting) > KEPT:
            del waiting[next(iter(waiting))]

    async def stop(self) -> None:
        """Tell no more."""
        await tasks_end(self._task)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(AWAY if self._is_away else CROWD)
            self._wake.clear()
            waiting, self._waiting = self._waiting, {}
            for call_id, captions in waiting.items():
                if not await self._publish(call_id, list(captions.values())):
                    self._keep(call_id, captions)

    async def _publish(self, call_id: UUID, captions: list[Caption]) -> bool:
        """Say whether Redis took them."""
        try:
            await captions_tell(self._client, call_id, captions)
        except (RedisError, OSError) as exc:
            if not self._is_away:
                log.warning("live captions wait for Redis: %s", type(exc).__name__)
            self._is_away = True
            return False
        self._is_away = False
        return True

    def _keep(self, call_id: UUID, captions: dict[UUID, Caption]) -> None:
        """Keep what is final of captions that were not told, before newer ones."""
        newer = self._waiting.pop(call_id, {})
        final = [caption for caption in captions.values() if caption.is_final]
        for caption in [*final, *newer.values()]:
            self._put(call_id, caption)
        if final:
            self._wake.set()


def _caption(piece: Piece) -> Caption:
    draft = piece.draft
    return Caption(
        id=draft.id,
        raw_id=draft.raw_id,
        source=draft.source,
        start_us=draft.start_us,
        duration_us=draft.duration_us,
        text=draft.text[:LONGEST],
        is_final=piece.is_final,
        confidence=draft.confidence,
        sentiment=draft.sentiment,
        language=draft.language,
        is_cut=draft.is_cut,
    )
