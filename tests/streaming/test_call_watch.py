"""Details of a call whose page is open: from the recorder, through Redis, to the page.

Recorder and page run in one process here, with a real Redis between them.
"""

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis
import redis.asyncio
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.db import DatabaseError, InterfaceError
from django.test import Client

from acsstream.asgi import application
from calls.audio.wave import UNKNOWN
from calls.live import watching
from calls.live.watching import WATCHED_KEY
from calls.models import Call
from calls.models.states import ArchiveState
from streaming import call_watch, viewing, watch_source
from streaming.call_audio import CallAudio, HeardTrack
from streaming.call_details import DetailPublisher
from streaming.close_codes import FORBIDDEN, OVER, UNKNOWN_CALL
from streaming.handlers.bench import Bench
from streaming.handlers.echo import Echo
from streaming.live import LivePublisher
from tests.console.conftest import logged_in
from tests.console.snapshots import snapshot
from tests.factories import (
    CallFactory,
    ParticipantFactory,
    UserFactory,
    member_of,
)
from tests.streaming.wire import voice

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]

NOON = 1_764_000_000_000_000
PACKET_US = 20_000
PATIENCE = 60
RATE = 16_000
ADA, BOB = "4:+12065550100", "4:+12065550101"


@pytest.fixture(autouse=True)
def with_redis(settings: Any, redis_url: str) -> str:
    settings.REDIS_URL = settings.CELERY_BROKER_URL = redis_url
    settings.ALLOWED_HOSTS = ["localhost"]
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    return redis_url


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_watch, "LOOK_SECONDS", 0.05)
    # Told once here, and looked at when a page has been opened; no longer than kept.
    monkeypatch.setattr(watching, "FRESH_SECONDS", 30.0)


class Recorder:
    """An ingest process, as far as it tells of calls."""

    def __init__(self, call_id: UUID) -> None:
        self.call = CallAudio(call_id)
        self.publisher = DetailPublisher(uuid4())
        self.redis = LivePublisher().redis

    def hear(
        self,
        raw_id: str,
        first: int,
        last: int,
        *,
        silent: bool = False,
        rate: int = RATE,
    ) -> HeardTrack:
        """Take the packets first to last of a speaker."""
        track = self.call.track(raw_id, rate)
        assert track
        now = time.time_ns() // 1_000
        for number in range(first, last):
            pcm = voice(number)
            at = NOON + number * PACKET_US
            arrival = now - (last - number) * PACKET_US
            placements = track.audio.take(at, arrival, pcm, silent, None)  # type: ignore[arg-type] # nobody asks whose packet
            track.wave.take(pcm, placements)
        return track

    async def tell(self, *watched: str) -> None:
        self.call.measure()
        ids = watched or (str(self.call.call_id),)
        await self.publisher.publish(self.redis, {self.call.call_id: self.call}, ids)


@pytest.fixture
async def call() -> Call:
    row: Call = await sync_to_async(CallFactory.create)(live=True)
    return row


@pytest.fixture
async def recorder(call: Call) -> AsyncIterator[Recorder]:
    recorder = Recorder(call.pk)
    yield recorder
    await recorder.redis.aclose()


def page(call_id: UUID, client: Client | None) -> WebsocketCommunicator:
    headers = [(b"host", b"localhost"), (b"origin", b"http://localhost")]
    if client:
        cookie = client.cookies["sessionid"].value
        headers.append((b"cookie", f"sessionid={cookie}".encode()))
    return WebsocketCommunicator(application, f"/ws/calls/{call_id}", headers)


async def browser_of(group: str) -> Client:
    return await sync_to_async(lambda: logged_in(member_of(group)))()


class Page:
    """A page as its script keeps it: waveforms and holes put together."""

    def __init__(self, viewer: WebsocketCommunicator) -> None:
        self.viewer = viewer
        self.waves: dict[str, bytearray] = {}
        self.holes: dict[str, list[Any]] = {}
        self.sent = 0

    async def look(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.viewer.receive_json_from(timeout=PATIENCE)
        for person in found["people"]:
            key = person["key"]
            if "wave" in person:
                new = base64.b64decode(person["wave"])
                self.sent += len(new)
                self.waves.setdefault(key, bytearray())[person["wave_from"] :] = new
            if "holes" in person:
                had = self.holes.setdefault(key, [])
                had[person["holes_from"] :] = person["holes"]
        return found

    async def until(self, claim: Any) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            while not claim(found := await self.look()):
                pass
        return found


@asynccontextmanager
async def looking(call_id: UUID, group: str = "operator") -> AsyncIterator[Page]:
    viewer = page(call_id, await browser_of(group))
    accepted, _ = await viewer.connect(timeout=PATIENCE)
    assert accepted
    try:
        yield Page(viewer)
    finally:
        await viewer.disconnect(timeout=PATIENCE)


def wave_of(track: HeardTrack) -> bytearray:
    return track.wave.data


async def test_tells_each_speaker_s_figures_under_their_name(
    call: Call, recorder: Recorder
) -> None:
    await sync_to_async(ParticipantFactory.create)(
        call=call, raw_id=ADA, display_name="Ada Okafor", is_muted=True
    )
    recorder.hear(ADA, 0, 100)
    recorder.hear(BOB, 50, 100, silent=True)
    await recorder.tell()

    async with looking(call.pk) as seen:
        found = await seen.until(lambda one: one["people"])

    ada, bob = found["people"]
    assert (ada["name"], bob["name"]) == ("Ada Okafor", "+1 206 555 0101")
    assert (ada["packets"], ada["talk_ms"], ada["muted"]) == (100, 2_000, True)
    assert (bob["silence_ratio"], bob["offset"], bob["talk_ms"]) == (1.0, 1.0, 0)
    assert bob["level_dbfs"] is None
    assert found["call"]["completeness"] == 1.0
    assert found["call"]["streaming_label"] == "Streaming"
    assert found["clock"] == pytest.approx(2.0, abs=0.05)


async def test_tells_what_hears_the_call_and_how_it_fares(
    call: Call, recorder: Recorder
) -> None:
    recorder.hear(ADA, 0, 10)
    async with Bench(Echo({})) as bench:
        await bench.hear(voice(0))
        bench.running.report("its service does not answer")
        recorder.call.handler = bench.running
        await recorder.tell()

        async with looking(call.pk) as seen:
            found = await seen.until(lambda one: one["people"])

    handler = found["call"]["handler"]
    assert (handler["name"], handler["state"], handler["frames"]) == (
        "Echo",
        "running",
        1,
    )
    assert handler["trouble"].endswith("says: its service does not answer")


async def test_sends_a_waveform_whole_once_and_then_what_is_new(
    call: Call, recorder: Recorder
) -> None:
    track = recorder.hear(ADA, 0, 3_000)
    await recorder.tell()
    async with looking(call.pk) as seen:
        await seen.until(lambda _: seen.waves)
        assert next(iter(seen.waves.values())) == wave_of(track)
        before = seen.sent
        recorder.hear(ADA, 3_000, 3_050)
        await recorder.tell()
        await seen.until(lambda _: seen.sent > before)

    assert next(iter(seen.waves.values())) == wave_of(track)
    # Ten bytes are new; the last old one may have been half a tenth of a second.
    assert seen.sent - before <= 11


async def test_tells_of_gaps_and_of_packets_that_fill_them_later(
    call: Call, recorder: Recorder
) -> None:
    track = recorder.hear(ADA, 0, 100)
    recorder.hear(ADA, 150, 300)
    await recorder.tell()
    async with looking(call.pk) as seen:
        await seen.until(lambda _: seen.holes)
        [holes] = seen.holes.values()
        assert holes == [["g", 2.0, 1.0]]
        recorder.hear(ADA, 110, 120)
        recorder.hear(ADA, 300, 350)
        await recorder.tell()
        await seen.until(lambda one: one["people"][0]["late"] == 10)

    assert list(seen.holes.values()) == [[["g", 2.0, 0.2], ["g", 2.4, 0.6]]]
    assert next(iter(seen.waves.values())) == wave_of(track)
    assert any(wave_of(track)[22:24])


async def test_a_page_that_comes_later_gets_everything(
    call: Call, recorder: Recorder
) -> None:
    track = recorder.hear(ADA, 0, 100)
    await recorder.tell()
    async with looking(call.pk) as first:
        await first.until(lambda _: first.waves)
        recorder.hear(ADA, 150, 200)
        await recorder.tell()
        await first.until(lambda _: any(first.holes.values()))
        async with looking(call.pk, "auditor") as second:
            await second.until(lambda _: second.waves)
            assert len(call_watch.watches) == 1

    assert second.waves == first.waves
    assert second.holes == first.holes
    assert next(iter(second.waves.values())) == wave_of(track)
    assert call_watch.watches == {}


async def test_writes_again_what_redis_has_forgotten(
    call: Call, recorder: Recorder, with_redis: str
) -> None:
    track = recorder.hear(ADA, 0, 100)
    await recorder.tell()
    async with looking(call.pk) as seen:
        await seen.until(lambda _: seen.waves)
        with redis.Redis.from_url(with_redis) as client:
            client.flushall()
        recorder.hear(ADA, 100, 150)
        await recorder.tell()
        await seen.until(lambda _: len(next(iter(seen.waves.values()))) == 30)

    # Nothing that was lost was taken for silence.
    assert next(iter(seen.waves.values())) == wave_of(track)
    assert all(wave_of(track))


async def test_knows_what_was_said_before_another_process_took_over(
    call: Call, recorder: Recorder
) -> None:
    recorder.hear(ADA, 0, 100)
    await recorder.tell()
    other = Recorder(call.pk)
    theirs = recorder.call.tracks[ADA, RATE]
    # As a process that goes on from rows does.
    other.call.tracks[ADA, RATE] = HeardTrack(theirs.audio)
    later = other.hear(ADA, 100, 150)
    async with looking(call.pk) as seen:
        await seen.until(lambda _: seen.waves)
        before = bytes(next(iter(seen.waves.values())))
        await other.tell()
        await seen.until(lambda _: len(next(iter(seen.waves.values()))) == 30)
        async with looking(call.pk) as fresh:
            await fresh.until(lambda _: fresh.waves)
    await other.redis.aclose()

    [wave] = seen.waves.values()
    assert wave[:20] == before
    assert wave[20:] == wave_of(later)[20:]
    assert wave_of(later)[:20] == bytes([UNKNOWN]) * 20
    # The web process had the beginning, so who comes now has it too.
    assert fresh.waves == seen.waves


async def test_tells_nothing_of_calls_that_nobody_looks_at(
    recorder: Recorder, with_redis: str
) -> None:
    recorder.hear(ADA, 0, 100)

    await recorder.tell(str(uuid4()), "no call")

    with redis.Redis.from_url(with_redis) as client:
        assert client.keys("acsstream:*") == []


async def test_the_recorder_learns_who_is_looked_at_with_its_snapshot(
    call: Call, with_redis: str
) -> None:
    live = LivePublisher()
    async with looking(call.pk) as seen:
        await seen.look()
        watched = await live.publish({"process": "p", "at": time.time()})  # type: ignore[typeddict-item] # enough here
    assert watched == [str(call.pk)]

    with redis.Redis.from_url(with_redis) as client:
        client.zadd(WATCHED_KEY, {str(call.pk): time.time() - 60})
    assert await live.publish({"process": "p", "at": time.time()}) == []  # type: ignore[typeddict-item] # enough here
    await live.redis.aclose()


@pytest.mark.parametrize("ahead", [-60, 60])
async def test_a_page_is_live_whatever_the_recorder_s_clock_says(
    call: Call, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    true, true_ns, live = time.time, time.time_ns, LivePublisher()
    async with looking(call.pk) as seen:
        await seen.look()
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda: true() + ahead)
            patch.setattr(time, "time_ns", lambda: true_ns() + ahead * 10**9)
            assert await live.publish(snapshot()) == [str(call.pk)]
            recorder.hear(ADA, 0, 100)
            await recorder.tell()
        found = await seen.until(lambda one: one["people"])

    await live.redis.aclose()
    assert found["reason"] == ""
    assert found["call"]["quiet"] < 30
    assert 0 <= found["at"] - found["measured_at"] < 30
    assert found["clock"] == pytest.approx(2.0, abs=0.05)


async def test_a_recorder_learns_what_its_neighbours_write(
    with_redis: str, settings: Any
) -> None:
    settings.NODE = "node-1"
    ours, theirs = LivePublisher(), LivePublisher()
    for rate in (2e6, 3e6):
        await theirs.publish(snapshot(disk_bytes_per_second=rate))
    settings.NODE = "node-2"
    await theirs.publish(snapshot(disk_bytes_per_second=7e6))
    settings.NODE = "node-1"
    own = snapshot(disk_bytes_per_second=1e6)

    await ours.publish(own)
    assert ours.others_bytes_per_second == 5e6

    # All the others have fallen silent.
    await ours.publish({**own, "at": own["at"] + 6})
    assert ours.others_bytes_per_second == 0
    await ours.redis.aclose()
    await theirs.redis.aclose()


async def test_says_that_redis_is_down_and_goes_on_with_what_is_stored(
    settings: Any, call: Call, recorder: Recorder
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    async with looking(call.pk) as seen:
        found = await seen.look()

    assert found["reason"] == watch_source.NO_REDIS
    assert found["measured_at"] is None
    assert found["call"]["state"] == "connected"


async def test_a_recorder_without_redis_records_all_the_same(
    call: Call, recorder: Recorder, settings: Any
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    live = LivePublisher()
    recorder.hear(ADA, 0, 100)

    await recorder.publisher.publish(
        live.redis, {call.pk: recorder.call}, [str(call.pk)]
    )

    await live.redis.aclose()


async def test_says_so_when_the_recorder_tells_no_more(
    call: Call, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with looking(call.pk) as seen:
        # In here: what was told before the page was open may be stale by now.
        recorder.hear(ADA, 0, 100)
        await recorder.tell()
        found = await seen.until(lambda one: one["people"])
        assert found["reason"] == ""
        monkeypatch.setattr("calls.live.watching.FRESH_SECONDS", 0)
        found = await seen.until(lambda one: one["reason"])

    assert found["reason"] == watch_source.NO_RECORDER
    # What was known stays, with its age.
    assert found["people"][0]["packets"] == 100
    assert found["measured_at"] < found["at"]


@pytest.mark.parametrize("fault", [DatabaseError, InterfaceError])
async def test_says_that_the_database_is_down(
    call: Call, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    def fail(call_id: UUID) -> Any:
        raise fault("gone")

    async with looking(call.pk) as seen:
        await seen.look()
        monkeypatch.setattr(watch_source, "watched_facts", fail)
        found = await seen.until(lambda one: one["reason"])

    assert found["reason"] == watch_source.NO_DATABASE
    assert found["call"]["live"]


async def test_ends_when_the_call_and_its_recordings_are_finished(call: Call) -> None:
    async def become(**fields: object) -> None:
        await sync_to_async(Call.objects.filter(pk=call.pk).update)(**fields)

    async with looking(call.pk) as seen:
        assert not (await seen.look())["over"]
        now = datetime.now(UTC) + timedelta(seconds=1)
        await become(state="ended", ended_at=now, archive_state=ArchiveState.PENDING)
        found = await seen.until(lambda one: not one["call"]["live"])
        assert not found["over"]
        await become(archive_state=ArchiveState.FINISHED)
        await seen.until(lambda one: one["over"])
        assert await closing_code(seen.viewer) == OVER


async def closing_code(viewer: WebsocketCommunicator) -> int:
    async with asyncio.timeout(PATIENCE):
        while True:
            message = await viewer.receive_output(PATIENCE)
            if message["type"] == "websocket.close":
                code: int = message["code"]
                return code


async def test_goes_on_to_say_that_somebody_looks_when_a_clock_is_set_back(
    call: Call, with_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_source, "SAY_EVERY", 0.0)
    source = watch_source.WatchSource(call.pk, lambda: None)
    with redis.Redis.from_url(with_redis) as client:
        for at in (time.time(), time.time() - 3600):
            client.delete(WATCHED_KEY)
            await source.look(at=at)
            assert client.zcard(WATCHED_KEY) == 1
    await source.close()


async def test_knows_no_call_that_is_not_there() -> None:
    viewer = page(uuid4(), await browser_of("operator"))
    assert (await viewer.connect(timeout=PATIENCE))[0]
    assert await closing_code(viewer) == UNKNOWN_CALL
    await viewer.disconnect(timeout=PATIENCE)


async def test_refuses_who_may_see_no_calls(call: Call) -> None:
    stranger = await sync_to_async(lambda: logged_in(UserFactory.create()))()
    for client in (stranger, None):
        viewer = page(call.pk, client)
        accepted, _ = await viewer.connect(timeout=PATIENCE)
        await viewer.disconnect(timeout=PATIENCE)
        assert not accepted


async def test_closes_once_a_viewer_may_no_longer(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(viewing, "RECHECK_SECONDS", 0.0)
    viewer = page(call.pk, await browser_of("operator"))
    assert (await viewer.connect(timeout=PATIENCE))[0]
    await sync_to_async(User.objects.update)(is_active=False)
    assert await closing_code(viewer) == FORBIDDEN
    await viewer.disconnect(timeout=PATIENCE)


async def test_ignores_what_a_browser_sends(call: Call) -> None:
    async with looking(call.pk) as seen:
        await seen.viewer.send_to(text_data='{"type": "hang_up"')
        await seen.look()
        assert await seen.look()
