"""The socket of a listener: who may, what is noted, and what hostile ones can do."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.db import DatabaseError, InterfaceError
from django.test import Client

from acsstream.asgi import application
from calls.live.listeners import listeners
from calls.models import AuditAction, AuditEntry, Call, CallState
from streaming import tasks, viewing
from streaming.browser_socket import MAX_FAULTS
from streaming.close_codes import ENDED, FORBIDDEN, NOT_NOTED, OUR_FAULT, RUBBISH
from streaming.listen import consumer as listening
from streaming.listen.desk import ListenDesk
from streaming.listen.feed import CallFeed, _feeds
from streaming.listen.rights import Rights
from tests.console.conftest import logged_in
from tests.factories import CallFactory, UserFactory, member_of
from tests.listen.bench import START_US
from tests.streaming.desk import Desk
from tests.streaming.house import PATIENCE, eventually
from tests.streaming.wire import ALICE, PACKET_US, audio, metadata

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def with_redis(settings: Any, redis_url: str) -> str:
    settings.REDIS_URL = redis_url
    settings.ALLOWED_HOSTS = ["localhost", "testserver"]
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    return redis_url


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """An ingest process that has the call, on this test's loop."""
    with Desk(tmp_path) as desk:
        calls = {desk.call.call_id: desk.call}
        ingest = ListenDesk(uuid4(), calls, node="n", journals=tmp_path)
        ingest.start()
        yield desk
        await ingest.stop()


async def live_call(desk: Desk, **fields: Any) -> Call:
    fields = {"live": True, "origin_us": START_US} | fields
    made: Callable[..., Any] = sync_to_async(CallFactory.create)
    call: Call = await made(pk=desk.call.call_id, **fields)
    return call


async def browser_of(user: Callable[[], User]) -> Client:
    return await sync_to_async(lambda: logged_in(user()))()


def operator() -> User:
    return member_of("operator")


def socket(
    call_id: object, client: Client | None, origin: bytes = b"http://localhost"
) -> WebsocketCommunicator:
    headers = [(b"host", b"localhost"), (b"origin", origin)]
    if client:
        cookie = client.cookies["sessionid"].value
        headers.append((b"cookie", f"sessionid={cookie}".encode()))
    return WebsocketCommunicator(application, f"/ws/listen/{call_id}", headers)


class Listener:
    """A browser's end of the socket."""

    def __init__(self, ws: WebsocketCommunicator) -> None:
        self.ws = ws
        self.told: list[dict[str, Any]] = []
        self.audio: list[bytes] = []
        self.code: int | None = None

    async def say(self, **message: Any) -> None:
        await self.ws.send_json_to(message)

    async def until(self, claim: Callable[[], Any]) -> None:
        """Take what comes until a claim is true."""
        async with asyncio.timeout(PATIENCE):
            while not claim():
                self.take(await self.ws.receive_output(PATIENCE))

    def take(self, message: Any) -> None:
        if message["type"] == "websocket.close":
            self.code = message.get("code")
        elif message.get("bytes"):
            self.audio.append(message["bytes"])
        else:
            self.told.append(json.loads(message["text"]))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [told for told in self.told if told["type"] == kind]


@asynccontextmanager
async def listener(call_id: object, client: Client) -> AsyncIterator[Listener]:
    ws = socket(call_id, client)
    accepted, _ = await ws.connect(timeout=PATIENCE)
    assert accepted
    try:
        yield Listener(ws)
    finally:
        await ws.disconnect(timeout=PATIENCE)


def entries() -> list[tuple[str, str, dict[str, Any]]]:
    rows = AuditEntry.objects.filter(action__startswith="listening").order_by("id")
    return [(row.action, row.actor, row.details) for row in rows]


async def talk(desk: Desk, session: Any, first: int, count: int) -> None:
    """Let somebody speak, a packet at a time."""
    for number in range(first, first + count):
        session.take(audio(number), number * PACKET_US)
        await asyncio.sleep(0.002)


@pytest.mark.parametrize("who", ["nobody", "stranger", "other site", "withdrawn"])
async def test_refuses_before_the_handshake_who_may_not_listen(
    desk: Desk, who: str
) -> None:
    call = await live_call(desk)
    user = UserFactory.create if who == "stranger" else operator
    client = None if who == "nobody" else await browser_of(user)
    if who == "withdrawn":
        await sync_to_async(User.objects.update)(is_active=False)
    origin = b"http://evil.example" if who == "other site" else b"http://localhost"
    ws = socket(call.pk, client, origin)

    accepted, _ = await ws.connect(timeout=PATIENCE)

    assert not accepted
    assert not await sync_to_async(entries)()
    assert not _feeds


async def test_refuses_a_call_that_does_not_exist() -> None:
    ws = socket(uuid4(), await browser_of(operator))
    assert not (await ws.connect(timeout=PATIENCE))[0]


async def test_says_that_a_call_has_ended(desk: Desk) -> None:
    call = await live_call(desk, live=False, ended=True)
    async with listener(call.pk, await browser_of(operator)) as ear:
        await ear.until(lambda: ear.code)
    assert ear.code == ENDED
    assert ear.of("ended")


async def test_notes_who_listens_before_any_audio_leaves_and_how_long(
    desk: Desk,
) -> None:
    call = await live_call(desk)
    client = await browser_of(operator)
    session = desk.socket()
    session.take(metadata(), 0)
    async with listener(call.pk, client) as ear:
        await ear.until(lambda: ear.of("facts"))
        await eventually(lambda: desk.call.tap)
        await talk(desk, session, 0, 40)
        # A page that is only open hears nothing and is noted nowhere.
        assert not ear.audio
        assert not await sync_to_async(entries)()

        await ear.say(type="start", at=None, generation=1)
        await ear.until(lambda: ear.of("live"))
        [(action, actor, _)] = await sync_to_async(entries)()
        await talk(desk, session, 40, 40)
        await ear.until(lambda: ear.audio)
        seen = (await sync_to_async(listeners)())[str(call.pk)]

    assert (action, actor) == (AuditAction.LISTENING_STARTED, seen[0]["user"])
    _, (ended, _, details) = await sync_to_async(entries)()
    assert ended == AuditAction.LISTENING_ENDED
    assert details["seconds"] > 0
    assert details["heard"] > 0
    assert not await sync_to_async(listeners)()
    assert not _feeds


async def test_nobody_listens_if_it_cannot_be_noted(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise DatabaseError("read only")

    monkeypatch.setattr(Rights, "note_started", fail)
    call = await live_call(desk)
    session = desk.socket()
    session.take(metadata(), 0)
    async with listener(call.pk, await browser_of(operator)) as ear:
        await eventually(lambda: desk.call.tap)
        await talk(desk, session, 0, 20)
        await ear.say(type="start", at=0, generation=1)
        await ear.until(lambda: ear.code)
    assert ear.code == NOT_NOTED
    assert [told["error"] for told in ear.of("error")] == ["not_noted"]
    assert not ear.audio


async def test_hears_the_past_and_then_the_live_edge_over_redis(desk: Desk) -> None:
    call = await live_call(desk)
    session = desk.socket()
    session.take(metadata(), 0)
    await talk(desk, session, 0, 100)
    async with listener(call.pk, await browser_of(operator)) as ear:
        await ear.say(type="start", at=0.5, generation=3)
        await ear.until(lambda: ear.of("live"))
        await talk(desk, session, 100, 10)
        await ear.until(lambda: len(ear.audio) > 1)
    assert ear.of("track")[0]["track"]["raw_id"] == ALICE
    assert ear.of("live")[0]["generation"] == 3


@pytest.mark.parametrize(
    "said",
    [
        " ",
        "rubbish",
        "[]",
        "{}",
        '{"type": "start"}',
        '{"type": "start", "at": "x", "generation": 1}',
        '{"type": "start", "at": 1e999, "generation": 1}',
        '{"type": "seek", "at": 1, "generation": -1}',
        '{"type": "seek", "at": 1, "generation": 99999999999}',
        '{"type": "at", "at": 1, "messages": 1.5}',
        '{"type": "at", "at": 1, "messages": 1, "more": 2}',
        '{"type": "ping", "at": NaN}',
        "{" * 2_000,
        "x" * 100_000,
        b"\x00\x01",
    ],
)
async def test_answers_rubbish_with_an_error_and_stays(
    desk: Desk, said: str | bytes
) -> None:
    call = await live_call(desk)
    async with listener(call.pk, await browser_of(operator)) as ear:
        if isinstance(said, bytes):
            await ear.ws.send_to(bytes_data=said)
        else:
            await ear.ws.send_to(text_data=said)
        await ear.until(lambda: ear.of("error"))
        await ear.say(type="ping", at=1.5)
        await ear.until(lambda: ear.of("pong"))
    assert ear.of("error") == [{"type": "error", "error": "rubbish"}]
    assert not await sync_to_async(entries)()


@pytest.mark.parametrize("at", [-1e300, 1e300, -5, 1e9])
async def test_a_time_that_is_none_is_put_within_the_call(
    desk: Desk, at: float
) -> None:
    call = await live_call(desk)
    session = desk.socket()
    session.take(metadata(), 0)
    await talk(desk, session, 0, 20)
    async with listener(call.pk, await browser_of(operator)) as ear:
        await ear.say(type="start", at=at, generation=1)
        await ear.say(type="at", at=at, messages=10**12)
        await ear.until(lambda: ear.of("live"))


async def test_closes_on_who_says_nothing_but_rubbish(desk: Desk) -> None:
    call = await live_call(desk)
    async with listener(call.pk, await browser_of(operator)) as ear:
        for _ in range(MAX_FAULTS):
            await ear.ws.send_to(text_data="rubbish")
        await ear.until(lambda: ear.code)
    assert ear.code == RUBBISH


@pytest.mark.parametrize("how", ["permission", "session", "call"])
async def test_ends_when_one_may_no_longer_listen(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(listening, "FIRST_TELL_SECONDS", 0.05)
    monkeypatch.setattr(viewing, "RECHECK_SECONDS", 0.05)
    call = await live_call(desk)
    client = await browser_of(operator)
    async with listener(call.pk, client) as ear:
        await ear.say(type="start", at=None, generation=1)
        await ear.until(lambda: ear.of("live"))
        if how == "permission":
            await sync_to_async(User.groups.through.objects.all().delete)()
        elif how == "session":
            await sync_to_async(client.logout)()
        else:
            ended = sync_to_async(Call.objects.update)
            await ended(state=CallState.ENDED)
        await ear.until(lambda: ear.code)
    assert ear.code == (ENDED if how == "call" else FORBIDDEN)
    assert len(await sync_to_async(entries)()) == 2


@pytest.mark.parametrize("fault", [InterfaceError, ValueError])
async def test_nobody_listens_on_whom_nobody_watches(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    monkeypatch.setattr(listening, "FIRST_TELL_SECONDS", 0.05)
    call, looks = await live_call(desk), []

    def falls(_: object) -> Any:
        looks.append(1)
        raise fault

    async with listener(call.pk, await browser_of(operator)) as ear:
        monkeypatch.setattr(listening, "listened_call", falls)
        if fault is InterfaceError:
            # A database that is away is asked again.
            await eventually(lambda: len(looks) > 2)
        else:
            await ear.until(lambda: ear.code)
    assert ear.code == (None if fault is InterfaceError else OUR_FAULT)


async def test_a_feed_ends_whenever_it_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tasks, "AGAIN_SECONDS", 0.1)
    # One more step of the loop each time: while it connects, asks, subscribes, waits.
    for steps in range(40):
        feed = CallFeed(uuid4())
        for _ in range(steps):
            await asyncio.sleep(0)

        async with asyncio.timeout(PATIENCE):
            await feed.close()

        assert all(task.done() for task in feed._tasks)


async def test_others_see_who_listens(desk: Desk) -> None:
    call = await live_call(desk)
    async with (
        listener(call.pk, await browser_of(operator)) as one,
        listener(call.pk, await browser_of(operator)) as two,
    ):
        await one.say(type="start", at=None, generation=1)
        await one.until(lambda: one.of("listeners"))
        await two.say(type="start", at=None, generation=1)
        await two.until(lambda: two.of("listeners"))
        assert len(_feeds) == 1
    assert len(two.of("listeners")[0]["users"]) == 2


async def test_the_call_page_offers_listening_to_those_who_may(desk: Desk) -> None:
    call = await live_call(desk)

    def page(user: Callable[[], User]) -> str:
        client = logged_in(user())
        found = client.get(f"/admin/calls/call/{call.pk}/change/")
        return str(found.content.decode())

    assert 'id="listen"' in await sync_to_async(page)(operator)
    auditor = await sync_to_async(page)(lambda: member_of("auditor"))
    assert 'id="listen"' not in auditor
    assert "listen.js" not in auditor
    assert 'id="listeners"' in auditor


async def test_who_listens_is_told_to_those_who_may_see_the_call(
    desk: Desk, settings: Any
) -> None:
    call = await live_call(desk)
    url = f"/calls/{call.pk}/listeners.json"
    auditor = await browser_of(lambda: member_of("auditor"))
    stranger = await browser_of(UserFactory.create)
    async with listener(call.pk, await browser_of(operator)) as ear:
        await ear.say(type="start", at=None, generation=1)
        await ear.until(lambda: ear.of("listeners"))
        shown = await sync_to_async(auditor.get)(url)
        refused = await sync_to_async(stranger.get)(url)
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    unknown = await sync_to_async(auditor.get)(url)

    assert shown.json()["users"] == ear.of("listeners")[0]["users"]
    assert refused.status_code == 403
    assert unknown.json() == {"users": None, "speaking": None}


async def test_says_that_redis_does_not_answer(
    desk: Desk, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "FIRST_TELL_SECONDS", 0.05)
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    call = await live_call(desk)
    async with listener(call.pk, await browser_of(operator)) as ear:
        await ear.say(type="start", at=0, generation=1)
        await ear.until(lambda: ear.of("error") and ear.of("state"))
        await ear.until(lambda: ear.of("state")[-1]["redis"])
    assert ear.of("error")[0] == {"type": "error", "error": "redis"}
    assert not ear.audio
