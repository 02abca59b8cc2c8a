"""What one packet costs from text to journal, step by step, in one process.

No sockets: this is the part that is ours. The yardstick is `json.loads` of the same
text, which is what the service's own sample does with a packet before dropping it.
"""

import base64
import json
import random
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from calls.journals.reading import JournalHeader
from streaming.call_audio import CallAudio
from streaming.ingest import MediaSession
from streaming.journal import JournalWriter
from streaming.protocol import decode
from streaming.socket_rows import Opening

PACKETS = 30_000
ROUNDS = 3
METADATA = (
    '{"kind":"AudioMetadata","audioMetadata":{"subscriptionId":"benchmark",'
    '"encoding":"PCM","sampleRate":16000,"channels":1,"length":640}}'
)


def measure() -> dict[str, float]:
    """Return µs per packet of each step, and the ratios to `json.loads`."""
    frames = packets(PACKETS)
    with tempfile.TemporaryDirectory() as folder:
        costs = {
            "json.loads alone (what the sample does)": _cost(json.loads, frames),
            "decode: typed, validated, base64 undone": _cost(decode, frames),
            "decode, place, count, journal": min(
                _session_cost(Path(folder) / str(number), frames)
                for number in range(ROUNDS)
            ),
        }
    yardstick = next(iter(costs.values()))
    figures = {f"{label}, µs": cost for label, cost in costs.items()}
    for label, cost in list(costs.items())[1:]:
        figures[f"{label}, × json.loads"] = cost / yardstick
    return figures


def packets(count: int) -> list[str]:
    """Return AudioData frames of 640 bytes, 20 ms apart, speech-like in size."""
    noise = random.Random(1)  # noqa: S311 noise, not a secret
    start = datetime(2026, 1, 1, tzinfo=UTC)
    frames = []
    for number in range(count):
        stamp = start + timedelta(milliseconds=20 * number)
        data = base64.b64encode(noise.randbytes(640)).decode()
        frames.append(
            '{"kind":"AudioData","audioData":{"timestamp":"'
            f'{stamp:%Y-%m-%dT%H:%M:%S}.{stamp.microsecond // 1000:03d}Z",'
            f'"participantRawID":"4:+12065550100","data":"{data}","silent":false}}}}'
        )
    return frames


def _cost(work: Callable[[str], object], frames: list[str]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for frame in frames:
            work(frame)
        best = min(best, time.process_time() - began)
    return best / len(frames) * 1e6


def _session_cost(folder: Path, frames: list[str]) -> float:
    """Return µs per packet of a whole session, the journal's threads included."""
    writer = JournalWriter(folder)
    now = datetime.now(UTC)
    call_id, connection_id = uuid4(), uuid4()
    header = JournalHeader(
        call_id=call_id,
        connection_id=connection_id,
        call_connection_id="benchmark",
        correlation_id=None,
        opened_at=now,
        node="benchmark",
        pid=0,
        software="benchmark",
    )
    call = CallAudio(call_id)
    opening = Opening("benchmark", "", "", now)
    session = MediaSession(call, connection_id, writer.open(header), opening)
    session.take(METADATA, 0)
    began = time.process_time()
    for number, frame in enumerate(frames):
        session.take(frame, number * 20_000)
        if number % 50 == 49:
            call.measure()
    session.close(1000, "", now)
    if not writer.close():
        raise AssertionError("the journal did not reach the disk in time")
    return (time.process_time() - began) / len(frames) * 1e6
