"""The dashboard's snapshot: database and live figures in one picture.

`board_facts` asks the database, `board` adds what ingest says. A snapshot is whole:
a page that missed ten of them is right again with the next.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models import Prefetch, Sum
from django.urls import reverse
from django.utils import timezone

from calls import formats
from calls.board_types import (
    Board,
    CallRow,
    Cards,
    CommandRow,
    EndedRow,
    NodeRow,
    TrackRow,
)
from calls.live import LiveCall, LiveProcess, LiveTrack
from calls.markup import end_code
from calls.models import Call, IngestProcess, Participant, StreamCommand, Track
from calls.offers import paused_words

ENDED_SHOWN = 8
ENDED_WITHIN = timedelta(hours=1)
INCOMPLETE_WITHIN = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class BoardFacts:
    """What the database says."""

    calls: Sequence[Call]
    ended: Sequence[Call]
    incomplete: int
    processes: int
    processes_dead: int


def board_facts() -> BoardFacts:
    """Ask the database: a fixed number of queries, however many calls there are."""
    now = timezone.now()
    running = list(IngestProcess.objects.filter(stopped_at=None))
    lease = now - timedelta(seconds=settings.LEASE_SECONDS)
    alive = sum(process.renewed_at >= lease for process in running)
    recently_dead = [
        process
        for process in running
        if lease > process.renewed_at > now - INCOMPLETE_WITHIN
    ]
    calls = Call.objects.defer("incoming_call_context")
    return BoardFacts(
        calls=list(
            calls.live()
            .order_by("-rang_at")
            .prefetch_related(
                Prefetch("participants", Participant.objects.all(), "people"),
                Prefetch(
                    "tracks",
                    Track.objects.defer("ledger").select_related("participant"),
                    "stored_tracks",
                ),
                Prefetch("commands", StreamCommand.objects.all(), "orders"),
            )
        ),
        ended=list(
            calls.ended()
            .filter(ended_at__gte=now - ENDED_WITHIN)
            .order_by("-ended_at")
            .annotate(
                silent_sum=Sum("tracks__silent_packets"),
                packet_sum=Sum("tracks__packets"),
            )[:ENDED_SHOWN]
        ),
        incomplete=calls.ended()
        .incomplete()
        .filter(ended_at__gte=now - INCOMPLETE_WITHIN)
        .count(),
        processes=alive,
        processes_dead=len(recently_dead),
    )


def board(
    facts: BoardFacts,
    processes: Sequence[LiveProcess] | None,
    *,
    at: datetime,
    workers: int | None = None,
    reason: str = "",
) -> Board:
    """Return the snapshot. `processes` None: the live feed is down.

    `reason` says what is down; what ingest cannot reach is added to it.
    """
    measured = _by_call(processes or [])
    rows = [call_row(call, measured.get(call.pk), at) for call in facts.calls]
    faults = [reason, *_database_faults(processes or [])]
    return {
        "at": at.timestamp(),
        "live": processes is not None,
        "reason": " ".join(filter(None, faults)),
        "cards": _cards(facts, processes, rows, workers),
        "nodes": node_rows(processes or []),
        "calls": rows,
        "ended": [ended_row(call) for call in facts.ended],
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


def _database_faults(processes: Iterable[LiveProcess]) -> list[str]:
    """Return what to tell of nodes whose ingest cannot reach the database."""
    # A process of an older release does not say.
    nodes = sorted({one["node"] for one in processes if one.get("database")})
    return [
        f"Ingest on {node} cannot reach the database; recording goes on."
        for node in nodes
    ]


class Measured(NamedTuple):
    """What ingest says of a call, and the seconds since its last packet, then."""

    call: LiveCall
    quiet: float | None


def _by_call(processes: Iterable[LiveProcess]) -> dict[UUID, Measured]:
    """Return the live figures of each call; after a redial, those heard last."""
    found: dict[UUID, Measured] = {}
    for process in processes:
        for call in process["calls"]:
            heard = call["last_packet_at"]
            quiet = None if heard is None else max(process["at"] - heard, 0.0)
            key = UUID(call["call_id"])
            known = found.get(key)
            if known is None or (heard or 0) > (known.call["last_packet_at"] or 0):
                found[key] = Measured(call, quiet)
    return found


def _cards(
    facts: BoardFacts,
    processes: Sequence[LiveProcess] | None,
    rows: Sequence[CallRow],
    workers: int | None,
) -> Cards:
    said = processes or []
    known = processes is not None
    tracks = [track for row in rows for track in row["tracks"]]
    packets = sum(track["packets"] for track in tracks)
    silent = sum(track["packets"] * (track["silence_ratio"] or 0) for track in tracks)
    return {
        "live_calls": len(rows),
        "streams": sum(one["streams"] for one in said) if known else None,
        "packets_per_second": sum(one["packets_per_second"] for one in said)
        if known
        else None,
        "silence_ratio": silent / packets if packets else None,
        "incomplete": facts.incomplete,
        "workers": workers,
        "redis": known,
        "processes": len(said) if known else facts.processes,
        "processes_dead": facts.processes_dead,
        "refused": sum(one["refused"] for one in said) if known else None,
        "journal_pending_bytes": sum(one["journal"]["pending_bytes"] for one in said)
        if known
        else None,
        "journal_error": next(
            (error for one in said if (error := one["journal"]["error"])), ""
        ),
    }


def call_row(call: Call, measured: Measured | None, at: datetime) -> CallRow:
    """Return one live call: figures from ingest, else those last stored."""
    names = {one.raw_id: one.display_name for one in getattr(call, "people", [])}
    live, quiet = measured or (None, None)
    if live is None and call.last_packet_at:
        quiet = max((at - call.last_packet_at).total_seconds(), 0.0)
    return {
        "id": str(call.pk),
        "url": reverse("admin:calls_call_change", args=[call.pk]),
        "state": call.state,
        "state_label": call.get_state_display(),
        "direction": call.direction,
        "from_name": formats.who(call.caller_name, call.from_raw_id),
        "from_raw": call.from_raw_id,
        "to_name": formats.party(call.to_raw_id),
        "to_raw": call.to_raw_id,
        "since": (call.connected_at or call.rang_at).timestamp(),
        "desired": call.desired_streaming,
        "streaming": call.streaming_state,
        "streaming_label": call.get_streaming_state_display(),
        "streaming_reason": call.streaming_reason,
        "paused": paused_words(call),
        "completeness": live["completeness"] if live else call.completeness,
        "quiet": quiet,
        "malformed": live["malformed"] if live else 0,
        "unknown": live["unknown"] if live else 0,
        "mixed": live["mixed"] if live else False,
        "measured": live is not None,
        "tracks": [_live_track(track, names) for track in live["tracks"]]
        if live
        else [_stored_track(track) for track in getattr(call, "stored_tracks", [])],
        "command": _command(getattr(call, "orders", [])),
    }


def _live_track(track: LiveTrack, names: dict[str, str]) -> TrackRow:
    raw_id = track["raw_id"]
    return {
        "key": raw_id,
        "name": names.get(raw_id) or formats.party(raw_id),
        "packets": track["packets"],
        "silence_ratio": track["silence_ratio"],
        "talk_ms": track["talk_ms"],
        "rms_dbfs": track["rms_dbfs"],
        "gap_count": track["gap_count"],
        "gap_ms": track["gap_ms"],
        "talking": track["is_talking"],
    }


def _stored_track(track: Track) -> TrackRow:
    who = track.participant
    return {
        "key": who.raw_id,
        "name": formats.who(who.display_name, who.raw_id),
        "packets": track.packets,
        "silence_ratio": track.silence_ratio,
        "talk_ms": round(track.talk_seconds * 1000),
        # The level of a past second says nothing about this one.
        "rms_dbfs": None,
        "gap_count": track.gap_count,
        "gap_ms": round(track.gap_seconds * 1000),
        "talking": False,
    }


def _command(orders: Sequence[StreamCommand]) -> CommandRow | None:
    if not orders:
        return None
    latest = orders[0]
    return {
        "label": latest.get_kind_display(),
        "state": latest.state,
        "state_label": latest.get_state_display(),
        "result": latest.result,
    }


def ended_row(call: Call) -> EndedRow:
    """Return one call that is over."""
    packets = getattr(call, "packet_sum", None)
    return {
        "id": str(call.pk),
        "url": reverse("admin:calls_call_change", args=[call.pk]),
        "state": call.state,
        "state_label": call.get_state_display(),
        "direction": call.direction,
        "from_name": formats.who(call.caller_name, call.from_raw_id),
        "to_name": formats.party(call.to_raw_id),
        "ended_at": _epoch(call.ended_at) or 0.0,
        "seconds": call.duration(timezone.now()).total_seconds(),
        "completeness": call.completeness,
        "silence_ratio": getattr(call, "silent_sum", 0) / packets if packets else None,
        "archive": call.archive_state,
        "archive_label": call.get_archive_state_display(),
        "reason": " ".join(filter(None, [call.end_reason, _in_brackets(call)])),
    }


def _in_brackets(call: Call) -> str:
    code = end_code(call)
    return f"({code})" if code else ""


def _epoch(at: datetime | None) -> float | None:
    return at.timestamp() if at else None
