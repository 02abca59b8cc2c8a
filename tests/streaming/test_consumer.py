"""The consumer between server and recorder, and servers other than uvicorn."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest
from pytest_django import Settings
from redis import Redis

from calls.journals.reading import Kind, read
from calls.live.ingest import LIVE_KEY, LiveCall, keys_of, parsed
from streaming import recorder as recorder_module
from streaming.live import LivePublisher
from streaming.management.commands.ingest import KEEPALIVE, listening_socket
from streaming.media_routing import media
from streaming.recorder import Recorder, current_recorder, recorder_stop
from tests.streaming.house import House, closing, eventually
from tests.streaming.wire import audio, metadata

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def house(settings: Settings, tmp_path: Path) -> AsyncIterator[Recorder]:
    settings.JOURNAL_DIR = tmp_path
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    settings.MEDIA_AUTH = "off"
    recorder_module._recorder = None
    yield current_recorder()
    await recorder_stop()
    recorder_module._recorder = None


class Server:
    """An ASGI server with one socket, whose messages the test says."""

    def __init__(self, path: str = "/media/anything", **headers: str) -> None:
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        self.fault: Exception | None = None
        self.fault_at = ""
        self.scope = {
            "type": "websocket",
            "path": path,
            "headers": [
                (name.replace("_", "-").encode(), value.encode())
                for name, value in headers.items()
            ],
            "client": None,
        }
        self.say(type="websocket.connect")
        # Any: the stubs know messages by types of their own.
        served: Any = media.__call__
        self.task = asyncio.ensure_future(
            served(self.scope, self.incoming.get, self.send)
        )

    def say(self, **message: Any) -> None:
        self.incoming.put_nowait(message)

    def receive(self, *frames: str) -> None:
        for frame in frames:
            self.say(type="websocket.receive", text=frame)

    async def send(self, message: dict[str, Any]) -> None:
        if self.fault and message["type"] == self.fault_at:
            raise self.fault
        self.sent.append(message)

    async def end(self, code: int = 1000) -> None:
        self.say(type="websocket.disconnect", code=code)
        async with asyncio.timeout(60):
            await self.task


@pytest.mark.parametrize("fault", [OSError("gone"), RuntimeError("closed already")])
async def test_a_socket_that_died_first_cannot_be_told_why_it_is_refused(
    house: Recorder, fault: Exception
) -> None:
    server = Server()
    server.fault, server.fault_at = fault, "websocket.close"
    server.receive(audio(0))

    async with asyncio.timeout(60):
        await server.task

    assert house.streams == 0


def live_calls(url: str) -> list[LiveCall]:
    """Return the calls that ingest has written into Redis for the live view."""
    with Redis.from_url(url) as client:
        names = client.zrange(LIVE_KEY, 0, -1)
        found = parsed(client.mget(keys_of(names)), [0] * len(names)) if names else []
    return [call for process in found for call in process["calls"]]


async def test_a_superseded_socket_may_be_gone(
    house: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    old = Server(x_ms_call_connection_id="one")
    old.receive(metadata())
    await eventually(lambda: house.streams == 1)
    old.fault, old.fault_at = OSError("gone"), "websocket.close"
    new = Server("/media/other", x_ms_call_connection_id="one")
    new.receive(metadata(), audio(0))
    await eventually(lambda: house.streams == 2)

    await new.end()
    await old.end(1006)

    assert house.streams == 0
    assert "exception" not in caplog.text.lower()


async def test_a_superseded_socket_may_finish_what_it_had_on_its_way(
    house: Recorder,
) -> None:
    old = Server(x_ms_call_connection_id="one")
    old.receive(metadata(), audio(0))
    await eventually(lambda: house.streams == 1)
    [call] = house.calls.values()
    [session] = call.sessions
    new = Server("/media/other", x_ms_call_connection_id="one")
    new.receive(metadata(), audio(50))
    await eventually(lambda: house.streams == 2 and session.superseded is None)

    # The backlog of a stall: sent before the newer socket spoke, read after it.
    old.receive(*(audio(number) for number in range(1, 50)))
    await eventually(lambda: old.sent[-1]["type"] == "websocket.close")

    assert session.counts.packets == 50
    assert old.sent[-1]["code"] == 1000
    await old.end()
    await new.end()


async def test_a_task_that_is_cancelled_seals_its_journal(house: Recorder) -> None:
    server = Server()
    server.receive(metadata(), audio(0))
    await eventually(lambda: house.streams == 1)
    [call] = house.calls.values()
    [session] = call.sessions
    await eventually(lambda: session.counts.packets == 1)

    server.task.cancel()
    with suppress(asyncio.CancelledError):
        await server.task

    await eventually(lambda: read_seal(session.journal.path))
    assert session.counts.close_code == 1006


def read_seal(path: Path) -> bool:
    if not path.exists():
        return False
    with read(path) as journal:
        return journal.sealed is not None


async def test_the_recorder_outlives_a_fault_in_its_own_work(
    house: Recorder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    server = Server()
    server.receive(metadata(), audio(0))
    await eventually(lambda: house.streams == 1)
    [call] = house.calls.values()
    monkeypatch.setattr(call, "measure", fail)
    await eventually(lambda: "goes on" in caplog.text)
    monkeypatch.undo()

    await eventually(lambda: next(iter(call.tracks.values())).level)
    await server.end()


async def test_ends_although_news_came_just_then() -> None:
    recorder = Recorder()
    recorder.start()
    # By now its task for rows waits for news.
    await asyncio.sleep(1.0)
    recorder.rows.wake()

    async with asyncio.timeout(60):
        await recorder.stop()

    assert all(task.done() for task in recorder._tasks)


async def rows_of(house: Recorder, call_id: UUID, packets: int) -> None:
    """Wait until the database knows of so many packets."""
    for _ in range(1_000):
        facts = await house.archive.facts(call_id, 60)
        if facts and sum(track.packets for track in facts.tracks) == packets:
            return
        await asyncio.sleep(0.02)
    pytest.fail("the rows did not come")


async def test_a_call_that_went_on_elsewhere_is_taken_up_where_it_is(
    house: Recorder,
) -> None:
    """Three sockets of one call; the second one's process is another."""
    first = Server(x_ms_call_connection_id="far")
    first.receive(metadata(), *(audio(n) for n in range(50)))
    await eventually(lambda: house.streams == 1)
    await first.end()
    [call] = house.calls.values()
    await rows_of(house, call.call_id, 50)
    elsewhere = Recorder()
    recorder_module._recorder = elsewhere
    second = Server(x_ms_call_connection_id="far")
    second.receive(metadata(), *(audio(n) for n in range(50, 100)))
    await eventually(lambda: elsewhere.streams == 1)
    await second.end()
    await elsewhere.stop()

    recorder_module._recorder = house
    third = Server(x_ms_call_connection_id="far")
    third.receive(metadata(), *(audio(n) for n in range(100, 150)))
    await third.end()

    [again] = house.calls.values()
    [track] = again.tracks.values()
    assert again is not call
    assert track.audio.packets == 150
    assert (track.audio.timeline.end, track.audio.ledger.gap_count) == (150 * 320, 0)


async def test_what_a_call_knows_of_itself_is_in_the_snapshot(
    house: Recorder, settings: Settings, redis_url: str
) -> None:
    settings.REDIS_URL = redis_url
    with Redis.from_url(redis_url) as client:
        # What an earlier test published is fresh for ten seconds.
        client.delete(LIVE_KEY)
    house.live = LivePublisher()
    server = Server(x_ms_call_connection_id="shown")
    server.receive(metadata(), *(audio(n) for n in range(60)), "not JSON")
    server.receive('{"kind":"New"}')
    await eventually(lambda: live_calls(redis_url))
    await eventually(lambda: live_calls(redis_url)[0]["unknown"] == 1)

    [call] = live_calls(redis_url)
    [track] = call["tracks"]

    assert (call["packets"], call["malformed"], call["unknown"]) == (60, 1, 1)
    assert (call["completeness"], call["mixed"]) == (1.0, False)
    assert (track["ms"], track["talk_ms"], track["gap_ms"]) == (1200, 1200, 0)
    await server.end()


async def test_nobody_talks_once_the_socket_is_gone(house: Recorder) -> None:
    server = Server()
    server.receive(metadata())
    for number in range(50):
        server.receive(audio(number, pcm=b"\x00\x20" * 320))

    def talking() -> bool:
        return any(
            track.is_talking
            for call in house.calls.values()
            for track in call.tracks.values()
        )

    # Nobody looks at a call without sockets: its last second would last for ever.
    await eventually(talking)
    await server.end()

    await eventually(lambda: not talking())


async def test_redis_gets_a_snapshot_each_second_and_none_after_the_end(
    house: Recorder, redis_url: str, settings: Settings
) -> None:
    settings.REDIS_URL = redis_url
    shown = Recorder()
    recorder_module._recorder = shown
    server = Server()
    server.receive(metadata(), audio(0))
    key = f"acsstream:live:{shown.process_id}"
    with Redis.from_url(redis_url) as redis:
        await eventually(lambda: redis.get(key))
        lifetime = redis.ttl(key)
        await server.end()
        await shown.stop()
        recorder_module._recorder = None

        assert lifetime in range(1, 6)
        assert redis.get(key) is None
        assert redis.zscore("acsstream:live", str(shown.process_id)) is None


def test_sockets_notice_a_peer_that_vanished() -> None:
    with listening_socket("127.0.0.1", 0) as listener:
        listener.listen()
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted:
                tcp = socket.IPPROTO_TCP
                assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                for name, value in KEEPALIVE.items():
                    assert accepted.getsockopt(tcp, getattr(socket, name)) == value


async def test_daphne_serves_media_beside_the_console(
    on_daphne: Callable[..., House], client: aiohttp.ClientSession
) -> None:
    daphne = on_daphne()
    call_id = uuid4()

    async def dial() -> aiohttp.ClientWebSocketResponse:
        while True:
            with suppress(aiohttp.ClientConnectorError):
                return await daphne.dial(client, call_id)
            await asyncio.sleep(0.1)

    async with asyncio.timeout(60):
        ws = await dial()
    for frame in (metadata(), *(audio(n) for n in range(100))):
        await ws.send_str(frame)
    await ws.close()
    await eventually(
        lambda: daphne.rows("select 1 from calls_connection where packets = 100")
    )
    refused = await daphne.dial(client, uuid4())
    await refused.send_str(audio(0))

    # Daphne sends no 1007 for us; 4007 says the same.
    assert await closing(refused) == 4007
    await eventually(lambda: all(read_seal(path) for path in daphne.journals))
    for path in daphne.journals:
        with read(path) as journal:
            kinds = [record.kind for record in journal.records()]
            assert kinds.count(Kind.AUDIO) in (0, 100)
