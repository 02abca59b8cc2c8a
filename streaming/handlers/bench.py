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
from collections.abc import Mapping
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


class Bench:
    """A call with one handler in it, and all that came of that.

    `rate` is the line's, `prompts` the library, `refusal` the answer to every order.
    With `is_one_way` nothing can be sent, as in calls whose profile does not allow it.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        rate: int = 16_000,
        prompts: Mapping[str, bytes] | None = None,
        refusal: str = "",
        is_one_way: bool = False,
    ) -> None:
        self.rate = rate
        self.now_us = START_US
        # All audio that was heard of the handler, and the time of its first sample.
        self.heard = bytearray()
        self.heard_from_us: int | None = None
        self.transcripts: dict[UUID, SegmentDraft] = {}
        self.orders: list[GivenOrder] = []
        self.notes: list[Mapping[str, Any]] = []
        self.stops = 0
        self._doors = _Doors(self, prompts or {}, refusal, is_one_way=is_one_way)

        async def load(_: str, __: Mapping[str, Any]) -> Handler:
            return handler

        self.running = Running(
            type(handler).__name__,
            handler.options,
            self._doors,
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
    def items(self) -> list[Item]:
        """Return everything the handler began to say, in order."""
        return self._doors.said

    @property
    def trouble(self) -> str:
        """Return what is wrong with the handler, as an alarm says it."""
        return self.running.trouble(asyncio.get_running_loop().time())

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
        self.running.hear(raw_id, self.rate, self.now_us, self.now_us, pcm, silent)

    async def press(self, tone: str, raw_id: str = CALLER) -> None:
        """Let somebody press a key."""
        self.running.press(tone, raw_id)
        await self.settled()

    def pass_time(self, milliseconds: int = 20) -> None:
        """Let what waits be heard for so long."""
        for _ in range(0, milliseconds, 20):
            self._doors.play()
            self.now_us += SLOT_US

    async def settled(self) -> None:
        """Wait until the handler has taken all there is, or has ended."""
        async with asyncio.timeout(PATIENCE):
            while not (self.running.is_idle or self.running.is_over):  # noqa: ASYNC110
                await asyncio.sleep(0)


class _Doors:
    """The call of a bench: its voice is a play-out queue, its clock the bench's."""

    def __init__(
        self,
        bench: Bench,
        prompts: Mapping[str, bytes],
        refusal: str,
        *,
        is_one_way: bool,
    ) -> None:
        self.call_id = uuid4()
        self.rate = bench.rate
        self.said: list[Item] = []
        self._bench = bench
        self._prompts = prompts
        self._refusal = refusal
        self._playout = Playout(bench.rate)
        self._is_one_way = is_one_way

    @property
    def speaker(self) -> "_Doors | None":
        return None if self._is_one_way else self

    def now_us(self) -> int:
        return self._bench.now_us

    # What is said.

    def begin(self, *, kind: ItemKind, name: str) -> Item:
        item = Item(id=uuid4(), kind=kind, name=name)
        self._playout.put(item)
        self.said.append(item)
        return item

    def write(self, item: Item, pcm: bytes) -> int:
        return self._playout.write(item, pcm)

    def finish(self, item: Item) -> None:
        self._playout.finish(item)

    def stop(self, reason: str) -> list[Item]:
        self._bench.stops += 1
        return self._playout.stop(self._bench.now_us, ItemState.STOPPED, reason)

    def play(self) -> None:
        """Let 20 ms be heard, as far as anything is there."""
        bench = self._bench
        while (frame := self._playout.due(bench.now_us)) is not None:
            self._playout.sent(frame)
        for frame in self._playout.heard(bench.now_us + SLOT_US):
            if bench.heard_from_us is None:
                bench.heard_from_us = frame.start_us
            bench.heard += frame.pcm[: frame.samples * 2]

    # What is asked.

    def keep(self, segment: SegmentDraft) -> None:
        self._bench.transcripts[segment.id] = segment

    async def prompt(self, name: str, rate: int) -> bytes | None:
        return self._prompts.get(name)

    async def order(self, kind: str, why: str, arguments: dict[str, str]) -> str:
        self._bench.orders.append(GivenOrder(kind, why, dict(arguments)))
        return self._refusal
