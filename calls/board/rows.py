"""What a browser is sent of a call, of a call that is over, of an ingest process."""

import math
from collections.abc import Iterable, Mapping
from uuid import UUID

from django.utils import timezone

from calls import formats
from calls.board.facts import BoardFacts
from calls.board.line import Line, party
from calls.board.types import CallRow, EndedRow, NodeRow, TrackRow
from calls.live.ingest import LiveCall, LiveProcess, LiveTrack
from calls.markup import end_code
from calls.models import Call
from calls.offers import pause_words

# The rest are a number; the page of the call has them all.
ALARMS_TOLD = 5


def call_row(
    line: Line, facts: BoardFacts, stored: Mapping[UUID, list[TrackRow]]
) -> CallRow:
    """Return one call of the table: figures from ingest, else those last stored."""
    fact = line.fact
    live = line.measured.call if line.measured else None
    row: CallRow = {
        "id": str(fact.id),
        "state": fact.state,
        "direction": fact.direction,
        "from_name": line.from_name,
        "from_raw": fact.from_raw_id,
        "to_name": line.to_name,
        "to_raw": fact.to_raw_id,
        "since": round(line.since, 1),
        "desired": fact.desired_streaming,
        "streaming": fact.streaming_state,
        "completeness": share(line.completeness),
        "quiet": None if line.quiet is None else round(line.quiet, 2),
        "measured": live is not None,
        "tracks": [_live_track(track, line.names) for track in live["tracks"]]
        if live
        else stored.get(fact.id),
    }
    _add_what_is_rare(row, line, facts)
    return row


def _add_what_is_rare(row: CallRow, line: Line, facts: BoardFacts) -> None:
    """Add what most rows do without."""
    fact = line.fact
    if line.is_over:
        row["ended_at"] = (fact.ended_at or timezone.now()).timestamp()
    if fact.streaming_reason:
        row["streaming_reason"] = fact.streaming_reason
    if fact.paused_at:
        row["paused"] = pause_words(fact.paused_at, fact.paused_why)
    if (command := facts.commands.get(fact.id)) is not None:
        row["command"] = command
    if line.alarms:
        row["alarms"] = {
            "count": len(line.alarms),
            "severity": line.severity,
            "words": [alarm.words for alarm in line.alarms[:ALARMS_TOLD]],
        }
    if line.listeners:
        row["listeners"] = list(line.listeners)
    if line.measured:
        _add_oddities(row, line.measured.call)


def _add_oddities(row: CallRow, live: LiveCall) -> None:
    if live["malformed"]:
        row["malformed"] = live["malformed"]
    if live["unknown"]:
        row["unknown"] = live["unknown"]
    if live["mixed"]:
        row["mixed"] = True
    if speaking := live.get("speaking"):
        row["speaking"] = speaking["name"]


def share(value: float | None) -> float | None:
    """Return a share with four digits. What is not the whole never becomes 1."""
    if value is None or value >= 1:
        return value
    return math.floor(value * 10_000) / 10_000


def _live_track(track: LiveTrack, names: Mapping[str, str]) -> TrackRow:
    raw_id = track["raw_id"]
    level = track["rms_dbfs"]
    return {
        "key": raw_id,
        "name": names.get(raw_id) or party(raw_id),
        "packets": track["packets"],
        "silence_ratio": share(track["silence_ratio"]),
        "talk_ms": track["talk_ms"],
        "rms_dbfs": None if level is None else round(level, 1),
        "gap_count": track["gap_count"],
        "gap_ms": track["gap_ms"],
        "talking": track["is_talking"],
    }


def ended_row(call: Call, silence: tuple[int, int] | None) -> EndedRow:
    """Return one call that is over; `silence` is its packets and the silent ones."""
    packets, silent = silence or (0, 0)
    code = end_code(call)
    return {
        "id": str(call.pk),
        "state": call.state,
        "direction": call.direction,
        "from_name": formats.who(call.caller_name, call.from_raw_id),
        "to_name": formats.party(call.to_raw_id),
        "ended_at": call.ended_at.timestamp() if call.ended_at else 0.0,
        "seconds": call.duration(timezone.now()).total_seconds(),
        "completeness": share(call.completeness),
        "silence_ratio": share(silent / packets) if packets else None,
        "archive": call.archive_state,
        "reason": " ".join(
            filter(None, [call.end_reason, f"({code})" if code else ""])
        ),
    }


NODE_STATES = {"ok": "Ready", "near": "Nearly full", "full": "Takes no more"}


def node_rows(processes: Iterable[LiveProcess]) -> list[NodeRow]:
    """Return what each ingest process says of its own load, by node."""
    return [
        {
            "key": one["process"],
            "node": one["node"],
            "pid": one["pid"],
            "streams": one["streams"],
            "limit": load["limit"],
            "cpu": load["cpu"],
            "loop_lag_ms": load["loop_lag_p99_ms"],
            "disk_bytes_per_second": load["disk_bytes_per_second"],
            "disk_free_bytes": load["disk_free_bytes"],
            "disk_days": load["disk_days"],
            "state": load["state"],
            "state_label": NODE_STATES.get(load["state"], load["state"]),
            "reason": load["reason"],
        }
        for one in sorted(processes, key=lambda one: (one["node"], one["pid"]))
        if (load := one.get("load"))
    ]
