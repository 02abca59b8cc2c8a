"""/metrics itself, and who may read it."""

import hmac
from collections.abc import Iterator

import redis
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from calls.live import LiveProcess, live_processes
from calls.metrics.families import value
from calls.metrics.live import live_metrics
from calls.metrics.others import (
    process_metrics,
    queue_depths,
    queue_names,
    tally_metrics,
)
from calls.metrics.rows import row_metrics
from calls.processes import ProcessNote, process_notes
from calls.tallies import tallies

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Send the figures in Prometheus' text format.

    None tells a name, a number or an id of a call. With `ACSSTREAM_METRICS_TOKEN` set,
    whoever asks must send it as a bearer token.
    """
    if not _may_read(request):
        refusal = HttpResponse("This needs its token.\n", status=401)
        refusal["WWW-Authenticate"] = "Bearer"
        return refusal
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ConsoleCollector())
    return HttpResponse(generate_latest(registry), content_type=METRICS_TYPE)


def _may_read(request: HttpRequest) -> bool:
    wanted: str = settings.METRICS_TOKEN
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    is_shown = hmac.compare_digest(shown.strip().encode(), wanted.encode())
    return not wanted or (scheme.lower() == "bearer" and is_shown)


class ConsoleCollector(Collector):
    """All families; those of a part that is down are left out."""

    def collect(self) -> Iterator[Metric]:
        """Ask database and Redis, each a constant number of times."""
        yield from row_metrics()
        told = _told()
        yield value("redis_up", "Whether Redis answers.", told is not None)
        if told is None:
            return
        processes, notes, queues, counts = told
        yield from live_metrics(processes)
        yield from process_metrics(notes, queues)
        yield from tally_metrics(counts)


Told = tuple[list[LiveProcess], list[ProcessNote], dict[str, int], dict[str, float]]


def _told() -> Told | None:
    """Return all that lies in Redis, None if Redis does not answer."""
    try:
        processes, notes = live_processes(), process_notes()
        queues = queue_depths(queue_names(processes, notes))
        return processes, notes, queues, tallies()
    except (redis.RedisError, OSError):
        return None
