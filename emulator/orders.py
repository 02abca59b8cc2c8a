"""Orders that end a media socket, handed to whoever holds it."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum

from emulator.clock import Clock


class Ending(StrEnum):
    """Why a socket is closed."""

    STOP = "stop"
    HANG_UP = "hang_up"
    REDIAL = "redial"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Order:
    """How the open socket ends, and after how many seconds the next one is dialled."""

    ending: Ending
    code: int
    delay: float = 0.0
    abrupt: bool = False

    @property
    def is_final(self) -> bool:
        """Return whether no further socket is to be dialled."""
        return self.ending in (Ending.STOP, Ending.HANG_UP)


class Orders:
    """Holds the latest order until it was carried out; a later one replaces it."""

    def __init__(self) -> None:
        self._latest: Order | None = None
        self._news = asyncio.Event()

    def give(self, order: Order) -> None:
        """Give an order."""
        self._latest = order
        self._news.set()

    def forget(self) -> None:
        """Begin anew, without an order."""
        self._latest = None
        self._news.clear()

    @property
    def final(self) -> Order | None:
        """Return the order to dial no more, if it was given."""
        latest = self._latest
        return latest if latest is not None and latest.is_final else None

    async def wait(self) -> None:
        """Wait for an order that was not looked at yet."""
        await self._news.wait()

    def take(self) -> Order | None:
        """Return the latest order. Unless it is final, it is done with."""
        order, self._latest = self._latest, self.final
        self._news.clear()
        return order

    async def interrupt(self, clock: Clock, seconds: float) -> bool:
        """Wait emulated seconds; return True as soon as there is a final order."""
        until = clock.seconds() + seconds
        while self.final is None:
            # Also when no time is left: an order may have come while we waited.
            if not await clock.wait(self._news, until - clock.seconds()):
                return False
            self._news.clear()
        return True
