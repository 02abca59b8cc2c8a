"""A recording's bytes as blocks, in the form somebody wants to keep.

Nothing here asks the database: blocks are read in whatever thread sends them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import chain

from calls.downloads import encoding
from calls.downloads.encoding import WAV_MOST, Frames, wav_size
from calls.downloads.stereo import STEREO, Stereo, decoded
from calls.models import Recording
from calls.storage import recording_open

BLOCK_BYTES = 256 * 1024


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


def wav_header(samples: int, rate: int, channels: int = 1) -> bytes:
    """Return the 44 bytes that begin a 16-bit PCM WAV; see `TooLongError`."""
    if wav_size(samples, channels) > WAV_MOST:
        raise TooLongError("longer than a WAV file can be; take the FLAC")
    return encoding.wav_header(samples, rate, channels)


def wav_blocks(recording: Recording) -> Iterator[bytes]:
    """Yield a 16-bit mono WAV of a recording, decoded block by block."""
    return _wav(decoded(recording), recording.samples, recording.sample_rate)


def stereo_blocks(stereo: Stereo) -> Iterator[bytes]:
    """Yield a 16-bit stereo WAV, which begins at the zero of the call's clock."""
    return _wav(stereo.frames(), stereo.samples, stereo.rate, STEREO)


def _wav(
    frames: Iterator[Frames], samples: int, rate: int, channels: int = 1
) -> Iterator[bytes]:
    """Yield a WAV: what cannot be read fails before its header is sent."""
    header = wav_header(samples, rate, channels)
    first = next(frames, None)
    yield header
    for block in chain(() if first is None else (first,), frames):
        yield block.astype("<i2", copy=False).tobytes()
