"""Figures that are kept with a call are true, whichever way news come."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from calls import lifecycle
from calls.acs import ParticipantState
from calls.figures import calls_figures_refresh
from calls.models import Call
from calls.roster import roster_told
from tests.factories import CallFactory, ParticipantFactory, TrackFactory

pytestmark = [pytest.mark.database, pytest.mark.django_db]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def duration_of(call_id: UUID) -> int | None:
    return Call.objects.get(pk=call_id).duration_ms


def test_a_call_lasts_from_being_connected_to_its_end() -> None:
    call = CallFactory.create(rang_at=NOON)
    lifecycle.call_connected(call.pk, at=after(3))
    assert duration_of(call.pk) is None
    lifecycle.call_ended(call.pk, at=after(64.25), reason="over")
    assert duration_of(call.pk) == 61_250


def test_a_call_that_nobody_answered_lasts_as_long_as_it_rang() -> None:
    call = CallFactory.create(rang_at=NOON)
    lifecycle.call_failed(call.pk, at=after(12), reason="busy")
    assert duration_of(call.pk) == 12_000


def test_an_end_before_its_beginning_is_no_negative_length() -> None:
    call = CallFactory.create(rang_at=NOON)
    lifecycle.call_ended(call.pk, at=after(-2), reason="clocks")
    assert duration_of(call.pk) == 0


def test_news_of_an_earlier_beginning_make_an_ended_call_longer() -> None:
    call = CallFactory.create(rang_at=NOON)
    lifecycle.call_ended(call.pk, at=after(60), reason="over")
    assert duration_of(call.pk) == 60_000
    lifecycle.call_connected(call.pk, at=after(10))
    assert duration_of(call.pk) == 50_000
    lifecycle.call_connected(call.pk, at=after(5))
    assert duration_of(call.pk) == 55_000


def test_a_call_that_is_up_after_all_has_no_length_yet() -> None:
    call = CallFactory.create(rang_at=NOON)
    lifecycle.call_failed(call.pk, at=after(12), reason="no answer came")
    lifecycle.call_connected(call.pk, at=after(14))
    assert duration_of(call.pk) is None


def test_acs_word_on_the_end_replaces_what_was_concluded() -> None:
    call = CallFactory.create(rang_at=NOON)
    lifecycle.call_ended(call.pk, at=after(60), reason="its last socket closed")
    lifecycle.call_ended(call.pk, at=after(61), code=0, reason="hung up")
    assert duration_of(call.pk) == 61_000


def test_it_is_what_the_call_itself_says() -> None:
    call = CallFactory.create(rang_at=NOON, connected_at=after(2))
    lifecycle.call_ended(call.pk, at=after(99.5), reason="over")
    call.refresh_from_db()
    assert call.duration_ms == call.duration(NOON) / timedelta(milliseconds=1)


def test_silence_is_the_share_of_all_packets() -> None:
    track = TrackFactory.create(packets=3_000, silent_packets=750)
    TrackFactory.create(call=track.call, packets=1_000, silent_packets=250)
    calls_figures_refresh([track.call.pk])
    track.call.refresh_from_db()
    assert track.call.silence_ratio == 0.25
    assert track.call.people_count == 2


def test_without_packets_nothing_is_known_of_silence() -> None:
    call = CallFactory.create(live=True, silence_ratio=0.5)
    calls_figures_refresh([call.pk])
    call.refresh_from_db()
    assert (call.silence_ratio, call.people_count) == (None, None)


def test_mixed_audio_is_nobody() -> None:
    call = CallFactory.create(live=True)
    for raw_id, name in (("mixed", ""), ("8:acs:x", "Ada Okafor"), ("4:+49301", "")):
        ParticipantFactory.create(call=call, raw_id=raw_id, display_name=name)
    calls_figures_refresh([call.pk])
    call.refresh_from_db()
    assert call.people_count == 2
    assert call.people_text == "4:+49301\n8:acs:x Ada Okafor"


def test_who_joins_by_acs_word_is_counted_and_found() -> None:
    call = CallFactory.create(live=True)
    told = [
        ParticipantState(raw_id=raw_id, is_muted=False, is_on_hold=False)
        for raw_id in ("4:+4420794600", "8:acs:Y")
    ]
    roster_told(call, told, at=NOON)
    call.refresh_from_db()
    assert call.people_count == 2
    assert "8:acs:y" in call.search_text


def test_the_database_keeps_what_is_searched() -> None:
    call = CallFactory.create(from_raw_id="4:+1206", to_raw_id="8:acs:B")
    Call.objects.filter(pk=call.pk).update(caller_name="Ada OKAFOR")
    call.refresh_from_db()
    assert call.search_text == "4:+1206\n8:acs:b\nada okafor\n"
