"""When beat's sweep last ran: the only sign of life that beat gives.

The sweep of commands is due every five seconds and runs in a worker, so a fresh note
proves both. It lies in Redis and is never more than a hint.
"""

import logging

import redis

from calls.live import redis_sync

KEY = "acsstream:swept"
KEPT_SECONDS = 7 * 86_400

log = logging.getLogger(__name__)


def sweep_note(at: float) -> None:
    """Note that a sweep ran at `at`, seconds since 1970. Redis may be away."""
    try:
        with redis_sync() as client:
            client.set(KEY, repr(at), ex=KEPT_SECONDS)
    except (redis.RedisError, OSError) as exc:
        log.warning("the sweep is not noted: %s", type(exc).__name__)


def swept_at() -> float | None:
    """Return when a sweep last ran, None if not in a week. Raises `RedisError`."""
    with redis_sync() as client:
        noted = client.get(KEY)
    return float(noted) if noted else None
