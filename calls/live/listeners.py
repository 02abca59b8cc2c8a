"""Who listens to which live call, for everybody to see: kept in Redis while they do.

One hash, `acsstream:listeners`; a field for each listener, told again every few seconds
by the web process that serves them, with the time by Redis's clock. A web process that
dies tells nothing more, and its listeners are gone for readers after `FRESH_SECONDS`.
"""

import json
from collections import defaultdict
from collections.abc import Awaitable, Mapping
from typing import Any, TypedDict, cast
from uuid import UUID

import redis
import redis.asyncio

from calls.live.ingest import redis_sync
from calls.live.redis_clock import redis_now, redis_now_async

LISTENERS_KEY = "acsstream:listeners"
FRESH_SECONDS = 15.0
# A Redis that started so recently has not been told yet of all who listen.
KNOWS_AFTER_SECONDS = 60


class Listener(TypedDict):
    """One person listening to one call. Times are seconds since 1970 UTC.

    `seen` is by Redis's clock: whoever tells it, sets it.
    """

    call_id: str
    listen_id: str
    user: str
    since: float
    seen: float


async def listener_tell(client: redis.asyncio.Redis, listener: Listener) -> None:
    """Say that somebody listens, now. Raises `redis.RedisError`."""
    told = {**listener, "seen": await redis_now_async(client)}
    await _answer(client.hset(LISTENERS_KEY, listener["listen_id"], json.dumps(told)))


async def listener_leave(client: redis.asyncio.Redis, listen_id: UUID | str) -> None:
    """Say that somebody listens no more. Raises `redis.RedisError`."""
    await _answer(client.hdel(LISTENERS_KEY, str(listen_id)))


async def listeners_async(client: redis.asyncio.Redis) -> dict[str, list[Listener]]:
    """Return who listens, by call id. Raises `redis.RedisError`.

    What web processes that died left behind goes.
    """
    now = await redis_now_async(client)
    found = await _answer(client.hgetall(LISTENERS_KEY))
    oldest = now - 4 * FRESH_SECONDS
    dead = [key for key, value in found.items() if json.loads(value)["seen"] < oldest]
    if dead:
        await _answer(client.hdel(LISTENERS_KEY, *dead))
    return _fresh(found, now)


def _answer(asked: Any) -> Awaitable[Any]:
    """Return what to await: redis-py types its two clients' answers as one."""
    return cast(Awaitable[Any], asked)


def listeners() -> dict[str, list[Listener]]:
    """Return the same, for code that is not asynchronous."""
    with redis_sync() as client:
        now = redis_now(client)
        told = cast(Mapping[bytes, bytes], client.hgetall(LISTENERS_KEY))
    return _fresh(told, now)


def listenings() -> set[str] | None:
    """Return the ids of all listenings that go on; None while Redis cannot know.

    Of a Redis that has just started nobody has told anything yet. Raises
    `redis.RedisError`.
    """
    with redis_sync() as client:
        server = cast(Mapping[str, Any], client.info("server"))
        if server["uptime_in_seconds"] < KNOWS_AFTER_SECONDS:
            return None
        now = redis_now(client)
        told = cast(Mapping[bytes, bytes], client.hgetall(LISTENERS_KEY))
    oldest = now - 2 * FRESH_SECONDS
    return {
        key.decode()
        for key, value in told.items()
        if json.loads(value)["seen"] >= oldest
    }


def _fresh(found: Mapping[bytes, bytes], now: float) -> dict[str, list[Listener]]:
    oldest = now - FRESH_SECONDS
    by_call: dict[str, list[Listener]] = defaultdict(list)
    for value in found.values():
        listener: Listener = json.loads(value)
        if listener["seen"] >= oldest:
            by_call[listener["call_id"]].append(listener)
    for group in by_call.values():
        group.sort(key=lambda one: one["since"])
    return dict(by_call)
