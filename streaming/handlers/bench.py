"""A test bench for handlers: it feeds one audio and collects what that says.

    async with Bench(MyHandler({"name": "value"})) as bench:
        await bench.hear(pcm)          # 20 ms after 20 ms, by the bench's own clock
        await bench.press("5")
        assert bench.heard == ...      # what the call heard of it, sample for sample

The handler runs as it does in a call: in a task of its own behind the same inbox, with
the same play-out queue. Only time is the bench's: it passes as audio is fed, so that a
test of a minute takes no minute, and nothing depends on how busy the machine is.
"""

import asyncio
import time
from collections.abc import Container, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self
from uuid import UUID, uuid4

from calls.audio.pcm import SLOT_US, slot_samples
from calls.drafts import SegmentDraft
from streaming.handlers.interface import Handler
from streaming.handlers.running import Running
from streaming.outbound import Item, ItemKind, ItemState, Playout

START_US: Final = 1_772_366_400_000_000
CALLER: Final = "4:+12065550100"
# Who is busy for longer waits for something the bench does not know of.
PATIENCE: Final = 10.0


@dataclass(frozen=True, slots=True)
class GivenOrder:
    """An order that a handler gave."""

    kind: str
    why: str
    arguments: Mapping[str, str]


class BenchCall:
    """A call without a network: what a line needs of one, and all that came of it.

    Its voice is a play-out queue; its clock goes where `pass_time` puts it.
    """

    def __init__(
        self,
        *,
        rate: int = 16_000,
        prompts: Mapping[str, bytes] | None = None,
        refusal: str = "",
        is_one_way: bool = False,
    ) -> None:
        self.call_id = uuid4()
        self.rate = rate
        self.clock_us = START_US
        # Everything that was begun to be said, in order.
        self.items: list[Item] = []
        # All audio that was heard of the handler, and the time of its first sample.
        self.heard = bytearray()
        self.heard_from_us: int | None = None
        self.transcripts: dict[UUID, SegmentDraft] = {}
        self.orders: list[GivenOrder] = []
        self.stops: list[str] = []
        self._prompts = prompts or {}
        self._refusal = refusal
        self._is_one_way = is_one_way
        self._playout = Playout(rate)

    @property
    def speaker(self) -> "BenchCall | None":
        """Return what speaks: the bench itself."""
        return None if self._is_one_way else self

    def now_us(self) -> int:
        """Return the time."""
        return self.clock_us

    def pass_time(self, milliseconds: int = 20) -> None:
        """Let what waits be heard for so long."""
        for _ in range(0, milliseconds, 20):
            while (frame := self._playout.due(self.clock_us)) is not None:
                self._playout.sent(frame)
            self.clock_us += SLOT_US
            for frame in self._playout.heard(self.clock_us):
                if self.heard_from_us is None:
                    self.heard_from_us = frame.start_us
                self.heard += frame.pcm[: frame.samples * 2]

    # What is said.

    def begin(self, *, kind: ItemKind, name: str, prompt: UUID | None = None) -> Item:
        """Begin an utterance."""
        item = Item(id=uuid4(), kind=kind, name=name, prompt=prompt)
        self._playout.put(item)
        self.items.append(item)
        return item

    def write(self, item: Item, pcm: bytes) -> int:
        """Add audio to an utterance."""
        return self._playout.write(item, pcm)

    def finish(self, item: Item) -> None:
        """End an utterance."""
        self._playout.finish(item)

    def stop(self, reason: str, only: Container[UUID] | None = None) -> list[Item]:
        """Be silent at once."""
        self.stops.append(reason)
        return self._playout.stop(self.clock_us, ItemState.STOPPED, reason, only)

    # What is asked.

    def keep(self, segment: SegmentDraft) -> None:
        """Keep a piece of a transcript."""
        self.transcripts[segment.id] = segment

    async def prompt(self, name: str, rate: int) -> bytes | None:
        """Return a prompt of the bench's library."""
        return self._prompts.get(name)

    async def order(self, kind: str, why: str, arguments: dict[str, str]) -> str:
        """Take an order down; answer what the bench was told to."""
        self.orders.append(GivenOrder(kind, why, dict(arguments)))
        return self._refusal


class Bench(BenchCall):
    """A call with one handler in it.

    `rate` is the line's, `prompts` the library, `refusal` the answer to every order.
    With `is_one_way` nothing can be sent, as in calls whose profile does not allow it.
    """

    def __init__(self, handler: Handler, **call: Any) -> None:
        super().__init__(**call)
        self.notes: list[Mapping[str, Any]] = []

        async def load(_: str, __: Mapping[str, Any]) -> Handler:
            return handler

        self.running = Running(
            type(handler).__name__,
            handler.options,
            self,
            remark=self.notes.append,
            wake=lambda: None,
            load=load,
        )

    async def __aenter__(self) -> Self:
        """Begin: the call's first metadata is there."""
        self.running.begin(self.rate)
        await self.settled()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End: the call's last socket closes."""
        await self.running.end("the bench has ended")

    @property
    def trouble(self) -> str:
        """Return what is wrong with the handler, as an alarm says it."""
        return self.running.trouble(time.monotonic())

    async def hear(
        self, pcm: bytes, raw_id: str = CALLER, *, silent: bool = False
    ) -> None:
        """Let somebody say this, 20 ms after 20 ms; time passes."""
        size = 2 * slot_samples(self.rate)
        for start in range(0, len(pcm), size):
            self.put(pcm[start : start + size], raw_id, silent=silent)
            await self.settled()
            self.pass_time()

    async def silence(self, milliseconds: int, raw_id: str = CALLER) -> None:
        """Let somebody be silent, as ACS flags it; time passes."""
        await self.hear(bytes(milliseconds * self.rate // 500), raw_id, silent=True)

    def put(self, pcm: bytes, raw_id: str = CALLER, *, silent: bool = False) -> None:
        """Hand over a packet of now; neither time passes nor is it waited for."""
        now = self.clock_us
        self.running.hear(raw_id, self.rate, now, now, pcm, silent)

    async def press(self, tone: str, raw_id: str = CALLER) -> None:
        """Let somebody press a key."""
        self.running.press(tone, raw_id)
        await self.settled()

    async def settled(self) -> None:
        """Wait until the handler has taken all there is, or has ended."""
        async with asyncio.timeout(PATIENCE):
            # A handler announces nothing while it thinks: idleness is known by looking.
            while not (self.running.is_idle or self.running.is_over):  # noqa: ASYNC110
                await asyncio.sleep(0)
