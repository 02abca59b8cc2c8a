"""A process that is nearly full, or whose disk is, says so."""

from datetime import UTC, datetime, timedelta

import pytest

from calls.alarms.kinds import WEIGHTS, Kind, Weight
from calls.alarms.thresholds import Thresholds
from calls.load import LiveLoad
from calls.models import AlarmKind, Severity
from streaming.alarms import NodeWatch

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Node:
    """A node whose seconds pass when we say so."""

    def __init__(self, **thresholds: float) -> None:
        self.watch = NodeWatch("node-1", 7, Thresholds(**thresholds))
        self.second = 0

    def seconds(
        self, count: int, streams: int, reason: str = "", days: float | None = None
    ) -> None:
        load: LiveLoad = {
            "limit": 100,
            "estimate": 100,
            "cpu": 0.5,
            "loop_lag_p50_ms": 1.0,
            "loop_lag_p95_ms": 1.0,
            "loop_lag_p99_ms": 1.0,
            "disk_bytes_per_second": 1.0,
            "disk_free_bytes": 1,
            "disk_days": days,
            "state": "full" if reason else "ok",
            "reason": reason,
        }
        for _ in range(count):
            self.second += 1
            wall = NOON + timedelta(seconds=self.second)
            self.watch.look(load, streams, float(self.second), wall)

    @property
    def lasting(self) -> dict[str, str]:
        return {
            one.kind: one.words for one in self.watch.drafts() if not one.cleared_at
        }


def test_a_node_is_nearly_full_once_it_has_been_for_ten_seconds() -> None:
    node = Node()
    node.seconds(10, streams=80)
    assert node.lasting == {}

    node.seconds(1, streams=85)

    [draft] = node.watch.drafts()
    assert (draft.kind, draft.node, draft.call_id) == ("node_full", "node-1", None)
    assert draft.words == "It holds 85 of the 100 streams it can: 85 %."
    assert (draft.value, draft.threshold, draft.severity) == (85, 80, 2)

    # A little less is not room enough.
    node.seconds(60, streams=72)
    assert "node_full" in node.lasting
    node.seconds(31, streams=69)
    assert node.lasting == {}


def test_a_node_that_takes_no_stream_is_critical_whatever_it_holds() -> None:
    node = Node()
    node.seconds(11, streams=3, reason="only 12 MB are free for journals")

    [draft] = node.watch.drafts()
    assert draft.severity == Severity.CRITICAL
    assert draft.words == (
        "No further stream is taken: only 12 MB are free for journals."
    )


@pytest.mark.parametrize(
    ("days", "words", "severity"),
    [(0.9, "21.6 hours", 2), (0.2, "4.8 hours", 3)],
)
def test_a_disk_is_low_once_it_has_been_for_a_minute(
    days: float, words: str, severity: int
) -> None:
    node = Node()
    node.seconds(60, streams=1, days=days)
    assert node.lasting == {}

    node.seconds(1, streams=1, days=days)

    [draft] = node.watch.drafts()
    assert draft.words == f"At this rate the journal disk is full in {words}."
    assert draft.severity == severity
    # With no calls there is no rate.
    node.seconds(61, streams=0, days=None)
    assert node.lasting == {}


def test_a_node_has_no_alarms_that_are_switched_off_or_when_it_ends() -> None:
    off = Node(node_percent=0, disk_days=0)
    off.seconds(100, streams=100, reason="full", days=0.1)
    assert off.lasting == {}

    node = Node()
    node.seconds(11, streams=100)
    node.watch.end(12.0, NOON)
    [draft] = node.watch.drafts()
    assert draft.cleared_at == NOON
    assert node.watch.drafts() == []


def test_kinds_and_weights_are_those_of_the_table() -> None:
    assert [kind.value for kind in Kind] == AlarmKind.values
    assert [(one.name, one.value) for one in Weight] == [
        (one.name, one.value) for one in Severity
    ]
    assert set(WEIGHTS) == set(Kind)
