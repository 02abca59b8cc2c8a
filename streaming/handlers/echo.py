"""The shipped handler `echo`: what is heard comes back, to hear that a line works."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from calls.audio.pcm import decode, encode
from streaming.handlers.interface import Handler, HeardAudio, Line, Saying
from streaming.handlers.mixing import Mixer
from streaming.protocol import MIXED

# What waits to be heard is never older than this: after a stall an echo catches up.
MAX_BEHIND_MS: Final = 120
# Mixed audio may have our own in it. Then each round trip must lose something, or the
# call howls; at half the amplitude an echo of an echo is gone after fifteen.
MIXED_GAIN_DB: Final = -6.1
# After so much silence others may speak; the next sound is another echo.
SILENCE_MS: Final = 400


class Echo(Handler):
    """Sends back what everybody in the call says, mixed together.

    Option `gain_db`, at most 0: how much louder it comes back. In mixed audio that is
    never more than half the amplitude, whatever the option says.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        gain = options.get("gain_db", 0.0)
        if isinstance(gain, bool) or not isinstance(gain, int | float) or gain > 0:
            raise ValueError("“gain_db” must be a number, at most 0")
        self._gain_db = float(gain)
        self._mixer = Mixer()
        self._saying: Saying | None = None
        self._written = self._silent_ms = 0

    async def on_open(self, line: Line) -> None:
        """Have nothing to say so far."""
        self._line = line

    async def on_audio(self, audio: HeardAudio) -> None:
        """Send back what was heard, once all who speak are in it."""
        is_mixed = audio.raw_id == MIXED
        gain = min(self._gain_db, MIXED_GAIN_DB) if is_mixed else self._gain_db
        samples = decode(audio.pcm)
        if gain:
            # Towards zero, so that what dies away is silence in the end.
            samples = np.trunc(samples * 10 ** (gain / 20)).astype(np.int16)
        for whole in self._mixer.take(audio.raw_id, audio.stamp_us, samples):
            self._say(encode(whole))

    def _say(self, pcm: bytes) -> None:
        milliseconds = len(pcm) * 500 // self._line.rate
        self._silent_ms = 0 if any(pcm) else self._silent_ms + milliseconds
        if self._silent_ms > SILENCE_MS:
            self._finish()
            return
        saying = self._saying
        if saying is None or saying.is_over:
            # Nothing yet, or somebody stopped it.
            saying = self._saying = self._line.begin_audio(name="echo")
            self._written = 0
        if self._written * 500 // self._line.rate - saying.played_ms <= MAX_BEHIND_MS:
            self._written += saying.write(pcm)

    def _finish(self) -> None:
        if self._saying is not None:
            self._saying.finish()
            self._saying = None

    async def on_close(self, reason: str) -> None:
        """End."""
        self._finish()
