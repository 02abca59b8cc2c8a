"""How loud a track is: RMS, peak and clipped samples.

Levels are dBFS with the digital maximum as reference, as dBov in telephony (ITU-T
G.100.1, RFC 6464) and as ffmpeg and SoX print them: a full-scale square wave reads
0 dBFS, a full-scale sine -3.01 dBFS RMS and 0 dBFS peak. AES17 meters, whose
reference is the sine, show 3.01 dB more RMS. Nothing reads above 0. Silence reads
`FLOOR_DBFS`, a number, so that averages, thresholds and JSON need no special case.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, Self, TypedDict

import numpy as np

from calls.audio.pcm import FULL_SCALE, Samples, decode

# 20 log10(2 ** -16): where 16 bits end.
FLOOR_DBFS = -96.33

# Squares are at most 2 ** 30, so up to 2 ** 22 of them sum up below 2 ** 53: exact in
# a float. So few stay in the processor's cache, and OpenBLAS does not share the work
# among threads, whose waking takes far longer than the work.
_BLOCK = 1 << 13
# Packets kept before they are measured: five seconds of them.
_MOST_WAITING = 250


class Level(NamedTuple):
    """How loud a stretch of audio was. An empty stretch was silent."""

    rms_dbfs: float
    peak_dbfs: float
    clipped: int
    """Samples at the digital maximum or minimum."""


class SumsJson(TypedDict):
    """Sums as they are stored."""

    count: int
    squares: int
    peak: int
    clipped: int


class MeterJson(TypedDict):
    """A meter as it is stored."""

    block: SumsJson
    taken: SumsJson


@dataclass(slots=True)
class _Sums:
    """Exact sums over samples: in what portions they came does not matter."""

    count: int = 0
    squares: int = 0
    peak: int = 0
    clipped: int = 0

    def add(self, samples: Samples) -> None:
        if not len(samples):
            return
        low, high = int(samples.min()), int(samples.max())
        self.count += len(samples)
        self.peak = max(self.peak, -low, high)
        if low == -FULL_SCALE or high == FULL_SCALE - 1:
            at_limit = (samples == -FULL_SCALE) | (samples == FULL_SCALE - 1)
            self.clipped += int(np.count_nonzero(at_limit))
        for start in range(0, len(samples), _BLOCK):
            block = samples[start : start + _BLOCK].astype(np.float64)
            self.squares += int(block @ block)

    def plus(self, other: "_Sums") -> "_Sums":
        return _Sums(
            self.count + other.count,
            self.squares + other.squares,
            max(self.peak, other.peak),
            self.clipped + other.clipped,
        )

    def level(self) -> Level:
        rms = math.sqrt(self.squares / self.count) if self.count else 0.0
        return Level(_dbfs(rms), _dbfs(self.peak), self.clipped)

    def to_json(self) -> SumsJson:
        return {
            "count": self.count,
            "squares": self.squares,
            "peak": self.peak,
            "clipped": self.clipped,
        }


class LevelMeter:
    """Levels of the last block and of the whole track.

    `add` only keeps a reference, so it is cheap enough for every packet; the
    arithmetic happens over many packets at once.
    """

    __slots__ = ("_block", "_taken", "_waiting")

    def __init__(self) -> None:
        self._waiting: list[bytes | memoryview] = []
        self._block = _Sums()
        self._taken = _Sums()

    def add(self, pcm: bytes | memoryview) -> None:
        """Add whole samples. The buffer must not change until the next `take`."""
        self._waiting.append(pcm)
        if len(self._waiting) >= _MOST_WAITING:
            self._measure()

    def _measure(self) -> None:
        self._block.add(decode(b"".join(self._waiting)))
        self._waiting.clear()

    def take(self) -> Level:
        """Return the level of everything added since the last `take`."""
        self._measure()
        block = self._block
        self._taken = self._taken.plus(block)
        self._block = _Sums()
        return block.level()

    @property
    def total(self) -> Level:
        """The level of everything ever added."""
        self._measure()
        return self._taken.plus(self._block).level()

    def state(self) -> MeterJson:
        """Return what `restore` needs to go on elsewhere, as JSON."""
        self._measure()
        return {"block": self._block.to_json(), "taken": self._taken.to_json()}

    @classmethod
    def restore(cls, state: MeterJson) -> Self:
        """Return the meter that `state()` described."""
        meter = cls()
        meter._block = _Sums(**state["block"])
        meter._taken = _Sums(**state["taken"])
        return meter


def measure(samples: Samples) -> Level:
    """The level of `samples`."""
    sums = _Sums()
    sums.add(samples)
    return sums.level()


def _dbfs(amplitude: float) -> float:
    if amplitude <= 0:
        return FLOOR_DBFS
    return max(20 * math.log10(amplitude / FULL_SCALE), FLOOR_DBFS)
