"""A call's play-out: which samples are due, which were heard. No I/O, no clock.

ACS queues what it is sent and plays it in real time; it acknowledges nothing. So at
most `LEAD_US` of audio is ever ahead of what is heard (a stop then bites at once), and
what is heard follows from what was sent: a frame begins when it was sent, or when the
frame before it ends, whichever is later. Times are microseconds by one monotonic clock.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from uuid import UUID

FRAME_US: Final = 20_000
# How far sending is ahead of hearing.
LEAD_US: Final = 160_000
# What one item may hold that is not sent yet.
MAX_WAITING_US: Final = 300_000_000


class ItemKind(StrEnum):
    """Who speaks. The values are those of `Utterance.Kind`."""

    PROMPT = "prompt"
    TALK = "talk"
    HANDLER = "handler"


class ItemState(StrEnum):
    """How far it is. The values are those of `Utterance.State`."""

    QUEUED = "queued"
    PLAYING = "playing"
    PLAYED = "played"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(slots=True, kw_only=True, eq=False)
class Item:
    """One utterance on its way. Samples are counted at the call's rate.

    `survives`: after a redial it goes on where it was heard last; otherwise what was
    not heard is dropped.
    """

    id: UUID
    kind: ItemKind
    name: str
    survives: bool = True
    prompt: UUID | None = None
    command: UUID | None = None
    state: ItemState = ItemState.QUEUED
    reason: str = ""
    # When it was first heard, µs by the monotonic clock.
    heard_from_us: int | None = None
    sent: int = 0
    played: int = 0
    underruns: int = 0
    # No more will be written to it.
    is_whole: bool = False
    waiting: bytearray = field(default_factory=bytearray, repr=False)

    @property
    def is_over(self) -> bool:
        """Say whether nothing of it will be heard any more."""
        return self.state in (ItemState.PLAYED, ItemState.STOPPED, ItemState.FAILED)


@dataclass(slots=True, frozen=True)
class Frame:
    """20 ms on their way to be heard."""

    item: Item
    pcm: bytes
    # Samples of the item in it; what is more is padding.
    samples: int
    start_us: int

    @property
    def end_us(self) -> int:
        """Return when it has been heard."""
        return self.start_us + FRAME_US


class Playout:
    """The items of one call, in the order they are heard."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.frame_bytes = rate // 50 * 2
        self.items: deque[Item] = deque()
        self._sent: deque[Frame] = deque()
        self._end_us = 0

    @property
    def is_idle(self) -> bool:
        """Say whether nothing waits to be sent or heard."""
        return not self.items and not self._sent

    def put(self, item: Item) -> None:
        """Let an item be heard after those before it."""
        self.items.append(item)

    def write(self, item: Item, pcm: bytes) -> int:
        """Add whole samples to an item; return how many bytes found room."""
        if len(pcm) % 2:
            raise ValueError(f"{len(pcm)} bytes are not whole 16-bit samples")
        if item.is_whole or item.is_over:
            return 0
        room = MAX_WAITING_US // FRAME_US * self.frame_bytes - len(item.waiting)
        taken = max(0, min(len(pcm), room))
        item.waiting += pcm[:taken]
        return taken

    def finish(self, item: Item) -> None:
        """Say that nothing more will be written to an item."""
        item.is_whole = True

    def due(self, now_us: int) -> Iterator[Frame]:
        """Yield what is to be sent now, in order. Each frame yielded counts as sent."""
        while self.items and max(self._end_us, now_us) - now_us < LEAD_US:
            item = self.items[0]
            if len(item.waiting) < self.frame_bytes and not item.is_whole:
                return
            if not item.waiting:
                self.items.popleft()
                self._settle(item)
                continue
            yield self._frame(item, now_us)

    def _frame(self, item: Item, now_us: int) -> Frame:
        pcm = bytes(item.waiting[: self.frame_bytes])
        del item.waiting[: self.frame_bytes]
        samples = len(pcm) // 2
        if item.sent and now_us > self._end_us:
            item.underruns += 1
        start_us = max(self._end_us, now_us)
        self._end_us = start_us + FRAME_US
        item.sent += samples
        if item.heard_from_us is None:
            item.heard_from_us = start_us
        item.state = ItemState.PLAYING
        frame = Frame(item, pcm.ljust(self.frame_bytes, b"\0"), samples, start_us)
        self._sent.append(frame)
        return frame

    def heard(self, now_us: int) -> Iterator[Frame]:
        """Yield what has been heard since the last call, in order."""
        while self._sent and self._sent[0].end_us <= now_us:
            frame = self._sent.popleft()
            frame.item.played += frame.samples
            yield frame
            self._settle(frame.item)

    def _settle(self, item: Item) -> None:
        if item.is_whole and not item.waiting and item.played >= item.sent:
            item.state = ItemState.PLAYED

    def stop(self, now_us: int, reason: str) -> list[Item]:
        """Drop all that was not heard; return the items it cuts.

        The frame that is being heard counts as not heard: ACS drops it as well.
        """
        cut = list(dict.fromkeys([*(f.item for f in self._sent), *self.items]))
        self._sent.clear()
        self.items.clear()
        self._end_us = now_us
        for item in cut:
            item.waiting.clear()
            item.is_whole = True
            item.state, item.reason = ItemState.STOPPED, reason
        return cut
