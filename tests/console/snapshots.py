"""What an ingest process would write to Redis."""

import json
import time
import uuid
from collections.abc import Sequence

import redis

from calls.live.ingest import LIVE_KEY, LiveCall, LiveProcess, LiveTotals, LiveTrack
from calls.load import LiveLoad
from calls.models import Call


def live_track(raw_id: str, **figures: object) -> LiveTrack:
    """One participant who talks."""
    track: LiveTrack = {
        "raw_id": raw_id,
        "packets": 500,
        "silent_packets": 125,
        "silence_ratio": 0.25,
        "talk_ms": 7_500,
        "ms": 10_000,
        "rms_dbfs": -24.0,
        "peak_dbfs": -6.0,
        "gap_count": 0,
        "gap_ms": 0,
        "late": 0,
        "duplicates": 0,
        "jitter_ms": 1.5,
        "last_packet_at": time.time(),
        "is_talking": True,
    }
    track.update(figures)  # type: ignore[typeddict-item] # the caller names its keys
    return track


def live_call(
    call: Call, tracks: Sequence[LiveTrack] | None = None, *, ago: float = 0.02
) -> LiveCall:
    """A call whose last packet came `ago` seconds before now."""
    heard = [live_track(call.from_raw_id)] if tracks is None else list(tracks)
    return live_call_of(str(call.pk), heard, ago=ago)


def live_call_of(
    call_id: str, tracks: Sequence[LiveTrack], *, ago: float = 0.02
) -> LiveCall:
    """The same of a call that need not be in the database."""
    return {
        "call_id": call_id,
        "connections": 1,
        "sample_rate": 16_000,
        "mixed": False,
        "packets": sum(track["packets"] for track in tracks),
        "malformed": 3,
        "unknown": 1,
        "last_packet_at": time.time() - ago,
        "completeness": 0.985,
        "overtalk_ms": 0,
        "tracks": list(tracks),
    }


def live_load(**figures: object) -> LiveLoad:
    """A process with room for more."""
    load: LiveLoad = {
        "limit": 800,
        "estimate": 800,
        "cpu": 0.25,
        "loop_lag_p50_ms": 0.2,
        "loop_lag_p95_ms": 1.0,
        "loop_lag_p99_ms": 4.0,
        "disk_bytes_per_second": 320_000.0,
        "disk_free_bytes": 50_000_000_000,
        "disk_days": 1.8,
        "state": "ok",
        "reason": "",
    }
    load.update(figures)  # type: ignore[typeddict-item] # the caller names its keys
    return load


def live_totals(refused: int) -> LiveTotals:
    """What a process has counted in a minute."""
    return {
        "sockets": 2,
        "packets": 700,
        "gaps": 3,
        "gap_ms": 1500,
        "late": 4,
        "duplicates": 5,
        "malformed": 3,
        "unknown": 1,
        "dropped_records": 0,
        "handler_dropped": 0,
        "underruns": 0,
        "refused": {"room": refused} if refused else {},
    }


def snapshot(
    *,
    node: str = "recorder-1",
    streams: int = 1,
    refused: int = 0,
    calls: Sequence[Call | LiveCall] = (),
    error: str | None = None,
    database: str | None = None,
    backlog_hours: float = 0,
    **load: object,
) -> LiveProcess:
    """One process with these calls."""
    oldest_at = time.time() - backlog_hours * 3600 if backlog_hours else None
    return {
        "process": str(uuid.uuid4()),
        "node": node,
        "pid": 4_000,
        "at": time.time(),
        "streams": streams,
        "packets_per_second": 50.0 * streams,
        "refused": refused,
        "database": database,
        "journal": {"pending_bytes": 640, "error": error},
        "load": live_load(**load),
        "started_at": time.time() - 60,
        "totals": live_totals(refused),
        "backlog": {
            "waiting": 3 if backlog_hours else 0,
            "size": 64_000 if backlog_hours else 0,
            "oldest_at": oldest_at,
        },
        "calls": [live_call(one) if isinstance(one, Call) else one for one in calls],
    }


def publish(url: str, process: LiveProcess) -> None:
    """Write it where dashboards read, for as long as a test may take."""
    with redis.Redis.from_url(url) as client:
        client.set(f"{LIVE_KEY}:{process['process']}", json.dumps(process), ex=60)
        client.zadd(LIVE_KEY, {process["process"]: time.time() + 60})
