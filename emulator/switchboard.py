"""Every call there is: ringing, answered, placed, and over."""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any

import aiohttp

from emulator import events
from emulator.calls import (
    GOES_ON,
    OVER,
    Action,
    Call,
    CallState,
    Ending,
    MediaOptions,
    NotPossibleError,
    Operation,
    Plan,
    TranscriptionOptions,
    new_server_call_id,
)
from emulator.clock import Clock
from emulator.eventgrid import EventGrid
from emulator.faults import Faults
from emulator.ledger import Ledger
from emulator.line import Exchange, Line
from emulator.options import Behaviour, Settings
from emulator.planning import parse_plan
from emulator.speech import Speech
from emulator.tokens import TokenIssuer, incoming_call_context

logger = logging.getLogger(__name__)

GOODBYE_SECONDS = 8.0
"""Wall time that ending every call may take when the emulator stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What the app says when it answers, places or joins a call."""

    operation: Operation
    media: MediaOptions | None
    transcription: TranscriptionOptions | None
    cognitive_endpoint: str
    version: str


class Switchboard:
    """Rings calls, hands them to apps that answer, and finds them again."""

    def __init__(
        self,
        settings: Settings,
        behaviour: Behaviour,
        speech: Speech,
        session: aiohttp.ClientSession,
        clock: Clock,
    ) -> None:
        self.settings = settings
        self.behaviour = behaviour
        self.faults = Faults.parse_text(settings.faults)
        self.speech = speech
        self.clock = clock
        self.ledger = Ledger()
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

    def by_server_call(self, server_call_id: str) -> Call | None:
        """Return a leg of a call that is still going on, ours or only the others'."""
        for call in self.calls.values():
            ours = call.state is CallState.CONNECTED or call.ending in GOES_ON
            if call.server_call_id == server_call_id and ours:
                return call
        return None

    def room(self, name: str) -> bool:
        """Return whether there is a room or group call of that id."""
        rooms = [each.strip() for each in self.settings.rooms.split(",")]
        return not self.settings.rooms or name in rooms

    def next_number(self) -> int:
        """Return the number the next call will have, from 1."""
        return len(self.calls) + 1

    def plan(self, body: dict[str, Any]) -> Plan:
        """Return the plan of the next call. Raises `PlanError`."""
        return parse_plan(
            body,
            number=self.next_number(),
            settings=self.settings,
            behaviour=self.behaviour,
            standing_faults=self.faults,
            seconds=self.speech.seconds,
            parties=self.speech.parties,
        )

    # Ringing

    def ring(self, plan: Plan) -> Call:
        """Ring an incoming call and announce it through Event Grid."""
        call = self._new_call(plan)
        call.context = incoming_call_context()
        self._by_context[call.context] = call
        self._spawn(self.event_grid.announce(call))
        self._spawn(self._ring_out(call))
        return call

    def _new_call(
        self,
        plan: Plan,
        *,
        outgoing: bool = False,
        joined: bool = False,
        server_call_id: str = "",
    ) -> Call:
        call = Call(
            number=self.next_number(),
            plan=plan,
            server_call_id=server_call_id or new_server_call_id(),
            outgoing=outgoing,
            joined=joined,
        )
        self.calls[call.call_id] = call
        return call

    async def _ring_out(self, call: Call) -> None:
        await self.clock.sleep(call.plan.behaviour.ring_seconds)
        self.dismiss(call, CallState.MISSED)

    def dismiss(self, call: Call, state: CallState, **details: str) -> bool:
        """End a call that rings: missed, rejected or redirected.

        Returns False if it does not ring any more. The details are for the report.
        """
        if call.state is not CallState.RINGING:
            return False
        call.state, call.dismissed = state, details
        call.over.set()
        return True

    # Connecting

    def answer(self, call: Call, setup: Setup) -> None:
        """Connect a call that rings."""
        call.state = CallState.CONNECTING
        call.operation = setup.operation
        call.media_options = setup.media
        call.transcription_options = setup.transcription
        call.cognitive_endpoint = setup.cognitive_endpoint
        self._by_connection[call.connection_id] = call
        call.line = Line(call, setup.operation, setup.version, self._exchange)
        call.line.connect(setup.media)

    def create(
        self,
        caller: str,
        targets: list[str],
        setup: Setup,
        *,
        joined: bool = False,
        server_call_id: str = "",
    ) -> Call:
        """Place a call to participants, or join one that is there."""
        recipient = targets[0] if targets else ""
        plan = self.outgoing or Plan(
            caller=caller,
            recipient=recipient,
            participants=(),
            behaviour=self.behaviour,
            faults=self.faults,
        )
        plan = replace(plan, caller=caller, recipient=recipient)
        plan = replace(plan, participants=tuple(dict.fromkeys(targets)))
        call = self._new_call(
            plan, outgoing=True, joined=joined, server_call_id=server_call_id
        )
        self.answer(call, setup)
        return call

    def end(
        self,
        call: Call,
        result: events.Event,
        ending: Ending,
        *,
        code: int | None = None,
    ) -> list[Call]:
        """End a call, whatever its state; return the legs that end.

        If it ends for everyone, so do the other legs that the app has in it.
        """
        legs = [call] if ending in GOES_ON else self._legs(call)
        for each in legs:
            self.dismiss(each, CallState.MISSED)
            if each.line is not None:
                each.line.end(result, ending, code=code)
        return legs

    def _legs(self, call: Call) -> list[Call]:
        same = call.server_call_id
        legs = [each for each in self.calls.values() if each.server_call_id == same]
        return [each for each in legs if each is call or each.state not in OVER]

    async def hang_up(
        self,
        call: Call,
        result: events.Event,
        ending: Ending,
        *,
        code: int | None = None,
    ) -> None:
        """End a call and wait until it is over."""
        for each in self.end(call, result, ending, code=code):
            await each.over.wait()

    async def act(self, call: Call, action: Action) -> None:
        """Make one thing happen in a call now. Raises `NotPossibleError`.

        A hang-up is done when the socket is closed and the app was told, unless it is
        not to be waited for.
        """
        if action.do == "hangup":
            legs = self.end(call, events.ENDED_BY_CALLER, Ending.CALLER)
            if action.arguments.get("wait", True):
                for each in legs:
                    await each.over.wait()
        elif call.line is None:
            raise NotPossibleError("the call was not answered")
        else:
            await call.line.act(action)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, code: int = 1001) -> None:
        """Hang up every call and stop everything."""
        living = [call for call in self.calls.values() if call.state not in OVER]
        goodbyes = [
            asyncio.create_task(
                self.hang_up(call, events.ENDED_BY_API, Ending.STOPPED, code=code)
            )
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
