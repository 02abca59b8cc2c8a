"""Alarms into rows: sent again and again, by whoever sees them; closed by people."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db.models import Q

from calls.alarms.kinds import Kind, call_key
from calls.alarms.store import (
    CAME_BACK,
    alarms_clear,
    alarms_of,
    alarms_store,
)
from calls.drafts import AlarmDraft, ArchiveBatch
from calls.ingest_facts import call_facts
from calls.models import Alarm, AlarmKind, Call, Severity
from calls.models.alarm import AlarmState
from calls.services import batch_store
from tests.factories import CallFactory, ProfileFactory, UserFactory

pytestmark = [pytest.mark.database, pytest.mark.django_db]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def dead_air(call: Call, at: float = 0, **more: object) -> AlarmDraft:
    draft = AlarmDraft(
        key=call_key(call.pk, Kind.DEAD_AIR),
        kind="dead_air",
        severity=2,
        call_id=call.pk,
        words="Nobody has spoken for 10 s.",
        raised_at=after(at),
        since=after(at),
        seen_at=after(at),
        value=10.0,
        threshold=10.0,
        at_us=1_764_000_000_000_000,
    )
    return replace(draft, **more)  # type: ignore[arg-type] # names of its fields


@pytest.fixture
def call() -> Call:
    live: Call = CallFactory.create(live=True)
    return live


def test_an_alarm_that_lasts_is_one_row_however_often_it_is_told(call: Call) -> None:
    batch_store(ArchiveBatch(alarms=[dead_air(call)]))
    later = dead_air(call, words="Nobody has spoken for 25 s.", seen_at=after(15))
    batch_store(ArchiveBatch(alarms=[later]))

    [row] = Alarm.objects.lasting()
    assert (row.kind, row.severity, row.state) == ("dead_air", 2, "open")
    assert row.words == "Nobody has spoken for 25 s."
    assert (row.opened_at, row.last_seen_at) == (after(0), after(15))
    assert (row.occurrences, row.at_us) == (1, 1_764_000_000_000_000)
    call.refresh_from_db()
    assert (call.alarm_count, call.alarm_severity) == (1, Severity.WARNING)


def test_it_is_over_when_that_is_told(call: Call) -> None:
    alarms_store([dead_air(call)])
    alarms_store([dead_air(call, cleared_at=after(20), seen_at=after(20))])

    [row] = Alarm.objects.unclosed()
    assert (row.cleared_at, row.is_lasting) == (after(20), False)
    assert not Alarm.objects.lasting().exists()


def test_what_came_and_went_while_the_database_was_down_is_kept(call: Call) -> None:
    alarms_store([dead_air(call, cleared_at=after(20))])

    [row] = Alarm.objects.unclosed()
    assert row.cleared_at == after(20)


def test_what_comes_back_soon_goes_on_with_its_alarm(call: Call) -> None:
    alarms_store([dead_air(call, cleared_at=after(20))])
    user = UserFactory.create()
    Alarm.objects.update(state="acknowledged", acknowledged_by=user)
    again = dead_air(call, since=after(50), occurrences=2, at_us=7)
    alarms_store([again])

    [row] = Alarm.objects.lasting()
    assert (row.occurrences, row.at_us, row.state) == (2, 7, "acknowledged")


def test_another_process_goes_on_with_what_its_predecessor_raised(call: Call) -> None:
    alarms_store([dead_air(call)])
    alarms_store([dead_air(call, at=30)])

    [row] = Alarm.objects.all()
    assert (row.opened_at, row.last_seen_at) == (after(0), after(30))
    alarms_store([dead_air(call, at=30, cleared_at=after(40))])
    assert not Alarm.objects.lasting().exists()


def test_what_another_process_sees_again_within_a_minute_is_the_same(
    call: Call,
) -> None:
    alarms_store([dead_air(call, cleared_at=after(20))])
    alarms_store([dead_air(call, at=75)])

    [row] = Alarm.objects.lasting()
    assert (row.opened_at, row.occurrences) == (after(0), 2)


def test_what_comes_back_late_is_another_alarm_of_the_same_assignee(
    call: Call,
) -> None:
    user = UserFactory.create()
    alarms_store([dead_air(call, cleared_at=after(20))])
    Alarm.objects.update(state="acknowledged", assignee=user, assigned_at=after(25))
    alarms_store([dead_air(call, at=100)])

    new, old = Alarm.objects.order_by("-opened_at")
    assert (old.state, old.close_reason, old.closed_by) == ("closed", CAME_BACK, None)
    assert (new.opened_at, new.state, new.assignee) == (after(100), "open", user)
    call.refresh_from_db()
    assert call.alarm_count == 2


def test_what_people_closed_stays_closed_while_it_lasts(call: Call) -> None:
    alarms_store([dead_air(call)])
    Alarm.objects.update(state=AlarmState.CLOSED, closed_at=after(30))

    alarms_store([dead_air(call, seen_at=after(40))])
    alarms_store([dead_air(call, seen_at=after(50), cleared_at=after(50))])

    [row] = Alarm.objects.all()
    assert (row.state, row.last_seen_at) == ("closed", after(0))


def test_what_comes_back_after_people_closed_it_is_another_alarm(call: Call) -> None:
    alarms_store([dead_air(call)])
    Alarm.objects.update(state=AlarmState.CLOSED, closed_at=after(30))
    for seen in (60, 65):
        again = dead_air(call, since=after(60), seen_at=after(seen), occurrences=2)
        alarms_store([again])

    [row] = Alarm.objects.unclosed()
    assert (row.opened_at, row.last_seen_at) == (after(60), after(65))
    assert Alarm.objects.count() == 2


def test_an_alarm_of_a_call_that_is_over_is_over() -> None:
    call = CallFactory.create(ended=True)

    alarms_store([dead_air(call)])

    [row] = Alarm.objects.all()
    assert row.cleared_at == call.ended_at


def test_a_call_that_has_no_row_has_no_alarm(call: Call) -> None:
    stranger = dead_air(call, call_id=uuid4(), key="somebody else's")

    alarms_store([stranger, dead_air(call)])

    assert [row.call_id for row in Alarm.objects.all()] == [call.pk]


def test_odd_names_are_made_storable(call: Call) -> None:
    odd = dead_air(call, raw_id="8:\0", key=call_key(call.pk, Kind.GAPS, "8:\0"))
    for _ in range(2):
        alarms_store([odd])

    [row] = Alarm.objects.all()
    assert row.raw_id == "8:\ufffd"


def test_the_worst_alarm_a_call_ever_had_is_remembered(call: Call) -> None:
    key = call_key(call.pk, Kind.STALLED)
    stalled = dead_air(call, key=key, kind="stalled", severity=3)
    alarms_store([dead_air(call), stalled])
    Alarm.objects.filter(kind=AlarmKind.STALLED).delete()
    alarms_store([dead_air(call, cleared_at=after(9), seen_at=after(9))])

    call.refresh_from_db()
    assert (call.alarm_count, call.alarm_severity) == (1, Severity.CRITICAL)


def test_who_takes_a_call_over_learns_of_its_alarms_and_thresholds() -> None:
    profile = ProfileFactory.create(alarm_thresholds={"dead_air_seconds": 4})
    call = CallFactory.create(live=True, profile=profile)
    old = dead_air(call, key=call_key(call.pk, Kind.GAPS), kind="gaps")
    alarms_store([dead_air(call), replace(old, cleared_at=after(1))])

    facts = call_facts(call.pk)

    assert facts.thresholds == {"dead_air_seconds": 4}
    # Gaps ceased long ago.
    assert [(one.kind, one.id) for one in facts.alarms] == [
        ("dead_air", dead_air(call).id)
    ]
    fresh = alarms_of(call.pk, now=after(30))
    assert {one.kind for one in fresh} == {"dead_air", "gaps"}


def test_clearing_leaves_alone_what_is_over_already(call: Call) -> None:
    alarms_store([dead_air(call, cleared_at=after(5))])

    assert alarms_clear(Q(call=call), at=after(50)) == 0
    assert Alarm.objects.get().cleared_at == after(5)


def test_telling_of_many_alarms_reads_in_a_fixed_number_of_queries(
    django_assert_max_num_queries: object, call: Call
) -> None:
    drafts = [
        dead_air(
            call, key=call_key(call.pk, Kind.GAPS, str(number)), raw_id=str(number)
        )
        for number in range(20)
    ]
    alarms_store(drafts)

    # Calls, alarms by key, alarms by id, and one update each.
    with django_assert_max_num_queries(3 + 20):  # type: ignore[operator]
        alarms_store([replace(one, seen_at=after(5)) for one in drafts])
