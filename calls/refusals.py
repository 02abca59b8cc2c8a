"""Counts what the webhooks refuse, by door and reason, over all web processes.

Counts are kept in Redis, so that they are right whichever process /metrics asks. They
go there once a second at most: a flood of refusals must not become a flood of requests.
Sockets that are refused are counted by their ingest process (`calls.live`).
"""

import logging
import threading
from collections import Counter
from collections.abc import Iterator

import redis
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from calls.live import live_processes, redis_sync

KEY = "acsstream:refused"
SECONDS = 1.0

log = logging.getLogger(__name__)
_lock = threading.Lock()
_counted: Counter[str] = Counter()
_timer: threading.Timer | None = None


def count(door: str, reason: str) -> None:
    """Count a refusal; Redis learns of it within a second."""
    global _timer
    with _lock:
        _counted[f"{door}/{reason}"] += 1
        if _timer is None:
            _timer = threading.Timer(SECONDS, flush)
            _timer.daemon = True
            _timer.start()


def flush() -> None:
    """Bring what was counted to Redis; without Redis it waits for the next time."""
    global _timer
    with _lock:
        counted = dict(_counted)
        _counted.clear()
        _timer = None
    try:
        with redis_sync() as client, client.pipeline(transaction=False) as pipe:
            for name, number in counted.items():
                pipe.hincrby(KEY, name, number)
            pipe.execute()
    except (redis.RedisError, OSError):
        with _lock:
            _counted.update(counted)


def counts() -> dict[tuple[str, str], int]:
    """Return how many requests each door refused, by reason. Raises `RedisError`."""
    with redis_sync() as client:
        stored: dict[bytes, bytes] = client.hgetall(KEY)
    found = {}
    for name, number in stored.items():
        door, _, reason = name.decode().partition("/")
        found[door, reason] = int(number)
    return found


def refusal_metrics() -> Iterator[Metric]:
    """Yield for /metrics who was refused; nothing while Redis does not answer."""
    webhooks = CounterMetricFamily(
        "acsstream_refused_webhooks",
        "Requests that webhooks refused, over all web processes.",
        labels=["door", "reason"],
    )
    sockets = GaugeMetricFamily(
        "acsstream_refused_sockets_by_reason",
        "Sockets refused since the ingest process started.",
        labels=["node", "process", "reason"],
    )
    try:
        for (door, reason), number in sorted(counts().items()):
            webhooks.add_metric([door, reason], number)
        for one in live_processes():
            for reason, number in sorted(one.get("refusals", {}).items()):
                sockets.add_metric([one["node"], one["process"], reason], number)
    except (redis.RedisError, OSError):
        return
    yield webhooks
    yield sockets
