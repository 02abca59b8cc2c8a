"""Figures of the database: of what is live, open or waits. Nothing counts an archive.

A count of a million rows by state takes a second, every scrape. What is over is
therefore counted when it is over (`calls.live.tallies`), and here only what an index
finds.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import Count, Min, QuerySet
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric

from calls.backlog import nothing_left, storage_backlog
from calls.database import DATABASE_AWAY
from calls.metrics.families import by_state, gauge, value
from calls.models import (
    Alarm,
    AlarmKind,
    AuditCheck,
    Call,
    Severity,
    StreamCommand,
    StreamingState,
)
from calls.models.control import OPEN_COMMAND_STATES
from calls.models.states import LIVE_STATES, ArchiveState

# In which a call's audio is not safe in the archive yet.
WAITING = (ArchiveState.LIVE, ArchiveState.PENDING, ArchiveState.FAILED)


def row_metrics() -> Iterator[Metric]:
    """Yield the figures, or only that the database does not answer."""
    try:
        families = [
            *_calls(),
            *_archive(),
            *_storage(),
            *_commands(),
            _audit(),
            _alarms(),
        ]
    except DATABASE_AWAY:
        families = []
    yield up_metric(is_up=bool(families))
    yield from families


def up_metric(*, is_up: bool) -> GaugeMetricFamily:
    """Return the one figure that there always is."""
    return value("database_up", "Whether the database answers.", is_up)


def _calls() -> Iterator[GaugeMetricFamily]:
    live = Call.objects.live()
    states = [state.value for state in LIVE_STATES]
    yield by_state("calls", "Live calls by state.", _counted(live, "state"), states)
    yield by_state(
        "live_calls_streaming",
        "Live calls by streaming state.",
        _counted(live, "streaming_state"),
        StreamingState.values,
    )


def _archive() -> Iterator[GaugeMetricFamily]:
    waiting = Call.objects.filter(archive_state__in=WAITING).exclude(nothing_left())
    yield by_state(
        "archive_calls",
        "Calls whose audio is not in the archive yet, by state.",
        _counted(waiting, "archive_state"),
        [state.value for state in WAITING],
    )
    late = Call.objects.filter(archive_state=ArchiveState.PENDING)
    yield value(
        "archive_oldest_seconds",
        "Since when the call has been over that waits longest for its recordings.",
        _age(late.aggregate(oldest=Min("ended_at"))["oldest"]),
    )


def _storage() -> Iterator[GaugeMetricFamily]:
    backlog = storage_backlog()
    for name, text, figure in (
        (
            "storage_backlog_calls",
            "Calls that are over and not stored yet.",
            backlog.calls,
        ),
        (
            "storage_backlog_failing",
            "Those of them that were tried in vain.",
            backlog.failing,
        ),
        (
            "storage_backlog_oldest_seconds",
            "How long the first of them has waited.",
            _age(backlog.oldest_at),
        ),
    ):
        yield value(name, text, figure)


def _audit() -> GaugeMetricFamily:
    last = AuditCheck.objects.first()
    return value(
        "audit_faults",
        "Findings of the last look along the audit log's chain.",
        last.faults if last else 0,
    )


def _commands() -> Iterator[GaugeMetricFamily]:
    still = StreamCommand.objects.open()
    states = [state.value for state in OPEN_COMMAND_STATES]
    yield by_state(
        "commands", "Orders to ACS that are open, by state.",
        _counted(still, "state"), states,
    )  # fmt: skip
    yield value(
        "commands_oldest_seconds",
        "How long ago the oldest open order was given.",
        _age(still.aggregate(oldest=Min("asked_at"))["oldest"]),
    )


def _alarms() -> GaugeMetricFamily:
    """Return the alarms that last, those of a kind that has none too."""
    counts: Counter[tuple[str, int]] = Counter(
        Alarm.objects.lasting().order_by().values_list("kind", "severity")
    )
    return gauge(
        "alarms",
        "Alarms that last.",
        ["kind", "severity"],
        [
            ((kind, severity.name.lower()), counts[kind, severity])
            for kind in AlarmKind.values
            for severity in Severity
        ],
    )


def _counted(rows: "QuerySet[Any]", column: str) -> dict[str, int]:
    return dict(rows.order_by().values_list(column).annotate(Count("pk")))


def _age(since: datetime | None) -> float:
    return max((timezone.now() - since).total_seconds(), 0.0) if since else 0.0
