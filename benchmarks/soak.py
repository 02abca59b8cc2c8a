"""`make soak`: a real ingest process under 100 streams for minutes; nothing may leak.

    python -m benchmarks.soak --minutes 10 --streams 100

Now and then a stream is dialled again, as ACS does. Every few seconds memory, open
files, threads and the journal's backlog are noted. At the end every socket is closed,
and it is checked that every packet sent is in the journals and no other, and that files
and threads are back at the level before. The exit code says whether all of that holds.

The level before is that after a first, short crowd of as many streams: database and
Redis connections are opened once and stay.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import redis

from benchmarks.account import Account
from benchmarks.driving import generating
from benchmarks.generator import COUNTER, Load, Report
from benchmarks.machine import cores, facts
from benchmarks.measure import is_complete
from benchmarks.servers.house import PATIENCE, SERVERS, Running, running
from benchmarks.servers.stored import JournalStore

EVERY = 5.0
CROWD_SECONDS = 2.0
LIVE_KEY = "acsstream:live"
# 15 MB in an hour: 100 streams would have doubled what they may use.
MAX_KB_PER_MINUTE = 256.0
# A shorter run says nothing of a slope: caches fill for some minutes.
JUDGED_MINUTES = 8.0
# The event loop's pool starts its threads one by one, when work comes at once: what
# leaks has more of them after a soak's many redials.
POOL = min(32, (os.cpu_count() or 1) + 4)


@dataclass(frozen=True, slots=True)
class Sample:
    """The process at one moment, in seconds since the load began."""

    at: float
    rss: int
    descriptors: int
    threads: int
    pending_bytes: int | None
    tasks: int | None
    loop_lag_p99_ms: float | None


@dataclass(slots=True)
class Soak:
    """What was seen, and what it means."""

    minutes: float
    streams: int
    samples: list[Sample] = field(default_factory=list)
    sent: int = 0
    stored: int = 0
    journals: int = 0
    redials: int = 0
    lost_sockets: int = 0
    late_share: float = 0.0
    descriptors: tuple[int, int] = (0, 0)
    threads: tuple[int, int] = (0, 0)
    faults: list[str] = field(default_factory=list)

    @property
    def kb_per_minute(self) -> float:
        """How fast memory grew in the second half."""
        half = self.samples[len(self.samples) // 2 :]
        if len(half) < 2:
            return 0.0
        fit = statistics.linear_regression(
            [one.at / 60 for one in half], [one.rss / 1000 for one in half]
        )
        return fit.slope

    @property
    def bytes_per_packet(self) -> float:
        """The same, for each packet received."""
        return self.kb_per_minute * 1000 / (self.streams * 50 * 60)


def main() -> int:
    """Run it; return 0 if nothing was lost and nothing leaks."""
    parser = argparse.ArgumentParser(
        prog="make soak", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--redial-every", type=float, default=EVERY, help="seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    soak = Soak(options.minutes, options.streams)
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as name,
        running(SERVERS["ours"], Path(name), cores()[0]) as house,
    ):
        _Run(house, soak, options.redial_every).go()
    if options.json:
        slope = {
            "kb_per_minute": soak.kb_per_minute,
            "bytes_per_packet": soak.bytes_per_packet,
        }
        document = {"ok": not soak.faults, "machine": facts(), **asdict(soak), **slope}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    else:
        sys.stdout.write(text(soak))
    return 1 if soak.faults else 0


class _Run:
    """One soak while it runs."""

    def __init__(self, house: Running, soak: Soak, redial_every: float) -> None:
        self.house, self.soak = house, soak
        self.redial_every = redial_every
        self.counter = house.folder / "counter"
        self.counter.write_bytes(bytes(COUNTER.size))
        self.account = Account(house.process.pid, house.port, self.counter)

    def go(self) -> None:
        """Put the load on it, watch it, and judge."""
        soak = self.soak
        self._speak("crowd", CROWD_SECONDS, 0.0)
        level = self._level_at_rest()
        report = self._speak("soak", soak.minutes * 60, self.redial_every)
        end = self._level_at_rest(level)
        soak.descriptors, soak.threads = (level[0], end[0]), (level[1], end[1])
        soak.redials, soak.lost_sockets = report.redials, report.lost_sockets
        soak.late_share = report.late / max(report.due, 1)
        self.house.end()
        self._compare(report)
        soak.faults += faults(soak)

    def _speak(self, name: str, seconds: float, redial_every: float) -> Report:
        load = Load(
            port=self.house.port,
            streams=self.soak.streams,
            seconds=seconds,
            counter=str(self.counter),
            redial_every=redial_every,
            name=name,
        )
        with generating(load) as generator:
            generator.go()
            began = time.monotonic()
            end = began + seconds
            while name == "soak" and (left := end - time.monotonic()) > 0:
                self._note(time.monotonic() - began)
                time.sleep(min(EVERY, seconds / 10, left))
            return generator.report()

    def _note(self, at: float) -> None:
        load = self.house.health().get("load", {})
        sample = Sample(
            at=round(at, 2),
            rss=self.account.rss(),
            descriptors=self.account.descriptors(),
            threads=self.account.threads(),
            pending_bytes=_pending_bytes(self.house.redis_url),
            tasks=load.get("tasks"),
            loop_lag_p99_ms=load.get("loop_lag_p99_ms"),
        )
        self.soak.samples.append(sample)
        sys.stderr.write(
            f"{at:7.0f} s  {sample.rss / 1e6:7.1f} MB  {sample.descriptors:5} files"
            f"  {sample.threads:3} threads  {_or_dash(sample.pending_bytes)} B pending"
            f"  {_or_dash(sample.loop_lag_p99_ms)} ms late\n"
        )

    def _level_at_rest(self, level: tuple[int, int] | None = None) -> tuple[int, int]:
        """Return open files and threads once they do not change, or are at `level`.

        Journals are closed by a thread that syncs them first.
        """
        deadline, seen, since = time.monotonic() + PATIENCE, (0, 0), 0.0
        while time.monotonic() < deadline:
            now = (self.account.descriptors(), self.account.threads())
            if level and now[0] <= level[0] and now[1] <= level[1]:
                return now
            if now != seen:
                seen, since = now, time.monotonic()
            elif not level and time.monotonic() - since > 2 * EVERY:
                return now
            time.sleep(0.2)
        return seen

    def _compare(self, report: Report) -> None:
        folder = self.house.folder / "journals"
        kept = JournalStore(folder, "soak").kept()
        self.soak.sent = sum(report.sent)
        self.soak.stored = sum(one.packets for one in kept.values())
        # The first crowd's are there too.
        self.soak.journals = len(list(folder.glob("*.journal"))) - self.soak.streams
        if not is_complete(report, kept):
            self.soak.faults.append("the journals do not hold exactly what was sent")
        self.soak.faults += report.faults


def faults(soak: Soak) -> list[str]:
    """Return what is wrong with the figures, in words."""
    found = []
    if soak.lost_sockets:
        found.append(f"{soak.lost_sockets} sockets were lost")
    if soak.journals != soak.streams + soak.redials:
        found.append(
            f"{soak.streams} sockets and {soak.redials} redials made"
            f" {soak.journals} journals"
        )
    for what, (before, after), more in (
        ("open files", soak.descriptors, 0),
        ("threads", soak.threads, POOL),
    ):
        if after > before + more:
            found.append(f"{after} {what}, {before} before")
    if soak.minutes >= JUDGED_MINUTES and soak.kb_per_minute > MAX_KB_PER_MINUTE:
        found.append(f"memory grows by {soak.kb_per_minute:.0f} kB a minute")
    return found


def text(soak: Soak) -> str:
    """Return the outcome for people."""
    rss = [one.rss / 1e6 for one in soak.samples]
    judged = "" if soak.minutes >= JUDGED_MINUTES else " (too short to be judged)"
    lines = [
        f"{soak.streams} streams for {soak.minutes:g} minutes, {soak.redials} redials",
        f"packets sent {soak.sent:,}, in journals {soak.stored:,}",
        f"memory {rss[0]:.1f} MB at first, {max(rss):.1f} at most, {rss[-1]:.1f} last;"
        f" second half {soak.kb_per_minute:+.1f} kB a minute,"
        f" {soak.bytes_per_packet:+.3f} bytes a packet{judged}",
        f"open files {soak.descriptors[0]} before, {soak.descriptors[1]} after;"
        f" threads {soak.threads[0]} before, {soak.threads[1]} after",
        f"journal pending at most {_most(soak.samples, 'pending_bytes')} bytes;"
        f" loop late, p99, at most {_most(soak.samples, 'loop_lag_p99_ms')} ms;"
        f" tasks at most {_most(soak.samples, 'tasks')};"
        f" the load itself was late with {soak.late_share:.2%} of its packets",
        *(f"FAULT: {fault}" for fault in soak.faults),
        "FAILED" if soak.faults else "ok: everything kept, nothing leaked",
    ]
    return "\n".join(lines) + "\n"


def _most(samples: Sequence[Sample], name: str) -> str:
    known = [value for one in samples if (value := getattr(one, name)) is not None]
    return _or_dash(max(known, default=None))


def _or_dash(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _pending_bytes(url: str) -> int | None:
    """Return what waits for the disk, as the process shows it to the dashboard."""
    with suppress(redis.RedisError), redis.Redis.from_url(url) as client:
        names: Any = client.zrange(LIVE_KEY, 0, -1)
        values: Any = client.mget([f"{LIVE_KEY}:{one.decode()}" for one in names])
        said = [json.loads(value) for value in values if value]
        if said:
            return sum(int(one["journal"]["pending_bytes"]) for one in said)
    return None


if __name__ == "__main__":
    sys.exit(main())
