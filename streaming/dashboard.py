"""The live dashboard's socket: one snapshot a second, shared by all who watch.

However many browsers watch, a web process asks Redis and the database once a second,
sooner when a command has settled, and not at all when nobody watches.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import redis
import redis.asyncio
from celery import current_app
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import DatabaseError
from django.utils import timezone
from kombu.exceptions import OperationalError

from calls.board import BoardFacts, board, board_facts
from calls.board_types import Board
from calls.live import (
    POKE_CHANNEL,
    LiveProcess,
    live_processes_async,
    redis_async,
)

SNAPSHOT_SECONDS = 1.0
# However much changes: a bulk order must not make a web process do nothing else.
LEAST_SECONDS = 0.2
LEAST_REST = 3
# Celery's ping waits for stragglers as long as it is told to: it runs beside.
PING_SECONDS = 5.0
PING_TIMEOUT = 1.0
# How often a viewer's session and permission are looked at again.
RECHECK_SNAPSHOTS = 30

log = logging.getLogger(__name__)


class Feed:
    """Builds snapshots while somebody watches and hands each viewer the newest.

    A viewer is a queue of one: one who is slow gets the next whole snapshot, never a
    backlog. All calls come from one event loop.
    """

    def __init__(self) -> None:
        self._viewers: set[asyncio.Queue[Board]] = set()
        self._task: asyncio.Task[None] | None = None

    def join(self) -> asyncio.Queue[Board]:
        """Return a new viewer's queue; the first viewer starts the work."""
        queue: asyncio.Queue[Board] = asyncio.Queue(maxsize=1)
        self._viewers.add(queue)
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return queue

    async def leave(self, queue: asyncio.Queue[Board]) -> None:
        """Forget a viewer; with the last one the work ends."""
        self._viewers.discard(queue)
        task = self._task
        if not self._viewers and task is not None:
            self._task = None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        source = Source()
        try:
            while True:
                started = time.monotonic()
                try:
                    self._hand_out(await source.snapshot())
                except Exception:
                    # One snapshot that fails must not blind every viewer for good.
                    log.exception("a dashboard snapshot failed")
                await self._rest(source, taken=time.monotonic() - started)
        finally:
            await source.close()

    async def _rest(self, source: "Source", *, taken: float) -> None:
        """Wait for the next snapshot: a second, less if something changes."""
        least = min(max(LEAST_SECONDS, LEAST_REST * taken), SNAPSHOT_SECONDS)
        await asyncio.sleep(least)
        left = SNAPSHOT_SECONDS - taken - least
        if left > 0:
            await source.change(left)

    def _hand_out(self, snapshot: Board) -> None:
        for queue in self._viewers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(snapshot)


class Source:
    """Where snapshots come from. Whatever is down is said in the snapshot."""

    def __init__(self) -> None:
        self._redis = redis_async()
        self._facts = BoardFacts([], [], 0, 0, 0)
        self._workers: int | None = None
        self._ping: asyncio.Task[int | None] | None = None
        self._pinged = 0.0
        self._pokes: redis.asyncio.client.PubSub | None = None

    async def close(self) -> None:
        """Let go of Redis. A ping that still runs ends by its own timeout."""
        if self._pokes is not None:
            await self._pokes.aclose()  # type: ignore[no-untyped-call] # redis-py
        await self._redis.aclose()

    async def change(self, seconds: float) -> None:
        """Wait until something changed that is worth showing at once, or so long."""
        until = time.monotonic() + seconds
        try:
            pokes = await self._listen()
            while (left := until - time.monotonic()) > 0:
                if await pokes.get_message(timeout=left):
                    # One snapshot shows what all of them are about.
                    while await pokes.get_message(timeout=0):
                        pass
                    return
        except (redis.RedisError, OSError):
            # Without Redis nobody can poke; the next snapshot tries again.
            self._pokes = None
        await asyncio.sleep(max(until - time.monotonic(), 0))

    async def _listen(self) -> redis.asyncio.client.PubSub:
        if self._pokes is None:
            pokes = self._redis.pubsub(ignore_subscribe_messages=True)
            await pokes.subscribe(POKE_CHANNEL)
            self._pokes = pokes
        return self._pokes

    async def snapshot(self) -> Board:
        """Return what is known now. With the database down, what it last said."""
        reasons: list[str] = []
        processes: list[LiveProcess] | None = None
        try:
            # First: what changes from now on is in this snapshot or pokes for the next.
            await self._listen()
            processes = await live_processes_async(self._redis)
        except (redis.RedisError, OSError):
            reasons.append("Redis does not answer: figures are those last stored.")
        try:
            self._facts = await database_sync_to_async(board_facts)()
        except DatabaseError:
            log.exception("the dashboard cannot read the database")
            reasons.append("The database does not answer: calls may be out of date.")
        return board(
            self._facts,
            processes,
            at=timezone.now(),
            workers=self._worker_count(redis_up=processes is not None),
            reason=" ".join(reasons),
        )

    def _worker_count(self, *, redis_up: bool) -> int | None:
        """Return how many workers answered the last ping; None is not known."""
        if self._ping and self._ping.done():
            self._workers, self._ping = self._ping.result(), None
        if not redis_up:
            # The broker is that Redis: nobody can be asked.
            self._workers = None
        elif self._ping is None and time.monotonic() - self._pinged > PING_SECONDS:
            self._pinged = time.monotonic()
            self._ping = asyncio.create_task(asyncio.to_thread(count_workers))
        return self._workers


def count_workers() -> int | None:
    """Return how many Celery workers answer within a second; None: cannot ask."""
    # A connection of its own: the pool's would try for six seconds to reach a broker
    # that refuses.
    to_broker = current_app.connection_for_write(
        settings.CELERY_BROKER_URL, transport_options={"max_retries": 0}
    )
    try:
        with to_broker as connection:
            answers = current_app.control.ping(
                timeout=PING_TIMEOUT, connection=connection
            )
    except (OperationalError, redis.RedisError, OSError):
        return None
    return len(answers or [])


feed = Feed()


class DashboardConsumer(AsyncJsonWebsocketConsumer):
    """Sends snapshots to one browser. It takes no orders: those are POSTs."""

    # No channel layer: Channels would listen to Redis for every socket, and end it when
    # Redis goes, which is when people look at this page.
    channel_layer_alias = "none"
    queue: asyncio.Queue[Board] | None = None
    sender: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the socket, and let go of the feed however it ends.

        Channels skips `disconnect()` after an exception and at shutdown.
        """
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.let_go()

    async def connect(self) -> None:
        """Accept who may see calls; refuse others before the handshake is done."""
        if not await self.is_allowed():
            await self.close()
            return
        await self.accept()
        self.queue = feed.join()
        self.sender = asyncio.create_task(self.send_snapshots(self.queue))

    async def disconnect(self, code: int) -> None:
        """Let go of the feed."""
        await self.let_go()

    async def let_go(self) -> None:
        """Leave the feed, once."""
        sender, self.sender = self.sender, None
        queue, self.queue = self.queue, None
        if sender:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
        if queue:
            await feed.leave(queue)

    async def send_snapshots(self, queue: asyncio.Queue[Board]) -> None:
        """Send each snapshot; now and then see whether the viewer still may."""
        number = 0
        while True:
            await self.send_json(await queue.get())
            number += 1
            if number % RECHECK_SNAPSHOTS == 0 and not await self.is_allowed():
                await self.close(code=4403)
                return

    async def receive(self, *_: Any, **__: Any) -> None:
        """Ignore what a browser sends: nothing is expected."""

    async def is_allowed(self) -> bool:
        """Say whether the session still lives and its user may see calls."""
        allowed: Callable[[], Any] = database_sync_to_async(self._is_allowed)
        return bool(await allowed())

    def _is_allowed(self) -> bool:
        session, user = self.scope["session"], self.scope["user"]
        key = user.pk if user else None
        if key is None or not session.exists(session.session_key or ""):
            return False
        # A fresh row: permissions are cached on the one that came with the handshake.
        fresh = get_user_model().objects.filter(pk=key, is_active=True).first()
        return fresh is not None and fresh.has_perm("calls.view_call")
