"""Sockets of browsers: who may open which, and what ends one that is open."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.test import Client

from acsstream.asgi import application
from calls.models import Call, StreamingState
from calls.sign_in.sessions import BEGAN
from streaming import tasks, viewing
from streaming.routing import browser_urlpatterns
from tests.console.conftest import logged_in
from tests.factories import CallFactory, ProfileFactory, member_of
from tests.people.roles import ANONYMOUS, WHO, may, sessions_make
from tests.people.rules import SOCKETS
from tests.streaming.house import PATIENCE, eventually

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]

PATHS = [str(route.pattern) for route in browser_urlpatterns]
FORBIDDEN = 4403
HOW = (
    "The socket {path} has no rule: add one line to SOCKETS in tests/people/rules.py"
    " with the permission that it needs."
)


@pytest.fixture(autouse=True)
def with_redis(settings: Any, redis_url: str) -> None:
    settings.REDIS_URL = redis_url
    settings.ALLOWED_HOSTS = ["localhost"]
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()


def live_call() -> Call:
    call: Call = CallFactory.create(
        live=True,
        profile=ProfileFactory.create(bidirectional=True),
        streaming_state=StreamingState.STREAMING,
    )
    return call


def socket(path: str, call: Call, session: str | None) -> WebsocketCommunicator:
    headers = [(b"host", b"localhost"), (b"origin", b"http://localhost")]
    if session:
        headers.append((b"cookie", f"sessionid={session}".encode()))
    address = "/" + path.replace("<uuid:call_id>", str(call.pk))
    return WebsocketCommunicator(application, address, headers)


@pytest.mark.parametrize("path", PATHS)
async def test_a_socket_opens_for_whom_its_rule_names(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert path in SOCKETS, HOW.format(path=path)
    monkeypatch.setattr(viewing, "RECHECK_SECONDS", 0.2)
    call = await sync_to_async(live_call)()
    sessions: Mapping[str, str] = await sync_to_async(sessions_make)()
    opened, open_ones = {}, []
    for who in WHO:
        session = None if who == ANONYMOUS else sessions[who]
        one = socket(path, call, session)
        opened[who], _ = await one.connect(timeout=PATIENCE)
        if opened[who]:
            open_ones.append(one)

    # All are signed out, which ends them by themselves.
    await sync_to_async(Session.objects.all().delete)()
    for one in open_ones:
        assert await code_of(one) == FORBIDDEN
    assert opened == {who: may(who, SOCKETS[path]) for who in WHO}


@pytest.mark.parametrize("path", PATHS)
async def test_who_leaves_right_after_coming_has_left_at_once(path: str) -> None:
    call = await sync_to_async(live_call)()
    client = await sync_to_async(lambda: logged_in(member_of("operator")))()
    one = socket(path, call, client.cookies["sessionid"].value)
    accepted, _ = await one.connect(timeout=PATIENCE)
    assert accepted

    await one.send_input({"type": "websocket.disconnect", "code": 1001})

    # Not the communicator's own wait: that hides a socket which does not end.
    _, pending = await asyncio.wait({one.future}, timeout=PATIENCE)
    assert not pending


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("is_given_up", [False, True])
async def test_a_socket_that_is_cut_short_leaves_no_connection_to_redis(
    path: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, is_given_up: bool
) -> None:
    # As on a machine so loaded that tidying up takes longer than the first wait for it.
    monkeypatch.setattr(tasks, "AGAIN_SECONDS", 0)
    with redis.Redis.from_url(redis_url) as client:
        before = connections(client)
        call = await sync_to_async(live_call)()
        user = await sync_to_async(lambda: logged_in(member_of("operator")))()
        one = socket(path, call, user.cookies["sessionid"].value)
        accepted, _ = await one.connect(timeout=PATIENCE)
        assert accepted
        await eventually(lambda: connections(client) - before)

        await one.send_input({"type": "websocket.disconnect", "code": 1001})
        if is_given_up:
            # As a server does that has waited for long enough.
            for _ in range(3):
                await asyncio.sleep(0)
                one.future.cancel()
        await asyncio.wait({one.future}, timeout=PATIENCE)

        await eventually(lambda: not connections(client) - before)


def connections(client: redis.Redis) -> set[str]:
    # redis-py types the answers of its two clients as one.
    listed: Any = client.client_list()
    return {one["id"] for one in listed}


def signed_out(client: Client, _: User) -> None:
    client.logout()


def switched_off(_: Client, user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def out_of_the_group(_: Client, user: User) -> None:
    user.groups.remove(Group.objects.get(name="operator"))


def run_out(client: Client, _: User) -> None:
    session = client.session
    session[BEGAN] = 0
    session.save()


def deleted(_: Client, user: User) -> None:
    Session.objects.all().delete()
    user.delete()


ENDS: list[Callable[[Client, User], None]] = [
    signed_out,
    switched_off,
    out_of_the_group,
    run_out,
    deleted,
]


@pytest.mark.parametrize("path", PATHS)
async def test_an_open_socket_is_cut_off_when_its_user_may_no_longer(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The clock of the check, and nothing of the check itself, runs faster.
    monkeypatch.setattr(viewing, "RECHECK_SECONDS", 0.2)
    call = await sync_to_async(live_call)()
    for end in ENDS:
        user = await sync_to_async(member_of)("operator")
        client = await sync_to_async(logged_in)(user)
        one = socket(path, call, client.cookies["sessionid"].value)
        accepted, _ = await one.connect(timeout=PATIENCE)
        assert accepted
        await sync_to_async(end)(client, user)

        assert await code_of(one) == FORBIDDEN, end.__name__


async def code_of(one: WebsocketCommunicator) -> int:
    """Wait until a socket is closed; return with which code."""
    while True:
        told = await one.receive_output(timeout=PATIENCE)
        if told["type"] == "websocket.close":
            await one.disconnect(timeout=PATIENCE)
            code: int = told["code"]
            return code


def test_who_may_no_longer_is_cut_off_within_ten_seconds() -> None:
    assert viewing.RECHECK_SECONDS <= 10
