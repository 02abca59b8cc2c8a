"""The rows of a call's tones: one for each press, whoever told it, and whenever."""

import json
from collections.abc import Callable
from functools import partial
from itertools import permutations
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from calls import identity
from calls.drafts import ArchiveBatch, ToneDraft
from calls.history import history_of, rows_of
from calls.history.export import timeline_of
from calls.instants import microseconds
from calls.models import Call, CommandKind, StreamCommand
from calls.orders.tones import RECEIVED
from calls.services import batch_store
from calls.tones.keeping import tone_markers, tones_store
from tests.control.test_races import ROUNDS, at_once
from tests.control.wire import CALLER, START, call_made, cloud_event, post_callback
from tests.transcription.test_rows import socket

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]

ZERO = microseconds(START)
SOCKET = UUID(int=7)


@pytest.fixture(autouse=True)
def unsigned(settings: Settings) -> None:
    settings.CALLBACK_AUTH = "off"
    settings.MEDIA_AUTH = "off"


def recognised(call: Call) -> StreamCommand:
    """Return the order by which ACS tells of the caller's keys."""
    return StreamCommand.objects.create(
        call=call, kind=CommandKind.START_TONES, arguments={"participant": CALLER}
    )


def told(order: StreamCommand, number: int, tone: str, seconds: float) -> object:
    """Return a callback of a tone, as ACS writes it: it names nobody."""
    return cloud_event(
        RECEIVED,
        seconds,
        sequenceId=number,
        tone=tone,
        operationContext=str(order.pk),
    )


def sent(
    call: Call, number: int, tone: str, seconds: float, raw_id: str = ""
) -> ToneDraft:
    """Return a tone of the media socket, which names nobody either."""
    return ToneDraft(
        id=identity.tone_id(SOCKET, number, 0),
        call_id=call.pk,
        raw_id=raw_id,
        tone=tone,
        at_us=ZERO + round(seconds * 1e6),
        is_stamped=False,
        is_masked=tone == "x",
    )


def rows(call: Call) -> list[tuple[str, str, str]]:
    found = call.tones.order_by("at_us", "pk")
    return [(row.tone, row.pressed_by, row.source) for row in found]


def test_any_order_of_news_comes_out_alike() -> None:
    outcomes = set()
    for turns in permutations(range(4)):
        call = call_made(connection_id=None)
        order = recognised(call)
        first = told(order, 1, "one", 0.4)
        others = (told(order, 2, "asterisk", 0.6), told(order, 3, "one", 0.8))
        deeds: list[Callable[[], object]] = [
            partial(post_callback, call, first),
            partial(post_callback, call, first, *others),
            partial(tones_store, [sent(call, 1, "1", 0.1)]),
            partial(tones_store, [sent(call, 1, "1", 0.1), sent(call, 2, "1", 0.5)]),
        ]

        for turn in turns:
            deeds[turn]()

        outcomes.add(tuple(rows(call)))
        call.delete()
    # The asterisk was lost on the socket; all else both told.
    assert outcomes == {
        (("1", CALLER, "both"), ("*", CALLER, "callback"), ("1", CALLER, "both"))
    }


def test_two_processes_that_tell_at_once_make_one_tone() -> None:
    for number in range(ROUNDS):
        call = call_made(connection_id=None)
        order = recognised(call)
        callback = told(order, 1, "five", 0.4)

        at_once(
            partial(post_callback, call, callback),
            partial(tones_store, [sent(call, number, "5", 0.1)]),
            partial(post_callback, call, callback),
            partial(tones_store, [sent(call, number, "5", 0.1)]),
        )

        assert rows(call) == [("5", CALLER, "both")]
        call.delete()


def test_a_batch_locks_its_calls_in_one_order_before_all_else() -> None:
    """Two processes that have the same calls must not wait for each other."""
    call = call_made()
    batch = ArchiveBatch(
        connections=[socket(call, "transcription")], tones=[sent(call, 1, "5", 0.1)]
    )

    with CaptureQueriesContext(connection) as asked:
        batch_store(batch)

    texts = [query["sql"] for query in asked if "calls_call" in query["sql"]]
    assert texts[0].startswith('SELECT "calls_call"."id"')
    assert "ORDER BY 1 ASC" in texts[0]
    if connection.features.has_select_for_no_key_update:
        # A lock of the key, too, would have rows that refer to it wait.
        assert texts[0].endswith("FOR NO KEY UPDATE")
        assert not any(text.endswith("FOR UPDATE") for text in texts)


def test_fast_presses_of_one_key_stay_as_many() -> None:
    call = call_made()
    order = recognised(call)
    tones_store([sent(call, n, "1", n / 10) for n in range(3)])

    for number in range(3):
        post_callback(call, told(order, number + 1, "one", number / 10 + 0.3))

    assert rows(call) == [("1", CALLER, "both")] * 3


def test_a_copy_under_another_event_id_has_the_same_number() -> None:
    call = call_made()
    order = recognised(call)

    post_callback(call, told(order, 1, "five", 0), told(order, 1, "five", 0.2))

    assert rows(call) == [("5", CALLER, "callback")]


def test_a_callback_of_nobody_s_order_is_a_tone_of_nobody() -> None:
    call = call_made()
    event = cloud_event(RECEIVED, tone="pound")
    shaped = cloud_event(
        RECEIVED,
        1,
        toneInfo={"tone": "d", "sequenceId": 4},
        targetParticipant={"rawId": "4:+1"},
    )

    post_callback(call, event, shaped, cloud_event(RECEIVED, 2, tone=5))

    assert rows(call) == [("#", "", "callback"), ("D", "4:+1", "callback")]


def test_a_masked_key_is_a_bullet_to_everybody() -> None:
    call = call_made()
    tones_store([sent(call, 1, "x", 1.5), sent(call, 2, "9", 2)])
    call.origin_us = ZERO

    seen = tone_markers(call, shows_digits=True)
    hidden = tone_markers(call, shows_digits=False)

    assert [one["label"] for one in seen] == ["Tone •", "Tone 9"]
    assert [one["label"] for one in hidden] == ["Tone •", "Tone"]


def test_the_timeline_tells_who_pressed_and_never_what() -> None:
    call = call_made()
    post_callback(call, told(recognised(call), 1, "seven", 0))
    [tone] = call.tones.all()

    told_all = json.dumps(timeline_of(call, now=timezone.now()))
    [entry] = [one for one in history_of(rows_of(call)).entries if one.kind == "tone"]

    assert entry.what == "+1 206 555 0100: pressed a key"
    assert entry.told == "Told by a callback."
    assert tone.tone == "7"
    assert "seven" not in told_all
