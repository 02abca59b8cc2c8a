"""When beat's sweep last ran: the only sign of life that beat gives.

The sweep of commands is due every five seconds and runs in a worker, so a fresh note
proves both. It lies in Redis, by Redis's clock, and is never more than a hint.
"""

import logging

import redis

from calls.live.ingest import redis_sync
from calls.live.redis_clock import redis_now

KEY = "acsstream:swept"
KEPT_SECONDS = 7 * 86_400

log = logging.getLogger(__name__)


def sweep_note() -> None:
    """Note that a sweep runs now. Redis may be away."""
    try:
        with redis_sync() as client:
            client.set(KEY, repr(redis_now(client)), ex=KEPT_SECONDS)
    except (redis.RedisError, OSError) as exc:
        log.warning("the sweep is not noted: %s", type(exc).__name__)


def swept_ago() -> float | None:
    """Return the seconds since a sweep ran, None if none did in a week.

    Raises `RedisError`.
    """
    with redis_sync() as client:
        noted, now = client.get(KEY), redis_now(client)
    return max(now - float(noted), 0.0) if noted else None
