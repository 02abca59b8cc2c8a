"""Every call there is, and what may happen to it."""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import aiohttp

from emulator import events
from emulator.callbacks import Callbacks
from emulator.calls import (
    OVER,
    Action,
    Call,
    CallState,
    MediaOptions,
    Operation,
    Plan,
    new_server_call_id,
)
from emulator.clock import Clock, Timeline
from emulator.dialling import Dialler
from emulator.eventgrid import EventGrid
from emulator.media import MediaStream
from emulator.options import Behaviour, Settings
from emulator.outbound import OutboundAudio
from emulator.speakers import speakers
from emulator.speech import Speech
from emulator.tokens import TokenIssuer, incoming_call_context

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What an app says when it answers or creates a call."""

    operation: Operation
    media: MediaOptions | None
    api_version: str


class Switchboard:
    """Rings, connects and ends calls, and tells the app about it."""

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
        self.event_grid = EventGrid(
            session,
            self.clock,
            url=settings.eventgrid_url,
            topic=settings.topic(),
            wait=settings.eventgrid_wait,
        )
        self._session = session
        self._dialler = Dialler(session, self.issuer)
        self._by_context: dict[str, Call] = {}
        self._by_connection: dict[str, Call] = {}
        self._count = 0

    # Finding calls

    def by_context(self, context: str) -> Call | None:
        """Return the call that a context may answer."""
        return self._by_context.get(context)

    def by_connection(self, connection_id: str) -> Call | None:
        """Return the call of a call connection id."""
        return self._by_connection.get(connection_id)

    def next_number(self) -> int:
        """Return the number the next call will have, from 1."""
        return self._count + 1

    # The life of a call

    def ring(self, plan: Plan) -> Call:
        """Ring an incoming call and announce it through Event Grid."""
        call = self._new_call(plan)
        self._by_context[call.context] = call
        self._spawn(call, self.event_grid.announce(call))
        self._spawn(call, self._ring_out(call))
        return call

    def _new_call(self, plan: Plan, *, outgoing: bool = False) -> Call:
        self._count += 1
        call = Call(
            number=self._count,
            plan=plan,
            server_call_id=new_server_call_id(),
            context="" if outgoing else incoming_call_context(),
            outgoing=outgoing,
        )
        self.calls[call.call_id] = call
        return call

    async def _ring_out(self, call: Call) -> None:
        await self.clock.sleep(call.plan.behaviour.ring_seconds)
        if call.state is CallState.RINGING:
            self._end(call, CallState.MISSED)

    def dismiss(self, call: Call, state: CallState) -> None:
        """Reject or redirect a ringing call."""
        if call.state is CallState.RINGING:
            self._end(call, state)

    def answer(self, call: Call, answered: Answered) -> None:
        """Connect a ringing call; everything else follows by itself."""
        self._take(call, answered)
        self._spawn(call, self._connect(call))

    def create(self, plan: Plan, answered: Answered) -> Call:
        """Place a call to a participant who answers."""
        call = self._new_call(plan, outgoing=True)
        self._take(call, answered)
        self._spawn(call, self._connect(call))
        return call

    def _take(self, call: Call, answered: Answered) -> None:
        call.state = CallState.CONNECTING
        call.operation = answered.operation
        call.media_options = answered.media
        call.api_version = answered.api_version
        call.callbacks = Callbacks(
            self._session,
            self.issuer,
            self.clock,
            call.plan.behaviour,
            name=call.call_id,
        )
        self._by_connection[call.connection_id] = call

    async def _connect(self, call: Call) -> None:
        await self.clock.sleep(call.plan.behaviour.connect_delay)
        if call.state is not CallState.CONNECTING or call.operation is None:
            return
        call.timeline = Timeline(self.clock)
        call.state = CallState.CONNECTED
        self._provide_media(call)
        media, options = call.media, call.media_options
        opening = None
        if media is not None and options is not None:
            if options.start:
                opening = media.start
            elif call.plan.behaviour.open_socket == "at_answer":
                media.open()
        first = call.plan.behaviour.socket_order == "before"
        if media and opening and first:
            opening(call.operation)
            await media.settled()
        self._announce_connected(call)
        if opening and not first:
            opening(call.operation)
        self._follow(call)

    def _provide_media(self, call: Call) -> None:
        options, timeline = call.media_options, call.timeline
        if options is None or timeline is None:
            return
        call.outbound = OutboundAudio(
            options.rate // 25,
            enabled=options.bidirectional,
            keep=self.settings.heard_seconds,
        )
        threshold = call.plan.behaviour.silence_threshold
        call.media = MediaStream(
            call,
            options,
            speakers(call.plan, options, self.speech, threshold),
            clock=self.clock,
            dialler=self._dialler,
            outbound=call.outbound,
            announce=lambda kind, data, operation: self.announce(
                call, kind, data, operation
            ),
        )

    def _announce_connected(self, call: Call) -> None:
        if call.operation is None or call.callbacks is None:
            raise AssertionError("a connected call was answered")
        call.participant_sequence += 1
        connected = self._event(
            call, "CallConnected", {"resultInformation": events.OK}, call.operation
        )
        updated = self._event(
            call,
            "ParticipantsUpdated",
            events.participants(
                list(call.plan.participants), call.participant_sequence
            ),
            None,
        )
        pair = [connected, updated]
        if call.plan.behaviour.callback_order == "reversed":
            pair.reverse()
        if call.plan.behaviour.callback_batch:
            call.callbacks.post(call.operation.callback_url, *pair)
        else:
            for event in pair:
                call.callbacks.post(call.operation.callback_url, event)
        for url, event in call.held or []:
            call.callbacks.post(url, event)
        call.held = None

    def _follow(self, call: Call) -> None:
        """Carry out the call's plan from here on."""
        timeline = call.timeline
        if timeline is None:
            raise AssertionError("a call without a time line cannot be followed")

        actions = list(call.plan.actions)
        if call.plan.duration is not None:
            actions.append(Action(call.plan.duration, "hangup", {}))

        async def act_later(action: Action) -> None:
            await timeline.sleep_until(action.at)
            if call.state not in OVER:
                await self.act(call, action)

        for action in actions:
            self._spawn(call, act_later(action))

    async def act(self, call: Call, action: Action) -> None:
        """Make one thing happen in a call now."""
        arguments = action.arguments
        match action.do:
            case "hangup":
                await self.hang_up(call, events.ENDED_BY_CALLER)
            case "redial" if call.media is not None:
                delay = arguments.get("delay", call.plan.behaviour.redial_delay)
                call.media.redial(
                    delay=delay,
                    abrupt=arguments.get("abrupt", False),
                    code=arguments.get("code", 0),
                )
            case "dtmf" if call.media is not None:
                who = arguments.get("participant", call.plan.participants[0])
                await call.media.send_dtmf(arguments.get("tones", ""), who)

    def hang_up_soon(self, call: Call, result: events.Event) -> None:
        """End a call without waiting for it."""
        self._spawn(call, self.hang_up(call, result))

    async def hang_up(self, call: Call, result: events.Event) -> None:
        """End a call: close its socket, then tell the app."""
        if call.state in OVER:
            return
        was_ringing = call.state is CallState.RINGING
        self._end(call, CallState.MISSED if was_ringing else CallState.DISCONNECTED)
        if was_ringing:
            return
        media, behaviour = call.media, call.plan.behaviour
        if media is not None:
            streamed = media.state == "active"
            await media.hang_up(behaviour.hangup_code)
            if streamed and behaviour.hangup_sends_stopped and call.operation:
                data = events.media_streaming(
                    "mediaStreamingStopped", "subscriptionStopped", events.COMPLETED
                )
                self.announce(call, "MediaStreamingStopped", data, call.operation)
        if call.operation is not None and call.callbacks is not None:
            data = {"resultInformation": result}
            self.announce(call, "CallDisconnected", data, call.operation)
            await call.callbacks.drained()
        call.finished = True

    def _end(self, call: Call, state: CallState) -> None:
        call.state = state
        self._by_context.pop(call.context, None)
        if call.outbound is not None and call.timeline is not None:
            call.outbound.advance(call.timeline.elapsed())
        call.finished = call.callbacks is None
        call.over.set()

    # Media orders from the app

    def start_media(self, call: Call, operation: Operation) -> None:
        """Start streaming; the outcome is announced to the app."""
        if call.media is None:
            data = events.media_streaming(
                "mediaStreamingFailed", "streamUrlMissing", events.NO_URL
            )
            self.announce(call, "MediaStreamingFailed", data, operation)
            return
        call.media.start(operation)

    def stop_media(self, call: Call, operation: Operation) -> None:
        """Stop streaming; the outcome is announced to the app."""
        if call.media is not None:
            call.media.stop(operation)

    # Telling the app

    def announce(
        self, call: Call, kind: str, data: events.Event, operation: Operation
    ) -> None:
        """Post one callback of a call; nothing is said before CallConnected."""
        if call.callbacks is None:
            raise AssertionError("only an answered call has callbacks")
        event = self._event(call, kind, data, operation)
        if call.held is not None:
            call.held.append((operation.callback_url, event))
        else:
            call.callbacks.post(operation.callback_url, event)

    def _event(
        self, call: Call, kind: str, data: events.Event, operation: Operation | None
    ) -> events.Event:
        return events.cloud_event(
            kind,
            data,
            ids=call.ids,
            at=self.clock.now(),
            version=call.api_version,
            operation_context=operation.context if operation else None,
        )

    # Tasks

    def _spawn(self, call: Call, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        call.tasks.add(task)
        task.add_done_callback(call.tasks.discard)
        task.add_done_callback(_report_crash)

    async def close(self, code: int = 1001) -> None:
        """Hang up every call and stop everything."""
        for call in self.calls.values():
            if call.media is not None and call.state not in OVER:
                await call.media.hang_up(code)
        ended = events.ENDED_BY_API
        hangups = [self.hang_up(call, ended) for call in self.calls.values()]
        await asyncio.wait(
            [asyncio.ensure_future(each) for each in hangups], timeout=5
        ) if hangups else None
        for call in self.calls.values():
            for task in list(call.tasks):
                task.cancel()
            if call.callbacks is not None:
                await call.callbacks.stop()


def _report_crash(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("a call's task failed", exc_info=error)
