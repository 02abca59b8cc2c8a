"""The tap: what ingest does for listeners, and what it never does for them."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis.asyncio
from pytest_django import Settings

from streaming.listen import desk as listen
from streaming.listen.desk import ListenDesk
from streaming.listen.tap import MAX_PACKETS, Tap
from streaming.listen.wire import (
    ASKS,
    Batch,
    Hear,
    Leave,
    Past,
    Read,
    call_channel,
    encode,
    told_decoder,
    web_channel,
)
from tests.streaming.desk import Desk
from tests.streaming.house import PATIENCE, eventually
from tests.streaming.wire import BOB, PACKET_US, audio, metadata


@pytest.fixture
def desk(tmp_path: Path) -> Any:
    with Desk(tmp_path) as desk:
        yield desk


def test_what_nobody_fetches_is_lost_to_listeners_and_kept_by_the_recorder(
    desk: Desk,
) -> None:
    session = desk.socket()
    session.take(metadata(), 0)
    tap = desk.call.tap = Tap(desk.call)
    for number in range(MAX_PACKETS + 100):
        session.take(audio(number), number * PACKET_US)

    first, second = tap.batch("p"), tap.batch("p")

    assert (len(first.packets), first.lost) == (MAX_PACKETS, 100)
    assert session.counts.packets == MAX_PACKETS + 100
    desk.seal(session)
    [track] = desk.replay().tracks.values()
    assert track.packets == MAX_PACKETS + 100
    # The next batch does not follow the first: whoever reads both sees that.
    assert second.connections[0].base_us > first.packets[-1].arrival_us


def test_a_batch_says_where_it_follows_on(desk: Desk) -> None:
    session = desk.socket()
    session.take(metadata(), 0)
    session.take(audio(0), 5)
    before = session.last_arrival_us
    tap = desk.call.tap = Tap(desk.call)
    session.take(audio(1), PACKET_US)
    session.take(audio(1, BOB, silent=True), PACKET_US)

    first, second = tap.batch("p"), tap.batch("p")

    assert [heard.base_us for heard in first.connections] == [before]
    assert [packet.pcm == b"" for packet in first.packets] == [False, True]
    assert second.connections[0].base_us == first.packets[-1].arrival_us
    assert second.packets == []


class Redis:
    """One web process's end of Redis."""

    def __init__(self, url: str, call_id: Any) -> None:
        self.call = str(call_id)
        self.client = redis.asyncio.Redis.from_url(url)
        self.told: list[Batch | Past] = []

    async def __aenter__(self) -> "Redis":
        self.pubsub = self.client.pubsub(ignore_subscribe_messages=True)
        await self.pubsub.subscribe(call_channel(self.call), web_channel("web"))
        self.task = asyncio.create_task(self.take())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.pubsub.aclose()  # type: ignore[no-untyped-call] # redis-py
        await self.client.aclose()

    async def take(self) -> None:
        async for message in self.pubsub.listen():
            self.told.append(told_decoder.decode(message["data"]))

    async def ask(self, ask: Any) -> None:
        """Ask once ingest listens: what is published before is heard by nobody."""
        async with asyncio.timeout(PATIENCE):
            while True:
                if await self.client.publish(ASKS, encode(ask)):
                    return
                await asyncio.sleep(0.01)

    @property
    def batches(self) -> list[Batch]:
        return [one for one in self.told if isinstance(one, Batch)]

    async def answered(self, times: int) -> None:
        await eventually(lambda: len(self.pieces) >= times)

    @property
    def pieces(self) -> list[Past]:
        return [one for one in self.told if isinstance(one, Past)]


@pytest.fixture
async def listening(desk: Desk, redis_url: str, settings: Settings) -> Any:
    settings.REDIS_URL = redis_url
    calls = {desk.call.call_id: desk.call}
    listening = ListenDesk(uuid4(), calls, node="n", journals=desk.folder)
    listening.start()
    yield listening
    await listening.stop()


async def test_a_call_is_tapped_while_somebody_hears_it(
    desk: Desk, listening: ListenDesk, redis_url: str
) -> None:
    session = desk.socket()
    session.take(metadata(), 0)
    async with Redis(redis_url, desk.call.call_id) as web:
        await web.ask(Hear("web", web.call))
        await eventually(lambda: desk.call.tap)
        session.take(audio(0), 0)
        await eventually(lambda: any(batch.packets for batch in web.batches))
        await web.ask(Leave("web", web.call))
        await eventually(lambda: desk.call.tap is None)


async def test_who_says_nothing_is_forgotten(
    desk: Desk,
    listening: ListenDesk,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listen, "FORGET_SECONDS", 0.2)
    async with Redis(redis_url, desk.call.call_id) as web:
        await web.ask(Hear("web", web.call))
        await eventually(lambda: desk.call.tap)
        await eventually(lambda: desk.call.tap is None)


async def test_rubbish_on_redis_does_no_harm(
    desk: Desk, listening: ListenDesk, redis_url: str
) -> None:
    async with Redis(redis_url, desk.call.call_id) as web:
        await web.ask(Hear("web", "no call"))
        await web.client.publish(ASKS, b"\xff rubbish")
        await web.ask(Hear("web", web.call))
        await eventually(lambda: desk.call.tap)


async def test_one_process_of_a_node_answers_for_the_past(
    desk: Desk, listening: ListenDesk, redis_url: str
) -> None:
    """Two have the same journals; the one that has the call is quicker."""
    session = desk.socket()
    session.take(metadata(), 0)
    session.take(audio(0), 0)
    desk.seal(session)
    other = ListenDesk(uuid4(), {}, node="n", journals=desk.folder)
    other.start()
    async with Redis(redis_url, desk.call.call_id) as web:
        for number in range(3):
            await web.ask(Read(web="web", call=web.call, ask=f"{uuid4()}"))
            await web.answered(number + 1)
        # Long enough for a second answer to the last: another ask is answered.
        await web.ask(Read(web="web", call=web.call, ask="last"))
        await eventually(lambda: web.pieces[-1].ask == "last")
        await web.ask(Read(web="web", call=str(uuid4()), ask="nobody's"))
    await other.stop()

    asks = [piece.ask for piece in web.pieces]
    assert len(asks) == len(set(asks)) == 4


async def test_without_redis_listening_says_so_and_recording_goes_on(
    desk: Desk, settings: Settings
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    listening = ListenDesk(
        uuid4(), {desk.call.call_id: desk.call}, node="n", journals=desk.folder
    )
    listening.start()
    session = desk.socket()
    session.take(metadata(), 0)
    await eventually(lambda: listening.error)
    session.take(audio(0), 0)
    await listening.stop()

    assert session.counts.packets == 1
