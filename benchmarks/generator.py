"""The load: N sockets that speak in real time, or 20 that flood. A process of its own.

    python -m benchmarks.generator '{"port": 8001, "streams": 300, …}'

It prints one line when every socket is open and has sent its metadata, waits for a line
on its standard input, speaks, and prints one JSON object of what it did. While it
speaks, another process reads how many bytes it has sent from the shared file of
`Load.counter`.

It is meant never to be the bottleneck, and tells when it was: `late` counts packets
that left more than 5 ms after they were due. What the server's socket does not take at
once waits here, as at ACS, and is counted as `held`; that is the server's doing.
"""

import gc
import json
import mmap
import resource
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from struct import Struct

from benchmarks.frames import PACKET_US, stamper
from benchmarks.speaker import Speaker

LATE_NS = 5_000_000
PACKET_NS = PACKET_US * 1000
# Once per so many packets, what servers say is read: pings, closes.
LISTEN_EVERY = 1000
DRAIN_SECONDS = 15.0
COUNTER = Struct("<Q")


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be sent. `flood` disregards time: as fast as the server takes it."""

    port: int
    streams: int
    seconds: float
    counter: str
    warm_up: float = 0.0
    flood: bool = False
    # Streams of which every packet's time is noted.
    sampled: tuple[int, ...] = ()
    # Seconds between two redials, over all streams together; 0: none.
    redial_every: float = 0.0
    # What the calls' ids begin with.
    name: str = "bench"


@dataclass(slots=True)
class Report:
    """What was sent. Times are nanoseconds of the monotonic clock."""

    frame_bytes: int = 0
    began_ns: int = 0
    ended_ns: int = 0
    # Of the packets due after the warm-up.
    due: int = 0
    late: int = 0
    worst_late_ns: int = 0
    held: int = 0
    redials: int = 0
    # Per stream: packets wholly sent, and the sum of their timestamps in microseconds.
    sent: list[int] = field(default_factory=list)
    stamp_sums: list[int] = field(default_factory=list)
    unsent_bytes: int = 0
    lost_sockets: int = 0
    faults: list[str] = field(default_factory=list)
    times_ns: dict[int, list[int]] = field(default_factory=dict)


def main() -> int:
    """Speak as told by the first argument; return the exit code."""
    load = Load(**json.loads(sys.argv[1]))
    _descriptors_raise()
    with Path(load.counter).open("r+b") as file:
        shared = mmap.mmap(file.fileno(), COUNTER.size)
    speakers = [
        Speaker(load.port, f"{load.name}-{number:04d}", number)
        for number in range(load.streams)
    ]
    for speaker in speakers:
        speaker.is_sampled = speaker.number in load.sampled
        speaker.dial()
    sys.stdout.write("connected\n")
    sys.stdout.flush()
    sys.stdin.readline()
    # A collection would stop every stream at once.
    gc.collect()
    gc.freeze()
    gc.disable()
    report = Report(frame_bytes=len(speakers[0].frame), began_ns=time.monotonic_ns())
    if load.flood:
        from benchmarks.flood import flood

        flood(load, speakers, report, shared)
    else:
        speak(load, speakers, report, shared)
    report.ended_ns = time.monotonic_ns()
    _hang_up(speakers, report, shared)
    sys.stdout.write(json.dumps(asdict(report)) + "\n")
    return 0


def speak(
    load: Load, speakers: list[Speaker], report: Report, shared: mmap.mmap
) -> None:
    """Send each stream's packet every 20 ms, the streams spread over the 20 ms."""
    clock, stamp, count = time.monotonic_ns, stamper(), len(speakers)
    began = report.began_ns
    wall_us = time.time_ns() // 1000 - began // 1000
    measured_from = int(load.warm_up * 1e9 / PACKET_NS * count)
    redial_every = int(load.redial_every * 1e9 / PACKET_NS * count)
    total_bytes = 0
    for number in range(int((load.warm_up + load.seconds) * 1e9 / PACKET_NS * count)):
        due = began + number * PACKET_NS // count
        while (now := clock()) < due:
            time.sleep((due - now) / 1e9)
        at_us = wall_us + now // 1000
        speaker = speakers[number % count]
        total_bytes += speaker.send(at_us, stamp(at_us), now)
        COUNTER.pack_into(shared, 0, total_bytes)
        if number >= measured_from:
            late = now - due
            if late > LATE_NS:
                report.late += 1
            report.worst_late_ns = max(report.worst_late_ns, late)
            report.due += 1
        if number % LISTEN_EVERY == 0:
            _listen(speakers)
        if redial_every and number % redial_every == redial_every - 1:
            speakers[(number // redial_every) % count].redial()


def _listen(speakers: list[Speaker]) -> None:
    for speaker in speakers:
        speaker.listen()


def _hang_up(speakers: list[Speaker], report: Report, shared: mmap.mmap) -> None:
    """Send what still waits, close every socket in good order, sum up."""
    deadline = time.monotonic() + DRAIN_SECONDS
    waiting = speakers
    (total_bytes,) = COUNTER.unpack_from(shared, 0)
    while waiting and time.monotonic() < deadline:
        for speaker in waiting:
            total_bytes += speaker.push()
            speaker.listen()
        COUNTER.pack_into(shared, 0, total_bytes)
        waiting = [one for one in waiting if one.backlog and not one.fault]
        time.sleep(0.005 if waiting else 0)
    for speaker in speakers:
        speaker.settle()
        report.redials += speaker.redials
        report.unsent_bytes += len(speaker.backlog)
        report.sent.append(speaker.packets - speaker.waiting_packets)
        report.stamp_sums.append(speaker.stamp_sum)
        report.held += speaker.held
        report.lost_sockets += bool(speaker.fault)
        if speaker.is_sampled:
            report.times_ns[speaker.number] = speaker.times_ns
    report.faults = sorted({one.fault for one in speakers if one.fault})[:5]
    for speaker in speakers:
        speaker.bid_farewell()
    for speaker in speakers:
        speaker.close(deadline)


def _descriptors_raise() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
