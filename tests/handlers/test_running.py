"""A handler that misbehaves, and what it costs: itself, never a packet."""

import asyncio
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from calls.alarms.kinds import Kind
from calls.alarms.thresholds import Thresholds
from streaming.handlers import Handler, HeardAudio, Line
from streaming.handlers.bench import Doors
from streaming.handlers.running import Running
from streaming.ingest import MediaSession
from tests.streaming.desk import OPENED, Desk, records
from tests.streaming.wire import ALICE, BOB, audio, metadata

PACKETS = 200


class Note(Handler):
    """Notes what it hears."""

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(options or {})
        self.heard: list[HeardAudio] = []
        self.tones: list[tuple[str, str]] = []
        self.line: Line | None = None
        self.closed: list[str] = []

    async def on_open(self, line: Line) -> None:
        self.line = line

    async def on_audio(self, audio: HeardAudio) -> None:
        self.heard.append(audio)

    async def on_dtmf(self, tone: str, raw_id: str) -> None:
        self.tones.append((tone, raw_id))

    async def on_close(self, reason: str) -> None:
        self.closed.append(reason)


class Crashes(Note):
    async def on_audio(self, audio: HeardAudio) -> None:
        await super().on_audio(audio)
        if len(self.heard) == 10:
            raise RuntimeError("+12065550100 said 4711")


class Exits(Note):
    async def on_audio(self, audio: HeardAudio) -> None:
        sys.exit(3)


class Hangs(Note):
    """Never returns from its first packet, and does not want to be cancelled."""

    async def on_audio(self, audio: HeardAudio) -> None:
        await super().on_audio(audio)
        await asyncio.Event().wait()


class Blocks(Note):
    async def on_audio(self, audio: HeardAudio) -> None:
        await super().on_audio(audio)
        if len(self.heard) == 5:
            time.sleep(0.3)  # noqa: ASYNC251 what one must not do


class Floods(Note):
    """Says, writes and orders more than anybody could take."""

    async def on_audio(self, audio: HeardAudio) -> None:
        assert self.line is not None
        for _ in range(10):
            self.line.send_audio(bytes(64_000))
            await self.line.order("hang_up", "to be sure")


class Call:
    """A call on the desk whose handler is `handler`."""

    def __init__(self, folder: Path, handler: Handler | None) -> None:
        self.desk = Desk(folder)
        self.call = self.desk.call
        self.call.watch.thresholds = Thresholds()
        self.bench = Doors(rate=16_000)
        self.session: MediaSession = self.desk.socket()
        if handler is not None:

            async def load(_: str, __: Mapping[str, Any]) -> Handler:
                return handler

            self.call.handler = Running(
                "test",
                handler.options,
                self.bench,
                remark=self.session.remark,
                wake=lambda: None,
                load=load,
            )
        self.call.now(OPENED, time.monotonic())

    async def talk(self, count: int = PACKETS) -> None:
        """Let two people talk; the loop turns now and then, as it does."""
        self.session.take(metadata(), 0)
        for number in range(count):
            for raw_id in (ALICE, BOB):
                self.session.take(audio(number, raw_id), number * 20_000)
            if number % 10 == 0:
                await asyncio.sleep(0)

    @property
    def words(self) -> list[str]:
        """Return what alarms about the handler say now."""
        self.call.measure()
        self.call.watch.look(self.call, time.monotonic(), OPENED)
        lasting = self.call.watch.lasting
        return [
            one.seen.words for one in lasting if one.kind is Kind.HANDLER and one.seen
        ]

    def kept(self) -> list[tuple[int, bytes]]:
        """Seal it; return all the audio in its journal."""
        path = self.desk.seal(self.session)
        return [record for record in records(path) if record[0] == 1]

    @property
    def ledger(self) -> list[Any]:
        return [track.audio.ledger.to_json() for track in self.call.tracks.values()]


@pytest.mark.parametrize("kind", [None, Note, Crashes, Exits, Hangs, Blocks, Floods])
async def test_a_recording_is_the_same_whatever_its_handler_does(
    kind: type[Note] | None, tmp_path: Path
) -> None:
    call = Call(tmp_path, kind() if kind else None)
    await call.talk()

    assert call.session.counts.packets == 2 * PACKETS
    assert [track.audio.packets for track in call.call.tracks.values()] == [
        PACKETS,
        PACKETS,
    ]
    assert all(one.audio.ledger.completeness == 1 for one in call.call.tracks.values())
    assert len(call.kept()) == 2 * PACKETS
    if call.call.handler:
        await call.call.handler.end("the test is over")
