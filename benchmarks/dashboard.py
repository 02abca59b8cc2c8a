"""What the live dashboard costs the web process at 1,000 live calls.

    python -m benchmarks.scratch benchmarks.dashboard [--calls 1000] [--profile]

The calls are rows, each with two tracks, and an ingest process's snapshot of them lies
in Redis. What is measured is `streaming.dashboard.Source.snapshot`, which the feed runs
once a second for all browsers together, and the JSON that each browser is sent.
"""

import argparse
import asyncio
import cProfile
import json
import os
import pstats
import statistics
import sys
import time
import zlib
from datetime import timedelta
from uuid import uuid4

import django

django.setup()

import msgspec  # noqa: E402 after setup
from django.utils import timezone  # noqa: E402 after setup

from calls.identity import participant_id, track_id  # noqa: E402 after setup
from calls.live import LIVE_KEY, LiveCall, LiveProcess, LiveTrack, redis_sync  # noqa: E402 after setup
from calls.models import Call, Participant, Track  # noqa: E402 after setup
from streaming.dashboard import Source  # noqa: E402 after setup

ROUNDS = 10


def main() -> int:
    """Print the figures as one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--profile", action="store_true", help="where it goes")
    options = parser.parse_args()
    publish(calls_create(options.calls))
    profile = cProfile.Profile()
    if options.profile:
        profile.enable()
    figures = asyncio.run(snapshots(options.calls))
    if options.profile:
        profile.disable()
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(25)
    sys.stdout.write(json.dumps(figures) + "\n")
    return 0


def calls_create(count: int) -> list[Call]:
    """Create live calls of two tracks each."""
    now = timezone.now()
    calls = [
        Call(
            connection_id=f"bench-{number}",
            from_raw_id=f"4:+1206555{number:04d}",
            to_raw_id="4:+18005550199",
            state="connected",
            rang_at=now - timedelta(seconds=60),
            connected_at=now - timedelta(seconds=58),
            desired_streaming=True,
            streaming_state="streaming",
            archive_state="live",
        )
        for number in range(count)
    ]
    Call.objects.bulk_create(calls)
    people = [
        Participant(id=participant_id(call.pk, raw_id), call=call, raw_id=raw_id)
        for call in calls
        for raw_id in (call.from_raw_id, call.to_raw_id)
    ]
    Participant.objects.bulk_create(people)
    Track.objects.bulk_create(
        Track(
            id=track_id(one.call_id, one.raw_id, 16_000),
            call_id=one.call_id,
            participant=one,
            sample_rate=16_000,
            origin_us=0,
            samples=960_000,
            packets=3000,
            bytes=1_920_000,
            first_packet_at=now,
            last_packet_at=now,
            ledger={"rate": 16_000, "runs": [["r", 960_000]]},
        )
        for one in people
    )
    return calls


def publish(calls: list[Call]) -> None:
    """Lay an ingest process's snapshot of these calls into Redis."""
    now = time.time()
    process: LiveProcess = {
        "process": str(uuid4()),
        "node": "benchmark",
        "pid": os.getpid(),
        "at": now,
        "streams": len(calls),
        "packets_per_second": len(calls) * 100.0,
        "refused": 0,
        "journal": {"pending_bytes": 0, "error": None},
        "database": None,
        "calls": [heard(call, now) for call in calls],
    }
    with redis_sync() as client:
        client.set(f"{LIVE_KEY}:{process['process']}", msgspec.json.encode(process))
        # It must not grow old while it is read.
        client.zadd(LIVE_KEY, {process["process"]: now + 3600})


def heard(call: Call, now: float) -> LiveCall:
    """Return what ingest says of a call."""
    return {
        "call_id": str(call.pk),
        "connections": 1,
        "sample_rate": 16_000,
        "mixed": False,
        "packets": 6000,
        "malformed": 0,
        "unknown": 0,
        "last_packet_at": now,
        "completeness": 1.0,
        "overtalk_ms": 800,
        "tracks": [track(raw_id, now) for raw_id in (call.from_raw_id, call.to_raw_id)],
    }


def track(raw_id: str, now: float) -> LiveTrack:
    """Return what ingest says of a participant."""
    return {
        "raw_id": raw_id,
        "packets": 3000,
        "silent_packets": 1211,
        "silence_ratio": 1211 / 3000,
        "talk_ms": 35_780,
        "ms": 60_000,
        "rms_dbfs": -27.413,
        "peak_dbfs": -6.218,
        "gap_count": 0,
        "gap_ms": 0,
        "late": 0,
        "duplicates": 0,
        "jitter_ms": 1.8,
        "last_packet_at": now,
        "is_talking": True,
    }


async def snapshots(calls: int) -> dict[str, float]:
    """Return what a snapshot costs, the median of some."""
    source = Source()
    cpu, wall = [], []
    text = ""
    try:
        for _ in range(ROUNDS + 1):
            began, spent = time.monotonic(), time.process_time()
            snapshot = await source.snapshot()
            # As `AsyncJsonWebsocketConsumer.send_json` does, for each browser.
            text = json.dumps(snapshot)
            cpu.append(time.process_time() - spent)
            wall.append(time.monotonic() - began)
            if len(snapshot["calls"]) != calls:
                raise AssertionError("the snapshot does not hold every call")
    finally:
        await source.close()
    # The first one opens connections.
    middle = statistics.median(cpu[1:])
    return {
        "live calls": calls,
        "CPU of a snapshot, ms": middle * 1e3,
        "time to a snapshot, ms": statistics.median(wall[1:]) * 1e3,
        "share of a core at one a second, %": middle * 100,
        "bytes a browser is sent": len(text.encode()),
        "the same, deflated": len(zlib.compress(text.encode(), 6)),
    }


if __name__ == "__main__":
    sys.exit(main())
