"""A call's play-out: which samples are due, which were heard. No I/O, no clock.

ACS queues what it is sent and plays it in real time; it acknowledges nothing. So at
most `LEAD_US` of audio is ever ahead of what is heard (a stop then bites at once), and
what is heard follows from what was sent: a frame begins when its way is over and ACS
takes the next (`Passage`), or when the frame before it ends, whichever is later. Times
are microseconds by one monotonic clock.
"""

from collections import deque
from collections.abc import Container, Iterator
from dataclasses import replace
from typing import Final
from uuid import UUID

from streaming.outbound.items import FRAME_US, Frame, Item, ItemState
from streaming.outbound.passage import Instant, Passage

# How far sending is ahead of hearing.
LEAD_US: Final = 200_000
# What one item may hold that is not sent yet: a whole prompt, or a long answer.
MAX_WAITING_US: Final = 300_000_000
# What one call may hold: nobody waits longer to be heard.
MAX_QUEUED_US: Final = 1_800_000_000
MAX_ITEMS: Final = 256
# Who speaks live is heard now or not at all: of what waits longer the oldest goes.
MAX_LIVE_US: Final = 600_000
# Live audio comes unevenly: so much of it waits before it is heard, at the beginning
# and whenever it ran dry.
CUSHION_US: Final = 80_000
# Of what would reach ACS so short before or after a frame begins, nobody here can tell
# whether it is in it: it is sent a little later, when it is not.
BEFORE_US: Final = 3_000
AFTER_US: Final = 1_000


class Playout:
    """The items of one call, in the order they are heard.

    `news` are the items whose state changed since somebody last took them.
    """

    def __init__(self, rate: int, passage: Passage | None = None) -> None:
        self.rate = rate
        self.frame_bytes = rate // 50 * 2
        self._passage = passage or Instant()
        self.items: deque[Item] = deque()
        self.news: list[Item] = []
        self.underruns = 0
        self._sent: deque[Frame] = deque()
        # Until when ACS has something to play; until when it was heard.
        self._end_us = 0
        self._heard_us = 0

    @property
    def is_idle(self) -> bool:
        """Say whether nothing waits to be sent or heard."""
        return not self.items and not self._sent

    @property
    def current(self) -> Item | None:
        """Return what is being heard, or is next."""
        if self._sent:
            return self._sent[0].item
        return self.items[0] if self.items else None

    @property
    def queued_us(self) -> int:
        """Return how much audio waits to be sent or heard."""
        size = sum(len(item.waiting) for item in self.items)
        return (
            size // 2 * 1_000_000 // self.rate
            + sum(frame.samples for frame in self._sent) * 1_000_000 // self.rate
        )

    def waits(self, now_us: int) -> bool:
        """Say whether time alone changes something: audio is sent, or heard."""
        return bool(self._sent) or self._next(now_us + LEAD_US) is not None

    def put(self, item: Item) -> None:
        """Let an item be heard after those before it; too many, and it fails."""
        if len(self.items) >= MAX_ITEMS:
            reason = f"{MAX_ITEMS} things wait to be said in the call already"
            self.end(item, ItemState.FAILED, reason)
            return
        self.items.append(item)
        self.news.append(item)

    def write(self, item: Item, pcm: bytes) -> int:
        """Add whole samples to an item; return how many bytes found room.

        Live audio always finds room; the oldest makes it.
        """
        if len(pcm) % 2:
            raise ValueError(f"{len(pcm)} bytes are not whole 16-bit samples")
        if item.is_whole or item.is_over:
            return 0
        if item.is_live:
            item.waiting.add(bytes(pcm))
            excess = len(item.waiting) - self._bytes(MAX_LIVE_US)
            if excess > 0:
                item.waiting.drop(excess)
                item.dropped += excess // 2
            return len(pcm)
        taken = max(0, min(len(pcm), self._room(item) // 2 * 2))
        # Bytes are not copied by this: a prompt is there once for all calls.
        item.waiting.add(memoryview(bytes(pcm))[:taken])
        return taken

    def _room(self, item: Item) -> int:
        waiting = sum(len(each.waiting) for each in self.items)
        return min(
            self._bytes(MAX_WAITING_US) - len(item.waiting),
            self._bytes(MAX_QUEUED_US) - waiting,
        )

    def _bytes(self, us: int) -> int:
        return us // FRAME_US * self.frame_bytes

    def finish(self, item: Item) -> None:
        """Say that nothing more will be written to an item."""
        item.is_whole = True
        if not item.waiting and item.played >= item.sent and item in self.items:
            self.items.remove(item)
            self._settle(item)

    def due(self, now_us: int) -> Frame | None:
        """Return what is to be sent now; it counts as sent by `sent` alone."""
        there_us = self._passage.reaches(now_us)
        if self._end_us - there_us >= LEAD_US or self.doubt_us(now_us):
            return None
        item = self._next(there_us)
        if item is None:
            return None
        pcm = item.waiting.first(self.frame_bytes)
        samples = len(pcm) // 2
        whole = pcm.ljust(self.frame_bytes, b"\0")
        if there_us < self._end_us:
            return Frame(item, whole, samples, self._end_us)
        start_us = max(self._end_us, self._passage.begins(there_us))
        return Frame(item, whole, samples, start_us, now_us)

    def doubt_us(self, now_us: int) -> int:
        """Return how long nothing is sent because one cannot say when it is heard."""
        there_us = self._passage.reaches(now_us)
        if there_us < self._end_us:
            return 0
        wait_us = self._passage.begins(there_us) - there_us
        if 0 < wait_us < BEFORE_US:
            return wait_us + AFTER_US
        return max(wait_us - (FRAME_US - AFTER_US), 0)

    def _next(self, there_us: int) -> Item | None:
        """Return the item of which there is enough to be sent."""
        while self.items:
            item = self.items[0]
            if item.waiting or not item.is_whole:
                is_enough = len(item.waiting) >= self._least(item, there_us)
                return item if item.is_whole or is_enough else None
            self.items.popleft()
            self._settle(item)
        return None

    def _least(self, item: Item, there_us: int) -> int:
        """Return how many bytes an item needs that is not whole."""
        is_dry = there_us >= self._end_us
        return self._bytes(CUSHION_US) if item.is_live and is_dry else self.frame_bytes

    def sent(self, frame: Frame) -> None:
        """Take a frame for sent."""
        item = frame.item
        if item.sent and frame.start_us > self._end_us and not item.is_resumed:
            item.underruns += 1
            self.underruns += 1
        item.is_resumed = False
        item.waiting.drop(frame.samples * 2)
        item.sent += frame.samples
        if item.heard_from_us is None:
            item.heard_from_us = frame.start_us
        if item.state is ItemState.QUEUED:
            item.state = ItemState.PLAYING
            self.news.append(item)
        self._end_us = frame.end_us
        self._sent.append(frame)

    def heard(self, now_us: int, *, is_cut: bool = False) -> Iterator[Frame]:
        """Yield what has been heard since the last call, in order.

        `is_cut`: what reaches ACS now ends it. Of the frame that is then being heard,
        yield the part that is: all of it, where ACS plays by frames.
        """
        while self._sent and self._sent[0].end_us <= now_us:
            yield self._note(self._sent.popleft())
        if is_cut:
            yield from self._heard_until(self._passage.reaches(now_us))

    def _heard_until(self, cut_us: int) -> Iterator[Frame]:
        is_framed = self._passage.begins(cut_us) > cut_us
        while self._sent and self._sent[0].start_us < cut_us:
            frame = self._sent.popleft()
            heard = (cut_us - frame.start_us) * self.rate // 1_000_000
            heard = frame.samples if is_framed else min(heard, frame.samples)
            rest = frame.samples - heard
            if rest:
                tail = frame.pcm[heard * 2 : frame.samples * 2]
                self._sent.appendleft(Frame(frame.item, tail, rest, cut_us))
            if heard:
                head = frame.pcm[: heard * 2]
                yield self._note(replace(frame, pcm=head, samples=heard))
        if not is_framed:
            self._heard_us = min(self._heard_us, cut_us)

    def _note(self, frame: Frame) -> Frame:
        item = frame.item
        item.played += frame.samples
        self._heard_us = frame.end_us
        if item not in self.items:
            self._settle(item)
        return frame

    def _settle(self, item: Item) -> None:
        """Note that an item was heard to its end, if it was."""
        if item.is_whole and not item.waiting and item.played >= item.sent:
            self.end(item, ItemState.PLAYED, "")

    def end(self, item: Item, state: ItemState, reason: str) -> None:
        """Note that nothing more of an item will be heard, and why."""
        if not item.is_over:
            item.waiting.clear()
            item.is_whole = True
            item.state, item.reason = state, reason
            self.news.append(item)

    def has_sent(self, only: Container[UUID]) -> bool:
        """Say whether something of these items was sent and is not heard yet."""
        return any(frame.item.id in only for frame in self._sent)

    def stop(
        self,
        now_us: int,
        state: ItemState,
        reason: str,
        only: Container[UUID] | None = None,
    ) -> list[Item]:
        """Drop all that was not heard, or `only` of these items; return what it cuts.

        ACS can only drop all that it has. What it had of others is sent again.
        """
        there = dict.fromkeys([*(f.item for f in self._sent), *self.items])
        cut = [item for item in there if only is None or item.id in only]
        is_sent = only is None or self.has_sent(only)
        self.items = deque(item for item in self.items if item not in cut)
        for item in cut:
            self.end(item, state, reason)
        if is_sent:
            back = list(self._sent)
            self._sent.clear()
            self._end_us = max(self._passage.reaches(now_us), self._heard_us)
            for frame in reversed(back):
                if not frame.item.is_over:
                    self._send_again(frame)
        return cut

    def _send_again(self, frame: Frame) -> None:
        item = frame.item
        item.sent -= frame.samples
        item.waiting.put_back(frame.pcm[: frame.samples * 2])
        item.is_resumed = True
        if item not in self.items:
            self.items.appendleft(item)

    def fail(self, item: Item, reason: str) -> None:
        """End an item of which nothing more can be said."""
        if item in self.items:
            self.items.remove(item)
        self.end(item, ItemState.FAILED, reason)

    def rewind(self, now_us: int, reason: str) -> bool:
        """Take back what was sent and not heard: its socket has gone.

        Items that survive will be sent from there on again; the others end, but for who
        is speaking just now: of them only what waited is lost. Returns whether anything
        was taken back.
        """
        back = list(self._sent)
        self._sent.clear()
        self._end_us = max(self._passage.reaches(now_us), self._heard_us)
        for frame in reversed(back):
            item = frame.item
            if item.is_over or not item.survives:
                item.sent -= frame.samples
            else:
                self._send_again(frame)
        ends = [frame.item for frame in back] + list(self.items)
        for item in dict.fromkeys(ends):
            if item.survives:
                continue
            if item.is_live and not item.is_whole:
                item.dropped += len(item.waiting) // 2
                item.waiting.clear()
                item.is_resumed = True
                continue
            if item in self.items:
                self.items.remove(item)
            self.end(item, ItemState.STOPPED, reason)
        return bool(back)
