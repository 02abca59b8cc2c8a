"""How much faster than real time a call is finished, per core.

    python -m benchmarks.scratch benchmarks.finishing [--minutes 10] [--profile]

The real `calls.finishing.call_finish` makes verified recordings of a sealed journal,
with storage and database, of a call with one speaker and of one with two and their mix.
Beside it stands what no recorder can save: FLAC encoding and decoding, SHA-256 and
peaks of the same audio, by themselves.

× real time is seconds of speech received, of all speakers together, ÷ seconds of CPU,
all threads of the process. The mix of two speakers is made too and counts as nothing.
"""

import argparse
import cProfile
import hashlib
import io
import json
import pstats
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import django
import numpy as np
import numpy.typing as npt
import soundfile

django.setup()

from django.conf import settings  # noqa: E402 after setup

from calls.audio.peaks import PeakBuilder  # noqa: E402 after setup
from calls.finishing import call_finish  # noqa: E402 after setup
from calls.journals.reading import JournalHeader  # noqa: E402 after setup
from calls.models import Call, Recording  # noqa: E402 after setup
from streaming.journal import JournalWriter  # noqa: E402 after setup

RATE = 16_000
SLOT = RATE // 50
Speech = npt.NDArray[np.int16]
BLOCK = 1 << 16
SPEAKERS = ("4:+12065550100", "8:acs:benchmark")


def main() -> int:
    """Print the figures as one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--profile", action="store_true", help="where it goes")
    options = parser.parse_args()
    seconds = options.minutes * 60
    speech = [noise(number, seconds) for number in range(len(SPEAKERS))]
    figures = yardstick(speech[0], seconds)
    # Once before: imports and the first connection are no part of it.
    finished([speech[0][: RATE * 10]])
    figures["one speaker, the whole of it"] = finished(speech[:1])
    figures["two speakers and their mix, the whole of it"] = finished(speech)
    if options.profile:
        profile = cProfile.Profile()
        finished(speech, profile.runcall)
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(25)
    sys.stdout.write(json.dumps(figures) + "\n")
    return 0


def noise(seed: int, seconds: int) -> Speech:
    """Return noise that swells and fades as speech does."""
    source = np.random.default_rng(seed)
    loudness = 2000 * np.abs(np.sin(np.arange(seconds * 50) / 60))
    samples = source.standard_normal((seconds * 50, SLOT)) * loudness[:, None]
    shaped: Speech = samples.astype("<i2").reshape(-1)
    return shaped


def yardstick(speech: Speech, seconds: int) -> dict[str, float]:
    """Return × real time of what must be done, each by itself, and together."""
    blocks = [speech[at : at + BLOCK] for at in range(0, len(speech), BLOCK)]
    content = io.BytesIO()
    spent = {
        "FLAC encoding": cpu(lambda: encode(content, blocks)),
        "FLAC decoding": cpu(lambda: decode(content)),
        "SHA-256": cpu(lambda: hashed(blocks)),
        "peaks": cpu(lambda: peaks(blocks)),
    }
    figures = {f"{name} alone": seconds / cost for name, cost in spent.items()}
    figures["all four, the audio hashed once"] = seconds / sum(spent.values())
    return figures


def encode(content: io.BytesIO, blocks: list[Speech]) -> None:
    """Write FLAC into memory."""
    with soundfile.SoundFile(
        content, "w", samplerate=RATE, channels=1, format="FLAC", subtype="PCM_16"
    ) as sound:
        for block in blocks:
            sound.write(block)


def decode(content: io.BytesIO) -> None:
    """Read it back."""
    content.seek(0)
    with soundfile.SoundFile(content) as sound:
        for _ in sound.blocks(BLOCK, dtype="int16"):
            pass


def hashed(blocks: list[Speech]) -> str:
    """Return the PCM's SHA-256."""
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block.tobytes())
    return digest.hexdigest()


def peaks(blocks: list[Speech]) -> None:
    """Find the peaks of the waveform."""
    builder = PeakBuilder(RATE)
    for block in blocks:
        builder.add(block)
    builder.finish()


def cpu(work: Callable[[], object]) -> float:
    """Return the seconds of CPU that work took, in all threads."""
    began = time.process_time()
    work()
    return max(time.process_time() - began, 1e-9)


def finished(
    speech: list[Speech], through: Callable[..., object] = lambda work: work()
) -> float:
    """Finish a call of these speakers, run `through` a profiler; return × real time."""
    call = Call.objects.create(
        connection_id=f"bench-{uuid4()}", state="ended", ended_at=datetime.now(UTC)
    )
    journal_write(call.pk, speech)
    cost = cpu(lambda: through(partial(call_finish, call.pk)))
    recordings = Recording.objects.filter(call=call, track__isnull=False)
    stored = sum(one.samples for one in recordings)
    if stored != sum(map(len, speech)):
        raise AssertionError(f"{stored} samples were stored, other than were spoken")
    return stored / RATE / cost


def journal_write(call_id: UUID, speech: list[Speech]) -> None:
    """Write the sealed journal of one socket on which these speakers were heard."""
    opened_at = datetime.now(UTC) - timedelta(hours=2)
    writer = JournalWriter(settings.JOURNAL_DIR)
    journal = writer.open(
        JournalHeader(
            call_id=call_id,
            connection_id=uuid4(),
            call_connection_id=str(call_id),
            correlation_id=None,
            opened_at=opened_at,
            node=settings.NODE,
            pid=0,
            software="benchmark",
        )
    )
    journal.metadata(
        '{"kind":"AudioMetadata","audioMetadata":{"subscriptionId":"s",'
        f'"encoding":"PCM","sampleRate":{RATE},"channels":1,"length":640}}}}',
        0,
    )
    indexes = [journal.participant(raw_id) for raw_id in SPEAKERS[: len(speech)]]
    start = round(opened_at.timestamp() * 1e6)
    packets = [one.tobytes() for one in speech]
    for slot in range(len(speech[0]) // SLOT):
        at = slot * 20_000
        for index, pcm in zip(indexes, packets, strict=True):
            piece = pcm[slot * SLOT * 2 : (slot + 1) * SLOT * 2]
            journal.audio(index, start + at, at, piece, silent=False)
    journal.seal(1000, "", {}).result(timeout=60)
    writer.close()


if __name__ == "__main__":
    sys.exit(main())
