"""Bringing prompts to one loudness. Pure: samples in, samples out.

The measure is the active level: the RMS of the stretches in which something is said.
Of frames of 20 ms those count that are no more than 15 dB below the average of those
that count, so that pauses do not make a slow speaker quiet (ITU-T P.56 has the same
idea). What never exceeds -50 dBFS is silence. Levels are dBFS as in
`calls.audio.levels`.

The loudest samples are held at -1 dBFS by a limiter that looks ahead and lowers whole
waves, never cuts them. It lowers by 6 dB at most: what has sharper peaks than that
stays below the target.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from calls.audio.pcm import FULL_SCALE, Samples

Sound = npt.NDArray[np.float32]

TARGET_DBFS: Final = -20.0
CEILING_DBFS: Final = -1.0
SILENT_DBFS: Final = -50.0
# Quieter frames count in no case.
FAINTEST_DBFS: Final = -70.0
PAUSE_DB: Final = 15.0
# Each look leaves out more of the pauses; after so many there are none left.
LOOKS: Final = 4
MOST_LIMITING_DB: Final = 6.0
# Beyond it, noise would be raised with the voice.
MOST_GAIN_DB: Final = 30.0
FRAMES_PER_SECOND: Final = 50
# How far the limiter looks ahead and back.
LIMITER_SECONDS: Final = 0.005
# The same file gives the same samples, and the same checksum.
_SEED = 20_260_101


@dataclass(frozen=True, slots=True)
class Loudness:
    """How loud a sound is; `active_dbfs` is None if nothing is said in it."""

    active_dbfs: float | None
    peak_dbfs: float


def loudness(sound: Sound, rate: int) -> Loudness:
    """Measure a sound whose full scale is 1."""
    peak = float(np.abs(sound).max(initial=0.0))
    frame = rate // FRAMES_PER_SECOND
    whole = len(sound) - len(sound) % frame
    frames = sound[:whole].reshape(-1, frame)
    powers = np.einsum("ij,ij->i", frames, frames, dtype=np.float64) / frame
    if powers.max(initial=0.0) <= _power(SILENT_DBFS):
        return Loudness(None, _dbfs(peak))
    active = powers[powers > _power(FAINTEST_DBFS)]
    for _ in range(LOOKS):
        active = active[active > active.mean() * _power(-PAUSE_DB)]
    return Loudness(10 * math.log10(active.mean()), _dbfs(peak))


def gain_db(found: Loudness) -> float:
    """Return by how much a sound is raised or lowered to reach the target."""
    if found.active_dbfs is None:
        raise ValueError("silence has no level to bring to the target")
    room = CEILING_DBFS + MOST_LIMITING_DB - found.peak_dbfs
    return min(TARGET_DBFS - found.active_dbfs, room, MOST_GAIN_DB)


def levelled(sound: Sound, rate: int, gain: float) -> Sound:
    """Return a sound raised by `gain` dB, its peaks held at the ceiling."""
    raised = sound * np.float32(10 ** (gain / 20))
    ceiling = 10 ** (CEILING_DBFS / 20)
    needed = np.minimum(1.0, ceiling / np.maximum(np.abs(raised), 1e-9))
    if needed.min(initial=1.0) == 1.0:
        return raised
    limited: Sound = (raised * _smoothed(needed, rate)).astype(np.float32)
    return limited


def _smoothed(needed: "npt.NDArray[np.floating]", rate: int) -> Sound:
    """Return a gain that never exceeds `needed` and has no steps.

    The least of a window, averaged over a window as long: each average is made of
    values that are no more than what its middle needs.
    """
    reach = int(rate * LIMITER_SECONDS)
    least = np.pad(needed, 2 * reach, constant_values=1.0)
    width, window = 1, 2 * reach + 1
    while width < window:
        step = min(width, window - width)
        least = np.minimum(least[:-step], least[step:])
        width += step
    sums = np.cumsum(np.concatenate(([0.0], least)), dtype=np.float64)
    return ((sums[window:] - sums[:-window]) / window).astype(np.float32)


def to_16_bits(sound: Sound) -> Samples:
    """Return a sound as 16-bit samples.

    Triangular dither of two steps makes what rounding adds a faint hiss at -96 dBFS
    that does not follow the voice; without it, the end of a fade crackles.
    """
    noise = np.random.default_rng(_SEED)
    dither = noise.random(len(sound), np.float32) - noise.random(len(sound), np.float32)
    steps = np.rint(sound * np.float32(FULL_SCALE) + dither)
    return np.clip(steps, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def _power(dbfs: float) -> float:
    return float(10 ** (dbfs / 10))


def _dbfs(amplitude: float) -> float:
    return 20 * math.log10(max(amplitude, 1e-9))
