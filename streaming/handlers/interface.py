"""The interface between a call and what hears it and speaks into it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import msgspec


class HeardAudio(msgspec.Struct, frozen=True, gc=False):
    """20 ms of one participant: 16-bit little-endian mono PCM at the line's rate.

    `stamp_us` is capture time, µs since 1970. `pcm` is zeros where ACS said silent.
    """

    raw_id: str
    pcm: bytes
    stamp_us: int
    is_silent: bool

    def __repr__(self) -> str:
        """Return it without what was said."""
        return (
            f"HeardAudio(raw_id={self.raw_id!r}, stamp_us={self.stamp_us},"
            f" is_silent={self.is_silent})"
        )


class Saying(Protocol):
    """Audio on its way into the call."""

    @property
    def played_ms(self) -> int:
        """Return how much of it was heard, as far as can be known."""

    @property
    def is_over(self) -> bool:
        """Say whether nothing of it will be heard any more."""

    def write(self, pcm: bytes) -> int:
        """Add audio, as fast as you have it; return how many bytes found room."""

    def finish(self) -> None:
        """Say that all of it is written."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What `stop_audio` interrupted, and how much of it was heard."""

    saying: Saying
    played_ms: int


class Line(Protocol):
    """What a handler can do in its call. Nothing here waits, but where `await` says."""

    @property
    def call_id(self) -> UUID:
        """Return our key of the call."""

    @property
    def rate(self) -> int:
        """Return the sample rate of all audio, heard and sent: 16,000 or 24,000."""

    def send_audio(self, pcm: bytes, *, name: str = "") -> Saying:
        """Have whole audio heard after what is being said."""

    def begin_audio(self, *, name: str = "") -> Saying:
        """Begin to say something whose audio comes bit by bit."""

    def stop_audio(self, reason: str = "") -> list[Cut]:
        """Be silent at once; what waits is dropped, at ACS as well.

        What others say into the call, an operator or their prompt, is heard on.
        """

    def now_us(self) -> int:
        """Return the call's capture clock now, µs since 1970."""

    def transcript(
        self,
        *,
        number: int,
        raw_id: str,
        text: str,
        start_us: int,
        duration_us: int = 0,
        is_cut: bool = False,
    ) -> None:
        """Keep what was said, in words. The same `number` again replaces it."""

    async def prompt(self, name: str) -> bytes:
        """Return a prompt's audio at the line's rate. Raises LookupError.

        Sent by `send_audio` as it is, it counts as played in the library.
        """

    async def order(self, kind: str, why: str, **arguments: str) -> str:
        """Give an order about the call: `hang_up`, `transfer`.

        Returns why it makes no sense now; empty if it is on its way.
        """

    def report(self, trouble: str) -> None:
        """Raise an alarm about this handler, in words, without personal data."""


class Handler:
    """What a handler is; every method may be left out.

    All are awaited one after the other, in the order things happened.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        """`options` are the profile's. Raise ValueError if they make no sense."""
        self.options = options

    async def on_open(self, line: Line) -> None:
        """Begin: the first packet of the call came, or its first metadata."""

    async def on_audio(self, audio: HeardAudio) -> None:
        """Hear 20 ms of one participant."""

    async def on_dtmf(self, tone: str, raw_id: str) -> None:
        """Hear a key: one of 0-9, *, #, A-D."""

    async def on_speech_started(self, raw_id: str) -> None:
        """Learn that a participant began to speak, within 60 ms of it."""

    async def on_close(self, reason: str) -> None:
        """End: the call's last socket has closed for good."""
