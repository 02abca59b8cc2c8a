"""One server under one load: what a packet costs, how soon it is on the disk."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.generator import COUNTER, Load, Report
from benchmarks.machine import queued_bytes
from benchmarks.servers.house import PATIENCE, ROOT, Running, Server, running
from benchmarks.servers.stored import lags

# Streams whose files are watched, spread over all.
SAMPLED = 8
LOOK_SECONDS = 0.002
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


def measure(server: Server, plan: Plan, cores: tuple[set[int], set[int]]) -> Figures:
    """Start the server, put the load on it, end it; return what was seen."""
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
        if cores[1]:
            os.sched_setaffinity(0, cores[1])
            stack.callback(os.sched_setaffinity, 0, cores[0] | cores[1])
        house = stack.enter_context(running(server, Path(name), cores[0]))
        run = _Run(house, plan)
        run.go()
        house.end()
        return run.figures()


@dataclass(frozen=True, slots=True)
class Edge:
    """The server's account at one moment."""

    at: float
    cpu: float
    read_bytes: int

    @classmethod
    def of(cls, process: psutil.Process, port: int, counter: Path) -> "Edge":
        """Read the account now."""
        times = process.cpu_times()
        (sent,) = COUNTER.unpack(counter.read_bytes())
        return cls(
            time.monotonic(), times.user + times.system, sent - queued_bytes(port)
        )


class Watch:
    """When files were seen to have grown, looked at from outside every 2 ms."""

    def __init__(self, paths: dict[int, Path]) -> None:
        self.paths = paths
        self.sizes: dict[int, list[tuple[int, int]]] = {key: [] for key in paths}
        self._files = {key: path.open("rb") for key, path in paths.items()}

    def until(self, end: float, thread: threading.Thread | None = None) -> None:
        """Watch until a moment of the monotonic clock, or a thread's end."""
        while time.monotonic() < end and (thread is None or thread.is_alive()):
            for key, file in self._files.items():
                size, seen = os.fstat(file.fileno()).st_size, self.sizes[key]
                if not seen or seen[-1][1] != size:
                    seen.append((time.monotonic_ns(), size))
            time.sleep(LOOK_SECONDS)

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files.values():
            file.close()


class _Run:
    """One measurement while it is made."""

    def __init__(self, house: Running, plan: Plan) -> None:
        self.house, self.plan = house, plan
        self.process = psutil.Process(house.process.pid)
        self.counter = house.folder / "counter"
        self.counter.write_bytes(bytes(COUNTER.size))
        self.load = plan.load(house.port, self.counter)

    def go(self) -> None:
        idle = self.process.memory_info().rss
        with _generator(self.load) as (generator, report):
            self.watch = Watch(_files_there(self.house, self.load.sampled))
            _say(generator, "go")
            began = time.monotonic()
            self.watch.until(began + self.plan.warm_up)
            self.before = self._edge()
            self.watch.until(began + self.plan.warm_up + self.plan.seconds)
            self.after = self._edge()
            self.rss = self.process.memory_info().rss - idle
            self.health = self.house.health()
            self.watch.until(time.monotonic() + PATIENCE, report.thread)
            self.watch.close()
            self.report = report.result()

    def _edge(self) -> Edge:
        return Edge.of(self.process, self.house.port, self.counter)

    def figures(self) -> Figures:
        """Return everything, after the server has ended."""
        plan, report = self.plan, self.report
        kept = self.house.store.kept()
        stored = sum(one.packets for one in kept.values()) if kept else None
        seconds = self.after.at - self.before.at
        cpu = self.after.cpu - self.before.cpu
        packets = (self.after.read_bytes - self.before.read_bytes) / report.frame_bytes
        return Figures(
            server=self.house.server.name,
            label=self.house.server.label,
            load=plan.name,
            streams=plan.streams,
            seconds=round(seconds, 3),
            cpu_us=cpu / max(packets, 1) * 1e6,
            cpu_share=cpu / seconds,
            packets_per_second=packets / seconds,
            sent=sum(report.sent),
            stored=stored,
            is_complete=_is_complete(report, kept) if kept else None,
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
            sizes = iter(self.watch.sizes[stream])
            at, size = 0, -1
            sent = self.report.times_ns[stream]
            for sent_ns, end in zip(sent, self.house.store.ends(path), strict=False):
                while size < end:
                    at, size = next(sizes, (0, 1 << 62))
                if at and self.before.at <= sent_ns / 1e9 < self.after.at:
                    found.append((at - sent_ns) / 1e6)
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


def _is_complete(report: Report, kept: dict[int, Any]) -> bool:
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


class Pending:
    """The generator's report, read in a thread so that watching can go on."""

    def __init__(self, generator: "subprocess.Popen[str]") -> None:
        self._lines: list[str] = []
        self.thread = threading.Thread(target=self._read, args=(generator,))
        self.thread.start()

    def _read(self, generator: "subprocess.Popen[str]") -> None:
        self._lines = list(generator.stdout or ())

    def result(self) -> Report:
        """Return it, when the generator has ended. Raises RuntimeError."""
        self.thread.join()
        if not self._lines:
            raise RuntimeError("the load generator ended without a report")
        report = Report(**json.loads(self._lines[-1]))
        # JSON's keys are text.
        report.times_ns = {int(key): ns for key, ns in report.times_ns.items()}
        return report


@contextmanager
def _generator(load: Load) -> Iterator[tuple["subprocess.Popen[str]", Pending]]:
    """Start the generator and wait until all its sockets are open."""
    process = subprocess.Popen(  # noqa: S603 our own program
        [sys.executable, "-m", "benchmarks.generator", json.dumps(asdict(load))],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if process.stdout is None or process.stdout.readline() != "connected\n":
            raise RuntimeError("the load generator did not get its sockets open")
        yield process, Pending(process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _say(process: "subprocess.Popen[str]", word: str) -> None:
    if process.stdin is None:
        raise AssertionError("the generator was started with a pipe")
    process.stdin.write(f"{word}\n")
    process.stdin.flush()
