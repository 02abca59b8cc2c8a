"""Figures of web, workers and beat, of queues, and of what was settled."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

from django.conf import settings
from prometheus_client.core import HistogramMetricFamily, Metric

from calls.health.checks import queue_ages
from calls.live.ingest import LiveProcess, redis_sync
from calls.live.processes import BUCKETS, ProcessNote, is_fresh
from calls.live.tallies import histogram
from calls.metrics.families import PREFIX, counter, gauge

OF_PROCESS = ("node", "process")
STAGES = {
    "sent": "From the press of a button to the request to ACS.",
    "confirmed": "From the request to the evidence that it was done.",
}
Notes = Sequence[ProcessNote]


def process_metrics(notes: Notes, queues: Mapping[str, int]) -> Iterator[Metric]:
    """Yield what web, worker and beat processes say, and how long queues are."""
    alive = [note for note in notes if is_fresh(note)]
    kinds = Counter((note["kind"], note["node"]) for note in alive)
    yield gauge(
        "processes",
        "Web, worker and beat processes that live.",
        ["kind", "node"],
        [(who, count) for who, count in sorted(kinds.items())],
    )
    yield gauge(
        "queue_depth",
        "Tasks that wait for a worker.",
        ["queue"],
        [((queue,), depth) for queue, depth in queues.items()],
    )
    yield gauge(
        "queue_heartbeat_seconds",
        "Since a worker that reads the queue was heard of; none: there is none.",
        ["queue"],
        [((queue,), age) for queue, age in sorted(queue_ages(notes).items())],
    )
    beats = [note["age"] for note in notes if note["kind"] == "beat"]
    yield gauge(
        "beat_heartbeat_seconds",
        "Since beat was heard of.",
        samples=[((), min(beats))] if beats else [],
    )
    yield from _workers(alive)
    yield from _http(alive)


def queue_names(processes: Iterable[LiveProcess], notes: Notes) -> list[str]:
    """Return the queues: the common one, those of ingest's nodes, what workers read."""
    # A node without ingest has no journals, and needs no worker for them.
    nodes = {one["node"] for one in processes}
    read = {queue for note in notes for queue in note.get("queues", ())}
    ours = {f"recordings.{node}" for node in nodes}
    return sorted({settings.CELERY_TASK_DEFAULT_QUEUE} | ours | read)


def queue_depths(names: Sequence[str]) -> dict[str, int]:
    """Return how many tasks wait in each queue. Raises `RedisError`."""
    with redis_sync() as client, client.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.llen(name)
        return dict(zip(names, cast(list[int], pipe.execute()), strict=True))


def _workers(alive: Notes) -> Iterator[Metric]:
    workers = [note for note in alive if note["kind"] == "worker"]
    yield gauge(
        "worker_busy",
        "Tasks that a worker has in hand.",
        OF_PROCESS,
        [(_who(one), one.get("busy", 0)) for one in workers],
    )
    yield gauge(
        "worker_slots",
        "Tasks that a worker can have in hand.",
        OF_PROCESS,
        [(_who(one), one.get("slots", 0)) for one in workers],
    )
    yield counter(
        "tasks_started",
        "Tasks begun.",
        (*OF_PROCESS, "task"),
        [
            ((*_who(one), task), count)
            for one in workers
            for task, count in sorted(one.get("tasks", {}).items())
        ],
    )


def _http(alive: Notes) -> Iterator[Metric]:
    told = [(_who(one), http) for one in alive if (http := one.get("http"))]
    yield counter(
        "http_requests",
        "Requests answered by web.",
        (*OF_PROCESS, "route", "method", "status"),
        [
            ((*who, *key.split("|")), count)
            for who, http in told
            for key, count in sorted(http["requests"].items())
        ],
    )
    yield counter(
        "refused_webhooks",
        "Requests that webhooks refused, by door and reason.",
        (*OF_PROCESS, "door", "reason"),
        [
            ((*who, *key.split("|")), count)
            for who, http in told
            for key, count in sorted(http.get("refused", {}).items())
        ],
    )
    family = HistogramMetricFamily(
        f"{PREFIX}http_request_seconds",
        "How long web took to answer.",
        labels=(*OF_PROCESS, "route"),
    )
    bounds = [*(f"{bound:g}" for bound in BUCKETS), "+Inf"]
    for who, http in told:
        for route, counts in sorted(http["buckets"].items()):
            buckets = [
                (bound, float(count))
                for bound, count in zip(bounds, counts, strict=True)
            ]
            family.add_metric((*who, route), buckets, http["seconds"][route])
    yield family


def tally_metrics(counts: Mapping[str, float]) -> Iterator[Metric]:
    """Yield what was counted when it was settled."""
    family = HistogramMetricFamily(
        f"{PREFIX}command_seconds",
        "How long orders to ACS took, by stage.",
        labels=["stage"],
    )
    for stage in STAGES:
        buckets, total = histogram(counts, stage)
        family.add_metric([stage], buckets, total)
    yield family
    yield _tallied(
        counts, "commands_settled", "Orders settled.", ("kind", "state"), "command"
    )
    yield _tallied(counts, "task_failures", "Tasks that failed.", ("task",), "failure")


def _tallied(
    counts: Mapping[str, float], name: str, text: str, labels: Sequence[str], key: str
) -> Metric:
    found = (
        (field.split("|")[1:], figure)
        for field, figure in sorted(counts.items())
        if field.startswith(f"{key}|")
    )
    return counter(name, text, labels, found)


def _who(note: ProcessNote) -> tuple[str, str]:
    return note["node"], note["process"]
