"""Waveforms for the browser: the lowest and highest sample of each short bucket.

The stored forms are those of the BBC's audiowaveform, version 2, which wavesurfer.js
and peaks.js read. JSON has `version, channels, sample_rate, samples_per_pixel, bits,
length, data`, where `data` is min, max, min, max, … and `length` counts pairs. Binary
is six little-endian 32-bit numbers (version, flags with 1 for 8 bits, sample rate,
samples per pixel, length, channels), then the same data.
"""

import struct
from dataclasses import dataclass
from typing import Literal, Self, TypedDict

import numpy as np
import numpy.typing as npt

from calls.audio.pcm import Samples

_HEADER = struct.Struct("<iIiiIi")
_VERSION = 2
_EIGHT_BITS = 1


class PeaksJson(TypedDict):
    """audiowaveform's version-2 JSON."""

    version: int
    channels: int
    sample_rate: int
    samples_per_pixel: int
    bits: int
    length: int
    data: list[int]


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """The waveform of a track: row i is (min, max) of pixel i.

    `pairs` is int16 of shape (length, 2). The last pixel may cover fewer samples.
    """

    rate: int
    samples_per_pixel: int
    pairs: Samples

    def __len__(self) -> int:
        return len(self.pairs)

    def resample(self, pixels: int) -> "Peaks":
        """The same waveform in at most `pixels` pixels (1 or more), for a zoom.

        Pixels are joined by a whole factor, so each still covers a whole number of
        samples and the time axis stays exact. Nothing is averaged away: the loudest
        sample of an hour shows in one pixel of it.
        """
        if pixels < 1:
            raise ValueError(f"a waveform of {pixels} pixels")
        factor = max(-(-len(self.pairs) // pixels), 1)
        joined = _reduce(self.pairs[:, 0], self.pairs[:, 1], factor)
        return Peaks(self.rate, self.samples_per_pixel * factor, joined)

    def _scaled(self, bits: Literal[8, 16]) -> npt.NDArray[np.int8] | Samples:
        if bits == 16:
            return self.pairs
        # Rounded outwards: a whisper must not be drawn as digital silence.
        wide = self.pairs.astype(np.int32)
        wide[:, 0] //= 256
        wide[:, 1] = np.minimum(-(-wide[:, 1] // 256), 127)
        return wide.astype(np.int8)

    def to_json(self, bits: Literal[8, 16] = 8) -> PeaksJson:
        """audiowaveform's JSON; 8 bits are enough for a screen."""
        return {
            "version": _VERSION,
            "channels": 1,
            "sample_rate": self.rate,
            "samples_per_pixel": self.samples_per_pixel,
            "bits": bits,
            "length": len(self.pairs),
            "data": self._scaled(bits).ravel().tolist(),
        }

    def to_bytes(self, bits: Literal[8, 16] = 16) -> bytes:
        """audiowaveform's binary form."""
        flags = _EIGHT_BITS if bits == 8 else 0
        header = _HEADER.pack(
            _VERSION, flags, self.rate, self.samples_per_pixel, len(self.pairs), 1
        )
        dtype = "<i1" if bits == 8 else "<i2"
        return header + self._scaled(bits).astype(dtype).tobytes()

    @classmethod
    def from_bytes(cls, stored: bytes) -> Self:
        """What `to_bytes` wrote; 8-bit peaks come back in steps of 256.

        ValueError if it is not a version-2 waveform of one channel, or cut short.
        """
        if len(stored) < _HEADER.size:
            raise ValueError("a waveform without its header")
        version, flags, rate, per_pixel, length, channels = _HEADER.unpack_from(stored)
        if (version, channels) != (_VERSION, 1):
            raise ValueError(f"a waveform of version {version}, {channels} channels")
        dtype = np.dtype("<i1" if flags & _EIGHT_BITS else "<i2")
        if len(stored) != _HEADER.size + 2 * length * dtype.itemsize:
            raise ValueError(f"a waveform of {length} pixels in {len(stored)} bytes")
        data = np.frombuffer(stored, dtype, offset=_HEADER.size).astype(np.int16)
        if flags & _EIGHT_BITS:
            data *= 256
        return cls(rate, per_pixel, data.reshape(-1, 2))


class PeakBuilder:
    """Builds a waveform while the audio comes by, in any portions."""

    def __init__(self, rate: int, per_second: int = 100) -> None:
        """`per_second` pixels per second; it must divide `rate`."""
        if per_second < 1 or rate % per_second:
            raise ValueError(f"{per_second} pixels per second do not divide {rate}")
        self._rate = rate
        self._per_pixel = rate // per_second
        self._rest = np.empty(0, np.int16)
        self._done: list[Samples] = []

    def add(self, samples: Samples) -> None:
        """Add the next samples of the track."""
        if len(self._rest):
            samples = np.concatenate((self._rest, samples))
        whole = len(samples) - len(samples) % self._per_pixel
        if whole:
            pixels = samples[:whole].reshape(-1, self._per_pixel)
            self._done.append(np.stack((pixels.min(1), pixels.max(1)), axis=1))
        # A copy: a view would keep the caller's whole block alive.
        self._rest = samples[whole:].copy()

    def finish(self) -> Peaks:
        """The waveform; a rest shorter than a pixel becomes the last pixel."""
        done = list(self._done)
        if len(self._rest):
            done.append(_reduce(self._rest, self._rest, len(self._rest)))
        pairs = np.concatenate(done) if done else np.empty((0, 2), np.int16)
        return Peaks(self._rate, self._per_pixel, pairs)


def _reduce(lows: Samples, highs: Samples, factor: int) -> Samples:
    """(min, max) of each `factor` neighbours, the last of what is left."""
    starts = np.arange(0, len(lows), factor)
    return (
        np.stack(
            (np.minimum.reduceat(lows, starts), np.maximum.reduceat(highs, starts)),
            axis=1,
        )
        if len(starts)
        else np.empty((0, 2), np.int16)
    )
