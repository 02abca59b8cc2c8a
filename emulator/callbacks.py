"""Delivery of callbacks and of Event Grid events over HTTP."""

import asyncio
import logging
import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from emulator.clock import Clock
from emulator.events import PREFIX, Event, body_of
from emulator.kinds import PerKind
from emulator.options import Behaviour
from emulator.tokens import CALLBACK_LIFETIME, TokenIssuer

logger = logging.getLogger(__name__)

TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass(slots=True)
class Parcel:
    """Events that go to one address in one request; `posts` is of how many."""

    url: str
    events: list[Event]
    posts: int = 1

    @property
    def kinds(self) -> list[str]:
        """Return the types of the events, without their common prefix."""
        return [event["type"].removeprefix(PREFIX) for event in self.events]

    def pack(self, other: "Parcel") -> None:
        """Put another parcel's events in front of ours."""
        self.events[:0] = other.events
        self.posts += other.posts


@dataclass(slots=True)
class CallbackLog:
    """What became of one call's callbacks."""

    delivered: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    attempts: int = 0


@dataclass(slots=True)
class Held:
    """A parcel that lets `behind` others go first."""

    parcel: Parcel
    behind: int


class Callbacks:
    """Posts one call's callbacks, one after the other, each with a token of its own.

    On its way into the queue a callback may be lost, late (it holds up no other), held
    until others have gone, or kept for the next request.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        issuer: TokenIssuer,
        clock: Clock,
        behaviour: Behaviour,
        *,
        name: str,
        token_fault: str = "",
    ) -> None:
        self._session = session
        self._issuer = issuer
        self._clock = clock
        self._behaviour = behaviour
        self._name = name
        self._token_fault = token_fault
        self._losses = PerKind(behaviour.callbacks_lost, math.inf)
        self._lateness = PerKind(behaviour.callbacks_late)
        self._duplicates = PerKind(behaviour.callbacks_duplicated)
        self._order = PerKind(behaviour.callbacks_reordered)
        self._batches = PerKind(behaviour.callbacks_batched)
        self._queue: asyncio.Queue[Parcel] = asyncio.Queue()
        self._late: set[asyncio.Task[None]] = set()
        self._held: list[Held] = []
        self._kept: list[Parcel] = []
        self._done_with: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._task: asyncio.Task[None] | None = None
        self.pending = 0
        self.log = CallbackLog()

    def post(self, url: str, *events: Event) -> None:
        """Queue events for one request (one event is the rule)."""
        parcel = Parcel(url, list(events))
        if self._losses.spend(parcel.kinds):
            self.log.lost += parcel.kinds
            self._finish(parcel)
            return
        self.pending += 1
        if self._task is None:
            self._task = asyncio.create_task(self._deliver_all())
        if seconds := self._lateness.of(parcel.kinds):
            self._late.add(asyncio.create_task(self._post_late(parcel, seconds)))
        else:
            self._sort(parcel)

    def done_with(self, kind: str) -> asyncio.Event:
        """Return what happens when a callback was delivered, given up or lost."""
        return self._done_with[kind]

    async def drained(self) -> None:
        """Wait until everything queued was delivered or given up."""
        while self.pending:
            if self._late:
                await asyncio.wait(self._late)
            self._let_go()
            await self._queue.join()

    async def stop(self) -> None:
        """Give up what is still queued."""
        tasks = [*self._late, *filter(None, [self._task])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Into the queue

    async def _post_late(self, parcel: Parcel, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._late.remove(_this_task())
        self._sort(parcel)

    def _sort(self, parcel: Parcel) -> None:
        if behind := int(self._order.of(parcel.kinds)):
            self._held.append(Held(parcel, behind))
        elif self._batches.of(parcel.kinds):
            self._kept.append(parcel)
        else:
            self._enqueue(parcel)

    def _enqueue(self, parcel: Parcel) -> None:
        for kept in reversed([each for each in self._kept if each.url == parcel.url]):
            self._kept.remove(kept)
            parcel.pack(kept)
        self._queue.put_nowait(parcel)
        for held in self._held:
            held.behind -= 1
        for held in [each for each in self._held if each.behind <= 0]:
            self._held.remove(held)
            self._queue.put_nowait(held.parcel)

    def _let_go(self) -> None:
        """Queue what waited for a callback that does not come."""
        while self._held:
            self._queue.put_nowait(self._held.pop(0).parcel)
        while self._kept:
            self._queue.put_nowait(self._kept.pop(0))

    # Out of the queue

    async def _deliver_all(self) -> None:
        while True:
            parcel = await self._queue.get()
            try:
                await self._deliver(parcel)
            finally:
                self.pending -= parcel.posts
                self._finish(parcel)
                self._queue.task_done()

    def _finish(self, parcel: Parcel) -> None:
        for kind in parcel.kinds:
            self._done_with[kind].set()

    async def _deliver(self, parcel: Parcel) -> None:
        await self._clock.sleep(self._behaviour.callback_delay)
        copies = max(1, self._behaviour.callback_copies)
        for _ in range(copies + int(self._duplicates.of(parcel.kinds))):
            arrived = await self._attempt_all(parcel)
            (self.log.delivered if arrived else self.log.failed).extend(parcel.kinds)
            if not arrived:
                logger.warning(
                    "call %s: callback %s was not accepted",
                    self._name,
                    "+".join(parcel.kinds),
                )

    async def _attempt_all(self, parcel: Parcel) -> bool:
        backoff = self._behaviour.callback_backoff
        for attempt in range(max(1, self._behaviour.callback_attempts)):
            if attempt:
                await self._clock.sleep(backoff)
                backoff *= 2
            self.log.attempts += 1
            token = self._issuer.issue(CALLBACK_LIFETIME, fault=self._token_fault)
            headers = {
                "Authorization": f"Bearer {token}",
                "Content-Type": self._behaviour.callback_content_type,
            }
            with self._clock.outside():
                status = await post(
                    self._session, parcel.url, body_of(parcel.events), headers
                )
            if status is not None and 200 <= status < 300:
                return True
        return False


def _this_task() -> "asyncio.Task[Any]":
    task = asyncio.current_task()
    if task is None:
        raise AssertionError("only called from a task")
    return task


async def post(
    session: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str]
) -> int | None:
    """Post a body and return the status, or None if there was no answer."""
    try:
        async with session.post(
            url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False
        ) as response:
            await response.read()
            return response.status
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None


async def post_json(
    session: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str]
) -> tuple[int, Any] | None:
    """Post a body; return status and JSON answer, or None if there was no answer."""
    try:
        async with session.post(
            url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False
        ) as response:
            try:
                return response.status, await response.json(content_type=None)
            except ValueError:
                return response.status, None
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None
