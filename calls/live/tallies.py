"""Counts of what happened, kept in Redis: they outlive the process that counted.

A worker's pool has many short-lived children, and a row of a million cannot be counted
at each scrape. So what is settled is counted when it is settled: one hash, one field a
count. A Redis that is lost begins at nought again: Prometheus takes that for a restart.
"""

import logging
from bisect import bisect_left
from collections.abc import Mapping
from typing import cast

import redis

from calls.live.ingest import redis_sync

KEY = "acsstream:tallies"
# Upper bounds in seconds: of an order that took longer nothing more is told.
BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

log = logging.getLogger(__name__)


def tally(counts: Mapping[str, float]) -> None:
    """Add to counts. It never raises: what counts is not the counting."""
    try:
        with redis_sync() as client, client.pipeline(transaction=False) as pipe:
            for field, number in counts.items():
                pipe.hincrbyfloat(KEY, field, number)
            pipe.execute()
    except (redis.RedisError, OSError) as exc:
        log.debug("something is not counted: %s", type(exc).__name__)


def tallies() -> dict[str, float]:
    """Return all counts. Raises `RedisError`."""
    with redis_sync() as client:
        found = cast(dict[bytes, bytes], client.hgetall(KEY))
    return {field.decode(): float(number) for field, number in found.items()}


def timed(stage: str, seconds: float) -> dict[str, float]:
    """Return what to add for one duration: its bucket, and the sum of all."""
    place = bisect_left(BOUNDS, seconds)
    bound = f"{BOUNDS[place]:g}" if place < len(BOUNDS) else "+Inf"
    return {f"{stage}|{bound}": 1, f"{stage}|sum": max(seconds, 0.0)}


def histogram(
    counts: Mapping[str, float], stage: str
) -> tuple[list[tuple[str, float]], float]:
    """Return the cumulative buckets of a stage and the sum of its durations."""
    total, buckets = 0.0, []
    for bound in (*(f"{one:g}" for one in BOUNDS), "+Inf"):
        total += counts.get(f"{stage}|{bound}", 0.0)
        buckets.append((bound, total))
    return buckets, counts.get(f"{stage}|sum", 0.0)
