"""Redis's clock: the one by which machines know how old is what another one told.

Their own may differ by minutes. So whatever is scored, aged or forgotten in Redis is
stamped by Redis and judged by Redis; who only shows a time of day may use its own.
"""

from typing import cast

import redis
import redis.asyncio


def redis_now(client: redis.Redis) -> float:
    """Return Redis's time, in seconds since 1970. Raises `redis.RedisError`."""
    return _seconds(client.time())


async def redis_now_async(client: redis.asyncio.Redis) -> float:
    """Return the same, without a thread."""
    return _seconds(await client.time())


def _seconds(told: object) -> float:
    """Return what TIME told: seconds, and microseconds of the next one."""
    whole, micros = cast(tuple[int, int], told)
    return whole + micros / 1_000_000


def seconds_ahead(asked: float, told: float, answered: float) -> float:
    """Return by how much our clock is surely ahead of Redis's; below zero, behind.

    Redis told its time after we `asked` and before it had `answered`, by our clock.
    """
    return max(asked - told, 0.0) + min(answered - told, 0.0)
