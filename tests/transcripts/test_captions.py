"""Live captions reach the pages of a call, and only those of who may read them."""

# ruff: noqa: F811 tests name the fixtures they ask for, which are imported here

import uuid
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission
from django.db import OperationalError

from calls.live.ingest import redis_async
from calls.models import AuditAction, AuditEntry, Call
from calls.transcripts.wire import Caption, captions_tell
from streaming import browser_socket, call_watch, captions, viewing
from tests.console.conftest import logged_in
from tests.factories import ParticipantFactory, SegmentFactory, UserFactory
from tests.streaming.test_call_watch import (  # noqa: F401 fixtures
    ADA,
    BOB,
    NOON,
    PATIENCE,
    Page,
    call,
    looking,
    page,
    quickly,
    with_redis,
)

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captions, "TELL_SECONDS", 0.01)


def caption(text: str, raw_id: str = ADA, *, final: bool = True, **of: Any) -> Caption:
    known = {"id": uuid.uuid4(), "source": "acs", "duration_us": 900_000}
    start_us = NOON + 2_000_000
    return Caption(
        **{**known, "start_us": start_us, **of},
        raw_id=raw_id,
        text=text,
        is_final=final,
    )


async def tell(call: Call, *told: Caption) -> None:
    async with redis_async() as client:
        await captions_tell(client, call.pk, told)


async def lines(seen: Page, count: int) -> list[dict[str, Any]]:
    """Return what a page is told, until it was told so many captions."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        message = await seen.until(lambda one: one.get("captions"))
        found += message["captions"]
    return found


def shown(found: list[dict[str, Any]]) -> list[tuple[str, str, bool]]:
    return [(one["who"], one["words"][0][0], one["final"]) for one in found]


async def test_what_is_said_comes_under_the_speaker_s_name_and_on_the_call_s_clock(
    call: Call,
) -> None:
    await sync_to_async(ParticipantFactory.create)(
        call=call, raw_id=ADA, display_name="Ada Okafor"
    )
    await sync_to_async(Call.objects.filter(pk=call.pk).update)(origin_us=NOON)
    async with looking(call.pk) as seen:
        await seen.look()

        await tell(call, caption("I would", final=False))
        guessed = await lines(seen, 1)
        await tell(call, caption("I would like a refund."), caption("Yes.", BOB))
        said = await lines(seen, 2)

    assert shown(guessed) == [("Ada Okafor", "I would", False)]
    assert shown(said) == [
        ("Ada Okafor", "I would like a refund.", True),
        ("+1 206 555 0101", "Yes.", True),
    ]
    assert (said[0]["at"], said[0]["seconds"]) == (2.0, 0.9)


async def test_without_audio_captions_go_on_where_the_stored_pieces_end(
    call: Call,
) -> None:
    await sync_to_async(SegmentFactory.create)(call=call, start_us=NOON)
    async with looking(call.pk) as seen:
        await seen.look()

        await tell(call, caption("I would like a refund."))

        [line] = await lines(seen, 1)
        assert line["at"] == 2.0


async def test_a_page_that_is_opened_later_gets_the_newest_and_none_twice(
    call: Call,
) -> None:
    early = [caption(f"number {number}") for number in range(60)]
    await tell(call, *early)
    async with looking(call.pk) as first:
        await lines(first, 50)
        await tell(call, early[-1], caption("one more"))
        more = await lines(first, 1)

        async with looking(call.pk) as second:
            found = await lines(second, 50)

    assert [text for _, text, _ in shown(more)] == ["one more"]
    assert [text for _, text, _ in shown(found)] == [
        *(f"number {number}" for number in range(11, 60)),
        "one more",
    ]


def strange() -> Any:
    """Return the browser of somebody who may see calls, and not what is said."""
    user = UserFactory.create()
    user.user_permissions.set(Permission.objects.filter(codename="view_call"))
    return logged_in(user)


async def test_who_may_not_read_is_told_the_rest(call: Call) -> None:
    viewer = page(call.pk, await sync_to_async(strange)())
    await viewer.connect(timeout=PATIENCE)
    async with looking(call.pk) as seen:
        await tell(call, caption("a secret"))
        await lines(seen, 1)
        messages = [await viewer.receive_json_from(timeout=PATIENCE) for _ in range(6)]
    await viewer.disconnect(timeout=PATIENCE)

    assert {message["call"]["state"] for message in messages} == {"connected"}
    assert not any("captions" in message for message in messages)


async def test_a_database_that_is_away_for_a_moment_lets_nobody_read(
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def away(scope: Any, permission: str) -> bool:
        asked.append(permission)
        raise OperationalError

    viewer = page(call.pk, await sync_to_async(strange)())
    await viewer.connect(timeout=PATIENCE)
    # From now on nobody can be asked who may; what they did is still noted.
    monkeypatch.setattr(browser_socket, "may_still", away)
    monkeypatch.setattr(viewing, "RECHECK_SECONDS", 0.05)
    await tell(call, caption("a secret"))
    messages = []
    while len(asked) < 8:
        messages.append(await viewer.receive_json_from(timeout=PATIENCE))
    await viewer.disconnect(timeout=PATIENCE)

    assert call_watch.READ_PERMISSION in asked
    assert not any("captions" in message for message in messages)


async def test_reading_captions_is_on_the_audit_log_once(call: Call) -> None:
    async with looking(call.pk) as seen:
        await tell(call, caption("one"))
        await lines(seen, 1)
        await tell(call, caption("two"))
        await lines(seen, 1)

    noted = AuditEntry.objects.filter(action=AuditAction.TRANSCRIPT_READ)
    keys = await sync_to_async(lambda: list(noted.values_list("call_key", flat=True)))()
    assert keys == [call.pk]


async def test_guesses_end_with_what_was_said_and_redis_news_is_bounded(
    call: Call,
) -> None:
    async with redis_async() as client:
        feed = captions.CaptionFeed(client, call.pk, lambda: None)
        for number in range(300):
            feed._take(caption("guess", f"8:acs:{number}", final=False))
            feed._take(caption(f"said {number}"))
        guess = caption("late", final=False)
        feed._take(guess)
        feed._take(caption("final", id=guess.id))
        feed._take(guess)
        await feed.close()

    known = feed.since(0)
    # One of the guesses has become what was said.
    assert len(known) == 50 + captions.MOST_SPEAKERS - 1
    assert known[-1].text == "final"
    assert not any(one.text == "late" for one in known)
