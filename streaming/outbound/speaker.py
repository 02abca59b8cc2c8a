"""Sends what is due over a call's socket, and knows what was heard.

A call has one speaker, which outlives its sockets. It belongs to one event loop; every
method but `run` returns at once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID, uuid4

from streaming.outbound.playout import Frame, Item, ItemKind, Playout
from streaming.protocol import encode_audio, encode_stop_audio

TICK_SECONDS: Final = 0.01

Send = Callable[[str], Awaitable[None]]


class Speaker:
    """What speaks into one call.

    `heard` is given each frame that was heard, and `news` each item whose state has
    changed.
    """

    def __init__(
        self,
        rate: int,
        *,
        heard: Callable[[Frame], None],
        news: Callable[[Item], None],
    ) -> None:
        self.playout = Playout(rate)
        self._heard = heard
        self._news = news
        self._send: Send | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_stop_due = False

    @property
    def rate(self) -> int:
        """Return the rate of all that is written, in samples per second."""
        return self.playout.rate

    @property
    def is_speaking(self) -> bool:
        """Say whether anything waits to be heard."""
        return not self.playout.is_idle

    # Who speaks.

    def say(
        self,
        pcm: bytes,
        *,
        kind: ItemKind,
        name: str,
        survives: bool = True,
        prompt: UUID | None = None,
        command: UUID | None = None,
    ) -> Item:
        """Let whole audio be heard after what is being said; return its item."""
        item = self.begin(
            kind=kind, name=name, survives=survives, prompt=prompt, command=command
        )
        self.write(item, pcm)
        self.finish(item)
        return item

    def begin(
        self,
        *,
        kind: ItemKind,
        name: str,
        id: UUID | None = None,
        survives: bool = True,
        prompt: UUID | None = None,
        command: UUID | None = None,
    ) -> Item:
        """Begin an utterance whose audio comes bit by bit."""
        item = Item(
            id=id or uuid4(),
            kind=kind,
            name=name,
            survives=survives,
            prompt=prompt,
            command=command,
        )
        self.playout.put(item)
        self._news(item)
        self._wake()
        return item

    def write(self, item: Item, pcm: bytes) -> int:
        """Add audio to an utterance; return how many bytes found room."""
        taken = self.playout.write(item, pcm)
        self._wake()
        return taken

    def finish(self, item: Item) -> None:
        """End an utterance: what was written is all of it."""
        self.playout.finish(item)
        self._wake()

    def stop(self, reason: str) -> list[Item]:
        """Be silent at once, here and at ACS; return what was cut."""
        cut = self.playout.stop(_now_us(), reason)
        self._is_stop_due = True
        for item in cut:
            self._news(item)
        self._wake()
        return cut

    # The socket.

    def attach(self, send: Send) -> None:
        """Speak over this socket from now on."""
        self._send = send
        self._wake()

    def detach(self, send: Send) -> None:
        """Speak no more over this socket, if it was the one."""
        if self._send is send:
            self._send = None

    def _wake(self) -> None:
        if self._send is not None and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._run(self._send), name="speaker")

    async def _run(self, send: Send) -> None:
        while self._send is send and (self.is_speaking or self._is_stop_due):
            if self._is_stop_due:
                self._is_stop_due = False
                await send(encode_stop_audio())
            self._note_heard()
            for frame in self.playout.due(_now_us()):
                await send(encode_audio(frame.pcm))
            await asyncio.sleep(TICK_SECONDS)

    def _note_heard(self) -> None:
        for frame in self.playout.heard(_now_us()):
            self._heard(frame)
            if frame.item.is_over:
                self._news(frame.item)


def _now_us() -> int:
    return time.monotonic_ns() // 1000
