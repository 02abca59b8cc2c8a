"""What a process was like while it was fuzzed, and whether it grew."""

import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psutil  # type: ignore[import-untyped,unused-ignore] # no py.typed marker

# Memory of an interpreter breathes; what leaks with each text grows without end.
MAX_BYTES_EACH = 64.0
# A shorter run says nothing of a slope: pools and caches fill first.
JUDGED = 50_000

EVERY = 2.0
# Seconds between two lines that say how far it is.
TELL_EVERY = 20.0


class Line(Protocol):
    """One peer that sends its share, and stops over a fault."""

    taken: int
    fault: str

    def run(self) -> None:
        """Send until the share is taken; note why, if that cannot be."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The process once it had taken so many."""

    taken: int
    rss: int
    descriptors: int


@dataclass(slots=True)
class Seen:
    """One kind of fuzzing: what was asked, what was taken, what is wrong."""

    name: str
    asked: int
    taken: int = 0
    seconds: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)
    descriptors: tuple[int, int] = (0, 0)
    faults: list[str] = field(default_factory=list)

    @property
    def bytes_each(self) -> float:
        """How much memory grew for each one taken, in the second half."""
        half = self.samples[len(self.samples) // 2 :]
        if len({one.taken for one in half}) < 2:
            return 0.0
        fit = statistics.linear_regression(
            [one.taken for one in half], [one.rss for one in half]
        )
        return fit.slope

    def watch(
        self, process: "Watched", lines: Sequence[Line], *, spare: int, fast: int
    ) -> None:
        """Let lines run to their end, and note meanwhile what the process is like.

        `spare`: how many descriptors it may open for good. `fast`: how many it takes
        in a second at best, so that a short run is looked at often enough.
        """
        self.descriptors = (process.descriptors() + spare, 0)
        began, told = time.monotonic(), 0.0
        threads = [threading.Thread(target=line.run, daemon=True) for line in lines]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(min(EVERY, 0.1 + self.asked / fast))
            self.taken = sum(line.taken for line in lines)
            if process.is_alive():
                self.samples.append(process.sample(self.taken))
            told = self._told(told, time.monotonic() - began)
        self.taken = sum(line.taken for line in lines)
        self.seconds = time.monotonic() - began
        self.faults += [line.fault for line in lines if line.fault]

    def _told(self, before: float, seconds: float) -> float:
        """Say now and then how far it is; return when that was said last."""
        if seconds - before < TELL_EVERY:
            return before
        rss = self.samples[-1].rss / 1e6 if self.samples else 0.0
        sys.stderr.write(
            f"{self.taken:,} of {self.asked:,} {self.name},"
            f" {self.taken / seconds:,.0f} a second, {rss:.0f} MB\n"
        )
        return seconds

    def judge(self, process: "Watched") -> None:
        """Note what is wrong, now that all is done."""
        self.descriptors = (self.descriptors[0], process.descriptors())
        if not process.is_alive():
            self.faults.append("the process is dead")
        if self.taken < self.asked:
            self.faults.append(f"only {self.taken} of {self.asked} were taken")
        if process.tracebacks():
            self.faults.append(f"{process.tracebacks()} tracebacks in its log")
        before, after = self.descriptors
        if after > before:
            self.faults.append(f"{after} open files, {before} before")
        if self.taken >= JUDGED and self.bytes_each > MAX_BYTES_EACH:
            self.faults.append(f"memory grows by {self.bytes_each:.0f} bytes each")

    def as_json(self) -> dict[str, Any]:
        """Return it for the report."""
        rss = [one.rss for one in self.samples] or [0]
        tenths = [rss[(len(rss) - 1) * tenth // 10] for tenth in range(11)]
        return {
            "asked": self.asked,
            "taken": self.taken,
            "seconds": round(self.seconds, 1),
            "per_second": round(self.taken / max(self.seconds, 0.001)),
            "answers": dict(sorted(self.answers.items())),
            "rss_mb_at_each_tenth": [round(each / 1e6, 1) for each in tenths],
            "rss_mb_at_most": round(max(rss) / 1e6, 1),
            "bytes_each": round(self.bytes_each, 2),
            "descriptors": list(self.descriptors),
            "faults": self.faults,
        }


class Watched:
    """A process that is fuzzed, and its log."""

    def __init__(self, pid: int, log: Path) -> None:
        self._process = psutil.Process(pid)
        self._log = log

    def sample(self, taken: int) -> Sample:
        """Return what it is like now."""
        return Sample(taken, int(self._process.memory_info().rss), self.descriptors())

    def descriptors(self) -> int:
        """Return the number of open files and sockets; 0 of a dead process."""
        return int(self._process.num_fds()) if self.is_alive() else 0

    def is_alive(self) -> bool:
        """Say whether it runs."""
        alive: bool = self._process.is_running()
        return alive and self._process.status() != psutil.STATUS_ZOMBIE

    def tracebacks(self) -> int:
        """Return how many faults of ours it logged."""
        with self._log.open(errors="replace") as lines:
            return sum("Traceback (most recent call last)" in line for line in lines)
