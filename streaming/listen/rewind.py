"""A call's past for one listener, put together from all nodes that have some of it.

Nearly always that is one node. After a redial to another one, each has journals of its
own, and their pieces are merged in the order in which their packets arrived.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID, uuid4

from streaming.listen.feed import Ring, packets_of
from streaming.listen.track import Arrived
from streaming.listen.wire import Ask, Past, Read

# Nodes that have journals of a call answer the first question within this: an hour's
# journals may have to be indexed first.
FIRST_SECONDS = 15.0
OTHERS_SECONDS = 0.3
PIECE_SECONDS = 5.0
# After so many questions without an answer a node is done without, if another answers.
MAX_SILENCES = 2


@dataclass
class _Node:
    """What one node still has to give."""

    cursor: dict[str, int] = field(default_factory=dict)
    packets: deque[Arrived] = field(default_factory=deque)
    is_end: bool = False
    # Questions in a row that it did not answer.
    silences: int = 0


class Source(Protocol):
    """Where a call's packets come from: a `CallFeed`."""

    id: str
    call_id: UUID
    ring: Ring
    answers: dict[str, Callable[[Past], None]]

    async def ask(self, ask: Ask) -> None:
        """Ask every ingest process. Raises RedisError, OSError."""


class NothingThereError(Exception):
    """No node answers with this call's past."""


class Rewind:
    """Reads a call's packets from a capture time on, piece by piece."""

    def __init__(self, feed: Source, from_us: int) -> None:
        self.from_us = from_us
        # By connection: arrival of the last packet that was given or left out.
        self.reached: dict[str, int] = {}
        self._feed = feed
        self._nodes: dict[str, _Node] = {}

    @property
    def is_begun(self) -> bool:
        """Say whether any node has answered yet."""
        return bool(self._nodes)

    async def next(self) -> tuple[list[Arrived], bool]:
        """Return the next packets, and whether there are no more for now.

        Raises NothingThereError, RedisError, OSError.
        """
        if not self._nodes:
            await self._begin()
        else:
            for name, node in self._nodes.items():
                if not node.packets and not self._is_given_up(node):
                    await self._more(name, node)
        given: list[Arrived] = []
        while True:
            waiting = [node for node in self._nodes.values() if node.packets]
            if not waiting:
                return given, all(node.is_end for node in self._nodes.values())
            node = min(waiting, key=lambda one: one.packets[0].arrival_us)
            given.append(node.packets.popleft())
            if not node.packets and not node.is_end:
                # The next of this node may come before the others' next.
                return given, False

    async def _begin(self) -> None:
        for past in await self._asked(None, {}, first=True):
            self._take(past, self._nodes.setdefault(past.node, _Node()))

    async def _more(self, name: str, node: _Node) -> None:
        try:
            [past] = await self._asked(name, node.cursor, first=False)
        except NothingThereError:
            node.silences += 1
            if not self._is_given_up(node):
                raise
            node.is_end = True
        else:
            node.silences = 0
            self._take(past, node)

    def _is_given_up(self, node: _Node) -> bool:
        """Say whether a node is silent for too long, while others are not."""
        others = [one for one in self._nodes.values() if one is not node]
        return node.silences >= MAX_SILENCES and any(not one.silences for one in others)

    def _take(self, past: Past, node: _Node) -> None:
        node.cursor = node.cursor | past.cursor
        node.is_end = past.is_end
        node.packets.extend(packets_of(past))
        self.reached.update(past.reached)

    async def _asked(
        self, node: str | None, cursor: dict[str, int], *, first: bool
    ) -> list[Past]:
        """Ask once; return all answers of a first question, else the one."""
        answers: asyncio.Queue[Past] = asyncio.Queue()
        read = Read(
            web=self._feed.id,
            call=str(self._feed.call_id),
            ask=str(uuid4()),
            node=node,
            cursor=None if first else cursor,
            from_us=self.from_us,
        )
        self._feed.answers[read.ask] = answers.put_nowait
        try:
            await self._feed.ask(read)
            patience = FIRST_SECONDS if first else PIECE_SECONDS
            async with asyncio.timeout(patience):
                found = [await answers.get()]
            with suppress(TimeoutError):
                while first:
                    async with asyncio.timeout(OTHERS_SECONDS):
                        found.append(await answers.get())
        except TimeoutError as exc:
            raise NothingThereError from exc
        finally:
            del self._feed.answers[read.ask]
        return found
