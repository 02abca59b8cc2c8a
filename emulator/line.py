"""The life of one answered call, on the emulated side."""

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
    Ending,
    MediaOptions,
    NotPossibleError,
    Operation,
)
from emulator.clock import Clock, Timeline
from emulator.dialling import Dialler
from emulator.echoes import Echoes
from emulator.identities import identifier
from emulator.keypad import Recognition
from emulator.media import MediaStream
from emulator.news import News
from emulator.options import Settings
from emulator.outbound import OutboundAudio
from emulator.people import People
from emulator.speakers import Cast
from emulator.speech import Speech
from emulator.tokens import TokenIssuer
from emulator.transcription import Transcription

logger = logging.getLogger(__name__)

SOCKET_HEAD_START = 1.0
"""Seconds a socket that opens before CallConnected may hold it up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What every line shares."""

    settings: Settings
    clock: Clock
    session: aiohttp.ClientSession
    issuer: TokenIssuer
    speech: Speech


class Line:
    """Connects one call, carries out its plan, ends it, and tells the app."""

    def __init__(
        self, call: Call, operation: Operation, version: str, exchange: Exchange
    ) -> None:
        self._call = call
        self._operation = operation
        self._exchange = exchange
        self._clock = exchange.clock
        self._plan = call.plan
        self._tasks: set[asyncio.Task[None]] = set()
        self._callbacks = call.callbacks = Callbacks(
            exchange.session,
            exchange.issuer,
            exchange.clock,
            call.plan.behaviour,
            name=call.call_id,
            token_fault=call.plan.faults.callback_token,
        )
        self._news = News(
            call,
            operation,
            version,
            clock=exchange.clock,
            callbacks=self._callbacks,
        )
        announce = self._news.announce
        self.people = People(
            call, clock=exchange.clock, announce=announce, spawn=self.spawn
        )
        self.transcription = Transcription(
            call,
            clock=exchange.clock,
            dialler=Dialler(exchange.session, exchange.issuer),
            speech=exchange.speech,
            present=self.people.audible,
            announce=announce,
            spawn=self.spawn,
        )
        self.recognition = Recognition(
            fault=call.plan.faults.recognition, announce=announce
        )

    # From answered to connected

    def connect(self, options: MediaOptions | None) -> None:
        """Connect the call; everything else follows by itself."""
        self.spawn(self._connect(options))

    async def _connect(self, options: MediaOptions | None) -> None:
        call, behaviour = self._call, self._plan.behaviour
        await self._clock.sleep(behaviour.connect_delay)
        if (failure := await self._obstacle()) is not None:
            await self._fail(failure)
            return
        cast = await self._cast(options)
        if call.state is not CallState.CONNECTING:
            return
        call.timeline = Timeline(self._clock)
        call.state = CallState.CONNECTED
        if options is not None and cast is not None:
            self._provide_media(options, cast, call.timeline)
        first = behaviour.socket_order == "before"
        if first:
            await self._open_media()
        self._news.connected(self.people.updated())
        if not first and call.state is CallState.CONNECTED:
            await self._open_media()
        self.transcription.begin(self._operation)
        self._follow(call.timeline)

    async def _obstacle(self) -> events.Event | None:
        """Return why the call is not connected, or None if it is."""
        call = self._call
        if call.joined and not self._plan.participants:
            return events.NO_SUCH_CALL
        if call.outgoing and not self.people.anybody:
            await self._clock.sleep(self._plan.behaviour.ring_seconds)
            return events.NO_ANSWER
        return events.FAILED if self._plan.faults.answer == "failed" else None

    async def _cast(self, options: MediaOptions | None) -> Cast | None:
        if options is None:
            return None
        # An hour of somebody's own audio takes seconds to prepare.
        with self._clock.outside():
            speech = self._exchange.speech
            return await asyncio.to_thread(Cast, self._plan, options, speech)

    async def _fail(self, result: events.Event) -> None:
        call = self._call
        if call.state is not CallState.CONNECTING:
            return
        placed = "ConnectFailed" if call.joined else "CreateCallFailed"
        call.state = CallState.FAILED
        self._news.release()
        kind = placed if call.outgoing else "AnswerFailed"
        self._news.announce(kind, {"resultInformation": result}, self._operation)
        await self._callbacks.drained()
        call.over.set()

    def _provide_media(
        self, options: MediaOptions, cast: Cast, timeline: Timeline
    ) -> None:
        exchange, call = self._exchange, self._call
        echoes = None
        if self._plan.behaviour.echo == "measured":
            echoes = Echoes(options.rate // 25, timeline.elapsed)
            cast.follow(echoes.sent)
        call.outbound = OutboundAudio(
            options.rate // 25,
            enabled=options.bidirectional,
            keep=exchange.settings.heard_seconds,
            echoes=echoes,
        )
        cast.attend(self.people.roster)
        if self._plan.behaviour.own_audio == "mixed":
            cast.overhear(call.outbound.played_in)
        call.media = MediaStream(
            call,
            options,
            cast,
            timeline=timeline,
            clock=self._clock,
            dialler=Dialler(exchange.session, exchange.issuer),
            outbound=call.outbound,
            announce=self._news.announce,
            operation=self._operation,
        )

    async def _open_media(self) -> None:
        """Open the socket if it is due now, and give it a moment to open."""
        media = self._call.media
        if media is None:
            return
        if media.options.start:
            media.start(self._operation)
        elif self._plan.behaviour.open_socket == "at_answer":
            media.open()
        else:
            return
        await self._clock.wait(media.settled, SOCKET_HEAD_START)

    # What happens meanwhile

    def _follow(self, timeline: Timeline) -> None:
        """Carry out the call's plan from here on."""
        actions = list(self._plan.actions)
        if self._plan.duration is not None:
            actions.append(Action(self._plan.duration, "hangup", {}))
        for action in actions:
            self.spawn(self._act_later(action, timeline))

    async def _act_later(self, action: Action, timeline: Timeline) -> None:
        await timeline.sleep_until(action.at)
        if self._call.state in OVER:
            return
        try:
            await self.act(action)
        except NotPossibleError as exc:
            logger.warning("call %s: %s: %s", self._call.call_id, action.do, exc)

    async def act(self, action: Action) -> None:
        """Make one thing happen now. Raises `NotPossibleError`."""
        given = action.arguments
        match action.do:
            case "hangup":
                await self.hang_up(events.ENDED_BY_CALLER, Ending.CALLER)
            case "redial":
                self._redial(given)
            case "dtmf":
                raw_id = given.get("participant", self._plan.participants[0])
                await self._press(given.get("tones", ""), raw_id)
            case "join" | "leave":
                self.people.change(action.do, given.get("participant", ""))
            case _:
                raise AssertionError("the plan was checked")

    async def _press(self, tones: str, raw_id: str) -> None:
        """Press keys: told over the socket, by callbacks, or both."""
        media = self._call.media
        sent = media is not None and await media.send_dtmf(tones, raw_id)
        if not (self.recognition.press(tones, raw_id) or sent):
            raise NotPossibleError("nobody listens for tones")

    def _redial(self, given: dict[str, Any]) -> None:
        media = self._call.media
        delay = given.get("delay", self._plan.behaviour.redial_delay)
        abrupt, code = given.get("abrupt", False), given.get("code", 0)
        if media is None or not media.redial(delay=delay, abrupt=abrupt, code=code):
            raise NotPossibleError("no socket is open")

    # Orders from the app

    def start_media(self, operation: Operation) -> bool:
        """Start streaming; the outcome is announced to the app.

        Returns False if nothing happens and nothing is announced: a fault.
        """
        if self._call.media is not None:
            return self._call.media.start(operation)
        data = events.media_streaming(
            "mediaStreamingFailed", "streamUrlMissing", events.NO_URL
        )
        self._news.announce("MediaStreamingFailed", data, operation)
        return True

    def stop_media(self, operation: Operation) -> bool:
        """Stop streaming; the outcome is announced to the app.

        Returns False if nothing happens and nothing is announced: a fault.
        """
        if self._call.media is None:
            return False
        return self._call.media.stop(operation)

    def transfer(self, target: str, transferee: str, operation: Operation) -> None:
        """Transfer the call; the outcome is announced, and with success it ends."""
        self.spawn(self._transfer(target, transferee, operation))

    async def _transfer(
        self, target: str, transferee: str, operation: Operation
    ) -> None:
        behaviour, answers = self._plan.behaviour, self._plan.faults.answers(target)
        delay = behaviour.answer_delay if answers else behaviour.ring_seconds
        await self._clock.sleep(delay)
        if self._call.state in OVER:
            return
        if not answers:
            failed = {"resultInformation": events.NO_ANSWER}
            self._news.announce("CallTransferFailed", failed, operation)
            return
        data = {
            "transferTarget": identifier(target),
            "transferee": identifier(transferee),
            "resultInformation": events.OK,
        }
        self._news.announce("CallTransferAccepted", data, operation)
        await self.hang_up(events.ENDED_BY_API, Ending.TRANSFERRED)

    # The end

    def end(
        self, result: events.Event, ending: Ending, *, code: int | None = None
    ) -> None:
        """End the call now; closing its socket and telling the app takes a while.

        `code` is the close code of the socket, unless it is the configured one.
        """
        call = self._call
        if call.state in OVER:
            return
        was_connected = call.state is CallState.CONNECTED
        call.state, call.ending = CallState.DISCONNECTED, ending
        call.lasted = call.timeline.elapsed() if call.timeline else None
        self.spawn(self._wind_up(result, code, was_connected=was_connected))

    async def _wind_up(
        self, result: events.Event, code: int | None, *, was_connected: bool
    ) -> None:
        try:
            if was_connected:
                await self._end_media(code)
                hangup = self._plan.behaviour.hangup_code
                await self.transcription.hang_up(hangup if code is None else code)
                await self._news.began.wait()
            self._news.release()
            self._news.announce("CallDisconnected", {"resultInformation": result})
            await self._callbacks.drained()
        finally:
            self._call.over.set()

    async def hang_up(
        self, result: events.Event, ending: Ending, *, code: int | None = None
    ) -> None:
        """End the call and wait until its socket is closed and the app was told."""
        self.end(result, ending, code=code)
        await self._call.over.wait()

    async def _end_media(self, code: int | None) -> None:
        call, behaviour = self._call, self._plan.behaviour
        if call.media is None:
            return
        streamed = call.media.state == "active"
        await call.media.hang_up(behaviour.hangup_code if code is None else code)
        if call.outbound is not None and call.timeline is not None:
            call.outbound.advance(call.timeline.elapsed())
        if streamed and behaviour.hangup_sends_stopped:
            data = events.media_streaming(
                "mediaStreamingStopped", "subscriptionStopped", events.COMPLETED
            )
            self._news.announce("MediaStreamingStopped", data, self._operation)

    async def abandon(self) -> None:
        """Stop everything at once; nothing is announced any more."""
        for task in list(self._tasks):
            task.cancel()
        await self._callbacks.stop()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the background until the line is abandoned."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("call %s: failed", self._call.call_id, exc_info=error)
