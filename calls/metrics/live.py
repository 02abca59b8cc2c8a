"""Figures of ingest: what each process says of itself, and each node's disk."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from prometheus_client.core import Metric

from calls.health.checks import backlogs
from calls.live.ingest import LiveProcess
from calls.load import LiveLoad
from calls.metrics.families import counter, gauge, value

OF_PROCESS = ("node", "process")
Processes = Sequence[LiveProcess]


def live_metrics(processes: Processes) -> Iterator[Metric]:
    """Yield what ingest processes say of themselves."""
    yield value("ingest_processes", "Ingest processes that live.", len(processes))
    for name, text, of_process in GAUGES:
        yield gauge(
            name, text, OF_PROCESS, [(_who(one), of_process(one)) for one in processes]
        )
    for name, text, of_load in LOADS:
        # A process of an older release does not say.
        yield gauge(
            name,
            text,
            OF_PROCESS,
            [
                (_who(one), of_load(load))
                for one in processes
                if (load := one.get("load"))
            ],
        )
    yield from _totals(processes)
    yield from _backlogs(processes)


def _who(process: LiveProcess) -> tuple[str, str]:
    return process["node"], process["process"]


GAUGES: tuple[tuple[str, str, Callable[[LiveProcess], float]], ...] = (
    ("streams", "Open media sockets.", lambda one: one["streams"]),
    (
        "packets_per_second",
        "Packets received in the last second.",
        lambda one: one["packets_per_second"],
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
        "ingest_draining",
        "1 while a process that was told to end lets its sockets finish.",
        lambda one: bool(one.get("draining")),
    ),
    (
        "ingest_database_faulty",
        "1 while the database does not take an ingest process's rows.",
        lambda one: bool(one["database"]),
    ),
)
LOADS: tuple[tuple[str, str, Callable[[LiveLoad], float]], ...] = (
    ("stream_limit", "Streams a process takes.", lambda load: load["limit"]),
    ("cpu_cores", "Cores used, over ten seconds.", lambda load: load["cpu"]),
    (
        "loop_lag_p50_seconds",
        "How late the event loop is, median of ten seconds.",
        lambda load: load["loop_lag_p50_ms"] / 1000,
    ),
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
Total = Literal[
    "sockets", "packets", "gaps", "gap_ms", "late", "duplicates", "malformed",
    "unknown", "dropped_records", "handler_dropped", "underruns",
]  # fmt: skip
TOTALS: tuple[tuple[Total, str, str, float], ...] = (
    ("sockets", "sockets", "Media sockets taken.", 1),
    ("packets", "packets", "Packets of audio received.", 1),
    ("gaps", "gaps", "Stretches in which packets are missing.", 1),
    ("gap_ms", "gap_seconds", "Seconds of audio that are missing.", 1000),
    ("late", "late_packets", "Packets that came too late for their place.", 1),
    ("duplicates", "duplicate_packets", "Packets that came twice.", 1),
    ("malformed", "malformed_messages", "Messages that could not be read.", 1),
    ("unknown", "unknown_messages", "Messages of kinds we have not met.", 1),
    (
        "dropped_records",
        "journal_dropped_records",
        "Records that the disk did not take in time: lost.",
        1,
    ),
    (
        "handler_dropped",
        "handler_dropped_frames",
        "Frames that handlers were too slow for.",
        1,
    ),
    (
        "underruns",
        "playout_underruns",
        "Times we had nothing to say in mid-sentence.",
        1,
    ),
)


def _totals(processes: Processes) -> Iterator[Metric]:
    told = [(_who(one), totals) for one in processes if (totals := one.get("totals"))]
    for key, name, text, unit in TOTALS:
        samples = [(who, totals[key] / unit) for who, totals in told]
        yield counter(name, text, OF_PROCESS, samples)
    yield counter(
        "refused_sockets",
        "Sockets refused, by reason.",
        (*OF_PROCESS, "reason"),
        [
            ((*who, reason), count)
            for who, totals in told
            for reason, count in sorted(totals["refused"].items())
        ],
    )


def _backlogs(processes: Processes) -> Iterator[Metric]:
    told, now = backlogs(processes), time.time()
    yield gauge(
        "journal_backlog",
        "Journals that wait to be recordings.",
        ["node"],
        [((node,), one["waiting"]) for node, one in told.items()],
    )
    yield gauge(
        "journal_backlog_bytes",
        "Bytes of journals that wait to be recordings.",
        ["node"],
        [((node,), one["size"]) for node, one in told.items()],
    )
    yield gauge(
        "journal_oldest_seconds",
        "How long the oldest of them has waited.",
        ["node"],
        [
            ((node,), max(now - (one["oldest_at"] or now), 0.0))
            for node, one in told.items()
        ],
    )
