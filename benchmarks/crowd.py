"""A crowd of live calls that nobody makes: rows, and what ingest would say of them.

    DATABASE_URL=… REDIS_URL=… python -m benchmarks.crowd --calls 1000

For looking at the wallboard and measuring it where the machine cannot carry the media.
Every figure is made up; the nodes are called `synthetic-1` and so on to say so. It
writes once a second, until it is ended, and lets a few calls come and go.
"""

import argparse
import random
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from uuid import UUID, uuid4

import django

django.setup()

import msgspec  # noqa: E402 after setup
from django.utils import timezone  # noqa: E402 after setup

from calls.board.trend import POINTS, STEP, TREND_KEY, slot_of  # noqa: E402 after setup
from calls.identity import participant_id, track_id  # noqa: E402 after setup
from calls.live.ingest import LIVE_KEY, LiveCall, LiveProcess, LiveTrack, redis_sync  # noqa: E402 after setup
from calls.load import LiveLoad  # noqa: E402 after setup
from calls.models import (  # noqa: E402 after setup
    Alarm,
    AlarmKind,
    Call,
    IngestProcess,
    Participant,
    Severity,
    StreamingProfile,
    Track,
)

# One ingest process holds a few hundred.
CALLS_PER_PROCESS = 350
NAMES = (
    "Ada Okafor", "Mei Tanaka", "Jonas Weber", "Priya Nair", "Lucía Romero",
    "Tom Ellery", "Sofia Lindqvist", "Omar Haddad", "Grace Mensah", "Ivan Petrov",
)  # fmt: skip
DESKS = ("4:+18005550199", "4:+18005550142", "4:+442079460018")
WORDS = {
    AlarmKind.DEAD_AIR: (Severity.CRITICAL, "nobody has spoken for 12 s"),
    AlarmKind.ONE_WAY: (Severity.CRITICAL, "only the caller is heard"),
    AlarmKind.GAPS: (Severity.WARNING, "3.1 % of the last minute is missing"),
    AlarmKind.TOO_QUIET: (Severity.NOTICE, "the level is -52 dBFS"),
}

_numbers = count()


class Crowd:
    """Calls, and the figures of each. `seed` makes two crowds the same."""

    def __init__(self, size: int, *, seed: int = 1) -> None:
        self.random = random.Random(seed)  # noqa: S311 nothing secret
        self.profile = StreamingProfile.objects.first()
        self.nodes = [
            f"synthetic-{number + 1}" for number in range(-(-size // CALLS_PER_PROCESS))
        ]
        self.processes = [uuid4() for _ in self.nodes]
        now = timezone.now()
        IngestProcess.objects.bulk_create(
            IngestProcess(id=key, node=node, pid=4000 + at, renewed_at=now)
            for at, (key, node) in enumerate(
                zip(self.processes, self.nodes, strict=True)
            )
        )
        self.calls: list[Call] = []
        self.tracks: dict[UUID, list[LiveTrack]] = {}
        self.add(size, longest=1800)
        self._alarms(self.calls[3 :: max(size // 40, 4)])

    def add(self, size: int, *, longest: float = 0) -> None:
        """Let so many calls begin, up to `longest` seconds ago."""
        calls = [self._call(self.random.uniform(0, longest)) for _ in range(size)]
        Call.objects.bulk_create(calls)
        people = [
            person for call in calls if call.connected_at for person in _people(call)
        ]
        Participant.objects.bulk_create(people)
        Track.objects.bulk_create(_track(person) for person in people)
        for person in people:
            self.tracks.setdefault(person.call_id, []).append(self._heard(person))
        self.calls += calls

    def end(self, size: int) -> None:
        """Let the oldest calls end."""
        over, self.calls = self.calls[:size], self.calls[size:]
        now = timezone.now()
        Call.objects.filter(pk__in=[call.pk for call in over]).update(
            state="ended", ended_at=now, end_reason="The caller hung up."
        )

    def _call(self, ago: float) -> Call:
        number = next(_numbers)
        began = timezone.now() - timedelta(seconds=ago)
        is_ringing = number % 37 == 5
        return Call(
            connection_id=f"synthetic-{uuid4()}",
            from_raw_id=f"4:+1206555{number:04d}",
            caller_name=NAMES[number // 3 % len(NAMES)] if number % 3 == 0 else "",
            to_raw_id=DESKS[number % len(DESKS)],
            direction="outbound" if number % 5 == 2 else "inbound",
            state="ringing" if is_ringing else "connected",
            rang_at=began,
            connected_at=None if is_ringing else began + timedelta(seconds=2),
            desired_streaming=not is_ringing,
            streaming_state="off" if is_ringing else "streaming",
            archive_state="none" if is_ringing else "live",
            profile=self.profile,
        )

    def _heard(self, person: Participant) -> LiveTrack:
        packets = self.random.randint(500, 90_000)
        silent = int(packets * self.random.uniform(0.15, 0.7))
        gaps = self.random.choice([0] * 12 + [3])
        return {
            "raw_id": person.raw_id,
            "packets": packets,
            "silent_packets": silent,
            "silence_ratio": silent / packets,
            "talk_ms": (packets - silent) * 20,
            "ms": packets * 20,
            "rms_dbfs": -27.4,
            "peak_dbfs": -6.2,
            "gap_count": gaps,
            "gap_ms": gaps * 140,
            "late": 0,
            "duplicates": 0,
            "jitter_ms": 1.8,
            "last_packet_at": time.time(),
            "is_talking": True,
        }

    def _alarms(self, calls: Sequence[Call]) -> None:
        kinds = list(WORDS)
        Alarm.objects.bulk_create(
            Alarm(
                key=f"synthetic {call.pk} {at}",
                kind=(kind := kinds[at % len(kinds)]),
                severity=WORDS[kind][0],
                words=WORDS[kind][1],
                call=call,
            )
            for at, call in enumerate(calls)
        )

    def snapshots(self) -> list[LiveProcess]:
        """Return what every process says now, a second after what it said before."""
        now = time.time()
        for tracks in self.tracks.values():
            for track in tracks:
                self._go_on(track, now)
        shares = [self.calls[at :: len(self.nodes)] for at in range(len(self.nodes))]
        return [
            _process(node, at, key, [_live(call, self.tracks, now) for call in calls])
            for at, (node, key, calls) in enumerate(
                zip(self.nodes, self.processes, shares, strict=True)
            )
        ]

    def _go_on(self, track: LiveTrack, now: float) -> None:
        talks = track["is_talking"] = self.random.random() < (
            0.85 if track["is_talking"] else 0.15
        )
        track["packets"] += 50
        track["silent_packets"] += 0 if talks else 50
        track["silence_ratio"] = track["silent_packets"] / track["packets"]
        track["talk_ms"] += 1000 if talks else 0
        track["rms_dbfs"] = self.random.uniform(-38, -16) if talks else -71.3
        track["last_packet_at"] = now - self.random.uniform(0, 0.04)

    def publish(self, *, fresh_for: int = 0) -> None:
        """Write it all where the web process reads; it may grow old for so long."""
        with redis_sync() as client:
            for process in self.snapshots():
                key = f"{LIVE_KEY}:{process['process']}"
                client.set(key, msgspec.json.encode(process), ex=60 + fresh_for)
                client.zadd(LIVE_KEY, {process["process"]: process["at"] + fresh_for})
        IngestProcess.objects.filter(pk__in=self.processes).update(
            renewed_at=timezone.now()
        )

    def publish_hour(self) -> None:
        """Write an hour in which the calls became as many as they are."""
        last, size = slot_of(time.time()), len(self.calls)
        points = {
            str(last - ago): msgspec.json.encode(self._point(ago, size))
            for ago in range(POINTS)
            # Nothing was written while a worker was replaced.
            if not 140 < ago < 165
        }
        with redis_sync() as client:
            client.hset(TREND_KEY, mapping=points)
            client.expire(TREND_KEY, POINTS * STEP)

    def _point(self, ago: int, size: int) -> dict[str, float]:
        live = round(size * (1 - ago / POINTS * 0.5) * self.random.uniform(0.97, 1.03))
        return {
            "live_calls": live,
            "packets_per_second": live * 100,
            "silence_ratio": 0.42 + self.random.uniform(-0.03, 0.03),
            "alarms": int(self.random.random() < 0.12),
        }


def _people(call: Call) -> list[Participant]:
    """Two people, in some calls four."""
    extra = ["8:acs:1_2", "8:acs:1_3"] if call.from_raw_id.endswith("7") else []
    return [
        Participant(
            id=participant_id(call.pk, raw_id),
            call=call,
            raw_id=raw_id,
            display_name=call.caller_name if raw_id == call.from_raw_id else "",
        )
        for raw_id in (call.from_raw_id, call.to_raw_id, *extra)
    ]


def _track(person: Participant) -> Track:
    now = timezone.now()
    return Track(
        id=track_id(person.call_id, person.raw_id, 16_000),
        call_id=person.call_id,
        participant=person,
        sample_rate=16_000,
        origin_us=0,
        samples=960_000,
        packets=3000,
        bytes=1_920_000,
        first_packet_at=now,
        last_packet_at=now,
        ledger={"rate": 16_000, "runs": [["r", 960_000]]},
    )


def _live(call: Call, tracks: dict[UUID, list[LiveTrack]], now: float) -> LiveCall:
    heard = tracks.get(call.pk, [])
    gap = sum(track["gap_ms"] for track in heard)
    whole = sum(track["ms"] for track in heard)
    return {
        "call_id": str(call.pk),
        "connections": 1,
        "sample_rate": 16_000,
        "mixed": False,
        "packets": sum(track["packets"] for track in heard),
        "malformed": 0,
        "unknown": 0,
        "last_packet_at": now if heard else None,
        "completeness": 1 - gap / whole if whole else None,
        "overtalk_ms": 800,
        "tracks": heard,
    }


def _process(node: str, at: int, key: UUID, calls: list[LiveCall]) -> LiveProcess:
    streams = sum(bool(call["tracks"]) for call in calls)
    load: LiveLoad = {
        "limit": 600,
        "estimate": 600,
        "cpu": streams * 0.0014,
        "loop_lag_p50_ms": 0.2,
        "loop_lag_p95_ms": 1.0,
        "loop_lag_p99_ms": 4.0,
        "disk_bytes_per_second": streams * 64_000.0,
        "disk_free_bytes": 812_000_000_000,
        "disk_days": 1.8,
        "state": "ok",
        "reason": "",
    }
    return {
        "process": str(key),
        "node": node,
        "pid": 4000 + at,
        "at": time.time(),
        "streams": streams,
        "packets_per_second": 50.0 * sum(len(call["tracks"]) for call in calls),
        "refused": 0,
        "journal": {"pending_bytes": 0, "error": None},
        "database": None,
        "load": load,
        "calls": calls,
    }


def main() -> int:
    """Fill the database, and write live figures once a second until ended."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument(
        "--churn", type=int, default=1, help="calls that begin and end every 3 s"
    )
    options = parser.parse_args()
    crowd = Crowd(options.calls)
    crowd.publish_hour()
    until = time.monotonic() + options.seconds
    for turn in count(1):
        began = time.monotonic()
        crowd.publish()
        if turn == 1:
            sys.stdout.write("ready\n")
            sys.stdout.flush()
        if turn % 3 == 0 and options.churn:
            crowd.end(options.churn)
            crowd.add(options.churn)
        if time.monotonic() > until:
            break
        time.sleep(max(0.0, 1.0 - (time.monotonic() - began)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
