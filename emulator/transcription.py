"""Transcription of one call: its state, its callbacks, and the sockets it opens."""

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Callable, Collection, Coroutine
from typing import Any

import aiohttp

from emulator import events
from emulator.calls import Call, Operation, TranscriptionOptions
from emulator.clock import Clock, Timeline
from emulator.dialling import Dialler, RefusedError, SocketRecord, close
from emulator.orders import Ending, Order, Orders
from emulator.speech import Speech
from emulator.transcripts import Hearing, Told, TranscriptWriter, hearings

logger = logging.getLogger(__name__)

RETOLD = 50
"""Results that can be told again after a redial."""
MALFORMED = '{"kind":"TranscriptionData","transcriptionData":{"text":7}}'

Announce = Callable[[str, events.Event, Operation], None]
"""Posts a callback: its type, its data, and where it goes."""
Spawn = Callable[[Coroutine[Any, Any, None]], None]


class Transcription:
    """One call's transcription subscription: inactive or active, in one language.

    Without `options` it was not set up with the call, and every order fails. Without an
    Azure AI resource, named with the call, every start fails with 405/8522: so says the
    how-to on real-time transcription, in its table of event codes. Its status details
    are a guess, and so is that the request itself is accepted: users tell of requests
    to play that were refused with these words. `present` says who is heard now.
    """

    def __init__(
        self,
        call: Call,
        *,
        clock: Clock,
        dialler: Dialler,
        speech: Speech,
        present: Callable[[], Collection[str]],
        announce: Announce,
        spawn: Spawn,
    ) -> None:
        self._call = call
        self._options = call.transcription_options
        self._behaviour = call.plan.behaviour
        self._faults = call.plan.faults
        self._clock = clock
        self._dialler = dialler
        self._speech = speech
        self._present = present
        self._announce = announce
        self._spawn = spawn
        self._id = str(uuid.uuid4())
        self._locale = self._options.locale if self._options else ""
        self._active = False
        self._runs = False
        self._over = asyncio.Event()
        self._orders = Orders()
        self._stopping: list[Operation] = []
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._writer: TranscriptWriter | None = None
        self._newest: deque[str] = deque(maxlen=RETOLD)
        self.told = Told()
        self.sockets: list[SocketRecord] = []

    # What is known

    def report(self) -> dict[str, Any] | None:
        """Return state and figures; None if it was not set up with the call."""
        if self._options is None:
            return None
        return {
            "state": self._state(),
            "locale": self._locale,
            "sockets": [each.report() for each in self.sockets],
            **self.told.report(),
        }

    def subscription(self) -> dict[str, Any] | None:
        """Return the `transcriptionSubscription` of the call's properties."""
        if self._options is None:
            return None
        kinds = ["intermediate"] if self._options.intermediate else []
        return {
            "id": self._id,
            "state": self._state(),
            "subscribedResultTypes": [*kinds, "final"],
            "locale": self._locale,
        }

    def _state(self) -> str:
        return "active" if self._active else "inactive"

    # What may be asked for

    def begin(self, operation: Operation) -> None:
        """Start if that was asked for when the call was set up."""
        if self._options is not None and self._options.start:
            self.start(operation, None)

    def start(self, operation: Operation, locale: str | None) -> bool:
        """Start; the outcome is announced. Return whether anything was done."""
        if self._faults.transcription == "never":
            return False
        if self._options is None:
            self._fail(events.NO_URL, "streamUrlMissing", operation)
            return True
        if not self._call.cognitive_endpoint:
            self._fail(events.NO_COGNITIVE, "unspecifiedError", operation)
            return True
        if self._faults.transcription == "8581":
            self._give_up(operation)
            return True
        self._locale = locale or self._locale
        if self._runs or self._behaviour.transcripts == "none":
            self._active = True
            self._say("Started", "subscriptionStarted", operation)
        else:
            self._runs = True
            self._over.clear()
            self._orders.forget()
            self._spawn(self._run(self._options, operation))
        return True

    def stop(self, operation: Operation) -> None:
        """Stop; the outcome is announced."""
        if self._options is None:
            self._fail(events.NO_URL, "streamUrlMissing", operation)
            return
        self._active = False
        if self._runs:
            self._stopping.append(operation)
            self._orders.give(Order(Ending.STOP, self._behaviour.stop_code))
        else:
            self._say("Stopped", "subscriptionStopped", operation)

    def update(self, operation: Operation, locale: str) -> None:
        """Go on in another language; the outcome is announced."""
        if self._options is None:
            self._fail(events.NO_URL, "streamUrlMissing", operation)
        elif not self._active:
            self._fail(events.NOT_STARTED, "badRequest", operation)
        else:
            self._locale = locale
            if self._socket is not None:
                self._spawn(self._send_metadata(self._socket))
            self._say("Updated", "transcriptionLocaleUpdated", operation)

    async def hang_up(self, code: int) -> None:
        """End with the call, and wait until the socket is closed."""
        self._active = False
        if self._runs:
            self._orders.give(Order(Ending.HANG_UP, code))
            await self._over.wait()

    # One socket after the other

    async def _run(self, options: TranscriptionOptions, operation: Operation) -> None:
        try:
            await self._subscribe(options, operation)
        finally:
            self._runs = self._active = False
            self._over.set()
        while self._stopping:
            self._say("Stopped", "subscriptionStopped", self._stopping.pop(0))

    async def _subscribe(
        self, options: TranscriptionOptions, operation: Operation
    ) -> None:
        call, timeline = self._call, self._call.timeline
        if timeline is None:
            raise AssertionError("a call that is connected has a timeline")
        self._writer = TranscriptWriter(call.plan, options, call.ids, timeline.date)
        self._writer.began = timeline.elapsed()
        began = timeline.elapsed()
        first = True
        while (socket := await self._dial(options.transport_url)) is not None:
            if not first and self._behaviour.transcript_redial == "begin_anew":
                self._writer.began = timeline.elapsed()
            order = await self._serve(
                socket, timeline, options, began, operation if first else None
            )
            first = False
            if order.is_final or self._orders.final is not None:
                return
            if await self._orders.interrupt(self._clock, order.delay):
                return
        if self._orders.final is None:
            self._give_up(operation)

    async def _dial(self, url: str) -> aiohttp.ClientWebSocketResponse | None:
        """Return an open socket; None after bounded attempts or an order to end."""
        backoff = self._behaviour.dial_backoff
        for attempt in range(max(1, self._behaviour.dial_attempts)):
            if attempt and await self._orders.interrupt(self._clock, backoff):
                return None
            backoff *= 1 + bool(attempt)
            if self._orders.final is not None:
                return None
            try:
                with self._clock.outside():
                    return await self._dialler.dial(self._call, url)
            except RefusedError as exc:
                self.sockets.append(SocketRecord.refused(exc, self._clock.now()))
                logger.warning(
                    "call %s: transcription socket refused: %s", self._call.call_id, exc
                )
        return None

    async def _serve(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        timeline: Timeline,
        options: TranscriptionOptions,
        began: float,
        operation: Operation | None,
    ) -> Order:
        """Use one socket until it is lost or an order ends it; close it."""
        record = SocketRecord.opened(self._clock.now())
        self.sockets.append(record)
        self._socket, self._active = socket, True
        drop = self._clock.sleep(self._faults.transcript_drop_after or float("inf"))
        dropping = asyncio.create_task(drop)
        tasks = [
            dropping,
            asyncio.create_task(self._tell(socket, timeline, options, began, record)),
            asyncio.create_task(_read(socket)),
            asyncio.create_task(self._orders.wait()),
        ]
        if operation is not None:
            self._say("Started", "subscriptionStarted", operation)
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        order = self._orders.take() or self._loss(is_dropped=dropping.done())
        self._socket = None
        with self._clock.outside():
            await close(socket, order)
        record.closed(self._clock.now(), order, socket.close_code)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return order

    def _loss(self, *, is_dropped: bool) -> Order:
        delay = self._behaviour.redial_delay
        if is_dropped:
            return Order(Ending.REDIAL, 1006, delay, abrupt=True)
        return Order(Ending.LOST, 1001, delay)

    async def _tell(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        timeline: Timeline,
        options: TranscriptionOptions,
        began: float,
        record: SocketRecord,
    ) -> None:
        """Tell what is heard, when it is heard. Ends when the socket is gone."""
        await self._send_metadata(socket)
        if len(self.sockets) > 1:
            retold = self._faults.transcript_retells
            for message in list(self._newest)[-retold:] if retold else ():
                await socket.send_str(message)
        limit = self._faults.transcript_stop_after
        heard = hearings(
            self._call.plan,
            self._speech,
            began,
            intermediate=options.intermediate,
        )
        # What was to be told while there was no socket is not told, unless again.
        opened = timeline.elapsed()
        for hearing in heard:
            if limit and hearing.at > began + limit:
                break
            if hearing.at < opened:
                continue
            await timeline.sleep_until(hearing.at)
            if hearing.raw_id in self._present():
                await self._send(socket, hearing, timeline)
                record.packets += 1
        await asyncio.Event().wait()

    async def _send(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        hearing: Hearing,
        timeline: Timeline,
    ) -> None:
        if self._writer is None:
            raise AssertionError("who sends has a writer")
        message = self._writer.piece(hearing, self._locale)
        number = self.told.finals + self.told.intermediates + 1
        every = self._faults.transcript_malformed
        if every and number % every == 0:
            self.told.malformed += 1
            await socket.send_str(MALFORMED)
        await socket.send_str(message)
        if hearing.words is None:
            self._newest.append(message)
        self.told.take(hearing, timeline.date(hearing.began))

    async def _send_metadata(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        if self._writer is not None:
            message = self._writer.metadata(self._id, self._locale)
            try:
                await socket.send_str(message)
            except ConnectionError:
                logger.debug("call %s: transcription socket gone", self._call.call_id)

    # What is announced

    def _give_up(self, operation: Operation) -> None:
        details = "streamConnectionUnsuccessful"
        self._fail(events.STREAM_URL_INVALID, details, operation)

    def _say(self, what: str, details: str, operation: Operation) -> None:
        status = f"transcription{what}"
        data = events.transcription(status, details, events.COMPLETED)
        self._announce(f"Transcription{what}", data, operation)

    def _fail(self, result: events.Event, details: str, operation: Operation) -> None:
        data = events.transcription("transcriptionFailed", details, result)
        self._announce("TranscriptionFailed", data, operation)


async def _read(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Read until the peer closes: the app has nothing to say here."""
    async for _ in socket:
        pass
