"""Sending on one open socket: what is due, when it is due."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiohttp

from emulator.calls import Plan
from emulator.clock import Timeline
from emulator.dialling import SocketRecord
from emulator.speakers import Cast, Packet, Speaker

SECOND = 50
"""Slots in a second: for so long the loudest speakers stay the same."""
LATE_SECONDS = 0.02
"""Wall time behind its deadline from which a tick counts as late."""


@dataclass(slots=True)
class Figures:
    """How well a stream kept its time. `worst_lateness` is wall seconds."""

    dropped_packets: int = 0
    extra_messages: int = 0
    ticks: int = 0
    late_ticks: int = 0
    worst_lateness: float = 0.0


class Pump:
    """Sends a call's packets on one socket, each when its slot is complete.

    It sleeps to the next deadline and then sends everything that is due, so being late
    once never makes it late for good.
    """

    def __init__(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        record: SocketRecord,
        *,
        timeline: Timeline,
        cast: Cast,
        plan: Plan,
        figures: Figures,
    ) -> None:
        self._socket = socket
        self._record = record
        self._timeline = timeline
        self._cast = cast
        self._faults = plan.faults
        self._digits = plan.behaviour.timestamp_digits
        self._backlog = int(plan.behaviour.backlog_seconds * SECOND)
        self._limit = plan.behaviour.speakers
        self._step = SECOND if plan.behaviour.packets == "sparse" else 1
        self._figures = figures
        self._heard: Sequence[Speaker] = ()
        self._chosen_from: Sequence[Speaker] = ()
        self._metadata = b""

    async def begin(self, metadata: bytes) -> None:
        """Send AudioMetadata."""
        self._metadata = metadata
        if self._faults.metadata == "sent":
            await self._text(metadata)

    async def run(self, active: Callable[[], bool]) -> None:
        """Send packets while streaming is active.

        Raises ConnectionError when the socket is gone.
        """
        slot = self._timeline.slot()
        late_metadata = self._faults.metadata == "late"
        while active():
            release = self._faults.released_by(slot)
            await self._timeline.sleep_until_captured(release)
            self._note_lateness(release)
            if self._faults.jitter_ms:
                await self._timeline.sleep(self._faults.held_back())
            if active():
                slot = await self._send_due(slot)
            if late_metadata:
                late_metadata = False
                await self._text(self._metadata)

    async def _send_due(self, slot: int) -> int:
        """Send every slot that is complete; return the next one."""
        current = self._timeline.slot()
        oldest = current - self._backlog
        if slot < oldest:
            self._figures.dropped_packets += (oldest - slot) * len(self._heard)
            slot = oldest
        while self._faults.released_by(slot) < current:
            if slot % SECOND == 0 or self._chosen_from is not self._cast.present:
                self._choose(slot)
            slot = await self._send_slot(slot)
        return slot

    def _note_lateness(self, slot: int) -> None:
        lateness = self._timeline.lateness(slot)
        self._figures.ticks += 1
        self._figures.worst_lateness = max(self._figures.worst_lateness, lateness)
        self._figures.late_ticks += lateness > LATE_SECONDS

    def _choose(self, slot: int) -> None:
        """Choose the most dominant speakers of the second that begins."""
        self._chosen_from = self._heard = present = self._cast.present
        if len(present) > self._limit:
            loudest = sorted(present, key=lambda each: -each.loudness(slot, SECOND))
            chosen = loudest[: self._limit]
            self._heard = [speaker for speaker in present if speaker in chosen]

    async def _send_slot(self, slot: int) -> int:
        """Send one slot, or two of them the wrong way round; return the next."""
        faults = self._faults
        for message, binary in faults.extras(slot, self._metadata):
            self._figures.extra_messages += 1
            await self._text(message, binary=binary)
        if faults.loses(slot):
            return slot + self._step
        together = (slot, slot + 1) if faults.swaps(slot) else (slot,)
        stamps = {each: self._timeline.stamp(each, self._digits) for each in together}
        for speaker in self._heard:
            packets = [speaker.packet(each, stamp) for each, stamp in stamps.items()]
            await self._send([packet for packet in packets if packet is not None])
        return slot + len(together) - 1 + self._step

    async def _send(self, packets: list[Packet]) -> None:
        """Send packets in reverse and note them in the order of capture."""
        written = []
        try:
            for packet in reversed(packets):
                message = packet.message
                if self._faults.spoils(packet.slot):
                    message = self._faults.spoil(packet.slot, message)
                written.append(packet)
                await self._text(message)
                if self._faults.duplicates(packet.slot):
                    self._figures.extra_messages += 1
                    await self._text(message)
        except ConnectionError:
            # Not written: the socket was gone. A cancellation, by contrast, can only
            # come while waiting for a slow peer, when the packet has been written.
            written.pop()
            raise
        finally:
            for packet in reversed(written):
                self._note(packet)

    def _note(self, packet: Packet) -> None:
        self._record.handed_over(packet.slot, packet.stamp)
        if self._faults.spoils(packet.slot):
            packet.track.spoilt_packets += 1
        else:
            self._cast.sent(packet)

    async def _text(self, message: bytes, *, binary: bool = False) -> None:
        kind = aiohttp.WSMsgType.BINARY if binary else aiohttp.WSMsgType.TEXT
        await self._socket.send_frame(message, kind)
