"""Media streaming of one call: the sockets it opens and what is sent on them."""

import asyncio
import logging
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import aiohttp

from emulator import events, frames
from emulator.calls import Call, MediaOptions, Operation
from emulator.clock import Clock, Timeline
from emulator.dialling import Dialler, RefusedError, SocketRecord, close
from emulator.orders import Ending, Order, Orders
from emulator.outbound import OutboundAudio
from emulator.pump import Figures, Pump
from emulator.speakers import Cast

logger = logging.getLogger(__name__)

LONGEST_BACKOFF = 5.0
"""Seconds between two attempts to dial, at most."""

Announce = Callable[[str, events.Event, Operation], None]
"""Posts a callback: its type, its data, and where it goes."""


class MediaStream:
    """One call's media-streaming subscription: inactive or active, on one socket."""

    def __init__(
        self,
        call: Call,
        options: MediaOptions,
        cast: Cast,
        *,
        timeline: Timeline,
        clock: Clock,
        dialler: Dialler,
        outbound: OutboundAudio,
        announce: Announce,
        operation: Operation,
    ) -> None:
        """Stream a call whose answer was `operation`."""
        self.options = options
        self.cast = cast
        self._answer = operation
        self.subscription_id = str(uuid.uuid4())
        self.sockets: list[SocketRecord] = []
        self.figures = Figures()
        self._call = call
        self._behaviour = call.plan.behaviour
        self._timeline = timeline
        self._clock = clock
        self._dialler = dialler
        self._outbound = outbound
        self._announce = announce
        self._task: asyncio.Task[None] | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._sending = asyncio.Event()
        self._phase = 0
        self._phase_over = asyncio.Event()
        self.settled = asyncio.Event()
        """Happens when the socket is open, or will not open."""
        self._double_starts = 0
        self._orders = Orders()
        self._unannounced: tuple[Operation, str] | None = None
        self._stopping: list[Operation] = []

    # What is known

    @property
    def state(self) -> str:
        """Return the subscription's state as the REST API shows it."""
        return "active" if self._sending.is_set() else "inactive"

    def report(self) -> dict[str, Any]:
        """Return the figures as the control API shows them."""
        return {
            "subscription_id": self.subscription_id,
            "state": self.state,
            "transport": "open" if self._socket is not None else "closed",
            "channels": "unmixed" if self.options.unmixed else "mixed",
            "sample_rate": self.options.rate,
            "bidirectional": self.options.bidirectional,
            "dropped_packets": self.figures.dropped_packets,
            "extra_messages": self.figures.extra_messages,
            "double_starts": self._double_starts,
            "ticks": self.figures.ticks,
            "late_ticks": self.figures.late_ticks,
            "worst_lateness_ms": round(self.figures.worst_lateness * 1000, 1),
        }

    # What may be asked for

    def open(self) -> None:
        """Open the socket without sending on it yet."""
        if not self._running():
            self.settled.clear()
            self._orders.forget()
            self._task = asyncio.create_task(self._run())
            self._task.add_done_callback(self._ended)

    def start(self, operation: Operation) -> bool:
        """Start sending, on a new socket unless one is open.

        Returns False if the plan says that a start never happens.
        """
        if self._call.plan.faults.streaming == "never":
            self.settled.set()
            return False
        again = self._sending.is_set() and self._running()
        self._double_starts += again
        self._unannounced = (operation, "subscriptionStarted")
        if not again:
            self._turn()
            self._sending.set()
            self.open()
        elif self._behaviour.double_start == "ignore":
            self._announce_started()
        else:
            self.redial(delay=0.0)
        return True

    def stop(self, operation: Operation) -> bool:
        """Stop sending. The outcome is announced once the socket is closed.

        Returns False if the plan says that a stop never happens.
        """
        if self._call.plan.faults.stop == "never":
            return False
        self._cease()
        if self._running() and self._behaviour.on_stop == "close":
            self._stopping.append(operation)
            self._orders.give(Order(Ending.STOP, self._behaviour.stop_code))
        else:
            self._announce_stopped(operation)
        return True

    def redial(self, *, delay: float, abrupt: bool = False, code: int = 0) -> bool:
        """Drop the socket and dial again after `delay` emulated seconds.

        Returns False if no socket is open: then there is nothing to drop.
        """
        if self._socket is None:
            return False
        code = code or self._behaviour.redial_code
        self._orders.give(Order(Ending.REDIAL, code, delay, abrupt))
        return True

    async def hang_up(self, code: int) -> None:
        """Close the socket for good and wait until it is closed."""
        self._cease()
        if self._task is not None:
            self._orders.give(Order(Ending.HANG_UP, code))
            await asyncio.wait((self._task,))

    def _cease(self) -> None:
        self._turn()
        self._sending.clear()

    def _turn(self) -> None:
        self._phase += 1
        self._phase_over.set()
        self._phase_over = asyncio.Event()

    def _running(self) -> bool:
        return self._task is not None and not self._task.done()

    async def send_dtmf(self, tones: str, raw_id: str) -> bool:
        """Send tones if the socket is open and they were asked for."""
        socket = self._socket
        if socket is None or not self.options.dtmf or not self._sending.is_set():
            return False
        at = self._timeline.stamp(self._timeline.slot(), 3).decode()
        if self._behaviour.dtmf_socket == "lost":
            return True
        try:
            for tone in tones:
                message = frames.dtmf(tone, self._behaviour, at=at, raw_id=raw_id)
                await socket.send_frame(message, aiohttp.WSMsgType.TEXT)
        except ConnectionError:
            return False
        return True

    # One socket after the other

    async def _run(self) -> None:
        """Keep a socket open until an order or too many losses end it.

        A start that comes while a stop still closes the old socket dials a new one.
        """
        while True:
            await self._subscribe()
            while self._stopping:
                self._announce_stopped(self._stopping.pop(0))
            final = self._orders.final
            hung_up = final is not None and final.ending is Ending.HANG_UP
            if hung_up or not self._sending.is_set():
                return
            self._orders.forget()

    async def _subscribe(self) -> None:
        """Dial and serve one socket after the other."""
        losses, replaces = 0, False
        if await self._interrupted(self._behaviour.socket_delay):
            return
        while (socket := await self._dial(replaces=replaces)) is not None:
            order, replaces = await self._serve(socket), True
            if self._orders.final is not None:
                return
            losses += order.ending is Ending.LOST
            if losses > self._behaviour.redial_limit:
                self._give_up(established=True)
                return
            if await self._interrupted(order.delay):
                return
            self._reopen()

    def _reopen(self) -> None:
        if self._behaviour.redial_subscription == "new":
            self.subscription_id = str(uuid.uuid4())
        if self._behaviour.announce_redial and self._unannounced is None:
            self._unannounced = (self._answer, "streamConnectionReestablished")

    async def _interrupted(self, seconds: float) -> bool:
        """Wait emulated seconds; return True if streaming is to end meanwhile."""
        return await self._orders.interrupt(self._clock, seconds)

    async def _dial(self, *, replaces: bool) -> aiohttp.ClientWebSocketResponse | None:
        """Return an open socket, or None after bounded attempts or an order to end.

        `replaces` says whether it follows another one of the same subscription.
        """
        if (forced := self._call.plan.faults.streaming) in ("8581", "8603"):
            self._give_up(established=forced == "8603")
            return None
        behaviour, backoff = self._behaviour, self._behaviour.dial_backoff
        attempts = behaviour.redial_attempts if replaces else behaviour.dial_attempts
        for attempt in range(max(1, attempts)):
            if attempt:
                if await self._interrupted(min(backoff, LONGEST_BACKOFF)):
                    return None
                backoff *= 2
            if self._orders.final is not None:
                return None
            try:
                with self._clock.outside():
                    return await self._dialler.dial(
                        self._call, self.options.transport_url
                    )
            except RefusedError as exc:
                self.sockets.append(SocketRecord.refused(exc, self._clock.now()))
                logger.warning("call %s: socket refused: %s", self._call.call_id, exc)
        self._give_up(established=replaces)
        return None

    def _give_up(self, *, established: bool) -> None:
        """Tell the app that there will be no socket, or no further one."""
        result, details = events.NOT_OPERATIONAL, "initialWebSocketConnectionFailed"
        if established:
            result, details = events.NOT_ESTABLISHED, "streamConnectionUnsuccessful"
        self._cease()
        self.settled.set()
        operation = self._unannounced[0] if self._unannounced else self._answer
        self._unannounced = None
        data = events.media_streaming("mediaStreamingFailed", details, result)
        self._announce("MediaStreamingFailed", data, operation)

    async def _serve(self, socket: aiohttp.ClientWebSocketResponse) -> Order:
        """Use one socket until it is lost or an order ends it; close it."""
        record = SocketRecord.opened(self._clock.now())
        self.sockets.append(record)
        self._socket = socket
        self.settled.set()
        reader = asyncio.create_task(self._read(socket))
        pump = asyncio.create_task(self._pump(socket, record))
        ordered = asyncio.create_task(self._orders.wait())
        await asyncio.wait((reader, pump, ordered), return_when=asyncio.FIRST_COMPLETED)
        pump.cancel()
        ordered.cancel()
        await asyncio.gather(pump, ordered, return_exceptions=True)
        lost = Order(Ending.LOST, 1001, self._behaviour.redial_delay)
        order = self._orders.take() or lost
        self._socket = None
        with self._clock.outside():
            await close(socket, order)
        record.closed(self._clock.now(), order, socket.close_code)
        # Not before the close: with a cancelled reader aiohttp does not wait for the
        # peer's close frame, and what is still under way would be lost.
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        self._outbound.lose_socket(self._timeline.elapsed())
        _raise_unless_lost(pump)
        return order

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        limit = self._behaviour.outbound_bytes
        pause = self._call.plan.faults.slow_reader_ms / 1000
        async for message in socket:
            if pause:
                await self._clock.sleep(pause)
            if message.type is aiohttp.WSMsgType.TEXT:
                elapsed = self._timeline.elapsed()
                self._outbound.take(message.data, elapsed, limit=limit)
            elif message.type is aiohttp.WSMsgType.BINARY:
                self._outbound.take_binary()

    async def _pump(
        self, socket: aiohttp.ClientWebSocketResponse, record: SocketRecord
    ) -> None:
        pump = Pump(
            socket,
            record,
            timeline=self._timeline,
            cast=self.cast,
            plan=self._call.plan,
            figures=self.figures,
        )
        silent = self._call.plan.faults.streaming == "silent"
        while True:
            await self._sending.wait()
            metadata = frames.audio_metadata(
                self.subscription_id, self.options.rate, self._behaviour.length_24k
            )
            phase, over = self._phase, self._phase_over
            await pump.begin(metadata)
            self._announce_started()
            if silent or self._behaviour.packets == "none":
                await over.wait()
            else:
                await pump.run(partial(self._in_phase, phase))

    def _in_phase(self, phase: int) -> bool:
        return self._phase == phase

    # What is announced

    def _announce_started(self) -> None:
        if self._unannounced is None:
            return
        operation, details = self._unannounced
        self._unannounced = None
        data = events.media_streaming(
            "mediaStreamingStarted", details, events.COMPLETED
        )
        self._announce("MediaStreamingStarted", data, operation)

    def _announce_stopped(self, operation: Operation) -> None:
        data = events.media_streaming(
            "mediaStreamingStopped", "subscriptionStopped", events.COMPLETED
        )
        self._announce("MediaStreamingStopped", data, operation)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.settled.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("call %s: media failed", self._call.call_id, exc_info=error)


def _raise_unless_lost(pump: "asyncio.Task[None]") -> None:
    """Raise what ended the sending, unless it was the peer or an order."""
    if pump.cancelled() or isinstance(pump.exception(), ConnectionError):
        return
    pump.result()
