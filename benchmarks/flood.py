"""As fast as the server takes it. Capture times run ahead 20 ms a packet, as a clock
that is replayed fast: real times would make every packet a duplicate of another.
"""

import mmap
import select
import time
from typing import TYPE_CHECKING

from benchmarks.frames import PACKET_US, stamper
from benchmarks.speaker import Speaker

if TYPE_CHECKING:
    from benchmarks.generator import Load, Report

# Packets handed to the kernel in one call.
BATCH = 16


def flood(
    load: "Load", speakers: list[Speaker], report: "Report", shared: mmap.mmap
) -> None:
    """Keep every socket full until the time is over."""
    from benchmarks.generator import COUNTER

    stamp, total_bytes = stamper(), 0
    start_us = time.time_ns() // 1000
    by_descriptor = {one.fileno(): one for one in speakers}
    poll = select.poll()
    for descriptor in by_descriptor:
        poll.register(descriptor, select.POLLOUT)
    ends = report.began_ns + int((load.warm_up + load.seconds) * 1e9)
    while time.monotonic_ns() < ends and by_descriptor:
        for descriptor, _ in poll.poll(100):
            speaker = by_descriptor[descriptor]
            if not speaker.backlog:
                for _ in range(BATCH):
                    at_us = start_us + speaker.packets * PACKET_US
                    speaker.backlog += speaker.flood_frame(at_us, stamp(at_us))
            total_bytes += speaker.push()
            speaker.listen()
            if speaker.fault:
                poll.unregister(descriptor)
                del by_descriptor[descriptor]
        COUNTER.pack_into(shared, 0, total_bytes)
