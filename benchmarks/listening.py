"""What listening costs ingest: packets per second of a call that nobody, one person,
ten people hear. `python -m benchmarks.listening`, part of `make listen`.

A call of four speakers goes through whole sessions (decode, place, count, journal) as
fast as it can. While somebody listens, what the tap has collected is packed and
published to a real Redis each 60 ms of the call, for as many web processes as people.
Processor time of this process, so that Redis and a busy machine do not count; the runs
take turns, and the best of each is compared.
"""

import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import redis

from benchmarks.receiving import METADATA, packets
from calls.journals.reading import JournalHeader
from demo.redis import redis_server
from streaming.call_audio import CallAudio
from streaming.ingest import MediaSession
from streaming.journal import JournalWriter
from streaming.listen.tap import Tap
from streaming.listen.wire import call_channel, encode
from streaming.socket_rows import Opening

SPEAKERS = 4
PACKETS = 24_000
ROUNDS = 5
# Batches are 60 ms of the call apart.
PER_BATCH = 3 * SPEAKERS
AUDIENCES = (0, 1, 10)


def measure() -> dict[str, float]:
    """Return packets per second for each audience, and the ratios to no audience."""
    frames = spoken()
    best = dict.fromkeys(AUDIENCES, 0.0)
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as url:
        for number in range(ROUNDS):
            for audience in AUDIENCES:
                journals = Path(folder, f"{number}-{audience}")
                speed = _speed(journals, frames, url, audience)
                best[audience] = max(best[audience], speed)
    figures = {
        f"packets/s, {audience} listening": speed for audience, speed in best.items()
    }
    for audience in AUDIENCES[1:]:
        ratio = best[audience] / best[0]
        figures[f"{audience} listening, × nobody"] = ratio
        more = 1e6 / best[audience] - 1e6 / best[0]
        figures[f"{audience} listening, µs more per packet"] = more
    return figures


def spoken() -> list[str]:
    """Return the packets of four speakers in turns, 20 ms apart."""
    one = packets(PACKETS // SPEAKERS)
    return [
        frame.replace("+12065550100", f"+1206555010{speaker}")
        for frame in one
        for speaker in range(SPEAKERS)
    ]


def _speed(folder: Path, frames: list[str], url: str, audience: int) -> float:
    writer, now = JournalWriter(folder), datetime.now(UTC)
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
    opening = Opening("benchmark", "", "", now)
    session = MediaSession(call, connection_id, writer.open(header), opening)
    session.take(METADATA, 0)
    with redis.Redis.from_url(url) as client:
        ears = [client.pubsub() for _ in range(audience)]
        for ear in ears:
            ear.subscribe(call_channel(call.call_id))
        tap = call.tap = Tap(call) if audience else None
        channel = call_channel(call.call_id)
        began = time.process_time()
        for number, frame in enumerate(frames):
            session.take(frame, number // SPEAKERS * 20_000)
            if tap and number % PER_BATCH == PER_BATCH - 1:
                client.publish(channel, encode(tap.batch("benchmark")))
        session.close(1000, "", now)
        writer.close()
        took = time.process_time() - began
        for ear in ears:
            ear.close()
    return len(frames) / took


def main() -> None:
    """Print the figures."""
    for label, figure in measure().items():
        sys.stdout.write(f"{label:36} {figure:10,.2f}\n")


if __name__ == "__main__":
    main()
