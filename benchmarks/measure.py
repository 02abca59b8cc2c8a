"""One server under one load: what a packet costs, how soon it is on the disk."""

import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.account import Account
from benchmarks.driving import generating
from benchmarks.generator import COUNTER, Load, Report
from benchmarks.servers.house import PATIENCE, Running, Server, running
from benchmarks.servers.stored import Kept, lags
from benchmarks.watching import Watch

# Streams whose files are watched, spread over all.
SAMPLED = 8
SETTLE_SECONDS = 3.0
PACKETS_PER_SECOND = 50
# A row whose load itself was late more often than this says nothing.
LATE_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Plan:
    """A load: so many streams, in real time or as fast as they are taken."""

    streams: int
    seconds: float
    warm_up: float
    flood: bool = False

    @property
    def name(self) -> str:
        """How the load is called in tables."""
        return "flood" if self.flood else f"{self.streams} paced"

    def load(self, port: int, counter: Path) -> Load:
        """Return it as the generator wants it."""
        step = max(1, self.streams // SAMPLED)
        sampled = tuple(range(0, self.streams, step))[:SAMPLED]
        return Load(
            port=port,
            streams=self.streams,
            seconds=self.seconds,
            counter=str(counter),
            warm_up=self.warm_up,
            flood=self.flood,
            # In a flood a packet waits in kernel buffers: that is no latency of ours.
            sampled=() if self.flood else sampled,
        )


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles, in milliseconds."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured. None is: not measured, or not to be had."""

    server: str
    label: str
    load: str
    streams: int
    seconds: float
    cpu_us: float
    cpu_share: float
    # What others used of the server's core meanwhile, the kernel's network included.
    others_share: float
    packets_per_second: float
    sent: int
    stored: int | None
    is_complete: bool | None
    to_disk_ms: Spread | None
    loop_lag_ms: Spread | None
    rss_kb_per_stream: float
    # Of the load itself, and what of it the server did not take in time.
    late_share: float
    worst_late_ms: float
    held: int
    lost_sockets: int
    faults: tuple[str, ...]

    @property
    def is_trustworthy(self) -> bool:
        """Say if the load came when it was meant to."""
        return self.late_share <= LATE_SHARE

    @property
    def is_behind(self) -> bool:
        """Say if the server took less than real time brought it."""
        due = self.streams * PACKETS_PER_SECOND
        return self.load != "flood" and self.packets_per_second < 0.97 * due


def measure(server: Server, plan: Plan, cores: tuple[set[int], set[int]]) -> Figures:
    """Start the server, put the load on it, end it; return what was seen."""
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
        if cores[1]:
            os.sched_setaffinity(0, cores[1])
            stack.callback(os.sched_setaffinity, 0, cores[0] | cores[1])
        house = stack.enter_context(running(server, Path(name), cores[0]))
        run = _Run(house, plan, cores[0])
        run.go()
        house.end()
        return run.figures()


class _Run:
    """One measurement while it is made."""

    def __init__(self, house: Running, plan: Plan, core: set[int]) -> None:
        self.house, self.plan = house, plan
        counter = house.folder / "counter"
        counter.write_bytes(bytes(COUNTER.size))
        self.load = plan.load(house.port, counter)
        self.account = Account(house.process.pid, house.port, counter, core)

    def go(self) -> None:
        """Put the load on the server and read its account around the window."""
        idle, store = self.account.rss(), self.house.store
        with generating(self.load) as generator:
            self.watch = Watch(_files_there(self.house, self.load.sampled))
            generator.go()
            began = time.monotonic()
            self.watch.until(began + self.plan.warm_up)
            self.before, rows_before = self.account.edge(), store.so_far()
            self.watch.until(began + self.plan.warm_up + self.plan.seconds)
            self.after, rows_after = self.account.edge(), store.so_far()
            self.rss = self.account.rss() - idle
            self.health = self.house.health()
            self.watch.until(time.monotonic() + PATIENCE, generator.is_speaking)
            self.watch.close()
            self.report = generator.report()
        read_bytes = self.after.read_bytes - self.before.read_bytes
        self.packets = read_bytes / self.report.frame_bytes
        if rows_before is not None and rows_after is not None:
            # Daphne reads more than it gets done.
            self.packets = rows_after - rows_before
        _settle(self.house, sum(self.report.sent))

    def figures(self) -> Figures:
        """Return everything, after the server has ended."""
        plan, report = self.plan, self.report
        kept = self.house.store.kept()
        seconds = self.after.at - self.before.at
        cpu = self.after.cpu - self.before.cpu
        packets = self.packets
        return Figures(
            server=self.house.server.name,
            label=self.house.server.label,
            load=plan.name,
            streams=plan.streams,
            seconds=round(seconds, 3),
            cpu_us=cpu / max(packets, 1) * 1e6,
            cpu_share=cpu / seconds,
            others_share=max(0.0, self.after.core - self.before.core - cpu) / seconds,
            packets_per_second=packets / seconds,
            sent=sum(report.sent),
            stored=None if kept is None else sum(one.packets for one in kept.values()),
            is_complete=None if kept is None else is_complete(report, kept),
            to_disk_ms=spread(self._to_disk()),
            loop_lag_ms=self._loop_lag(),
            rss_kb_per_stream=self.rss / 1000 / plan.streams,
            late_share=report.late / max(report.due, 1),
            worst_late_ms=report.worst_late_ns / 1e6,
            held=report.held,
            lost_sockets=report.lost_sockets,
            faults=tuple(report.faults),
        )

    def _to_disk(self) -> list[float]:
        """Return ms from the sending of each watched packet until it was in a file."""
        found: list[float] = []
        for stream, path in self.watch.paths.items():
            sent = self.report.times_ns[stream]
            seen = self.watch.seen(stream, self.house.store.ends(path))
            found += [
                (at - sent_ns) / 1e6
                for sent_ns, at in zip(sent, seen, strict=False)
                if self.before.at <= sent_ns / 1e9 < self.after.at
            ]
        return found

    def _loop_lag(self) -> Spread | None:
        if said := self.health.get("load"):
            p50, p99 = said.get("loop_lag_p50_ms"), said.get("loop_lag_p99_ms")
            if p50 is None or p99 is None:
                return None
            return Spread(p50, said.get("loop_lag_p95_ms", p50), p99)
        seen = lags(self.house.folder / "lags.json")
        return spread(
            [late * 1e3 for at, late in seen if self.before.at <= at < self.after.at]
        )


def is_complete(report: Report, kept: dict[int, Kept]) -> bool:
    """Say if of every stream every packet is there, and no other."""
    for stream, (sent, stamps) in enumerate(
        zip(report.sent, report.stamp_sums, strict=True)
    ):
        one = kept.get(stream)
        if one is None or one.packets != sent:
            return False
        if one.stamp_sum is not None and one.stamp_sum != stamps:
            return False
    return True


def spread(values: Sequence[float]) -> Spread | None:
    """Return the percentiles of at least two values."""
    if len(values) < 2:
        return None
    cuts = statistics.quantiles(values, n=100)
    return Spread(cuts[49], cuts[94], cuts[98])


def _files_there(house: Running, streams: tuple[int, ...]) -> dict[int, Path]:
    """Wait until the files of these streams are there, if the server has files."""
    deadline = time.monotonic() + PATIENCE
    if not house.store.has_files:
        return {}
    while len(found := house.store.files(streams)) < len(streams):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{house.server.name} has made no files")
        time.sleep(0.02)
    return found


def _settle(house: Running, sent: int) -> None:
    """Give a server that stores rows the time it needs, while it gets on."""
    before = None
    while (rows := house.store.so_far()) not in (before, sent):
        before = rows
        time.sleep(SETTLE_SECONDS)
