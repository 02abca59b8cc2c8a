"""How much faster than real time a recording is finished.

The steps that cost: journal to timeline to PCM, FLAC with SHA-256 and peaks, and
reading back. The database is left out; it is a handful of rows per call.
"""

import hashlib
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import django
import numpy as np

from calls.journal import JournalHeader
from streaming.journal import JournalWriter

MINUTES = 10
RATE = 16_000
SLOT = RATE // 50


def measure() -> dict[str, float]:
    """Return × real time of each step and of all together."""
    django.setup()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        journal = _journal(folder)
        return _finish(folder, journal)


def _journal(folder: Path) -> Path:
    """Write a journal of noise that swells and fades as speech does."""
    writer = JournalWriter(folder)
    now = datetime.now(UTC)
    journal = writer.open(
        JournalHeader(
            call_id=uuid4(),
            connection_id=uuid4(),
            call_connection_id="benchmark",
            correlation_id=None,
            opened_at=now,
            node="benchmark",
            pid=0,
            software="benchmark",
        )
    )
    journal.metadata(
        '{"kind":"AudioMetadata","audioMetadata":{"subscriptionId":"s",'
        f'"encoding":"PCM","sampleRate":{RATE},"channels":1}}}}',
        0,
    )
    index = journal.participant("4:+12065550100")
    noise = np.random.default_rng(1)
    start = round(now.timestamp() * 1e6)
    for slot in range(MINUTES * 60 * 50):
        loudness = 2000 * abs(np.sin(slot / 60))
        pcm = (noise.standard_normal(SLOT) * loudness).astype("<i2").tobytes()
        at = slot * 20_000
        journal.audio(index, start + at, at, pcm, silent=False)
    path = journal.seal(1000, "", {}).result(timeout=60)
    writer.close()
    return path


def _finish(folder: Path, journal: Path) -> dict[str, float]:
    # After django.setup(): recordings know the storage.
    from calls.recordings import TrackFile, encode
    from calls.replay import CallReplay

    seconds = MINUTES * 60
    file = TrackFile(folder / "track.pcm", "4:+12065550100", RATE)
    marks = [time.perf_counter()]
    replay = CallReplay(
        uuid4(),
        placed=lambda _raw_id, _rate, placement: file.write(
            placement.start or 0, placement.ref.pcm
        ),
        aside=lambda _count, _record: None,
    )
    replay.run([journal])
    marks.append(time.perf_counter())
    encoded = encode(folder / "track.flac", RATE, file.blocks(seconds * RATE))
    marks.append(time.perf_counter())
    if _decoded_sha256(encoded.path) != encoded.pcm_sha256:
        raise AssertionError("what was read back is not what was written")
    marks.append(time.perf_counter())
    labels = ["journal to timeline", "FLAC, SHA-256, peaks", "reading back"]
    figures = {
        f"{label}, × real time": seconds / (after - before)
        for label, before, after in zip(labels, marks, marks[1:], strict=False)
    }
    figures["all of it, × real time"] = seconds / (marks[-1] - marks[0])
    return figures


def _decoded_sha256(path: Path) -> str:
    import soundfile

    digest = hashlib.sha256()
    with soundfile.SoundFile(path) as sound:
        for block in sound.blocks(1 << 16, dtype="int16"):
            digest.update(block.tobytes())
    return digest.hexdigest()
