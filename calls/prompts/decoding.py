"""The process that turns a file that was sent into a prompt's audio. No Django.

    python -m calls.prompts.decoding SOURCE FOLDER MOST_SECONDS

Writes FOLDER/<rate>.flac for each rate of ACS and answers with one line of JSON on
stdout: `Prepared`, or `Faulty` and exit code 1. It limits its own memory, time and
files first, so whatever is in SOURCE can only end this process.
"""

import hashlib
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import soundfile

from calls.audio.pcm import FULL_SCALE, Samples, encode
from calls.prompts.levelling import (
    Sound,
    gain_db,
    levelled,
    loudness,
    to_16_bits,
)
from calls.prompts.reading import Fault, NotAPromptError, source_read

RATES: Final = (16_000, 24_000)
MOST_MEMORY: Final = 2 << 30
MOST_FILE: Final = 64 << 20
CPU_SECONDS: Final = 30


class Prepared(msgspec.Struct, tag="prepared", frozen=True, kw_only=True):
    """A prompt's audio as it was made. Checksums are of the 16-bit PCM, by rate."""

    format: str
    samples: dict[int, int]
    sha256: dict[int, str]
    level_before: float
    level_dbfs: float
    peak_dbfs: float


class Faulty(msgspec.Struct, tag="faulty", frozen=True):
    """Why there is no prompt."""

    fault: Fault


def prepare(source: Path, folder: Path, most_seconds: float) -> Prepared:
    """Write the FLACs of a sound file. Raises `NotAPromptError`."""
    read = source_read(source, RATES, most_seconds)
    finest = max(RATES)
    before = loudness(read.sounds[finest], finest)
    if before.active_dbfs is None:
        raise NotAPromptError(Fault.SILENT)
    gain = gain_db(before)
    made = {rate: _made(sound, rate, gain) for rate, sound in read.sounds.items()}
    for rate, samples in made.items():
        path = folder / f"{rate}.flac"
        soundfile.write(path, samples, rate, format="FLAC", subtype="PCM_16")
    heard = made[finest].astype(np.float32) / np.float32(FULL_SCALE)
    after = loudness(heard, finest)
    return Prepared(
        format=read.format,
        samples={rate: len(samples) for rate, samples in made.items()},
        sha256={
            rate: hashlib.sha256(encode(samples)).hexdigest()
            for rate, samples in made.items()
        },
        level_before=round(before.active_dbfs, 2),
        level_dbfs=round(after.active_dbfs or before.active_dbfs + gain, 2),
        peak_dbfs=round(after.peak_dbfs, 2),
    )


def _made(sound: Sound, rate: int, gain: float) -> Samples:
    return to_16_bits(levelled(sound, rate, gain))


def limits_set() -> None:
    """Let this process take only so much. Not every system knows every limit."""
    for kind, most in (
        (resource.RLIMIT_AS, MOST_MEMORY),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, MOST_FILE),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))


def main() -> int:
    """Decode one file into a prompt's audio, within limits."""
    limits_set()
    source, folder, most_seconds = sys.argv[1:]
    try:
        answer: Prepared | Faulty = prepare(
            Path(source), Path(folder), float(most_seconds)
        )
    except NotAPromptError as exc:
        answer = Faulty(exc.fault)
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    return 0 if isinstance(answer, Prepared) else 1


if __name__ == "__main__":
    sys.exit(main())
