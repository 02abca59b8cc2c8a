"""The last hour in points, for the dashboard's small charts.

Beat has a worker take one every ten seconds, whether somebody looks or not. They lie in
one Redis hash, `acsstream:trend`, by the number of their ten seconds since 1970, by
Redis's clock: two workers that take the same point write the same field. A point that
nobody took is missing, and shown so: it is not nought.
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypedDict, cast

import redis
import redis.asyncio

from calls.board.types import Trend
from calls.live.ingest import LiveProcess, callers_of, live_processes, redis_sync
from calls.live.redis_clock import redis_now, redis_now_async
from calls.models import Alarm, Call

TREND_KEY = "acsstream:trend"
STEP = 10  # seconds
POINTS = 360

log = logging.getLogger(__name__)


class Point(TypedDict):
    """What was true at one moment. `alarms` are those opened in the step before it."""

    live_calls: int
    packets_per_second: float
    silence_ratio: float | None
    alarms: int


def slot_of(at: float) -> int:
    """Return the number of the ten seconds in which `at`, seconds since 1970, is."""
    return int(at // STEP)


def trend_note(at: float | None = None) -> None:
    """Take the point of `at`, seconds since 1970, else of now.

    With Redis away there is none.
    """
    try:
        with redis_sync() as client:
            slot = slot_of(redis_now(client) if at is None else at)
            point = point_of(live_processes(), slot)
            client.hset(TREND_KEY, str(slot), json.dumps(point))
            known = cast(Iterable[bytes], client.hkeys(TREND_KEY))
            old = [key for key in known if int(key) <= slot - POINTS]
            if old:
                client.hdel(TREND_KEY, *old)
            client.expire(TREND_KEY, POINTS * STEP)
    except (redis.RedisError, OSError) as exc:
        log.warning("the trend has no point: %s", type(exc).__name__)


def point_of(processes: Sequence[LiveProcess], slot: int) -> Point:
    """Return what processes and database say; alarms are those of the step before."""
    tracks = [
        track
        for one in processes
        for call in one["calls"]
        for track in callers_of(call)
    ]
    packets = sum(track["packets"] for track in tracks)
    silent = sum(track["silent_packets"] for track in tracks)
    until = datetime.fromtimestamp(slot * STEP, UTC)
    since = datetime.fromtimestamp((slot - 1) * STEP, UTC)
    opened = Alarm.objects.filter(opened_at__gte=since, opened_at__lt=until)
    return {
        "live_calls": Call.objects.live().count(),
        "packets_per_second": round(
            sum(one["packets_per_second"] for one in processes)
        ),
        "silence_ratio": round(silent / packets, 3) if packets else None,
        "alarms": opened.count(),
    }


async def trend_async(client: redis.asyncio.Redis) -> Trend:
    """Return the hour up to now. Raises `redis.RedisError`."""
    now = await redis_now_async(client)
    # redis-py types its two clients' answers as one.
    found = await cast(Any, client.hgetall(TREND_KEY))
    return trend_of(found, slot_of(now))


def trend_of(found: Mapping[bytes, bytes], last: int) -> Trend:
    """Return the points up to the slot `last`; the newest ones may still be missing.

    It ends with the newest point there is, unless that is older than a step or two:
    then the line has stopped, and must look so.
    """
    points: dict[int, Point] = {int(key): json.loads(found[key]) for key in found}
    end = next((slot for slot in range(last, last - 3, -1) if slot in points), last)
    taken = [points.get(slot) for slot in range(end - POINTS + 1, end + 1)]
    return {
        "at": float(end * STEP),
        "step": STEP,
        "live_calls": [one and one["live_calls"] for one in taken],
        "packets_per_second": [one and one["packets_per_second"] for one in taken],
        "silence_ratio": [one and one["silence_ratio"] for one in taken],
        "alarms": [one and one["alarms"] for one in taken],
    }
