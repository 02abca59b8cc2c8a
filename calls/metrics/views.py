"""/metrics itself, and who may read it."""

import hmac
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

import redis
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from calls.health.asking import Source, ask_all
from calls.live.ingest import LiveProcess, live_processes
from calls.live.processes import ProcessNote, process_notes
from calls.live.tallies import tallies
from calls.metrics.families import value
from calls.metrics.live import live_metrics
from calls.metrics.others import (
    process_metrics,
    queue_depths,
    queue_names,
    tally_metrics,
)
from calls.metrics.rows import row_metrics, up_metric

# Prometheus gives up a scrape after ten seconds.
PATIENCE: Final = 5.0
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Send the figures in Prometheus' text format.

    It answers within six seconds whatever hangs; what hangs is said to be down.

    None tells a name, a number or an id of a call. With `ACSSTREAM_METRICS_TOKEN` set,
    whoever asks must send it as a bearer token.
    """
    if not _may_read(request):
        refusal = HttpResponse("This needs its token.\n", status=401)
        refusal["WWW-Authenticate"] = "Bearer"
        return refusal
    rows, told = ask_all(sources(), PATIENCE)
    return HttpResponse(in_text([*rows, *told]), content_type=METRICS_TYPE)


def _may_read(request: HttpRequest) -> bool:
    wanted: str = settings.METRICS_TOKEN
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    is_shown = hmac.compare_digest(shown.strip().encode(), wanted.encode())
    return not wanted or (scheme.lower() == "bearer" and is_shown)


@cache
def sources() -> tuple[Source[list[Metric]], ...]:
    """Return whom a scrape asks: the database and Redis.

    A scrape that waits for one that hangs would tell nothing of the other, and not
    even that the one is down.
    """
    return (
        Source("rows", lambda: list(row_metrics()), [up_metric(is_up=False)]),
        Source("told", lambda: list(told_metrics()), [_redis_up(is_up=False)]),
    )


class Families(Collector):
    """Families that are there already."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Sequence[Metric]:
        """Return them."""
        return self._families


def in_text(families: Sequence[Metric]) -> bytes:
    """Return families in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Families(families))
    return generate_latest(registry)


def told_metrics() -> Iterator[Metric]:
    """Yield what lies in Redis, or only that Redis does not answer."""
    told = _redis_picture()
    yield _redis_up(is_up=told is not None)
    if told is None:
        return
    processes, notes, queues, counts = told
    yield from live_metrics(processes)
    yield from process_metrics(notes, queues)
    yield from tally_metrics(counts)


def _redis_up(*, is_up: bool) -> Metric:
    return value("redis_up", "Whether Redis answers.", is_up)


RedisPicture = tuple[
    list[LiveProcess], list[ProcessNote], dict[str, int], dict[str, float]
]


def _redis_picture() -> RedisPicture | None:
    """Return all that lies in Redis, None if Redis does not answer."""
    try:
        processes, notes = live_processes(), process_notes()
        queues = queue_depths(queue_names(processes, notes))
        return processes, notes, queues, tallies()
    except (redis.RedisError, OSError):
        return None
