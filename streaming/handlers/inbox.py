"""What a handler has not heard yet. No Django, no clock.

Recording pays for handing over a packet, with every packet. So there one bare tuple is
put down; what a handler hears is made of it where it is taken, in the handler's task.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeAlias

from streaming.handlers.interface import HeardAudio

# A handler that is further behind hears the present rather than the past.
MAX_BEHIND_US: Final = 2_000_000
# Two seconds of four voices: a burst after a stall arrives all at once.
MAX_FRAMES: Final = 400
MAX_TONES: Final = 100


@dataclass(frozen=True, slots=True)
class HeardTone:
    """A pressed key, in no `repr`: it may be of a card."""

    tone: str = field(repr=False)
    raw_id: str


Heard: TypeAlias = HeardAudio | HeardTone
# When it arrived, whose it is, its capture time if it has one, PCM, whether silent.
Packet: TypeAlias = tuple[int, str, int | None, bytes, bool]
# A key has no time of arrival of its own: it is never too old.
Key: TypeAlias = tuple[int, HeardTone]


class Inbox:
    """Hands over what was heard, in order; the oldest audio goes if it is too much.

    Keys pressed are kept where audio is not: a handler that is slow still gets them.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._waiting: deque[Packet | Key] = deque()
        # How many of what waits are keys.
        self._keys = 0
        # Whoever waits for the next, while nothing is there.
        self._waiter: asyncio.Future[None] | None = None
        self._is_closed = False

    @property
    def is_idle(self) -> bool:
        """Say whether all there is was taken, and the next is waited for."""
        return self._waiter is not None and not self._waiting

    def put(self, packet: Packet) -> None:
        """Let a packet be heard after what waits. Called for each of them."""
        if self._is_closed:
            return
        waiting = self._waiting
        waiting.append(packet)
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            # It may have been cancelled.
            if not waiter.done():
                waiter.set_result(None)
        elif len(waiting) > MAX_FRAMES or packet[0] - waiting[0][0] > MAX_BEHIND_US:
            self._make_room(packet[0])

    def press(self, tone: HeardTone) -> None:
        """Let a key be heard after what waits."""
        if self._is_closed:
            return
        self._waiting.append((0, tone))
        self._keys += 1
        if self._keys > MAX_TONES:
            index = next(i for i, one in enumerate(self._waiting) if len(one) == 2)
            self._drop(index)
            self._keys -= 1
        self._wake()

    def _make_room(self, now_us: int) -> None:
        """Drop the oldest packets while they are too many, or too old."""
        while True:
            # Near the front: only keys stand before it.
            index, oldest_us = next(
                (i, one[0]) for i, one in enumerate(self._waiting) if len(one) != 2
            )
            is_many = len(self._waiting) - self._keys > MAX_FRAMES
            if not is_many and now_us - oldest_us <= MAX_BEHIND_US:
                return
            self._drop(index)

    def _drop(self, index: int) -> None:
        del self._waiting[index]
        self.dropped += 1

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def next(self) -> Heard | None:
        """Return what was heard next, once it is there; None at the end."""
        while not self._waiting:
            if self._is_closed:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self.take()

    def take(self) -> Heard | None:
        """Return what was heard next; None if nothing waits."""
        if not self._waiting:
            return None
        heard = self._waiting.popleft()
        if len(heard) == 2:
            self._keys -= 1
            return heard[1]
        arrived_us, raw_id, stamp_us, pcm, is_silent = heard
        if is_silent:
            pcm = _zeros(len(pcm))
        elif len(pcm) % 2:
            pcm = pcm[:-1]
        stamp = arrived_us if stamp_us is None else stamp_us
        return HeardAudio(raw_id, pcm, stamp, is_silent)

    def close(self) -> None:
        """Take nothing more; what waits is still handed over."""
        self._is_closed = True
        self._wake()

    def clear(self) -> None:
        """Forget what waits, for good."""
        self.close()
        self._waiting.clear()
        self._keys = 0


@lru_cache(maxsize=16)
def _zeros(length: int) -> bytes:
    return bytes(length - length % 2)
