"""Sends what is due over a call's socket, and knows what was heard.

A call has one speaker, which outlives its sockets. It belongs to one event loop and has
no task: what is written is sent from where it is written as far as that is due, the
rest by a timer. Every method returns at once.
"""

import asyncio
import time
from collections.abc import Callable, Container
from typing import Final
from uuid import UUID, uuid4

from streaming.outbound.items import Frame, Item, ItemKind, ItemState
from streaming.outbound.passage import Passage
from streaming.outbound.playout import Playout
from streaming.protocol import encode_audio, encode_stop_audio

# Two frames at a time: sending is then 160 to 200 ms ahead of hearing.
TICK_SECONDS: Final = 0.04
# Without a socket audio waits so long for a redial.
NO_SOCKET_SECONDS: Final = 10.0
SOCKET_CLOSED: Final = "the call's socket closed"

# Sends a message; False if the socket takes none now: then nothing was sent.
Send = Callable[[str], bool]


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
        passage: Passage | None = None,
    ) -> None:
        self.playout = Playout(rate, passage)
        # Socket changes after which what had been sent was sent again.
        self.rewinds = 0
        self._heard = heard
        self._news = news
        self._send: Send | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._is_stop_due = False
        self._is_turning = False

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
        is_live: bool = False,
        prompt: UUID | None = None,
        command: UUID | None = None,
    ) -> Item:
        """Begin an utterance whose audio comes bit by bit.

        `is_live`: it is spoken just now; of what cannot be heard in time the oldest is
        dropped, and counted.
        """
        item = Item(
            id=id or uuid4(),
            kind=kind,
            name=name,
            survives=survives,
            is_live=is_live,
            prompt=prompt,
            command=command,
        )
        self.playout.put(item)
        self._turn()
        return item

    def write(self, item: Item, pcm: bytes) -> int:
        """Add audio to an utterance; return how many bytes found room."""
        taken = self.playout.write(item, pcm)
        self._turn()
        return taken

    def finish(self, item: Item) -> None:
        """End an utterance: what was written is all of it."""
        self.playout.finish(item)
        self._turn()

    def fail(self, item: Item, reason: str) -> None:
        """End an utterance of which nothing more can be said."""
        self.playout.fail(item, reason)
        self._turn()

    def stop(self, reason: str, only: Container[UUID] | None = None) -> list[Item]:
        """Be silent at once, here and at ACS; return what was cut.

        `only`: of these items alone; whoever else speaks is heard on.
        """
        return self._cut(ItemState.STOPPED, reason, only)

    def end(self, reason: str) -> None:
        """Say nothing more: nobody will hear it."""
        self._cut(ItemState.STOPPED, reason)
        self._forget_timers()

    def _cut(
        self, state: ItemState, reason: str, only: Container[UUID] | None = None
    ) -> list[Item]:
        now = _now_us()
        self._note_heard(now)
        is_sent = only is None or self.playout.has_sent(only)
        self._note_heard(now, is_cut=is_sent)
        cut = self.playout.stop(now, state, reason, only)
        self._is_stop_due |= is_sent and self._send is not None
        self._turn()
        return cut

    # The socket.

    def attach(self, send: Send) -> None:
        """Speak over this socket from now on.

        What was sent over the one before and not heard is sent again.
        """
        if self._send is not None and self._send != send:
            self._take_back()
        self._send = send
        self._turn()

    def detach(self, send: Send) -> None:
        """Speak no more over this socket, if it was the one."""
        if self._send == send:
            self._take_back()
            self._send = None
            self._turn()

    def _take_back(self) -> None:
        now = _now_us()
        self._note_heard(now, is_cut=True)
        if self.playout.rewind(now, SOCKET_CLOSED):
            self.rewinds += 1
            # ACS does not say whether it plays on what came over a socket that is gone:
            # the next socket tells it to drop that first.
            self._is_stop_due = True

    # Turns.

    def _turn(self) -> None:
        """Send what is due, note what was heard, tell what is news."""
        if self._is_turning:
            # Whoever is told news may speak.
            return
        self._is_turning = True
        try:
            self._send_due()
            while self.playout.news:
                told, self.playout.news = self.playout.news, []
                for item in told:
                    self._news(item)
                self._send_due()
        finally:
            self._is_turning = False
        self._arm()

    def _send_due(self) -> None:
        send, now, playout = self._send, _now_us(), self.playout
        if send is None:
            return
        self._note_heard(now)
        if self._is_stop_due:
            self._is_stop_due = not send(encode_stop_audio())
            if self._is_stop_due:
                return
        while (frame := playout.due(now)) is not None:
            if not send(encode_audio(frame.pcm)):
                return
            playout.sent(frame)

    def _note_heard(self, now: int, *, is_cut: bool = False) -> None:
        for frame in self.playout.heard(now, is_cut=is_cut):
            self._heard(frame)

    def _arm(self) -> None:
        """Have another turn while time alone changes something."""
        loop = asyncio.get_running_loop()
        if self._send is None:
            if self.is_speaking and self._patience is None:
                self._patience = loop.call_later(NO_SOCKET_SECONDS, self._give_up)
            return
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        now = _now_us()
        is_due = self._is_stop_due or self.playout.waits(now)
        doubt_us = self.playout.doubt_us(now) if is_due else 0
        if self._timer is not None and doubt_us:
            self._timer.cancel()
            self._timer = None
        if self._timer is None and is_due:
            seconds = doubt_us / 1_000_000 or TICK_SECONDS
            self._timer = loop.call_later(seconds, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._turn()

    def _give_up(self) -> None:
        self._patience = None
        for item in self.playout.items:
            item.may_go_on = item.is_live and (not item.is_whole or not item.sent)
            if item.played:
                # Nobody is at fault: mostly, whoever heard it hung up.
                self.playout.end(item, ItemState.STOPPED, SOCKET_CLOSED)
        reason = f"no socket for {NO_SOCKET_SECONDS:g} s"
        self._cut(ItemState.FAILED, reason)

    def _forget_timers(self) -> None:
        for timer in (self._timer, self._patience):
            if timer is not None:
                timer.cancel()
        self._timer = self._patience = None


def _now_us() -> int:
    return time.monotonic_ns() // 1000
