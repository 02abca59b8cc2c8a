"""The calls that somebody hears through this web process.

One feed per call, shared by all who hear it here: it tells ingest that the call is
heard, takes what ingest publishes, and hands it to each listener. It keeps the last
seconds, so that who comes out of the past finds where to go on.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from uuid import UUID, uuid4

import msgspec
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from calls.live.ingest import redis_async
from streaming.listen.track import Arrived
from streaming.listen.wire import (
    ASKS,
    HEAR_SECONDS,
    Ask,
    Batch,
    Hear,
    Leave,
    Past,
    call_channel,
    encode,
    told_decoder,
    web_channel,
)
from streaming.tasks import tasks_end

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
KEPT_US = 12_000_000
KEPT_BYTES = 4_000_000
# What came so long before the newest packet is on the disk, if it ever will be.
SETTLED_US = 1_000_000


def packets_of(told: Batch | Past) -> Iterator[Arrived]:
    """Yield a message's packets, each with the names of its connection and track."""
    connections = [
        each if isinstance(each, str) else each.connection for each in told.connections
    ]
    for packet in told.packets:
        raw_id, rate = told.tracks[packet.track]
        yield Arrived(
            connections[packet.connection],
            raw_id,
            rate,
            packet.arrival_us,
            packet.stamp_us,
            packet.samples,
            packet.pcm,
        )


class Ring:
    """The last seconds of a call, as they came, and where they begin."""

    def __init__(self) -> None:
        self.packets: deque[Arrived] = deque()
        # By connection: arrival of the last packet that is older than the ring, and of
        # the newest one in it.
        self.bases: dict[str, int] = {}
        self._lasts: dict[str, int] = {}
        self._bytes = 0

    def add(self, batch: Batch) -> tuple[list[Arrived], bool]:
        """Take a batch; return its packets, and whether some before are missing."""
        is_broken = bool(batch.lost) or any(
            self._lasts.get(heard.connection, heard.base_us) != heard.base_us
            for heard in batch.connections
        )
        if is_broken:
            self.clear()
        for heard in batch.connections:
            if heard.connection not in self._lasts:
                self.bases[heard.connection] = heard.base_us
                self._lasts[heard.connection] = heard.base_us
        added = list(packets_of(batch))
        for packet in added:
            self.packets.append(packet)
            self._lasts[packet.connection] = packet.arrival_us
            self._bytes += len(packet.pcm)
        self._trim()
        return added, is_broken

    def clear(self) -> None:
        """Forget everything."""
        self.packets.clear()
        self.bases.clear()
        self._lasts.clear()
        self._bytes = 0

    def _trim(self) -> None:
        packets = self.packets
        while packets and (
            self._bytes > KEPT_BYTES
            or packets[-1].arrival_us - packets[0].arrival_us > KEPT_US
        ):
            oldest = packets.popleft()
            self.bases[oldest.connection] = oldest.arrival_us
            self._bytes -= len(oldest.pcm)

    def follows(self, reached: dict[str, int], *, is_settled: bool) -> bool:
        """Say whether nothing is missing between what was `reached` and the ring.

        Packets may have come in the same microsecond, and only some of them be on the
        disk yet: unless reading `is_settled`, it must have got past a base that is
        fresh. Beyond an old one there may be nothing: its socket has closed.
        """
        fresh_us = max(self._lasts.values(), default=0) - SETTLED_US
        return bool(self.bases) and all(
            not base
            or reached.get(connection, 0) >= base + (base > fresh_us and not is_settled)
            for connection, base in self.bases.items()
        )


class CallFeed:
    """What comes of one call, for all who hear it through this process."""

    def __init__(self, call_id: UUID) -> None:
        self.call_id = call_id
        self.id = str(uuid4())
        self.ring = Ring()
        self.listeners: dict[object, Callable[[Batch, list[Arrived], bool], None]] = {}
        self.answers: dict[str, Callable[[Past], None]] = {}
        # Why nothing comes; None while Redis answers.
        self.error: str | None = None
        # When ingest last said anything of the call, by a monotonic clock.
        self.told_at: float | None = None
        self._redis: Redis = redis_async()
        self._tasks = [
            asyncio.create_task(self._take(), name="listen-feed"),
            asyncio.create_task(self._hear(), name="listen-hear"),
        ]

    async def ask(self, ask: Ask) -> None:
        """Ask every ingest process. Raises RedisError, OSError."""
        await self._redis.publish(ASKS, encode(ask))

    async def close(self) -> None:
        """Let the call go."""
        await tasks_end(*self._tasks)
        with suppress(RedisError, OSError):
            await self.ask(Leave(self.id, str(self.call_id)))
        with suppress(RedisError, OSError):
            await self._redis.aclose()

    async def _hear(self) -> None:
        while True:
            with suppress(RedisError, OSError):
                await self.ask(Hear(self.id, str(self.call_id)))
            await asyncio.sleep(HEAR_SECONDS)

    async def _take(self) -> None:
        while True:
            told: PubSub = self._redis.pubsub(ignore_subscribe_messages=True)
            try:
                await told.subscribe(call_channel(self.call_id), web_channel(self.id))
                self.error = None
                while True:
                    message = await told.get_message(timeout=RETRY_SECONDS)
                    if message:
                        self._told(message["data"])
            except (RedisError, OSError) as exc:
                self.error = type(exc).__name__
                self.ring.clear()
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                # One message that cannot be taken must not deafen everybody for good.
                log.exception("a listening feed met a fault and goes on")
                await asyncio.sleep(RETRY_SECONDS)
            finally:
                with suppress(RedisError, OSError):
                    await told.aclose()  # type: ignore[no-untyped-call] # redis-py

    def _told(self, message: bytes) -> None:
        try:
            told = told_decoder.decode(message)
        except msgspec.MsgspecError:
            log.warning("a listening message is not understood")
            return
        if isinstance(told, Past):
            if answer := self.answers.get(told.ask):
                answer(told)
            return
        self.told_at = time.monotonic()
        packets, is_broken = self.ring.add(told)
        for listener in list(self.listeners.values()):
            listener(told, packets, is_broken)


_feeds: dict[UUID, CallFeed] = {}


def feed_join(
    call_id: UUID, key: object, take: Callable[[Batch, list[Arrived], bool], None]
) -> CallFeed:
    """Return the feed of a call, begun with its first listener.

    `take` is called with each batch, its packets, and whether some before are missing.
    """
    feed = _feeds.get(call_id)
    if feed is None:
        feed = _feeds[call_id] = CallFeed(call_id)
    feed.listeners[key] = take
    return feed


async def feed_leave(feed: CallFeed, key: object) -> None:
    """Forget a listener; with the last one the feed ends."""
    feed.listeners.pop(key, None)
    if not feed.listeners and _feeds.get(feed.call_id) is feed:
        del _feeds[feed.call_id]
        await feed.close()
