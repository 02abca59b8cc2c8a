"""Handlers of all characters, to be named by a profile."""

import asyncio
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from streaming.handlers import Handler, HeardAudio, Line


class Note(Handler):
    """Notes what it hears. The one made last is `Note.made[-1]`."""

    made: ClassVar[list["Note"]] = []

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self.heard: list[HeardAudio] = []
        self.tones: list[tuple[str, str]] = []
        self.closed: list[str] = []
        Note.made.append(self)

    async def on_open(self, line: Line) -> None:
        self.line = line

    async def on_audio(self, audio: HeardAudio) -> None:
        self.heard.append(audio)

    async def on_dtmf(self, tone: str, raw_id: str) -> None:
        self.tones.append((tone, raw_id))

    async def on_close(self, reason: str) -> None:
        self.closed.append(reason)


class Crashes(Note):
    async def on_audio(self, audio: HeardAudio) -> None:
        await super().on_audio(audio)
        if len(self.heard) == 10:
            raise RuntimeError("+12065550100 said 4711")


class Writes(Note):
    """Writes down that somebody is heard, once."""

    async def on_audio(self, audio: HeardAudio) -> None:
        if not audio.is_silent and not self.heard:
            self.heard.append(audio)
            self.line.transcript(
                number=0,
                raw_id=audio.raw_id,
                text="I want a refund.",
                start_us=self.line.now_us(),
            )


class Exits(Note):
    async def on_audio(self, audio: HeardAudio) -> None:
        sys.exit(3)


class Waits(Note):
    """Never returns from its first packet."""

    async def on_audio(self, audio: HeardAudio) -> None:
        await super().on_audio(audio)
        await asyncio.Event().wait()


class Lingers(Note):
    """Fails only at its very end."""

    async def on_close(self, reason: str) -> None:
        await super().on_close(reason)
        raise RuntimeError("4711")


class Blocks(Note):
    async def on_audio(self, audio: HeardAudio) -> None:
        await super().on_audio(audio)
        if len(self.heard) == 5:
            time.sleep(0.3)  # noqa: ASYNC251 what one must not do


class Floods(Note):
    """Says, and writes, more than anybody could take."""

    async def on_audio(self, audio: HeardAudio) -> None:
        await super().on_audio(audio)
        for number in range(20):
            self.line.report(f"trouble {len(self.heard)} {number}")
            self.line.send_audio(bytes(64_000))
            self.line.transcript(
                number=number, raw_id="us", text="words", start_us=audio.stamp_us
            )


class Fussy(Note):
    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        raise ValueError("“language” is missing")


class Heavy(Note):
    """Takes long to be made."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self.made_in = threading.current_thread()


class NotAsync(Handler):
    def on_audio(self, audio: HeardAudio) -> None:  # type: ignore[override]
        """Be called, not awaited."""


class NoHandler:
    pass
