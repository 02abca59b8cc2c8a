"""Delivery of callbacks and of Event Grid events over HTTP."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from emulator.clock import Clock
from emulator.events import PREFIX, Event, body_of
from emulator.options import Behaviour
from emulator.tokens import CALLBACK_LIFETIME, TokenIssuer

logger = logging.getLogger(__name__)

TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True, slots=True)
class Parcel:
    """Events that go to one address in one request."""

    url: str
    events: list[Event]

    @property
    def kinds(self) -> list[str]:
        """Return the types of the events, without their common prefix."""
        return [event["type"].removeprefix(PREFIX) for event in self.events]


@dataclass(slots=True)
class CallbackLog:
    """What became of one call's callbacks."""

    delivered: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    attempts: int = 0


class Callbacks:
    """Posts one call's callbacks, one after the other, each with a token of its own."""

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
        self._queue: asyncio.Queue[Parcel] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self.pending = 0
        self.log = CallbackLog()

    def post(self, url: str, *events: Event) -> None:
        """Queue events for one request (one event is the rule)."""
        self.pending += 1
        self._queue.put_nowait(Parcel(url, list(events)))
        if self._task is None:
            self._task = asyncio.create_task(self._deliver_all())

    async def drained(self) -> None:
        """Wait until everything queued was delivered or given up."""
        await self._queue.join()

    async def stop(self) -> None:
        """Give up what is still queued."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _deliver_all(self) -> None:
        while True:
            parcel = await self._queue.get()
            try:
                await self._deliver(parcel)
            finally:
                self.pending -= 1
                self._queue.task_done()

    async def _deliver(self, parcel: Parcel) -> None:
        lost = self._behaviour.callbacks_lost.split(",")
        if any(kind in lost for kind in parcel.kinds):
            self.log.lost += parcel.kinds
            return
        await self._clock.sleep(self._behaviour.callback_delay)
        for _ in range(max(1, self._behaviour.callback_copies)):
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
            status = await post(
                self._session, parcel.url, body_of(parcel.events), headers
            )
            if status is not None and 200 <= status < 300:
                return True
        return False


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
