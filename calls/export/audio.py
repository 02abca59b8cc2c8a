"""A recording's bytes as blocks, in the form somebody wants to keep.

Nothing here asks the database: blocks are read in whatever thread sends them.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from calls.models import Recording
from calls.storage import recording_open

BLOCK_BYTES = 256 * 1024
FRAMES = 32 * 1024
WAV_HEADER_BYTES = 44
# A WAV tells its length in 32 bits.
LARGEST_WAV = 0xFFFF_FFFF

Samples = npt.NDArray[np.int16]


class TooLongError(Exception):
    """Longer than a WAV file can be."""


class DamagedError(Exception):
    """A stored file is not what it was."""


def flac_blocks(recording: Recording) -> Iterator[bytes]:
    """Yield the stored FLAC as it is.

    Raises `DamagedError` at its end if it is not the file that was verified.
    """
    digest = hashlib.sha256()
    with recording_open(recording.audio) as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            yield block
    if digest.hexdigest() != recording.audio_sha256:
        raise DamagedError("its bytes are not those that were verified")


def wav_bytes(samples: int, channels: int = 1) -> int:
    """Return how large a 16-bit WAV of `samples` per channel is."""
    return WAV_HEADER_BYTES + 2 * channels * samples


def wav_header(samples: int, rate: int, channels: int = 1) -> bytes:
    """Return the 44 bytes that begin a 16-bit PCM WAV; see `TooLongError`."""
    size = 2 * channels * samples
    if size + WAV_HEADER_BYTES > LARGEST_WAV:
        raise TooLongError("longer than a WAV file can be; take the FLAC")
    riff = struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE")
    width = 2 * channels
    form = struct.pack(
        "<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * width, width, 16
    )
    return riff + form + struct.pack("<4sI", b"data", size)


def wav_blocks(recording: Recording) -> Iterator[bytes]:
    """Yield a 16-bit mono WAV of a recording, decoded block by block."""
    header = wav_header(recording.samples, recording.sample_rate)
    with (
        recording_open(recording.audio) as file,
        soundfile.SoundFile(file) as sound,
    ):
        yield header
        for block in sound.blocks(FRAMES, dtype="int16"):
            yield cast(Samples, block).astype("<i2", copy=False).tobytes()


def stereo_samples(sides: Sequence[Recording]) -> tuple[int, int]:
    """Return length and rate of a stereo file of two recordings of one call."""
    rate = max(side.sample_rate for side in sides)
    origin = min(side.origin_us for side in sides)
    ends = [
        _lead(side, origin, rate) + -(-side.samples * rate // side.sample_rate)
        for side in sides
    ]
    return max(ends), rate


def stereo_blocks(sides: Sequence[Recording]) -> Iterator[bytes]:
    """Yield a 16-bit stereo WAV: the first recording left, the second right.

    They begin when each of them began in the call; what is missing is silence.
    """
    length, rate = stereo_samples(sides)
    origin = min(side.origin_us for side in sides)
    header = wav_header(length, rate, channels=2)
    channels = [_Channel(side, origin, rate) for side in sides]
    first = [channel.take(min(FRAMES, length)) for channel in channels]
    yield header
    done = 0
    while done < length:
        frames = min(FRAMES, length - done)
        taken = first if not done else [channel.take(frames) for channel in channels]
        yield np.column_stack(taken).astype("<i2", copy=False).tobytes()
        done += frames


def _lead(side: Recording, origin_us: int, rate: int) -> int:
    return round((side.origin_us - origin_us) * rate / 1_000_000)


class _Channel:
    """One side of a stereo file, from which as many samples come as are asked for."""

    def __init__(self, side: Recording, origin_us: int, rate: int) -> None:
        self._blocks = _aligned(side, _lead(side, origin_us, rate), rate)
        self._rest = np.zeros(0, dtype=np.int16)

    def take(self, samples: int) -> Samples:
        """Return the next `samples`; zeros where there are no more."""
        parts, missing = [self._rest], samples - len(self._rest)
        while missing > 0 and (block := next(self._blocks, None)) is not None:
            parts.append(block)
            missing -= len(block)
        if missing > 0:
            parts.append(np.zeros(missing, dtype=np.int16))
        joined = np.concatenate(parts)
        self._rest = joined[samples:]
        return joined[:samples]


def _aligned(side: Recording, lead: int, rate: int) -> Iterator[Samples]:
    """Yield silence up to a recording's beginning, then it, at `rate`."""
    while lead > 0:
        yield np.zeros(min(lead, FRAMES), dtype=np.int16)
        lead -= FRAMES
    with recording_open(side.audio) as file, soundfile.SoundFile(file) as sound:
        blocks = (cast(Samples, one) for one in sound.blocks(FRAMES, dtype="int16"))
        if side.sample_rate == rate:
            yield from blocks
            return
        stream = soxr.ResampleStream(side.sample_rate, rate, 1, dtype="int16")
        for block in blocks:
            yield stream.resample_chunk(block)
        yield stream.resample_chunk(np.zeros(0, dtype=np.int16), last=True)
