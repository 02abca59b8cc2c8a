"""Every call there is: ringing, answered, placed, and over."""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import aiohttp

from emulator import events
from emulator.calls import (
    OVER,
    Call,
    CallState,
    MediaOptions,
    Operation,
    Plan,
    new_server_call_id,
)
from emulator.clock import Clock
from emulator.eventgrid import EventGrid
from emulator.line import Exchange, Line
from emulator.options import Behaviour, Settings
from emulator.speech import Speech
from emulator.tokens import TokenIssuer, incoming_call_context

logger = logging.getLogger(__name__)

GOODBYE_SECONDS = 8.0
"""Wall time that ending every call may take when the emulator stops."""


class Switchboard:
    """Rings calls, hands them to apps that answer, and finds them again."""

    def __init__(
        self,
        settings: Settings,
        behaviour: Behaviour,
        speech: Speech,
        session: aiohttp.ClientSession,
    ) -> None:
        self.settings = settings
        self.behaviour = behaviour
        self.speech = speech
        self.clock = Clock(settings.speed)
        self.issuer = TokenIssuer(settings.resource_id)
        self.calls: dict[str, Call] = {}
        self.outgoing: Plan | None = None
        self.event_grid = EventGrid(
            session,
            self.clock,
            url=settings.eventgrid_url,
            topic=settings.topic(),
            wait=settings.eventgrid_wait,
        )
        self._exchange = Exchange(
            settings=settings,
            clock=self.clock,
            session=session,
            issuer=self.issuer,
            speech=speech,
        )
        self._by_context: dict[str, Call] = {}
        self._by_connection: dict[str, Call] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def by_context(self, context: str) -> Call | None:
        """Return the call that a context was made for, ringing or not."""
        return self._by_context.get(context)

    def by_connection(self, connection_id: str) -> Call | None:
        """Return the answered call of a call connection id."""
        return self._by_connection.get(connection_id)

    def next_number(self) -> int:
        """Return the number the next call will have, from 1."""
        return len(self.calls) + 1

    # Ringing

    def ring(self, plan: Plan) -> Call:
        """Ring an incoming call and announce it through Event Grid."""
        call = self._new_call(plan)
        call.context = incoming_call_context()
        self._by_context[call.context] = call
        self._spawn(self.event_grid.announce(call))
        self._spawn(self._ring_out(call))
        return call

    def _new_call(self, plan: Plan, *, outgoing: bool = False) -> Call:
        call = Call(
            number=self.next_number(),
            plan=plan,
            server_call_id=new_server_call_id(),
            outgoing=outgoing,
        )
        self.calls[call.call_id] = call
        return call

    async def _ring_out(self, call: Call) -> None:
        await self.clock.sleep(call.plan.behaviour.ring_seconds)
        self.dismiss(call, CallState.MISSED)

    def dismiss(self, call: Call, state: CallState) -> None:
        """End a call that rings: missed, rejected or redirected."""
        if call.state is CallState.RINGING:
            call.state = state
            call.over.set()

    # Connecting

    def answer(
        self,
        call: Call,
        operation: Operation,
        media: MediaOptions | None,
        version: str,
    ) -> None:
        """Connect a call that rings."""
        call.state = CallState.CONNECTING
        call.operation = operation
        call.media_options = media
        self._by_connection[call.connection_id] = call
        call.line = Line(call, operation, version, self._exchange)
        call.line.connect(media)

    def create(
        self,
        caller: str,
        targets: list[str],
        operation: Operation,
        media: MediaOptions | None,
        version: str,
    ) -> Call:
        """Place a call to participants who answer."""
        plan = self.outgoing or Plan(
            caller=caller,
            recipient=targets[0],
            participants=(),
            behaviour=self.behaviour,
        )
        plan = replace(plan, caller=caller, recipient=targets[0])
        plan = replace(plan, participants=tuple(dict.fromkeys(targets)))
        call = self._new_call(plan, outgoing=True)
        self.answer(call, operation, media, version)
        return call

    async def hang_up(
        self, call: Call, result: events.Event, *, code: int | None = None
    ) -> None:
        """End a call, whatever its state, and wait until it is over."""
        self.dismiss(call, CallState.MISSED)
        if call.line is not None:
            await call.line.hang_up(result, code=code)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, code: int = 1001) -> None:
        """Hang up every call and stop everything."""
        living = [call for call in self.calls.values() if call.state not in OVER]
        goodbyes = [
            asyncio.create_task(self.hang_up(call, events.ENDED_BY_API, code=code))
            for call in living
        ]
        if goodbyes:
            _, late = await asyncio.wait(goodbyes, timeout=GOODBYE_SECONDS)
            if late:
                logger.warning("%d calls did not end in time", len(late))
            for task in late:
                task.cancel()
        for task in list(self._tasks):
            task.cancel()
        for call in self.calls.values():
            if call.line is not None:
                await call.line.abandon()
