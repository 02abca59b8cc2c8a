"""The generator, from the side of whoever measures."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from benchmarks.generator import Load, Report
from benchmarks.servers.house import ROOT


class Generator:
    """The generator's process. Its report is read in a thread meanwhile."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._lines: list[str] = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        self._lines = list(self._process.stdout or ())

    def go(self) -> None:
        """Have it speak."""
        if self._process.stdin is None:
            raise AssertionError("the generator was started with a pipe")
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def is_speaking(self) -> bool:
        """Say if it still speaks, or hangs up."""
        return self._thread.is_alive()

    def report(self) -> Report:
        """Return what it did, once it has ended. Raises RuntimeError."""
        self._thread.join()
        if not self._lines:
            raise RuntimeError("the load generator ended without a report")
        report = Report(**json.loads(self._lines[-1]))
        # JSON's keys are text.
        report.times_ns = {int(key): ns for key, ns in report.times_ns.items()}
        return report


@contextmanager
def generating(load: Load) -> Iterator[Generator]:
    """Start the generator and wait until all its sockets are open."""
    process = subprocess.Popen(  # noqa: S603 our own program
        [sys.executable, "-m", "benchmarks.generator", json.dumps(asdict(load))],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            if process.stdout is None or process.stdout.readline() != "connected\n":
                raise RuntimeError("the load generator did not get its sockets open")
            yield Generator(process)
        finally:
            if process.poll() is None:
                process.kill()
