"""The dashboard's socket: who may watch, what comes, what is said when parts fail."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import redis
import redis.asyncio
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.db import DatabaseError, InterfaceError
from django.test import Client
from django.utils import timezone

from acsstream.asgi import application
from calls.board.facts import BoardFacts, BoardReader
from calls.board.snapshot import Picture
from calls.board.trend import STEP, trend_note
from calls.control import command_settle
from calls.live.ingest import redis_async
from calls.live.listeners import listener_tell
from calls.models import (
    Call,
    CommandKind,
    CommandState,
    StreamCommand,
    StreamingState,
)
from streaming import board_feed, viewing
from streaming.watch_source import WatchSource
from tests.console.conftest import logged_in
from tests.console.snapshots import live_call, live_track, publish, snapshot
from tests.factories import CallFactory, TrackFactory, UserFactory, member_of

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]

OUR_ORIGIN = b"http://localhost"
NOWHERE = "redis://127.0.0.1:9/0"
# Nothing here waits so long unless it is broken.
PATIENCE = 20


@pytest.fixture(autouse=True)
def with_redis(settings: Any, redis_url: str) -> str:
    settings.REDIS_URL = settings.CELERY_BROKER_URL = redis_url
    settings.ALLOWED_HOSTS = ["localhost"]
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    return redis_url


def socket(
    client: Client | None,
    origin: bytes | None = OUR_ORIGIN,
    path: str = "/ws/dashboard",
) -> WebsocketCommunicator:
    headers = [(b"host", b"localhost")]
    if origin:
        headers.append((b"origin", origin))
    if client:
        cookie = client.cookies["sessionid"].value
        headers.append((b"cookie", f"sessionid={cookie}".encode()))
    return WebsocketCommunicator(application, path, headers)


@asynccontextmanager
async def watching(client: Client) -> AsyncIterator[WebsocketCommunicator]:
    viewer = socket(client)
    accepted, _ = await viewer.connect(timeout=PATIENCE)
    assert accepted
    try:
        yield viewer
    finally:
        await viewer.disconnect(timeout=PATIENCE)


async def picture(viewer: WebsocketCommunicator) -> dict[str, Any]:
    found: dict[str, Any] = await viewer.receive_json_from(timeout=PATIENCE)
    return found


async def browser_of(group: str) -> Client:
    return await sync_to_async(lambda: logged_in(member_of(group)))()


async def test_sends_whole_pictures_each_second(with_redis: str) -> None:
    track = await sync_to_async(TrackFactory.create)(
        participant__display_name="Ada Okafor"
    )
    heard = live_call(track.call, [live_track(track.participant.raw_id)])
    publish(with_redis, snapshot(calls=[heard], streams=4))
    async with watching(await browser_of("auditor")) as viewer:
        for _ in range(2):
            seen = await picture(viewer)
            assert seen["live"]
            assert seen["cards"]["streams"] == 4
            assert seen["calls"][0]["tracks"][0]["name"] == "Ada Okafor"


async def test_carries_hostile_names_as_plain_text() -> None:
    hostile = "<img src=x onerror=alert(1)>"
    await sync_to_async(CallFactory.create)(live=True, caller_name=hostile)
    async with watching(await browser_of("operator")) as viewer:
        assert (await picture(viewer))["calls"][0]["from_name"] == hostile


async def test_all_of_redis_is_let_go_of_though_it_stalls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kinds = (redis.asyncio.client.PubSub, redis.asyncio.Redis)
    close_of = {kind: kind.aclose for kind in kinds}
    closed = []

    async def stall(client: Any) -> None:
        await close_of[type(client)](client)
        closed.append(type(client).__name__)
        raise redis.TimeoutError

    source = board_feed.Source()
    await source.change(0.0)
    for kind in kinds:
        monkeypatch.setattr(kind, "aclose", stall)
    await source.close()
    await WatchSource(uuid4(), lambda: None).close()

    assert closed == ["PubSub", "Redis", "Redis"]


async def test_builds_one_picture_for_all_viewers() -> None:
    one, two = await browser_of("operator"), await browser_of("auditor")
    async with watching(one) as first, watching(two) as second:
        seen = {(await picture(first))["at"] for _ in range(2)}
        assert (await picture(second))["at"] in seen


async def test_stops_working_when_nobody_watches() -> None:
    async with watching(await browser_of("operator")) as viewer:
        await picture(viewer)
        assert board_feed.feed._task
    assert board_feed.feed._task is None
    assert not board_feed.feed._viewers


async def test_says_that_redis_is_down_and_shows_what_is_stored(
    settings: Any,
) -> None:
    settings.REDIS_URL = NOWHERE
    await sync_to_async(TrackFactory.create)()
    async with watching(await browser_of("operator")) as viewer:
        seen = await picture(viewer)
    assert not seen["live"]
    assert "Redis" in seen["reason"]
    assert seen["calls"][0]["tracks"]
    assert not seen["cards"]["redis"]


async def test_goes_on_without_a_channel_layer(
    settings: Any,
) -> None:
    layer = {"BACKEND": "channels_redis.core.RedisChannelLayer"}
    settings.CHANNEL_LAYERS = {"default": layer | {"CONFIG": {"hosts": [NOWHERE]}}}
    async with watching(await browser_of("operator")) as viewer:
        for _ in range(3):
            await picture(viewer)


async def test_survives_a_picture_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[ArithmeticError] = []

    def fail_once(*found: Any, **options: Any) -> Any:
        if not failures:
            failures.append(ArithmeticError())
            raise failures[0]
        return Picture(*found, **options)

    async with watching(await browser_of("operator")) as viewer:
        await picture(viewer)
        monkeypatch.setattr("streaming.board_feed.Picture", fail_once)
        for _ in range(2):
            await picture(viewer)
    assert failures


async def test_a_ping_that_fails_hides_no_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pinged: list[None] = []

    def fail() -> int:
        pinged.append(None)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(board_feed, "PING_SECONDS", 0.0)
    monkeypatch.setattr(board_feed, "count_workers", fail)
    async with watching(await browser_of("operator")) as viewer:
        seen = [await picture(viewer) for _ in range(3)]

    assert pinged
    assert seen[-1]["at"] > seen[0]["at"]


@pytest.mark.parametrize("fault", [DatabaseError, InterfaceError])
async def test_says_that_the_database_is_down_and_keeps_what_it_knew(
    monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    await sync_to_async(CallFactory.create)(live=True)
    async with watching(await browser_of("operator")) as viewer:
        before = await picture(viewer)

        def fail(*_: Any) -> Any:
            raise fault("gone")

        monkeypatch.setattr(BoardReader, "read", fail)
        after = before
        while not after["reason"]:
            after = await picture(viewer)
    assert "database" in after["reason"]
    assert [row["id"] for row in after["calls"]] == [before["calls"][0]["id"]]


def test_counts_no_workers_where_there_are_none(with_redis: str) -> None:
    assert board_feed.count_workers() == 0


def test_counts_nothing_where_nobody_can_be_asked(settings: Any) -> None:
    settings.CELERY_BROKER_URL = NOWHERE
    assert board_feed.count_workers() is None


async def refused(viewer: WebsocketCommunicator) -> bool:
    accepted, _ = await viewer.connect(timeout=PATIENCE)
    await viewer.disconnect(timeout=PATIENCE)
    return not accepted


async def test_refuses_strangers_and_visitors() -> None:
    stranger = await sync_to_async(lambda: logged_in(UserFactory.create()))()
    assert await refused(socket(stranger))
    assert await refused(socket(None))


async def test_refuses_other_sites() -> None:
    operator = await browser_of("operator")
    assert await refused(socket(operator, origin=b"https://evil.example"))
    assert await refused(socket(operator, origin=None))


async def closing_code(viewer: WebsocketCommunicator) -> int:
    """Read pictures until the socket is closed."""
    async with asyncio.timeout(PATIENCE):
        while True:
            message = await viewer.receive_output(PATIENCE)
            if message["type"] == "websocket.close":
                code: int = message["code"]
                return code


@pytest.mark.parametrize("path", ["/ws/", "/ws/nothing", "/elsewhere", "/"])
async def test_refuses_unknown_paths_politely(path: str) -> None:
    operator = await browser_of("operator")
    assert await refused(socket(operator, path=path))


async def look(viewer: WebsocketCommunicator, **view: Any) -> dict[str, Any]:
    """Tell a view; return the first snapshot that answers it."""
    view.setdefault("number", 7)
    await viewer.send_json_to(view)
    while True:
        seen = await picture(viewer)
        if seen.get("number") == view["number"]:
            return seen


async def test_sends_each_viewer_the_rows_on_its_own_screen() -> None:
    calls = await sync_to_async(five_calls)()
    one, two = await browser_of("operator"), await browser_of("auditor")
    async with watching(one) as first, watching(two) as second:
        top = await look(first, first=0, count=2)
        bottom = await look(second, first=3, count=2, sort="-duration")
    assert [row["id"] for row in top["calls"]] == calls[:2]
    assert [row["id"] for row in bottom["calls"]] == [calls[1], calls[0]]
    assert (top["total"], bottom["first"]) == (5, 3)


def five_calls() -> list[str]:
    """Calls, the newest first."""
    now = timezone.now()
    calls = [
        CallFactory.create(live=True, rang_at=now - timedelta(minutes=age))
        for age in range(5)
    ]
    return [str(call.pk) for call in calls]


async def test_answers_a_new_view_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    await sync_to_async(five_calls)()
    # Longer than the test is patient: only the view can bring the second snapshot.
    monkeypatch.setattr(board_feed, "SNAPSHOT_SECONDS", 10 * PATIENCE)
    async with watching(await browser_of("operator")) as viewer:
        await picture(viewer)
        assert len((await look(viewer, count=1))["calls"]) == 1


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ('{"type": "hang_up"}', "unknown field `type`"),
        ('{"count": 61}', "$.count"),
        ('{"filter": {"state": "asleep"}}', "$.filter.state"),
        ("[" * 15_000, "Expected `object`"),
        ("x" * 20_000, "at most"),
        ("{", "truncated"),
    ],
)
async def test_says_what_is_wrong_with_a_view_and_keeps_the_old_one(
    sent: str, said: str
) -> None:
    await sync_to_async(five_calls)()
    async with watching(await browser_of("operator")) as viewer:
        await look(viewer, count=2)
        await viewer.send_to(text_data=sent)
        told = await picture(viewer)
        while "error" not in told:
            told = await picture(viewer)
        assert said in told["error"]
        seen = await picture(viewer)
        assert (seen["number"], len(seen["calls"])) == (7, 2)


async def test_takes_no_bytes_for_a_view() -> None:
    async with watching(await browser_of("operator")) as viewer:
        await viewer.send_to(bytes_data=b"\x00")
        told = await picture(viewer)
        while "error" not in told:
            told = await picture(viewer)
        assert await picture(viewer)


async def test_names_who_listens(with_redis: str) -> None:
    call = await sync_to_async(CallFactory.create)(live=True)
    async with redis_async() as client:
        for user in ("mei", "ada", "ada"):
            await listener_tell(
                client,
                {
                    "call_id": str(call.pk),
                    "listen_id": str(uuid4()),
                    "user": user,
                    "since": {"mei": 1.0}.get(user, 2.0),
                    "seen": 0.0,
                },
            )
    async with watching(await browser_of("operator")) as viewer:
        seen = await picture(viewer)
    assert seen["calls"][0]["listeners"] == ["mei", "ada"]


async def test_sends_the_hour_once_and_again_with_a_new_point(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(board_feed, "TREND_SECONDS", 0)
    await sync_to_async(trend_note)(time.time() - STEP)
    async with watching(await browser_of("operator")) as viewer:
        first = await picture(viewer)
        assert first["trend"]["live_calls"][-1] == 0
        assert "trend" not in await look(viewer)
        await sync_to_async(trend_note)()
        seen = await picture(viewer)
        while "trend" not in seen:
            seen = await picture(viewer)
    assert seen["trend"]["at"] > first["trend"]["at"]


async def test_keeps_a_selected_call_that_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("calls.board.facts.LEAVING_SECONDS", 0)
    calls = await sync_to_async(five_calls)()
    async with watching(await browser_of("operator")) as viewer:
        await look(viewer, selected=calls[1])
        over = Call.objects.filter(pk__in=calls[:2])
        await sync_to_async(over.update)(state="ended", ended_at=timezone.now())
        seen = await picture(viewer)
        while len(seen["calls"]) > 4:
            seen = await picture(viewer)
    assert [row["id"] for row in seen["calls"]] == calls[1:]
    assert seen["calls"][0]["ended_at"]


async def test_closes_once_a_viewer_may_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(viewing, "RECHECK_SECONDS", 0.0)
    monkeypatch.setattr(board_feed, "SNAPSHOT_SECONDS", 0.05)
    client = await browser_of("auditor")
    viewer = socket(client)
    assert (await viewer.connect(timeout=PATIENCE))[0]
    await picture(viewer)
    await sync_to_async(User.objects.update)(is_active=False)
    assert await closing_code(viewer) == 4403
    await viewer.disconnect(timeout=PATIENCE)


async def test_closes_after_a_logout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewing, "RECHECK_SECONDS", 0.0)
    monkeypatch.setattr(board_feed, "SNAPSHOT_SECONDS", 0.05)
    client = await browser_of("auditor")
    viewer = socket(client)
    assert (await viewer.connect(timeout=PATIENCE))[0]
    await sync_to_async(client.logout)()
    assert await closing_code(viewer) == 4403
    await viewer.disconnect(timeout=PATIENCE)


async def test_gives_a_slow_viewer_the_newest_picture() -> None:
    viewer = board_feed.Viewer()
    pictures = [Picture(BoardFacts(), None, at=timezone.now()) for _ in range(5)]
    for one in pictures:
        viewer.show(one)
    assert await viewer.next() is pictures[-1]


async def test_shows_at_once_that_a_command_has_settled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Longer than the test is patient: only the poke can bring the second picture.
    monkeypatch.setattr(board_feed, "SNAPSHOT_SECONDS", 10 * PATIENCE)
    command = await sync_to_async(an_open_stop)()
    async with watching(await browser_of("auditor")) as viewer:
        first = await picture(viewer)
        await sync_to_async(command_settle)(command.id, CommandState.CONFIRMED)
        second = await picture(viewer)

    assert first["calls"][0]["streaming"] == StreamingState.STOPPING
    assert second["calls"][0]["streaming"] == StreamingState.STOPPED


def an_open_stop() -> StreamCommand:
    call = CallFactory.create(live=True, streaming_state=StreamingState.STOPPING)
    return StreamCommand.objects.create(
        call=call, kind=CommandKind.STOP_STREAMING, state=CommandState.SENT
    )
