"""When somebody begins to speak: by loudness above the line's own noise. Pure.

Frames of 20 ms are loud or not: `margin_db` above the noise floor, and above
`least_dbfs` whatever the floor. Three loud ones more than quiet ones (60 ms) are the
beginning of speech, so that a click of up to 20 ms is none; it has ended once nothing
was loud for `hangover_ms`. The floor is the quietest frame of the last two
seconds: it follows a line that grows noisy within two seconds, one that grows quiet at
once. What is loud from its very first frame on is taken for noise until it was quieter
once: speech is within a tenth of a second or two, noise is not.
"""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from calls.audio.levels import FLOOR_DBFS
from calls.audio.pcm import FULL_SCALE

# The floor is known per tenth of a second, over two seconds.
_BUCKET_FRAMES: Final = 5
_BUCKETS: Final = 20
_FRAMES_PER_SECOND: Final = 50


@dataclass(frozen=True, slots=True)
class SpeechOptions:
    """From where on loud is speech. The names are those of a handler's options."""

    margin_db: float = 9.0
    least_dbfs: float = -45.0
    onset_ms: float = 60.0
    hangover_ms: float = 300.0

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """Read `options["speech"]`. Raises `ValueError` if it makes no sense."""
        given = options.get("speech", {})
        if not isinstance(given, Mapping):
            raise ValueError("“speech” must be an object of names and numbers")
        for name, value in given.items():
            if name not in cls.__slots__:
                raise ValueError(f"“speech” knows no “{name}”")
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"“{name}” of “speech” must be a number")
        return cls(**given)


class SpeechDetector:
    """Hears one participant, frame by frame."""

    def __init__(self, rate: int, options: SpeechOptions | None = None) -> None:
        options = options or SpeechOptions()
        self.is_speaking = False
        self._frame_ms = 1000 / _FRAMES_PER_SECOND
        self._rate = rate
        self._options = options
        self._score = 0.0
        self._quiet_ms = 0.0
        # The quietest frame of each tenth of a second, the newest last.
        self._minima: deque[float] = deque(maxlen=_BUCKETS)
        self._in_bucket = _BUCKET_FRAMES

    @property
    def floor_dbfs(self) -> float:
        """Return how loud the line is when nobody speaks, as far as is known."""
        return min(self._minima, default=FLOOR_DBFS)

    def take(self, pcm: bytes) -> bool:
        """Hear a frame. True if speech begins with it."""
        level = level_dbfs(pcm)
        milliseconds = len(pcm) / 2 * 1000 / self._rate
        is_loud = self._is_loud(level)
        self._learn(level)
        return self._step(milliseconds, is_loud=is_loud)

    def _is_loud(self, level: float) -> bool:
        if level < self._options.least_dbfs:
            return False
        return bool(self._minima) and level >= self.floor_dbfs + self._options.margin_db

    def _learn(self, level: float) -> None:
        if self._in_bucket == _BUCKET_FRAMES:
            self._in_bucket = 0
            self._minima.append(level)
        elif level < self._minima[-1]:
            self._minima[-1] = level
        self._in_bucket += 1

    def _step(self, milliseconds: float, *, is_loud: bool) -> bool:
        if is_loud:
            self._quiet_ms = 0.0
            self._score += milliseconds
        else:
            self._quiet_ms += milliseconds
            self._score = max(self._score - milliseconds, 0.0)
        if self.is_speaking:
            if self._quiet_ms >= self._options.hangover_ms:
                self.is_speaking, self._score = False, 0.0
            return False
        # Frames are 20 ms, but for rounding.
        self.is_speaking = self._score >= self._options.onset_ms - 1
        return self.is_speaking


def level_dbfs(pcm: bytes) -> float:
    """Return the level of whole 16-bit samples, hum and offset below 50 Hz left out.

    `FLOOR_DBFS` for silence or nothing.
    """
    samples = np.frombuffer(pcm, "<i2").astype(np.float32)
    if not len(samples):
        return FLOOR_DBFS
    samples -= samples.mean()
    power = float(samples @ samples) / len(samples) / FULL_SCALE**2
    return max(10 * math.log10(power), FLOOR_DBFS) if power else FLOOR_DBFS
