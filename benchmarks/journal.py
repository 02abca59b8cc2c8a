"""What the journal costs: per packet appended, per tick written, per record read.

    python -m benchmarks.journal [--streams 300] [--seconds 10] [--json]

Every stream is one participant at 16 kHz, 640 bytes each 20 ms. The paced part appends
in real time on the main thread, as an event loop would, and spends `--work`
microseconds on each packet beside it, because the journal's threads compete with that
work for the interpreter. Lag is the time from a packet's arrival until another process
finds it in the file; "loop late" is how far behind real time the main thread was.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import uuid4

from calls.journals.reading import JournalHeader, is_live, read
from streaming.journal import Journal, JournalWriter

PACKET = 0.02


def main() -> None:
    """Run every measurement and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--work", type=float, default=15.0, help="µs")
    parser.add_argument("--directory", type=Path, help="on the disk to measure")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as name:
        folder = Path(name)
        results = {
            **append_cost(folder / "append"),
            **read_cost(folder / "append"),
            **paced(
                folder / "paced", options.streams, options.seconds, options.work / 1e6
            ),
        }
    if options.json:
        sys.stdout.write(json.dumps(results, indent=2) + "\n")
        return
    for label, value in results.items():
        sys.stdout.write(f"{label:<52}{value:>12.3f}\n")


def header() -> JournalHeader:
    """Return a header as ingest would write it."""
    return JournalHeader(
        call_id=uuid4(),
        connection_id=uuid4(),
        call_connection_id=str(uuid4()),
        correlation_id=str(uuid4()),
        opened_at=datetime.now(UTC),
        node="benchmark",
        pid=os.getpid(),
        software="benchmark",
    )


def append_cost(folder: Path) -> dict[str, float]:
    """Microseconds of one append, the threads asleep, best of five runs."""
    count = 20_000
    speech = [os.urandom(640) for _ in range(count)]
    results = {}
    for label, pcm in (("speech", speech), ("zeros", [bytes(640)] * count)):
        runs = []
        for _ in range(5):
            writer = JournalWriter(folder, flush_interval=60, sync_interval=60)
            journal = writer.open(header())
            runs.append(_timed(partial(_append_all, journal, pcm)) / count)
            writer.close()
        results[f"append one packet of {label}, µs"] = min(runs) * 1e6
    return results


def _append_all(journal: Journal, packets: list[bytes]) -> None:
    audio = journal.audio
    for number, pcm in enumerate(packets):
        audio(0, 1_795_255_200_000_000 + number * 20_000, number * 20_000, pcm, False)


def read_cost(folder: Path) -> dict[str, float]:
    """Microseconds to read and check one record, best journal of those appended."""
    costs = []
    for path in folder.glob("*.journal"):
        with read(path) as journal:
            if journal.size > 10_000_000:
                began = time.perf_counter()
                count = sum(1 for _ in journal.records())
                costs.append((time.perf_counter() - began) / count)
    return {"read and check one record of speech, µs": min(costs) * 1e6}


def paced(folder: Path, count: int, seconds: float, work: float) -> dict[str, float]:
    """Record `count` streams in real time; return the threads' costs and the lags."""
    writer = JournalWriter(folder)
    streams = [writer.open(header()) for _ in range(count)]
    context = multiprocessing.get_context("spawn")
    reading, writing = context.Pipe(duplex=False)
    watcher = context.Process(target=_watch, args=(streams[-1].path, writing))
    watcher.start()
    reading.recv()
    began = time.monotonic()
    late, sync_lags = _append_paced(writer, streams, began, seconds, work)
    spent = {t.name: _cpu(t) for t in threading.enumerate() if "journal" in t.name}
    closing = _timed(writer.close)
    lags = [seen - (began + arrival / 1e6) for arrival, seen in reading.recv()]
    watcher.join()
    packets = count * seconds / PACKET
    return {
        "streams": count,
        "write thread, µs CPU per packet": spent["journal-write"] / packets * 1e6,
        "sync thread, µs CPU per packet": spent["journal-sync"] / packets * 1e6,
        "loop late, p99, ms": _p99(late) * 1e3,
        "arrival to file, median, ms": statistics.median(lags) * 1e3,
        "arrival to file, p99, ms": _p99(lags) * 1e3,
        "written to synced, worst, ms": max(sync_lags) * 1e3,
        "close of all, ms": closing * 1e3,
    }


def _append_paced(
    writer: JournalWriter,
    streams: list[Journal],
    began: float,
    seconds: float,
    work: float,
) -> tuple[list[float], list[float]]:
    """Append in real time, streams spread over the 20 ms as real ones are."""
    pcm = os.urandom(640)
    late, sync_lags = [], []
    step = PACKET / len(streams)
    for number in range(int(seconds / step)):
        due = began + number * step
        now = time.monotonic()
        if now < due:
            # All that is due is taken at once, then the interpreter is let go, as
            # an event loop does when it asks its sockets.
            time.sleep(max(0.0005, due - now))
            now = time.monotonic()
        late.append(now - due)
        arrival = int((now - began) * 1e6)
        streams[number % len(streams)].audio(0, arrival, arrival, pcm, False)
        while time.monotonic() - now < work:
            pass
        if number % (5 * len(streams)) == 0:
            sync_lags.append(writer.health().sync_lag)
    return late, sync_lags


def _watch(path: Path, out: Connection) -> None:
    """Note each packet's arrival and when it was first found in the file."""
    found: list[tuple[int, float]] = []
    while not path.exists():
        time.sleep(0.01)
    out.send("watching")
    while is_live(path):
        time.sleep(0.002)
        with read(path) as journal:
            if journal.size > 668 * (len(found) + 1):
                now = time.monotonic()
                records = list(journal.records())[len(found) :]
                found += [(record.arrival_us, now) for record in records]
    out.send(found)


def _cpu(thread: threading.Thread) -> float:
    if thread.ident is None:
        raise AssertionError("the thread runs")
    return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def _timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
