"""Probes and figures for machines: /healthz, /readyz, /metrics.

None needs a login and none tells a name, a number or an id of a call: a proxy should
still keep them inside. They are behind `ALLOWED_HOSTS` like every page: a probe by IP
address gets 400 unless it sends a Host that is allowed.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import redis
from django.db import DatabaseError, connection
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from calls.live import LiveProcess, live_processes, redis_sync
from calls.load import LiveLoad
from calls.models import (
    Alarm,
    AlarmKind,
    Call,
    CallState,
    Recording,
    Severity,
    StreamCommand,
    StreamingState,
)
from calls.models.call import ArchiveState
from calls.models.control import CommandState
from calls.models.media import RecordingState

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Say that this process answers, and nothing else."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Say whether this process can do its work: 200, or 503 with the reasons."""
    checks = {"database": database_fault(), "redis": redis_fault()}
    return JsonResponse(
        {
            "ready": not any(checks.values()),
            "checks": {name: fault or "ok" for name, fault in checks.items()},
        },
        status=503 if any(checks.values()) else 200,
    )


def database_fault() -> str:
    """Return what is wrong with the database; empty if nothing is."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as fault:
        return f"does not answer ({type(fault).__name__})"
    return ""


def redis_fault() -> str:
    """Return what is wrong with Redis; empty if nothing is."""
    try:
        with redis_sync() as client:
            client.ping()
    except (redis.RedisError, OSError) as fault:
        return f"does not answer ({type(fault).__name__})"
    return ""


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Send the figures in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ConsoleCollector())
    return HttpResponse(generate_latest(registry), content_type=METRICS_TYPE)


class ConsoleCollector(Collector):
    """Counts from the database, rates from ingest; one query per table, one MGET.

    ======================================== ================================
    acsstream_database_up, acsstream_redis_up 1 or 0
    acsstream_calls{state}                    calls by state
    acsstream_live_calls_streaming{state}     live calls by streaming state
    acsstream_archive_calls{state}            calls by state of their archive
    acsstream_commands{state}                 orders to ACS by state
    acsstream_recordings{state}               recordings by state
    acsstream_alarms{kind,severity}           alarms that last
    acsstream_ingest_processes                ingest processes that live
    acsstream_streams{node,process}           open media sockets
    acsstream_packets_per_second{…}           packets received last second
    acsstream_refused_sockets{…}              sockets refused since its start
    acsstream_journal_pending_bytes{…}        received, not yet on disk
    acsstream_journal_faulty{…}               1 while the journal cannot be written
    acsstream_malformed_messages{…}           of the calls that are live
    acsstream_stream_limit{…}                 streams a process takes
    acsstream_cpu_cores{…}                    of a core, over ten seconds
    acsstream_loop_lag_p99_seconds{…}         how late its event loop is
    acsstream_disk_bytes_per_second{…}        written to journals
    acsstream_disk_free_bytes{…}              left for journals
    acsstream_takes_streams{…}                0 while it refuses new sockets
    ======================================== ================================
    """

    def collect(self) -> Iterator[Metric]:
        """Yield every family; those of a part that is down are left out."""
        yield from database_metrics()
        yield from live_metrics()


def database_metrics() -> Iterator[Metric]:
    """Yield counts of rows by state."""
    try:
        families = [
            by_state(
                "acsstream_calls",
                "Calls by state.",
                dict(
                    Call.objects.order_by().values_list("state").annotate(Count("pk"))
                ),
                CallState.values,
            ),
            by_state(
                "acsstream_live_calls_streaming",
                "Live calls by streaming state.",
                dict(
                    Call.objects.live()
                    .order_by()
                    .values_list("streaming_state")
                    .annotate(Count("pk"))
                ),
                StreamingState.values,
            ),
            by_state(
                "acsstream_archive_calls",
                "Calls by state of their archive.",
                dict(
                    Call.objects.order_by()
                    .values_list("archive_state")
                    .annotate(Count("pk"))
                ),
                ArchiveState.values,
            ),
            by_state(
                "acsstream_commands",
                "Orders to ACS by state.",
                dict(
                    StreamCommand.objects.order_by()
                    .values_list("state")
                    .annotate(Count("pk"))
                ),
                CommandState.values,
            ),
            by_state(
                "acsstream_recordings",
                "Recordings by state.",
                dict(
                    Recording.objects.order_by()
                    .values_list("state")
                    .annotate(Count("pk"))
                ),
                RecordingState.values,
            ),
            alarm_metric(),
        ]
    except DatabaseError:
        families = []
    yield up("acsstream_database_up", "Whether the database answers.", bool(families))
    yield from families


def alarm_metric() -> GaugeMetricFamily:
    """Return the alarms that last, those of a kind that has none too."""
    counts: Counter[tuple[str, int]] = Counter(
        Alarm.objects.lasting().order_by().values_list("kind", "severity")
    )
    family = GaugeMetricFamily(
        "acsstream_alarms", "Alarms that last.", labels=["kind", "severity"]
    )
    for kind in AlarmKind.values:
        for severity in Severity:
            value = counts[kind, severity]
            family.add_metric([kind, severity.name.lower()], value)
    return family


def live_metrics() -> Iterator[Metric]:
    """Yield what ingest processes say of themselves."""
    try:
        processes: list[LiveProcess] | None = live_processes()
    except (redis.RedisError, OSError):
        processes = None
    yield up("acsstream_redis_up", "Whether Redis answers.", processes is not None)
    if processes is None:
        return
    yield GaugeMetricFamily(
        "acsstream_ingest_processes",
        "Ingest processes that live.",
        value=len(processes),
    )
    for name, text, value in (
        ("streams", "Open media sockets.", lambda one: one["streams"]),
        (
            "packets_per_second",
            "Packets received in the last second.",
            lambda one: one["packets_per_second"],
        ),
        (
            "refused_sockets",
            "Media sockets refused since the process started.",
            lambda one: one["refused"],
        ),
        (
            "journal_pending_bytes",
            "Bytes received and not yet on disk.",
            lambda one: one["journal"]["pending_bytes"],
        ),
        (
            "journal_faulty",
            "1 while the journal cannot be written.",
            lambda one: bool(one["journal"]["error"]),
        ),
        (
            "malformed_messages",
            "Malformed messages of the calls that are live.",
            lambda one: sum(call["malformed"] for call in one["calls"]),
        ),
    ):
        yield by_process(name, text, [(one, value(one)) for one in processes])
    for name, text, of_load in LOADS:
        # A process of an older release does not say.
        told = [(one, of_load(load)) for one in processes if (load := one.get("load"))]
        yield by_process(name, text, told)


LOADS: tuple[tuple[str, str, Callable[[LiveLoad], float]], ...] = (
    ("stream_limit", "Streams a process takes.", lambda load: load["limit"]),
    ("cpu_cores", "Cores used, over ten seconds.", lambda load: load["cpu"]),
    (
        "loop_lag_p99_seconds",
        "How late the event loop is, 99th percentile of ten seconds.",
        lambda load: load["loop_lag_p99_ms"] / 1000,
    ),
    (
        "disk_bytes_per_second",
        "Bytes written to journals.",
        lambda load: load["disk_bytes_per_second"],
    ),
    (
        "disk_free_bytes",
        "Bytes left for journals.",
        lambda load: load["disk_free_bytes"],
    ),
    (
        "takes_streams",
        "0 while a process refuses new media sockets.",
        lambda load: float(load["state"] != "full"),
    ),
)


def by_process(
    name: str, text: str, values: Iterable[tuple[LiveProcess, float]]
) -> GaugeMetricFamily:
    """Return a gauge with a sample for each process."""
    family = GaugeMetricFamily(f"acsstream_{name}", text, labels=["node", "process"])
    for process, value in values:
        family.add_metric([process["node"], process["process"]], value)
    return family


def by_state(
    name: str, text: str, counts: dict[str, int], states: list[str]
) -> GaugeMetricFamily:
    """Return a gauge with a sample for every state, those with no rows too."""
    family = GaugeMetricFamily(name, text, labels=["state"])
    for state in states:
        family.add_metric([state], counts.get(state, 0))
    return family


def up(name: str, text: str, value: bool) -> GaugeMetricFamily:
    """Return a gauge of 1 or 0."""
    return GaugeMetricFamily(name, text, value=int(value))
