"""What a process has used, read from outside."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped,unused-ignore] # no py.typed marker

from benchmarks.generator import COUNTER
from benchmarks.machine import queued_bytes


@dataclass(frozen=True, slots=True)
class Edge:
    """A server's account at one moment: seconds of CPU, bytes it has read so far.

    `core` is how long its core has been busy, whoever kept it so.
    """

    at: float
    cpu: float
    read_bytes: int
    core: float


class Account:
    """One server process, all its threads together."""

    def __init__(
        self, pid: int, port: int, counter: Path, cores: Iterable[int] = ()
    ) -> None:
        self._cores = tuple(cores)
        self._process = psutil.Process(pid)
        self._port = port
        self._counter = counter

    def edge(self) -> Edge:
        """Return the account now.

        What the server has read is what the load has sent without what still lies in
        the kernel's buffers, so it is known without asking the server.
        """
        times = self._process.cpu_times()
        (sent,) = COUNTER.unpack(self._counter.read_bytes())
        read = sent - queued_bytes(self._port)
        cpu = times.user + times.system
        return Edge(time.monotonic(), cpu, read, self._core_busy())

    def _core_busy(self) -> float:
        if not self._cores:
            return 0.0
        every = psutil.cpu_times(percpu=True)
        return sum(
            float(
                sum(every[core]) - every[core].idle - getattr(every[core], "iowait", 0)
            )
            for core in self._cores
        )

    def rss(self) -> int:
        """Return the bytes of memory that are resident."""
        return int(self._process.memory_info().rss)

    def descriptors(self) -> int:
        """Return the number of open files and sockets."""
        return int(self._process.num_fds())

    def threads(self) -> int:
        """Return the number of threads."""
        return int(self._process.num_threads())
