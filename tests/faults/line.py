"""ACS's side of many calls at once: two speakers each, real time, redials.

Every packet says in its first samples which call, which speaker and which 20 ms it
is, so that whatever is stored can be read like a list: what is there, what is missing,
what is in the wrong place.
"""

import asyncio
import base64
import functools
import random
import struct
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import aiohttp

from calls.doors.capability import call_secret
from tests.streaming.house import House, eventually
from tests.streaming.keeping import KeepsUp
from tests.streaming.wire import ALICE, BOB, PACKET_US, SAMPLES, metadata

SPEAKERS = (ALICE, BOB)
PACKET_BYTES = SAMPLES * 2
# Call, speaker, packet: three samples, none of them ever zero.
LABEL = struct.Struct("<HHH")
NOISE = random.Random(7).randbytes(PACKET_BYTES - LABEL.size)
NOISE_TEXT = base64.b64encode(NOISE).decode()
REDIAL_SECONDS = 0.1


def packet(call: int, speaker: str, number: int) -> bytes:
    """Return PCM that no other packet of any call has."""
    return LABEL.pack(call + 1, SPEAKERS.index(speaker) + 1, number + 1) + NOISE


class Clock:
    """The time of all lines of a test: packet `number` is captured at its turn."""

    def __init__(self) -> None:
        self.start = datetime.now(UTC)
        self._began = time.monotonic()

    @property
    def number(self) -> int:
        """Return which packet is being captured now."""
        return int((time.monotonic() - self._began) * 1e6) // PACKET_US

    async def captured(self, number: int) -> None:
        """Wait until packet `number` is complete; at once if it is late already."""
        due = self._began + (number + 1) * PACKET_US / 1e6
        await asyncio.sleep(max(due - time.monotonic(), 0))

    @functools.lru_cache(maxsize=512)  # noqa: B019 it lives as long as its test
    def stamp(self, number: int) -> str:
        """Return when a packet was captured, as .NET writes it."""
        at = self.start + timedelta(microseconds=number * PACKET_US)
        return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06d}0Z"

    def frame(self, call: int, speaker: str, number: int) -> str:
        """Return a packet as ACS sends it."""
        label = LABEL.pack(call + 1, SPEAKERS.index(speaker) + 1, number + 1)
        return (
            '{"kind":"AudioData","audioData":{"timestamp":"'
            f'{self.stamp(number)}","participantRawID":"{speaker}","silent":false,'
            f'"data":"{base64.b64encode(label).decode()}{NOISE_TEXT}"}}}}'
        )


@dataclass
class Leg:
    """One socket of a line: which packets went into it, and how it ended."""

    first: int
    sent: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SPEAKERS, 0))
    # Close code as the server sent it; None if the socket broke.
    code: int | None = None
    is_over: bool = False

    def numbers(self, speaker: str) -> range:
        """Return the packets of a speaker that were sent over it."""
        return range(self.first, self.first + self.sent[speaker])


class Line:
    """One call: streams until it is told to end, and dials again if it must."""

    def __init__(self, number: int, port: int, clock: Clock) -> None:
        self.number = number
        self.call_id: UUID = uuid4()
        self.clock = clock
        self.legs: list[Leg] = []
        self._url = f"ws://127.0.0.1:{port}/media/{call_secret(self.call_id)}"
        self._ending = asyncio.Event()
        # How many sockets it had when it last ended.
        self._ended = 0

    def has_sent(self, packets: int) -> bool:
        """Say whether so many packets per speaker went into its last socket."""
        legs = self.legs[self._ended :]
        return bool(legs) and min(legs[-1].sent.values()) >= packets

    def begin(self) -> None:
        """Be ready to stream, for the first time or again."""
        self._ending.clear()
        self._ended = len(self.legs)

    def end(self) -> None:
        """Let the call end with the packet that is being captured."""
        self._ending.set()

    async def talk(self, client: aiohttp.ClientSession) -> None:
        """Stream; return when the line was told to end and its socket is closed."""
        while not self._ending.is_set():
            try:
                socket = await client.ws_connect(
                    self._url,
                    headers={"x-ms-call-connection-id": f"acs-{self.call_id}"},
                )
            except aiohttp.ClientError:
                # Nobody is there, or nobody takes it: ACS tries again for a while.
                await asyncio.sleep(REDIAL_SECONDS)
                continue
            leg = Leg(self.clock.number)
            self.legs.append(leg)
            heard = asyncio.create_task(self._listen(socket, leg))
            try:
                with suppress(ConnectionError):
                    await self._speak(socket, leg)
            finally:
                await socket.close()
                await heard

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse, leg: Leg) -> None:
        """Note the server's close at the moment it is here."""
        async for _ in socket:
            raise AssertionError("we send nothing into calls")
        leg.is_over, leg.code = True, socket.close_code

    async def _speak(self, socket: aiohttp.ClientWebSocketResponse, leg: Leg) -> None:
        await socket.send_str(metadata())
        number = leg.first
        while not self._ending.is_set():
            await self.clock.captured(number)
            for speaker in SPEAKERS:
                if leg.is_over:
                    return
                await socket.send_str(self.clock.frame(self.number, speaker, number))
                leg.sent[speaker] += 1
            number += 1


@asynccontextmanager
async def streaming(lines: Sequence[Line]) -> AsyncIterator[Callable[[Line], None]]:
    """Stream all lines during the block, then end them and wait for their end.

    Yields what begins one more line.
    """
    begun: list[Line] = []
    # No limit: fifty sockets to one host are what this is about.
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(connector=connector) as client,
        asyncio.TaskGroup() as calls,
    ):

        def begin(line: Line) -> None:
            begun.append(line)
            line.begin()
            calls.create_task(line.talk(client))

        for line in lines:
            begin(line)
        yield begin
        for line in begun:
            line.end()


def lines_to(port: int, count: int) -> list[Line]:
    """Return lines that share a clock."""
    clock = Clock()
    return [Line(number, port, clock) for number in range(count)]


async def kept_up(house: House, lines: Sequence[Line]) -> None:
    """Wait until what lines send is written soon enough; to be killed at once then."""

    def sent() -> dict[UUID, int]:
        return {
            line.call_id: sum(sum(leg.sent.values()) for leg in line.legs)
            for line in lines
        }

    await eventually(KeepsUp(house, sent))


async def sent(lines: Sequence[Line], packets: int) -> None:
    """Wait until each line has sent so many packets per speaker on its last socket."""
    await eventually(lambda: all(line.has_sent(packets) for line in lines))
