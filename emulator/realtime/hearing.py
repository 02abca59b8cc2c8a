"""Turn detection: when the caller begins and ends to speak, by loudness."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from emulator.realtime.voice import RATE

FRAME_MS: Final = 20
FRAME_BYTES: Final = RATE * FRAME_MS // 1000 * 2
# RMS of 16-bit samples above which a frame is speech (about -38 dBFS).
LOUD: Final = 400.0
# So many loud frames in a row are speech, not a click.
BEGIN_FRAMES: Final = 3


@dataclass(frozen=True, slots=True)
class Heard:
    """The caller began or ended to speak, in ms of all audio heard."""

    what: Literal["started", "stopped"]
    at_ms: int


class Hearing:
    """Hears audio as it comes, in pieces of any size."""

    def __init__(self, *, padding_ms: int = 300, silence_ms: int = 500) -> None:
        self.padding_ms = padding_ms
        self.silence_ms = silence_ms
        self.is_speech = False
        self._rest = bytearray()
        self._frames = 0
        self._loud = 0
        self._quiet = 0

    def hear(self, pcm: bytes) -> Iterator[Heard]:
        """Take audio; yield what it tells."""
        self._rest += pcm
        while len(self._rest) >= FRAME_BYTES:
            frame = bytes(self._rest[:FRAME_BYTES])
            del self._rest[:FRAME_BYTES]
            self._frames += 1
            heard = self._frame(frame)
            if heard is not None:
                yield heard

    def _frame(self, frame: bytes) -> Heard | None:
        samples = np.frombuffer(frame, dtype="<i2").astype(np.float64)
        is_loud = float(np.sqrt(np.mean(samples**2))) > LOUD
        self._loud = self._loud + 1 if is_loud else 0
        self._quiet = 0 if is_loud else self._quiet + 1
        now_ms = self._frames * FRAME_MS
        if not self.is_speech and self._loud >= BEGIN_FRAMES:
            self.is_speech = True
            began_ms = now_ms - self._loud * FRAME_MS
            return Heard("started", max(0, began_ms - self.padding_ms))
        if self.is_speech and self._quiet * FRAME_MS >= self.silence_ms:
            self.is_speech = False
            return Heard("stopped", now_ms)
        return None
