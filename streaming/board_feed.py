"""Where the dashboard's snapshots come from: one picture a second for all who watch.

However many browsers watch, a web process asks Redis and the database once a second,
sooner when a command has settled, and not at all when nobody watches.
"""

import asyncio
import logging
import time
from collections.abc import Collection
from contextlib import suppress
from uuid import UUID

import redis
import redis.asyncio
from celery import current_app
from celery.app.control import Control
from channels.db import database_sync_to_async
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError
from kombu.pidbox import Mailbox

from calls.board.facts import BoardFacts, BoardReader, stored_tracks
from calls.board.snapshot import Picture
from calls.board.trend import trend_async
from calls.board.types import TrackRow, Trend
from calls.board.view import View
from calls.database import DATABASE_AWAY
from calls.live.ingest import (
    POKE_CHANNEL,
    LiveProcess,
    live_processes_async,
    redis_async,
)
from calls.live.listeners import listeners_async
from streaming.tasks import tasks_end

SNAPSHOT_SECONDS = 1.0
# However much changes: a bulk order must not make a web process do nothing else.
LEAST_SECONDS = 0.2
LEAST_REST = 3
# Celery's ping waits for stragglers as long as it is told to: it runs beside.
PING_SECONDS = 5.0
PING_TIMEOUT = 1.0
TREND_SECONDS = 5.0

log = logging.getLogger(__name__)


class Viewer:
    """One browser: what it wants to see, and the newest picture it has not seen.

    A viewer who is slow gets the next whole snapshot, never a backlog.
    """

    def __init__(self) -> None:
        self.view = View()
        self._picture: Picture | None = None
        self._news = asyncio.Event()

    def show(self, picture: Picture) -> None:
        """Have this picture shown, in place of one that is still waiting."""
        self._picture = picture
        self._news.set()

    def look(self, view: View) -> None:
        """Have the picture that is there shown again, by another view."""
        self.view = view
        if self._picture is not None:
            self._news.set()

    async def next(self) -> Picture:
        """Wait for something new to show."""
        while self._picture is None or not self._news.is_set():
            await self._news.wait()
        self._news.clear()
        return self._picture


class Feed:
    """Takes pictures while somebody watches, and shows each viewer the newest.

    All calls come from one event loop.
    """

    def __init__(self) -> None:
        self._viewers: set[Viewer] = set()
        self._task: asyncio.Task[None] | None = None
        self._source: Source | None = None

    def join(self) -> Viewer:
        """Return a new viewer; the first one starts the work."""
        viewer = Viewer()
        self._viewers.add(viewer)
        if self._task is None:
            self._source = Source()
            self._task = asyncio.create_task(self._run(self._source))
        return viewer

    async def leave(self, viewer: Viewer) -> None:
        """Forget a viewer; with the last one the work ends."""
        self._viewers.discard(viewer)
        if self._viewers:
            return
        # At once: who comes while it ends gets new ones.
        task, self._task = self._task, None
        source, self._source = self._source, None
        await tasks_end(task)
        if source is not None:
            # Here, not in the task: that may be cancelled while it closes.
            await source.close()

    async def _run(self, source: "Source") -> None:
        while True:
            started = time.monotonic()
            try:
                views = [viewer.view for viewer in self._viewers]
                self._hand_out(await source.picture(views))
                await self._rest(source, taken=time.monotonic() - started)
            except Exception:
                # One snapshot that fails must not blind every viewer for good.
                log.exception("a dashboard snapshot failed")
                await asyncio.sleep(SNAPSHOT_SECONDS)

    async def _rest(self, source: "Source", *, taken: float) -> None:
        """Wait for the next snapshot: a second, less if something changes."""
        least = min(max(LEAST_SECONDS, LEAST_REST * taken), SNAPSHOT_SECONDS)
        await asyncio.sleep(least)
        left = SNAPSHOT_SECONDS - taken - least
        if left > 0:
            await source.change(left)

    def _hand_out(self, picture: Picture) -> None:
        for viewer in self._viewers:
            viewer.show(picture)


class Source:
    """Where pictures come from. Whatever is down is said in the picture."""

    def __init__(self) -> None:
        self._redis = redis_async()
        self._reader = BoardReader()
        self._facts = BoardFacts()
        self._trend: Trend | None = None
        self._trend_read = 0.0
        self._workers: int | None = None
        self._ping: asyncio.Task[int | None] | None = None
        self._pinged = 0.0
        self._pokes: redis.asyncio.client.PubSub | None = None

    async def close(self) -> None:
        """Let go of Redis. A ping that still runs ends by its own timeout."""
        if self._pokes is not None:
            with suppress(redis.RedisError, OSError):
                await self._pokes.aclose()  # type: ignore[no-untyped-call] # redis-py
        with suppress(redis.RedisError, OSError):
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

    async def picture(self, views: Collection[View]) -> Picture:
        """Return what is known now. With the database down, what it last said.

        `views` are those it will be seen by: figures last stored are read for their
        rows alone.
        """
        reasons: list[str] = []
        processes: list[LiveProcess] | None = None
        listeners: dict[str, list[str]] = {}
        try:
            # First: what changes from now on is in this snapshot or pokes for the next.
            await self._listen()
            processes = await live_processes_async(self._redis)
            listeners = await self._listeners()
            await self._read_trend()
        except (redis.RedisError, OSError):
            reasons.append(_("Redis does not answer: figures are those last stored."))
        selected = {view.selected for view in views if view.selected}
        try:
            self._facts = await database_sync_to_async(self._reader.read)(selected)
        except DATABASE_AWAY:
            log.exception("the dashboard cannot read the database")
            reasons.append(_NO_DATABASE)
        picture = Picture(
            self._facts,
            processes,
            at=timezone.now(),
            workers=self._worker_count(redis_up=processes is not None),
            reason=" ".join(reasons),
            listeners=listeners,
        )
        picture.trend = self._trend
        picture.stored = await self._stored(picture, views)
        return picture

    async def _stored(
        self, picture: Picture, views: Collection[View]
    ) -> dict[UUID, list[TrackRow]]:
        """Return what was stored of calls on screen that ingest says nothing of."""
        wanted: set[UUID] = set().union(*(picture.unmeasured(view) for view in views))
        if not wanted:
            return {}
        try:
            return await database_sync_to_async(stored_tracks)(wanted)
        except DATABASE_AWAY:
            # Said by the facts, if not now, then in a second.
            return {}

    async def _listeners(self) -> dict[str, list[str]]:
        by_call = await listeners_async(self._redis)
        return {
            call: list(dict.fromkeys(one["user"] for one in group))
            for call, group in by_call.items()
        }

    async def _read_trend(self) -> None:
        if time.monotonic() - self._trend_read > TREND_SECONDS:
            self._trend = await trend_async(self._redis)
            self._trend_read = time.monotonic()

    def _worker_count(self, *, redis_up: bool) -> int | None:
        """Return how many workers answered the last ping; None is not known."""
        if self._ping and self._ping.done():
            ping, self._ping = self._ping, None
            fault = ping.exception()
            if fault is not None:
                log.warning("workers cannot be counted", exc_info=fault)
            self._workers = None if fault else ping.result()
        if not redis_up:
            # The broker is that Redis: nobody can be asked.
            self._workers = None
        elif self._ping is None and time.monotonic() - self._pinged > PING_SECONDS:
            self._pinged = time.monotonic()
            self._ping = asyncio.create_task(asyncio.to_thread(count_workers))
        return self._workers


_NO_DATABASE = "The database does not answer: calls may be out of date."


def count_workers() -> int | None:
    """Return how many Celery workers answer within a second; None: cannot ask."""
    # A connection of its own: the pool's would try for six seconds to reach a broker
    # that refuses.
    to_broker = current_app.connection_for_write(
        settings.CELERY_BROKER_URL, transport_options={"max_retries": 0}
    )
    try:
        with to_broker as connection:
            # A mailbox of its own as well: Celery's asks over the pool's connections.
            control = Control(current_app)
            control.mailbox = Mailbox(  # type: ignore[attr-defined] # not in the stubs
                current_app.conf.control_exchange,
                type="fanout",
                accept=current_app.conf.accept_content,
            )
            answers = control.ping(timeout=PING_TIMEOUT, connection=connection)
    except (OperationalError, redis.RedisError, OSError):
        return None
    return len(answers or [])


feed = Feed()
