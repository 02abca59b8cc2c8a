"""Media streaming of one call: the sockets it opens and what is sent on them."""

import asyncio
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import aiohttp

from emulator import events, frames
from emulator.calls import Call, MediaOptions, Operation
from emulator.clock import Clock
from emulator.dialling import Dialler, RefusedError, SocketRecord, drop
from emulator.outbound import OutboundAudio
from emulator.speakers import Speaker

logger = logging.getLogger(__name__)

Announce = Callable[[str, events.Event, Operation], None]
"""Posts a callback: its type, its data, and where it goes."""


class Ending(StrEnum):
    """Why a socket is to be closed."""

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


class MediaStream:
    """One call's media-streaming subscription: inactive or active, on one socket."""

    def __init__(
        self,
        call: Call,
        options: MediaOptions,
        speakers: list[Speaker],
        *,
        clock: Clock,
        dialler: Dialler,
        outbound: OutboundAudio,
        announce: Announce,
    ) -> None:
        if call.timeline is None:
            raise AssertionError("media needs a connected call")
        self.options = options
        self.subscription_id = str(uuid.uuid4())
        self.sockets: list[SocketRecord] = []
        self.dropped_packets = 0
        self.late_ticks = 0
        self.worst_lateness = 0.0
        self._call = call
        self._behaviour = call.plan.behaviour
        self._timeline = call.timeline
        self._speakers = speakers
        self._clock = clock
        self._dialler = dialler
        self._outbound = outbound
        self._announce = announce
        self._task: asyncio.Task[None] | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._sending = asyncio.Event()
        self._settled = asyncio.Event()
        self._ordered = asyncio.Event()
        self._order: Order | None = None
        self._unannounced: tuple[Operation, str] | None = None
        self._stopping: Operation | None = None

    # What is known

    @property
    def tracks(self) -> list[Any]:
        """Return what was sent, per participant."""
        return [speaker.track for speaker in self._speakers]

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
            "dropped_packets": self.dropped_packets,
            "late_ticks": self.late_ticks,
            "worst_lateness_ms": round(self.worst_lateness * 1000, 1),
        }

    # What may be asked for

    def open(self) -> None:
        """Open the socket without sending on it yet."""
        if self._task is None or self._task.done():
            self._settled.clear()
            self._ordered.clear()
            self._order = None
            self._task = asyncio.create_task(self._run())

    def start(self, operation: Operation) -> None:
        """Start sending, on a new socket unless one is open."""
        if self._sending.is_set() and self._task and not self._task.done():
            self._start_again(operation)
            return
        self._unannounced = (operation, "subscriptionStarted")
        self._sending.set()
        self.open()

    def _start_again(self, operation: Operation) -> None:
        self._unannounced = (operation, "subscriptionStarted")
        if self._behaviour.double_start == "ignore":
            self._announce_started()
        else:
            self.redial(delay=0.0)

    def stop(self, operation: Operation) -> None:
        """Stop sending. The outcome is announced once the socket is closed."""
        self._sending.clear()
        running = self._task is not None and not self._task.done()
        if running and self._behaviour.on_stop == "close":
            self._stopping = operation
            self._give(Order(Ending.STOP, self._behaviour.stop_code))
        else:
            self._announce_stopped(operation)

    def redial(self, *, delay: float, abrupt: bool = False, code: int = 0) -> None:
        """Drop the socket and dial again after `delay` emulated seconds."""
        code = code or self._behaviour.redial_code
        self._give(Order(Ending.REDIAL, code, delay, abrupt))

    async def hang_up(self, code: int) -> None:
        """Close the socket for good and wait until it is closed."""
        self._sending.clear()
        if self._task is not None:
            self._give(Order(Ending.HANG_UP, code))
            await self._task

    async def settled(self) -> None:
        """Wait until the socket is open, or will not open."""
        await self._settled.wait()

    async def send_dtmf(self, tones: str, raw_id: str) -> bool:
        """Send tones if the socket is open and they were asked for."""
        socket = self._socket
        if socket is None or not self.options.dtmf or not self._sending.is_set():
            return False
        at = self._timeline.stamp(self._timeline.slot(), 3).decode()
        for tone in tones:
            message = frames.dtmf(tone, self._behaviour, at=at, raw_id=raw_id)
            await socket.send_frame(message, aiohttp.WSMsgType.TEXT)
        return True

    def _give(self, order: Order) -> None:
        self._order = order
        self._ordered.set()

    # One socket after the other

    async def _run(self) -> None:
        losses = 0
        while (socket := await self._dial()) is not None:
            order = await self._serve(socket)
            if order.ending in (Ending.STOP, Ending.HANG_UP):
                break
            losses += 1
            if losses > self._behaviour.redial_limit:
                self._failed(events.NOT_ESTABLISHED, "streamConnectionUnsuccessful")
                return
            if await self._interrupted(order.delay):
                break
            self._reopen()
        if self._stopping is not None:
            self._announce_stopped(self._stopping)
            self._stopping = None

    def _reopen(self) -> None:
        if self._behaviour.redial_subscription == "new":
            self.subscription_id = str(uuid.uuid4())
        if self._behaviour.announce_redial and self._unannounced is None:
            operation = self._call.operation
            if operation is not None:
                self._unannounced = (operation, "streamConnectionReestablished")

    async def _interrupted(self, seconds: float) -> bool:
        """Wait; return True if streaming is to end meanwhile."""
        try:
            async with asyncio.timeout(seconds / self._clock.speed):
                while not self._ending():
                    await self._ordered.wait()
                    self._ordered.clear()
        except TimeoutError:
            return False
        return True

    def _ending(self) -> bool:
        order = self._order
        return order is not None and order.ending in (Ending.STOP, Ending.HANG_UP)

    async def _dial(self) -> aiohttp.ClientWebSocketResponse | None:
        """Return an open socket, or None after bounded attempts or an order to end."""
        backoff = self._behaviour.dial_backoff
        for attempt in range(max(1, self._behaviour.dial_attempts)):
            if attempt:
                if await self._interrupted(backoff):
                    return None
                backoff *= 2
            if self._ending():
                return None
            try:
                return await self._dialler.dial(self._call, self.options.transport_url)
            except RefusedError as exc:
                self.sockets.append(SocketRecord.refused(exc, self._clock.now()))
                logger.warning("call %s: socket refused: %s", self._call.call_id, exc)
        lost = any(each.packets for each in self.sockets)
        self._failed(
            events.NOT_ESTABLISHED if lost else events.NOT_OPERATIONAL,
            "streamConnectionUnsuccessful"
            if lost
            else "initialWebSocketConnectionFailed",
        )
        return None

    def _failed(self, result: events.Event, details: str) -> None:
        self._sending.clear()
        self._settled.set()
        operation = self._unannounced[0] if self._unannounced else self._call.operation
        self._unannounced = None
        if operation is not None:
            data = events.media_streaming("mediaStreamingFailed", details, result)
            self._announce("MediaStreamingFailed", data, operation)

    async def _serve(self, socket: aiohttp.ClientWebSocketResponse) -> Order:
        """Use one socket until it is lost or an order ends it; close it."""
        record = SocketRecord.opened(self._clock.now())
        self.sockets.append(record)
        self._socket = socket
        self._settled.set()
        reader = asyncio.create_task(self._read(socket))
        pump = asyncio.create_task(self._pump(socket, record))
        ordered = asyncio.create_task(self._ordered.wait())
        await asyncio.wait((reader, pump, ordered), return_when=asyncio.FIRST_COMPLETED)
        pump.cancel()
        ordered.cancel()
        await asyncio.gather(pump, ordered, return_exceptions=True)
        self._ordered.clear()
        order = self._order or Order(Ending.LOST, 1001, self._behaviour.redial_delay)
        self._order = order if self._ending() else None
        await self._close(socket, record, order)
        # Not cancelled but ended by the close: cancelled, aiohttp would not wait for
        # the peer's close frame, and what is still under way would be lost.
        await reader
        _raise_unless_lost(pump)
        return order

    async def _close(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        record: SocketRecord,
        order: Order,
    ) -> None:
        self._socket = None
        if order.abrupt:
            drop(socket)
        await socket.close(code=order.code)
        record.closed(
            self._clock.now(),
            by="peer" if order.ending is Ending.LOST else "emulator",
            reason=order.ending.value,
            code=socket.close_code,
            abrupt=order.abrupt,
        )

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        limit = self._behaviour.outbound_bytes
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                elapsed = self._timeline.elapsed()
                self._outbound.take(message.data, elapsed, limit=limit)
            elif message.type is aiohttp.WSMsgType.BINARY:
                self._outbound.take_binary()

    # What is sent

    async def _pump(
        self, socket: aiohttp.ClientWebSocketResponse, record: SocketRecord
    ) -> None:
        while True:
            await self._sending.wait()
            metadata = frames.audio_metadata(
                self.subscription_id, self.options.rate, self._behaviour.length_24k
            )
            await socket.send_frame(metadata, aiohttp.WSMsgType.TEXT)
            self._announce_started()
            slot = self._timeline.slot()
            while self._sending.is_set():
                await self._timeline.sleep_until_captured(slot)
                slot = await self._send_due(socket, record, slot)

    async def _send_due(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        record: SocketRecord,
        slot: int,
    ) -> int:
        """Send every slot that is complete; return the next one."""
        lateness = self._timeline.lateness(slot)
        self.worst_lateness = max(self.worst_lateness, lateness)
        self.late_ticks += lateness > 0.02
        current = self._timeline.slot()
        oldest = current - int(self._behaviour.backlog_seconds * 50)
        if slot < oldest:
            self.dropped_packets += (oldest - slot) * len(self._speakers)
            slot = oldest
        while slot < current:
            stamp = self._timeline.stamp(slot, self._behaviour.timestamp_digits)
            for speaker in self._speakers:
                await speaker.send(socket, record, slot, stamp)
            slot += 1
        return slot

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


def _raise_unless_lost(pump: "asyncio.Task[None]") -> None:
    """Raise what ended the sending, unless it was the peer or an order."""
    if pump.cancelled() or isinstance(pump.exception(), ConnectionError):
        return
    pump.result()
