"""What it costs ingest to answer: calls that hear themselves beside calls that do not.

    python -m benchmarks.echo --streams 100 --seconds 10

One real ingest process on one core, the callers on another. In turns the same number of
calls speaks to a profile without a handler and to one whose handler is `echo`: each
inbound packet is then journaled, handed to the handler, mixed, sent back, and what was
heard of it journaled and placed as our own side. Printed are processor time per inbound
packet, how long an echo takes at the far end, and how soon an order to be silent is
there. In a second part the packets of one call go through a whole session with and
without a handler beside it: what recording itself pays for having one.
"""

import argparse
import asyncio
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil  # type: ignore[import-untyped,unused-ignore] # no py.typed marker
from redis import Redis

from benchmarks.echo_caller import Calls
from benchmarks.machine import cores
from benchmarks.receiving import METADATA, packets
from benchmarks.servers.house import (
    ROOT,
    SERVERS,
    Running,
    Server,
    ingest_environment,
    inherited,
    running,
)
from calls import identity
from calls.journals.reading import JournalHeader
from calls.live.speaking import SPEAK, StopAudio, encode
from streaming.call_audio import CallAudio
from streaming.handlers.interface import Handler
from streaming.handlers.running import Running as RunningHandler
from streaming.ingest import MediaSession
from streaming.journal import JournalWriter
from streaming.socket_rows import Opening

WARM_UP = 3.0
STOPPED = 20
PACKETS = 20_000
ROUNDS = 5
LATE = "packets the callers sent late, of all"
# More, and it is the callers' machine that is measured.
LATE_SHARE = 0.01


class CallersFailedError(Exception):
    """The calls did not last as long as they were to; says why."""


def main() -> int:
    """Measure; print figures and ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--turns", type=int, default=2)
    options = parser.parse_args()
    try:
        figures = served(options.streams, options.seconds, options.turns)
    except CallersFailedError as exc:
        sys.stderr.write(f"the callers failed: {exc}\n")
        return 1
    figures |= recorded()
    for label, value in figures.items():
        sys.stdout.write(f"{label:<62}{value:>10.2f}\n")
    if (late := figures[LATE]) > LATE_SHARE:
        sys.stdout.write(
            f"NOT TRUSTWORTHY: the callers were late with {late:.1%} of their packets\n"
        )
    return 0


# Whole processes.


def served(streams: int, seconds: float, turns: int) -> dict[str, float]:
    """Return what a packet costs the process without and with an echo, and delays."""
    server, load = cores()
    costs: dict[str, list[float]] = {"": [], "echo": []}
    heard: list[Mapping[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        if load:
            os.sched_setaffinity(0, load)
        with running(_ingest(streams), Path(folder), server) as house:
            for turn in range(turns):
                for handler in costs:
                    name = f"turn{turn}{handler or 'plain'}"
                    calls = Calls(house.port, name, streams, seconds)
                    cost, report = _turn(house, calls, handler)
                    costs[handler].append(cost)
                    if handler:
                        heard.append(report)
    plain, echo = (statistics.median(found) for found in costs.values())
    return {
        "ingest process, µs of CPU per inbound packet": plain,
        "ingest process with echo, µs of CPU per inbound packet": echo,
        "ingest process with echo, × without": echo / plain,
        **_delays(heard),
    }


def _ingest(streams: int) -> Server:
    """Return an ingest process that takes these calls, dear as they may be.

    Twice as many: the calls of one turn may still be closing when the next are dialled.
    """

    def environment(folder: Path) -> dict[str, str]:
        return ingest_environment(folder) | {"ACSSTREAM_MAX_STREAMS": str(2 * streams)}

    return dataclasses.replace(SERVERS["ours"], environment=environment)


def _turn(
    house: Running, calls: Calls, handler: str
) -> tuple[float, Mapping[str, Any]]:
    """Have calls speak; return µs per packet, and what they heard."""
    subprocess.run(  # noqa: S603 our own program
        [
            *(sys.executable, "-m", "benchmarks.servers.echo_rows"),
            *(calls.name, str(calls.streams), handler),
        ],
        cwd=ROOT,
        env=inherited() | ingest_environment(house.folder),
        check=True,
    )
    asked = [
        sys.executable,
        "-m",
        "benchmarks.echo_caller",
        json.dumps(dataclasses.asdict(calls)),
    ]
    pipe = subprocess.PIPE
    with subprocess.Popen(  # noqa: S603 our own program
        asked, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as caller:
        _begin(caller)
        _let_speak(caller, WARM_UP)
        began, before = time.monotonic(), _cpu(house)
        _let_speak(caller, calls.seconds - WARM_UP - 2.0)
        used, lasted = _cpu(house) - before, time.monotonic() - began
        asked_ns = _stop(house, calls) if handler else {}
        said, faults = caller.communicate()
    if caller.returncode:
        raise _failure(caller, faults)
    report = json.loads(said)
    report["stop_ms"] = [
        (report["stops_ns"][name] - at) / 1e6
        for name, at in asked_ns.items()
        if name in report["stops_ns"]
    ]
    if handler and len(report["stop_ms"]) < len(asked_ns):
        stops, echoes = len(report["stop_ms"]), len(report["there_ms"])
        sys.stderr.write(
            f"{stops} of {len(asked_ns)} orders to be silent arrived,"
            f" {echoes} echoes of {report['packets']} packets\n"
        )
    return used / (lasted * 50 * calls.streams) * 1e6, report


def _begin(caller: "subprocess.Popen[str]") -> None:
    """Have all calls begin to speak once every socket is open."""
    if caller.stdin is None or caller.stdout is None:
        raise AssertionError("it was started with pipes")
    if caller.stdout.readline() != "connected\n":
        raise _failure(caller, caller.communicate()[1])
    caller.stdin.write("go\n")
    caller.stdin.flush()


def _let_speak(caller: "subprocess.Popen[str]", seconds: float) -> None:
    try:
        caller.wait(seconds)
    except subprocess.TimeoutExpired:
        return
    raise _failure(caller, caller.communicate()[1])


def _failure(caller: "subprocess.Popen[str]", faults: str) -> CallersFailedError:
    """Return in one line what ended the callers."""
    *_, last = faults.strip().splitlines() or [f"exit code {caller.returncode}"]
    return CallersFailedError(last)


def _cpu(house: Running) -> float:
    times = psutil.Process(house.process.pid).cpu_times()
    return float(times.user + times.system)


def _stop(house: Running, calls: Calls) -> dict[str, int]:
    """Order some calls to be silent; return when each was asked to."""
    asked = {}
    with Redis.from_url(house.redis_url) as redis:
        for number in range(min(STOPPED, calls.streams)):
            name = f"{calls.name}-{number:04d}"
            call = str(identity.call_id(name))
            asked[name] = time.monotonic_ns()
            order = StopAudio(call=call, command=str(uuid4()), name="benchmark")
            redis.publish(SPEAK, encode(order))
            time.sleep(0.02)
    return asked


def _delays(reports: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    def percentile(name: str, share: float) -> float:
        found = sorted(value for report in reports for value in report[name])
        return float(found[int(share * (len(found) - 1))])

    echoes = sum(len(report["there_ms"]) for report in reports)
    return {
        "echo at the far end, p50 ms": percentile("there_ms", 0.5),
        "echo at the far end, p95 ms": percentile("there_ms", 0.95),
        "echo played at the far end, p50 ms": percentile("played_ms", 0.5),
        "echo played at the far end, p95 ms": percentile("played_ms", 0.95),
        "from the order to be silent to StopAudio, p95 ms": percentile("stop_ms", 0.95),
        "echoes heard, of packets sent": echoes
        / sum(one["packets"] for one in reports),
        "underruns at the far end, per 1,000 echoes": 1000
        * sum(report["underruns"] for report in reports)
        / max(echoes, 1),
        LATE: sum(one["late"] for one in reports)
        / sum(one["packets"] for one in reports),
    }


# What recording pays.


def recorded() -> dict[str, float]:
    """Return µs per packet of a session without and with a handler beside it.

    The handler's own work is another's: it is done, and not counted.
    """
    frames = packets(PACKETS)
    best = {False: float("inf"), True: float("inf")}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(ROUNDS):
            for is_heard in best:
                writer = JournalWriter(Path(folder) / f"{number}-{is_heard}")
                cost = asyncio.run(_recorded(writer, frames, is_heard=is_heard))
                best[is_heard] = min(best[is_heard], cost)
    return {
        "recording a packet, µs of CPU": best[False],
        "recording a packet beside a handler, µs of CPU": best[True],
        "recording a packet beside a handler, × without": best[True] / best[False],
    }


async def _recorded(
    writer: JournalWriter, frames: list[str], *, is_heard: bool
) -> float:
    now = datetime.now(UTC)
    call, connection_id = CallAudio(uuid4()), uuid4()
    header = JournalHeader(
        call_id=call.call_id,
        connection_id=connection_id,
        call_connection_id="benchmark",
        correlation_id=None,
        opened_at=now,
        node="benchmark",
        pid=0,
        software="benchmark",
    )
    call.now(now, time.monotonic())
    session = MediaSession(
        call, connection_id, writer.open(header), Opening("benchmark", "", "", now)
    )
    if is_heard:
        call.handler = _handler(call)
    session.take(METADATA, 0)
    used = 0.0
    for number, frame in enumerate(frames):
        began = time.thread_time()
        session.take(frame, number * 20_000)
        used += time.thread_time() - began
        # The handler takes its packet: its own time.
        await asyncio.sleep(0)
    if call.handler is not None:
        await call.handler.end("the benchmark ends")
    session.close(1000, "", now)
    await asyncio.to_thread(writer.close)
    return used / len(frames) * 1e6


def _handler(call: CallAudio) -> RunningHandler:
    async def load(_: str, options: Mapping[str, Any]) -> Handler:
        return Handler(options)

    class Access:
        call_id = call.call_id
        speaker = None

    access: Any = Access()
    return RunningHandler(
        "benchmark", {}, access, remark=lambda _: None, wake=lambda: None, load=load
    )


if __name__ == "__main__":
    sys.exit(main())
