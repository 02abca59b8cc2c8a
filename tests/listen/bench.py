"""A call that can be listened to without a network: real journals, tap and line."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from streaming.listen.feed import Ring
from streaming.listen.line import Line
from streaming.listen.past import PastDesk
from streaming.listen.tap import Tap
from streaming.listen.track import HEADER, SILENT
from streaming.listen.wire import Ask, Past, Read, encode, told_decoder
from tests.streaming.desk import Desk
from tests.streaming.wire import START, microseconds

START_US = microseconds(START)


class Feed:
    """What `CallFeed` is, with a call on the table instead of Redis."""

    def __init__(self, desk: Desk, past: PastDesk) -> None:
        self.id = "web"
        self.call_id: UUID = desk.call.call_id
        self.ring = Ring()
        self.answers: dict[str, Any] = {}
        self.lines: list[Line] = []
        self.asked = 0
        self._desk = desk
        self._past = past

    async def ask(self, ask: Ask) -> None:
        assert isinstance(ask, Read)
        self.asked += 1
        self.answers[ask.ask](await asyncio.to_thread(self.past_of, ask))

    def past_of(self, ask: Read) -> Past:
        """Read the journals, and take it over the wire."""
        told = told_decoder.decode(encode(self._past.piece(self.call_id, ask, "n")))
        assert isinstance(told, Past)
        return told

    def hear(self) -> None:
        """Put the tap on."""
        self._desk.call.tap = Tap(self._desk.call)

    def batch(self) -> None:
        """Hand on what came since the last batch, as ingest does 16 times a second."""
        tap = self._desk.call.tap
        assert tap is not None
        batch = tap.batch("process")
        packets, is_broken = self.ring.add(batch)
        for line in self.lines:
            line.take(batch, packets, is_broken)


class Ear:
    """The browser's end of a line: what it was told, and every sample it got."""

    def __init__(self, origin_us: int | None = START_US) -> None:
        self.told: list[dict[str, Any]] = []
        self.frames: list[tuple[int, int, int, bytes | None, int]] = []
        self.messages = 0
        self.line = Line(self.take, origin_us)

    async def take(self, given: bytes | dict[str, Any]) -> None:
        if isinstance(given, dict):
            self.told.append(given)
            return
        self.messages += 1
        at = 0
        while at < len(given):
            _, flags, track, generation, _, samples, start, _ = HEADER.unpack_from(
                given, at
            )
            at += HEADER.size
            pcm = None
            if not flags & SILENT:
                pcm = given[at : at + 2 * samples]
                at += 2 * samples
            self.frames.append((generation, track, int(start), pcm, samples))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [told for told in self.told if told["type"] == kind]

    def heard(self, generation: int) -> dict[str, dict[int, bytes]]:
        """Return by raw id each 20 ms that was got, by its first sample.

        Fails if anything was got twice.
        """
        names = {told["track"]["index"]: told["track"] for told in self.of("track")}
        found: dict[str, dict[int, bytes]] = {}
        for of, track, start, pcm, samples in self.frames:
            if of != generation:
                continue
            raw_id, size = names[track]["raw_id"], names[track]["rate"] // 50
            whole = bytes(2 * samples) if pcm is None else pcm
            mine = found.setdefault(raw_id, {})
            for offset in range(0, samples, size):
                assert start + offset not in mine, "heard twice"
                mine[start + offset] = whole[2 * offset : 2 * (offset + size)]
        return found


@contextlib.contextmanager
def past_of(folder: Path) -> Iterator[PastDesk]:
    past = PastDesk(folder)
    try:
        yield past
    finally:
        past.close()


def written(desk: Desk) -> None:
    """Wait until all that was received is on the disk."""
    wait = threading.Event()
    while desk.journals.health().pending_bytes:
        wait.wait(0.005)
