"""The socket of who speaks: who may, what is noted, what ends it, who is told."""

import asyncio
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from calls.live import talkers
from calls.live.ingest import redis_async
from calls.live.talkers import talker, talker_async, word_take
from calls.models import AuditEntry, Call, CallState, StreamingState, Utterance
from streaming.browser_socket import MAX_FAULTS
from streaming.close_codes import ENDED, FORBIDDEN, RUBBISH
from streaming.talk import consumer as talking
from streaming.talk.press import BURST_SECONDS, FASTEST, Press
from streaming.talk.rights import TalkRights
from streaming.talk.speech import Speech
from tests.console.conftest import logged_in
from tests.factories import CallFactory, ProfileFactory, UserFactory, member_of
from tests.streaming.house import PATIENCE, eventually
from tests.talk.mouth import RATE, Mouth, frame, ingest, mouth, pcm, socket

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def with_redis(settings: Any, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Who is only slow here is not gone.
    monkeypatch.setattr("streaming.talk.speech.SILENT_SECONDS", PATIENCE)
    monkeypatch.setattr(talkers, "LEASE_SECONDS", PATIENCE)
    settings.REDIS_URL = redis_url
    settings.MEDIA_AUTH = "required"
    settings.ALLOWED_HOSTS = ["localhost", "testserver"]
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()


@sync_to_async
def live_call(bidirectional: bool = True, **fields: Any) -> Call:
    profile = ProfileFactory.create(bidirectional=bidirectional)
    fields = {"live": True, "streaming_state": StreamingState.STREAMING} | fields
    call: Call = CallFactory.create(profile=profile, **fields)
    return call


@sync_to_async
def browser_of(user: Callable[[], User]) -> Client:
    return logged_in(user())


def operator() -> User:
    return member_of("operator")


@sync_to_async
def entries() -> list[tuple[str, dict[str, Any]]]:
    rows = AuditEntry.objects.filter(action__startswith="speaking").order_by("id")
    return [(row.action, row.details) for row in rows]


@pytest.mark.parametrize("who", ["nobody", "auditor", "other site", "withdrawn"])
async def test_refuses_before_the_handshake_who_may_not_speak(who: str) -> None:
    call = await live_call()
    user = (lambda: member_of("auditor")) if who == "auditor" else operator
    client = None if who == "nobody" else await browser_of(user)
    if who == "withdrawn":
        await sync_to_async(User.objects.update)(is_active=False)
    origin = b"http://evil.example" if who == "other site" else b"http://localhost"

    accepted, _ = await socket(call.pk, client, origin).connect(timeout=PATIENCE)

    assert not accepted


async def test_what_is_said_reaches_ingest_in_order_and_both_ends_are_noted() -> None:
    call = await live_call()
    async with ingest() as heard, mouth(call.pk, await browser_of(operator)) as one:
        await one.open()
        await one.speak(0, 50)
        await one.release()
        await heard.ended()

    assert heard.said == b"".join(map(pcm, range(50)))
    assert [talk.number for talk in heard.talks] == list(range(52))
    assert {talk.rate for talk in heard.talks} == {16_000}
    (began, first), (ended, last) = await entries()
    assert (began, ended) == ("speaking_started", "speaking_ended")
    assert first["utterance"] == last["utterance"] == heard.talks[0].utterance
    assert (last["seconds"], last["why"]) == (1.0, "released")
    assert one.of("closed")[0]["seconds"] == 1.0


async def test_nothing_is_heard_of_who_cannot_be_noted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any) -> None:
        raise DatabaseError("read only")

    monkeypatch.setattr(TalkRights, "note_press", fail)
    call = await live_call()
    async with ingest() as heard, mouth(call.pk, await browser_of(operator)) as one:
        why, _ = await one.refused()
        await one.speak(0, 20)
        await one.say(type="ping", at=1.0)
        await one.until(lambda: one.of("pong"))

    assert why == "not_noted"
    assert not heard.heard
    # Somebody else may try.
    assert await sync_to_async(talker)(call.pk) is None


async def test_one_speaks_at_a_time_and_the_second_is_told_who() -> None:
    call = await live_call()
    ada = await browser_of(lambda: member_of("operator"))
    bob = await browser_of(lambda: member_of("operator"))
    async with ingest(), mouth(call.pk, ada) as one, mouth(call.pk, bob) as two:
        await one.open()
        speaking = await sync_to_async(talker)(call.pk)
        assert speaking is not None
        assert await two.refused() == ("taken", speaking["user"])
        await two.until(lambda: two.of("talker"))
        assert two.of("talker")[-1] == {
            "type": "talker",
            "user": speaking["user"],
            "you": False,
        }

        await one.release()
        two.told.clear()
        await two.open(press=2)
    started = [details for action, details in await entries() if "started" in action]
    assert len(started) == 2


async def test_the_word_of_a_process_that_died_is_free_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(talkers, "LEASE_SECONDS", 0.05)
    call_id, client = uuid4(), redis_async()
    dead: Any = {"utterance": "1", "user": "ada", "since": 1.0}
    alive: Any = {"utterance": "2", "user": "bob", "since": 2.0}
    assert await word_take(client, call_id, dead) is None
    monkeypatch.setattr(talkers, "LEASE_SECONDS", PATIENCE)

    async def word() -> Any:
        return await word_take(client, call_id, alive)

    while await word():
        pass
    assert await word_take(client, call_id, dead) == alive
    await client.aclose()


async def test_a_word_that_was_given_back_is_not_kept() -> None:
    call, client = await live_call(), redis_async()
    press = Press(call_id=call.pk, user="ada", number=1, rate=RATE, began=0.0)
    one = Speech(client, TalkRights(None, None, ""), press)
    assert await one.keep() == ""
    assert await talker_async(client, call.pk)

    await one.end("released")
    await one.keep()

    assert await talker_async(client, call.pk) is None
    await client.aclose()


@pytest.mark.parametrize("how", ["permission", "session", "call", "stream"])
async def test_ends_when_one_may_no_longer_speak_or_the_call_hears_no_more(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(talking, "KEEP_SECONDS", 0.05)
    call = await live_call()
    client = await browser_of(operator)
    async with ingest() as heard, mouth(call.pk, client) as one:
        await one.open()
        await one.speak(0, 5)
        await eventually(lambda: len(heard.said) == 5 * len(pcm(0)))
        await sync_to_async(TAKEN[how])(client)
        await one.until(lambda: one.of("closed"))
        await heard.ended()
        await one.speak(5, 5)
        if how != "stream":
            await one.until(lambda: one.code)

    why, code = ENDS[how]
    assert (one.of("closed")[0]["why"], one.code) == (why, code)
    assert heard.said == b"".join(map(pcm, range(5)))
    assert (await entries())[-1][1]["why"] == why
    assert await sync_to_async(talker)(call.pk) is None


TAKEN: dict[str, Callable[[Client], object]] = {
    "permission": lambda _: User.groups.through.objects.all().delete(),
    "session": lambda client: client.logout(),
    "call": lambda _: Call.objects.update(state=CallState.ENDED),
    "stream": lambda _: Call.objects.update(streaming_state=StreamingState.STOPPED),
}
ENDS = {
    "permission": ("forbidden", FORBIDDEN),
    "session": ("forbidden", FORBIDDEN),
    "call": ("ended", ENDED),
    "stream": ("not_streaming", None),
}


async def test_a_press_has_an_end_even_if_nobody_lets_go(settings: Any) -> None:
    settings.TALK_SECONDS = 1
    call = await live_call()
    async with ingest() as heard, mouth(call.pk, await browser_of(operator)) as one:
        await one.open()
        await one.speak(0, 60)
        await one.until(lambda: one.of("closed"))
        await heard.ended()

    assert one.of("closed")[0]["why"] == "too_long"
    assert len(heard.said) == len(pcm(0)) * 50


async def test_what_comes_faster_than_it_can_be_said_is_dropped_and_told() -> None:
    call = await live_call()
    async with ingest() as heard, mouth(call.pk, await browser_of(operator)) as one:
        began = time.monotonic()
        await one.open()
        await one.speak(0, 1_000)
        await one.release()
        took = time.monotonic() - began
        await heard.ended()

    [closed] = one.of("closed")
    frames = round(closed["seconds"] * 50)
    assert len(one.of("dropped")) == 1
    assert closed["dropped"] + frames == 1_000
    assert frames <= (BURST_SECONDS + FASTEST * took) * 50 + 1
    assert len(heard.said) == len(pcm(0)) * frames


@pytest.mark.parametrize(
    ("fields", "press", "why"),
    [
        ({"bidirectional": False}, {}, "one_way"),
        ({"streaming_state": StreamingState.STOPPED}, {}, "not_streaming"),
        ({}, {"rate": 24_000}, "rate"),
    ],
)
async def test_says_why_the_call_would_not_hear(
    fields: dict[str, Any], press: dict[str, Any], why: str
) -> None:
    call = await live_call(**fields)
    async with ingest() as heard, mouth(call.pk, await browser_of(operator)) as one:
        assert await one.refused(**press) == (why, None)
    assert not heard.heard
    assert not await entries()


async def test_a_call_in_which_nobody_else_speaks_hears_us() -> None:
    call = await live_call(streaming_state=StreamingState.STALLED)
    async with ingest() as heard, mouth(call.pk, await browser_of(operator)) as one:
        await one.open()
        await one.speak(0, 10)
        await one.release()
        await heard.ended()
    assert heard.said


async def test_says_that_no_recorder_hears() -> None:
    call = await live_call()
    async with mouth(call.pk, await browser_of(operator)) as one:
        assert await one.refused() == ("no_recorder", None)
    assert (await entries())[-1][1]["why"] == "no_recorder"
    assert await sync_to_async(talker)(call.pk) is None


async def test_says_that_redis_does_not_answer(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    call = await live_call()
    async with mouth(call.pk, await browser_of(operator)) as one:
        assert await one.refused() == ("redis", None)
    assert not await entries()


def may_only_speak() -> User:
    from django.contrib.auth.models import Permission

    user: User = UserFactory.create()
    names = ["view_call", "speak_live"]
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    return user


async def test_what_is_being_said_is_stopped_first_by_who_asks_and_may() -> None:
    call = await live_call()
    async with ingest() as heard:
        async with mouth(call.pk, await browser_of(may_only_speak)) as one:
            refused = await one.refused(interrupts=True)
            assert not heard.heard
            one.told.clear()
            await one.open(press=2)
            await one.release(press=2)
        assert not heard.stops
        async with mouth(call.pk, await browser_of(operator)) as one:
            await one.open(interrupts=True)
            await one.release()
            await eventually(lambda: len(heard.talks) == 4)

    assert refused == ("may_not_interrupt", None)
    [stop] = heard.stops
    assert heard.heard.index(stop) == 2
    assert (await entries())[-2][1]["interrupts"] is True


async def test_tells_what_was_heard_as_ingest_tells_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(talking, "FOLLOW_SECONDS", 0.02)
    call = await live_call()
    async with ingest() as heard, mouth(call.pk, await browser_of(operator)) as one:
        await one.open()
        await eventually(lambda: heard.talks)
        utterance = UUID(heard.talks[0].utterance)
        for state, played_ms in (("queued", 0), ("playing", 0), ("stopped", 2_400)):
            await utterance_is(call, utterance, state, played_ms)
            await one.until(lambda state=state: state in states(one))  # type: ignore[misc] # bound now

    assert states(one) == ["queued", "playing", "stopped"]
    assert one.of("heard")[-1]["seconds"] == 2.4
    assert one.of("heard")[-1]["reason"] == "somebody stopped it"


@pytest.mark.parametrize("state", ["stopped", "failed"])
async def test_who_is_silenced_by_ingest_is_told_so_and_has_the_word_no_more(
    monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setattr(talking, "FOLLOW_SECONDS", 0.02)
    call = await live_call()
    async with ingest() as heard, mouth(call.pk, await browser_of(operator)) as one:
        await one.open()
        await eventually(lambda: heard.talks)
        await utterance_is(call, UUID(heard.talks[0].utterance), state, 2_400)
        await one.until(lambda: one.of("closed"))
        await heard.ended()

    assert one.of("closed")[0]["why"] == state
    assert (await entries())[-1][1]["why"] == state
    assert await sync_to_async(talker)(call.pk) is None


def states(one: Mouth) -> list[str]:
    return [told["state"] for told in one.of("heard")]


@sync_to_async
def utterance_is(call: Call, utterance: UUID, state: str, played_ms: int) -> None:
    Utterance.objects.update_or_create(
        pk=utterance,
        defaults={
            "call": call,
            "kind": Utterance.Kind.TALK,
            "state": state,
            "name": "ada",
            "queued_at": timezone.now(),
            "played_ms": played_ms,
            "reason": "somebody stopped it" if state == "stopped" else "",
        },
    )


async def test_says_so_if_nothing_becomes_known_of_what_was_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(talking, "FOLLOW_SECONDS", 0.02)
    monkeypatch.setattr(talking, "UNKNOWN_SECONDS", 0.05)
    call = await live_call()
    async with ingest(), mouth(call.pk, await browser_of(operator)) as one:
        await one.open()
        await one.release()
        await one.until(lambda: one.of("heard"))
    assert states(one) == ["unknown"]


async def test_a_socket_that_goes_ends_what_is_said_and_gives_the_word_back() -> None:
    call = await live_call()
    async with ingest() as heard:
        async with mouth(call.pk, await browser_of(operator)) as one:
            await one.open()
            await one.speak(0, 3)
        await heard.ended()
    assert (await entries())[-1][1]["why"] == "lost"
    assert await sync_to_async(talker)(call.pk) is None


async def test_a_browser_that_says_nothing_more_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(talking, "KEEP_SECONDS", 0.05)
    monkeypatch.setattr("streaming.talk.speech.SILENT_SECONDS", 0.1)
    call = await live_call()
    async with ingest(), mouth(call.pk, await browser_of(operator)) as one:
        await one.open()
        await one.until(lambda: one.of("closed"))
    assert one.of("closed")[0]["why"] == "lost"


async def test_how_long_noting_took_is_not_the_speakers_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(talking, "KEEP_SECONDS", 0.05)
    note = TalkRights.note_press

    def slowly(rights: TalkRights, press: Press) -> None:
        note(rights, press)
        press.heard_at -= 2 * PATIENCE

    monkeypatch.setattr(TalkRights, "note_press", slowly)
    call = await live_call()
    async with ingest(), mouth(call.pk, await browser_of(operator)) as one:
        await one.open()
        # It is looked at some times meanwhile.
        await asyncio.sleep(0.5)
        await one.release()
    assert one.of("closed")[0]["why"] == "released"


@pytest.mark.parametrize(
    ("group", "fields", "microphone"),
    [
        ("operator", {}, "(self)"),
        ("operator", {"live": False, "ended": True}, "()"),
        ("auditor", {}, "()"),
    ],
)
async def test_the_page_may_ask_for_the_microphone_where_one_can_speak(
    group: str, fields: dict[str, Any], microphone: str
) -> None:
    call = await live_call(**fields)
    client = await browser_of(lambda: member_of(group))
    url = f"/admin/calls/call/{call.pk}/change/"

    page = await sync_to_async(client.get)(url)

    assert f"microphone={microphone}" in page.headers["Permissions-Policy"]
    assert ('id="talk"' in page.content.decode()) is (microphone == "(self)")


async def test_who_speaks_is_told_to_those_who_may_see_the_call() -> None:
    call = await live_call()
    auditor = await browser_of(lambda: member_of("auditor"))
    async with ingest(), mouth(call.pk, await browser_of(operator)) as one:
        await one.open()
        shown = await sync_to_async(auditor.get)(f"/calls/{call.pk}/listeners.json")
        speaking = await sync_to_async(talker)(call.pk)

    assert speaking is not None
    assert shown.json()["speaking"] == speaking["user"]


@pytest.mark.parametrize(
    "said",
    [
        "rubbish",
        "{}",
        '{"type": "press"}',
        '{"type": "press", "press": -1, "rate": 16000}',
        '{"type": "press", "press": 1, "rate": 16000, "more": 1}',
        "{" * 2_000,
    ],
)
async def test_answers_rubbish_with_an_error_and_stays(said: str) -> None:
    call = await live_call()
    async with ingest() as heard, mouth(call.pk, await browser_of(operator)) as one:
        await one.ws.send_to(text_data=said)
        await one.until(lambda: one.of("error"))
        await one.open()
    assert heard.talks


async def test_closes_on_who_sends_nothing_but_rubbish_as_audio() -> None:
    call = await live_call()
    async with ingest() as heard, mouth(call.pk, await browser_of(operator)) as one:
        await one.open()
        for _ in range(MAX_FAULTS):
            await one.ws.send_to(bytes_data=frame(0)[:-1])
        await one.until(lambda: one.code)
    assert one.code == RUBBISH
    assert not heard.said
