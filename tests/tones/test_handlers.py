"""A handler hears each key once: from the socket, or from a callback of it."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from asgiref.sync import sync_to_async
from django.db import connections
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from calls.instants import microseconds
from calls.live.pressing import KEYS, KeyPressed, encode
from calls.models import Call, StreamCommand, StreamingProfile
from streaming.call_audio import CallAudio
from streaming.handlers.keys import KeyDesk
from streaming.handlers.pressed import PressedKeys
from streaming.handlers.running import Running
from streaming.protocol import MASK
from tests.control.wire import CALLER, START, call_made, post_callback
from tests.streaming.desk import Desk
from tests.streaming.house import eventually
from tests.streaming.wire import ALICE, dtmf
from tests.tones.test_settling import recognised, told

MS = 1_000
LAST = ("D", "4:+1")


class Heard:
    """A handler that only remembers its keys."""

    def __init__(self) -> None:
        self.keys: list[tuple[str, str]] = []

    def press(self, tone: str, raw_id: str) -> None:
        self.keys.append((tone, raw_id))


@given(
    st.lists(st.tuples(st.sampled_from("12"), st.booleans(), st.booleans())),
    st.sampled_from([-200, 300, 1_500]),
)
def test_each_key_is_news_once(
    presses: list[tuple[str, bool, bool]], delay_ms: int
) -> None:
    keys, heard = PressedKeys(), []
    # 5 s apart, so that one that a side lost cannot be taken for the next.
    times = [(at * 5_000, press) for at, press in enumerate(presses)]
    news = [(at, key, False) for at, (key, lost, _) in times if not lost]
    news += [(at + delay_ms, key, True) for at, (key, _, lost) in times if not lost]

    for at_ms, key, is_callback in sorted(news):
        take = keys.from_callback if is_callback else keys.from_socket
        if take(key, CALLER if is_callback else "", at_ms * MS):
            heard.append(key)

    assert heard == [
        key
        for key, no_socket, no_callback in presses
        if not (no_socket and no_callback)
    ]


def test_fast_presses_of_one_key_are_as_many() -> None:
    keys = PressedKeys()

    sent = [keys.from_socket("1", "", at * MS) for at in (0, 100, 200)]
    again = [keys.from_callback("1", CALLER, at * MS) for at in (300, 400, 500, 600)]

    assert sent == [True] * 3
    assert again == [False, False, False, True]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("masks", [False, True])
async def test_a_key_that_only_a_callback_told_reaches_the_handler(
    settings: Settings, redis_url: str, masks: bool
) -> None:
    settings.CALLBACK_AUTH, settings.REDIS_URL = "off", redis_url
    call, order = await sync_to_async(with_handler)(masks_tones=masks)
    audio, heard = CallAudio(call.pk), Heard()
    audio.handler = cast(Running, heard)
    desk = KeyDesk({call.pk: audio})
    desk.start()
    with redis.Redis.from_url(redis_url) as client:
        await eventually(lambda: cast(Any, client.pubsub_numsub(KEYS))[0][1])

        audio.keys.from_socket("1", "", microseconds(START))
        callbacks = [told(order, 1, "one", 0.4), told(order, 2, "pound", 0.6)]
        await asyncio.to_thread(post_and_close, call, *callbacks)
        # What comes after them has come when they have.
        last = KeyPressed(call=str(call.pk), raw_id=LAST[1], key=LAST[0], at_us=0)
        client.publish(KEYS, encode(last))
        await eventually(lambda: LAST in heard.keys)
    await desk.stop()

    assert heard.keys == [*([] if masks else [("#", CALLER)]), LAST]


def post_and_close(call: Call, *events: object) -> None:
    """Post as another thread does, which has a connection of its own."""
    try:
        post_callback(call, *events)
    finally:
        connections.close_all()


def with_handler(*, masks_tones: bool) -> tuple[Call, StreamCommand]:
    profile = StreamingProfile.objects.create(
        name="Hears", handler="echo", masks_tones=masks_tones
    )
    call = call_made(profile=profile)
    return call, recognised(call)


def test_only_the_handler_hears_the_key_of_a_call_that_masks(tmp_path: Path) -> None:
    heard = Heard()
    with Desk(tmp_path) as desk:
        desk.call.mask(masks_tones=True)
        desk.call.handler = cast(Running, heard)
        session = desk.socket()
        for at in range(2):
            session.take(dtmf("seven"), at)
        desk.call.handler = None
        kept = desk.seal(session).read_bytes()

    assert heard.keys == [("7", ALICE)] * 2
    assert b"seven" not in kept
    assert [one.tone for one in session.tone_drafts()] == [MASK] * 2
