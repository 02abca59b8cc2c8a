"""The shipped handler `prompt`: plays a prompt of the library when a call begins."""

from collections.abc import Mapping
from typing import Any, Final

from streaming.handlers.interface import Handler, HeardAudio, Line, Saying

LEAST_PAUSE: Final = 1.0
PAUSE: Final = 5.0


class PromptPlayer(Handler):
    """Plays a prompt, and is silent then.

    Options: `prompt`, its name; `repeat`, how many times more, or true for as long as
    the call lasts; `pause_seconds` between two times.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        name, repeat = options.get("prompt"), options.get("repeat", 0)
        pause = options.get("pause_seconds", PAUSE)
        if not (isinstance(name, str) and name):
            raise ValueError("“prompt” must be the name of a prompt")
        if not isinstance(repeat, int) or repeat < 0:
            raise ValueError("“repeat” must be true, or how many times more")
        if not isinstance(pause, int | float) or pause < LEAST_PAUSE:
            raise ValueError(f"“pause_seconds” must be {LEAST_PAUSE:g} or more")
        self._name = name
        # How many times more; None: for ever.
        self._left = None if repeat is True else int(repeat)
        self._pause_us = int(pause * 1_000_000)
        self._over_us: int | None = None

    async def on_open(self, line: Line) -> None:
        """Play it. A prompt that is not there ends the handler, which is told."""
        self._line = line
        self._pcm = await line.prompt(self._name)
        self._saying: Saying = line.send_audio(self._pcm, name=self._name)

    async def on_audio(self, audio: HeardAudio) -> None:
        """Play it again, by the call's own clock."""
        if self._left == 0 or not self._saying.is_over:
            return
        if self._over_us is None:
            self._over_us = audio.stamp_us
        elif audio.stamp_us - self._over_us >= self._pause_us:
            self._over_us = None
            self._left = None if self._left is None else self._left - 1
            self._saying = self._line.send_audio(self._pcm, name=self._name)
