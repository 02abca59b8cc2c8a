"""What a process has used, read from outside."""

import time
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped,unused-ignore]

from benchmarks.generator import COUNTER
from benchmarks.machine import queued_bytes


@dataclass(frozen=True, slots=True)
class Edge:
    """A server's account at one moment: seconds of CPU, bytes it has read so far."""

    at: float
    cpu: float
    read_bytes: int


class Account:
    """One server process, all its threads together."""

    def __init__(self, pid: int, port: int, counter: Path) -> None:
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
        return Edge(time.monotonic(), times.user + times.system, read)

    def rss(self) -> int:
        """Return the bytes of memory that are resident."""
        return int(self._process.memory_info().rss)

    def descriptors(self) -> int:
        """Return the number of open files and sockets."""
        return int(self._process.num_fds())

    def threads(self) -> int:
        """Return the number of threads."""
        return int(self._process.num_threads())
