"""The one audio format of the project: 16-bit signed little-endian PCM, mono.

Positions and lengths are whole samples everywhere. Times are whole microseconds:
20 ms at 16 kHz is 320 samples and 20 000 µs, and both stay exact over a day.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

BYTES_PER_SAMPLE = 2
SLOTS_PER_SECOND = 50
SLOT_US = 1_000_000 // SLOTS_PER_SECOND
FULL_SCALE = 32_768

_WIRE = np.dtype("<i2")


def slot_samples(rate: int) -> int:
    """Samples in one 20 ms slot: 320 at 16 kHz, 480 at 24 kHz.

    ValueError if a slot at `rate` would be empty.
    """
    if rate < SLOTS_PER_SECOND:
        raise ValueError(f"{rate} samples per second")
    return rate // SLOTS_PER_SECOND


def samples_to_us(samples: int, rate: int) -> int:
    """How long `samples` last, in µs, rounded to the nearest."""
    return (samples * 2_000_000 + rate) // (2 * rate)


def us_to_samples(microseconds: int, rate: int) -> int:
    """How many samples lie in `microseconds`, rounded to the nearest."""
    return (microseconds * rate + 500_000) // 1_000_000


def decode(pcm: bytes | bytearray | memoryview) -> Samples:
    """The samples of `pcm`, read-only where `pcm` is. ValueError if half a sample."""
    return np.frombuffer(pcm, _WIRE).astype(np.int16, copy=False)


def encode(samples: Samples) -> bytes:
    """`samples` as bytes on the wire."""
    return samples.astype(_WIRE, copy=False).tobytes()


def silence(samples: int) -> bytes:
    """Digital silence."""
    return bytes(samples * BYTES_PER_SAMPLE)


def mix(tracks: Sequence[Samples]) -> Samples:
    """The sum of `tracks`, all starting at sample 0, as long as the longest.

    Sums that do not fit 16 bits are cut at full scale. Nothing is attenuated: one
    speaker alone sounds in the mix exactly as on her own track.
    """
    length = max((len(track) for track in tracks), default=0)
    total = np.zeros(length, np.int32)
    for track in tracks:
        total[: len(track)] += track
    return np.clip(total, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
