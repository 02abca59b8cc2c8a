"""Sample rates without seams: a stream in pieces is what it is as a whole."""

from typing import Final

import numpy as np
import numpy.typing as npt
import soxr

# The only rate of PCM that the service takes and gives.
SERVICE_RATE: Final = 24_000
# Holds back 17 ms; "VHQ" would hold back 56.
QUALITY: Final = "HQ"


class Resampler:
    """Converts a stream of 16-bit mono PCM between two rates, piece by piece."""

    def __init__(self, source: int, target: int) -> None:
        self._stream = None
        if source != target:
            # As floats: the resampler of integers dithers, and silence would hiss.
            self._stream = soxr.ResampleStream(
                source, target, 1, dtype="float32", quality=QUALITY
            )

    def convert(self, pcm: bytes, *, is_last: bool = False) -> bytes:
        """Return what is ready of the stream, after one more piece of it."""
        if self._stream is None:
            return pcm
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32)
        return _rounded(self._stream.resample_chunk(samples, last=is_last))


def resampled(pcm: bytes, source: int, target: int) -> bytes:
    """Return whole audio at another rate."""
    return Resampler(source, target).convert(pcm, is_last=True)


def _rounded(samples: npt.NDArray[np.float32]) -> bytes:
    whole: bytes = np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes()
    return whole
