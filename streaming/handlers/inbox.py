"""What a handler has not heard yet. No Django, no clock."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
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


class Inbox:
    """Hands over what was heard, in order; the oldest audio goes if it is too much.

    Keys pressed are kept where audio is not: a handler that is slow still gets them.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._waiting: deque[Heard] = deque()
        # When the audio among it arrived.
        self._arrivals: deque[int] = deque()
        self._news = asyncio.Event()
        self._is_closed = False
        self._is_awaited = False

    @property
    def is_idle(self) -> bool:
        """Say whether all there is was taken, and the next is waited for."""
        return self._is_awaited and not self._waiting

    def put(self, heard: Heard, arrived_us: int) -> None:
        """Let something be heard after what waits."""
        if self._is_closed:
            return
        self._waiting.append(heard)
        if type(heard) is HeardAudio:
            arrivals = self._arrivals
            arrivals.append(arrived_us)
            while (
                len(arrivals) > MAX_FRAMES or arrived_us - arrivals[0] > MAX_BEHIND_US
            ):
                self._drop_oldest(HeardAudio)
                arrivals.popleft()
        elif len(self._waiting) - len(self._arrivals) > MAX_TONES:
            self._drop_oldest(HeardTone)
        self._news.set()

    def _drop_oldest(self, kind: type[Heard]) -> None:
        # Near the front: only what is of the other kind stands before it.
        for index, heard in enumerate(self._waiting):
            if type(heard) is kind:
                del self._waiting[index]
                self.dropped += 1
                return

    async def next(self) -> Heard | None:
        """Return what was heard next, once it is there; None at the end."""
        while not self._waiting:
            if self._is_closed:
                return None
            self._news.clear()
            self._is_awaited = True
            try:
                await self._news.wait()
            finally:
                self._is_awaited = False
        heard = self._waiting.popleft()
        if type(heard) is HeardAudio:
            self._arrivals.popleft()
        return heard

    def close(self) -> None:
        """Take nothing more; what waits is still handed over."""
        self._is_closed = True
        self._news.set()

    def clear(self) -> None:
        """Forget what waits, for good."""
        self.close()
        self._waiting.clear()
        self._arrivals.clear()
