"""Alarms about what ingest does not see: orders, recordings, stalls, forgotten ones."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from calls.alarms.raising import recording_alarm_update, recording_failed
from calls.alarms.sweep import FORGOTTEN, alarms_sweep
from calls.control import call_end, command_settle
from calls.history import history_of, rows_of
from calls.metrics.rows import row_metrics
from calls.metrics.views import in_text
from calls.models import (
    Alarm,
    AlarmKind,
    Call,
    CommandKind,
    CommandState,
    Severity,
    StreamingState,
)
from calls.models.alarm import AlarmState
from tests.factories import (
    AlarmFactory,
    CallFactory,
    CommandFactory,
    ProfileFactory,
    TrackFactory,
    UserFactory,
)

pytestmark = [pytest.mark.database, pytest.mark.django_db]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def order(call: Call, kind: CommandKind = CommandKind.START_STREAMING) -> UUID:
    command = CommandFactory.create(
        call=call, kind=kind, state=CommandState.SENT, settled_at=None
    )
    key: UUID = command.pk
    return key


# --- orders -----------------------------------------------------------------------


def test_an_order_that_fails_is_an_alarm_until_one_succeeds() -> None:
    call = CallFactory.create(live=True)
    command_settle(order(call), CommandState.FAILED, words="Azure says no.")

    [alarm] = Alarm.objects.lasting()
    assert (alarm.kind, alarm.severity) == (AlarmKind.COMMAND_FAILED, Severity.WARNING)
    assert alarm.words == "“Start streaming” failed: Azure says no."

    command_settle(order(call), CommandState.CONFIRMED)
    assert not Alarm.objects.lasting().exists()
    assert Alarm.objects.unclosed().count() == 1


def test_an_order_that_times_out_is_an_alarm() -> None:
    call = CallFactory.create(live=True)

    command_settle(
        order(call, CommandKind.MUTE), CommandState.TIMED_OUT, words="No answer."
    )

    [alarm] = Alarm.objects.lasting()
    assert alarm.words == "“Mute a participant” timed out: No answer."


def test_what_the_end_of_a_call_undoes_is_no_alarm() -> None:
    call = CallFactory.create(live=True)
    order(call, CommandKind.MUTE)

    call_end(call.pk, at=after(0), reason="The caller hung up.")

    assert not Alarm.objects.exists()


def test_a_call_that_could_not_be_answered_has_an_alarm_that_is_over() -> None:
    call = CallFactory.create()

    command_settle(order(call, CommandKind.ANSWER), CommandState.FAILED, words="No.")

    [alarm] = Alarm.objects.unclosed()
    assert alarm.cleared_at is not None


def test_alarms_of_orders_can_be_switched_off(settings: object) -> None:
    settings.ALARM_COMMANDS = False  # type: ignore[attr-defined]
    call = CallFactory.create(live=True)

    command_settle(order(call), CommandState.FAILED, words="Azure says no.")

    assert not Alarm.objects.exists()


# --- the end of a call ------------------------------------------------------------


def test_the_end_of_a_call_ends_its_alarms() -> None:
    call = CallFactory.create(live=True)
    alarm = AlarmFactory.create(call=call)

    call_end(call.pk, at=after(0), reason="The caller hung up.")

    alarm.refresh_from_db()
    assert (alarm.cleared_at, alarm.state) == (after(0), AlarmState.OPEN)


def test_a_call_of_which_nothing_came_is_an_alarm() -> None:
    call = CallFactory.create(live=True, streaming_state=StreamingState.CONNECTING)

    call_end(call.pk, at=after(0), reason="The caller hung up.")

    [alarm] = Alarm.objects.unclosed()
    assert (alarm.kind, alarm.severity) == (AlarmKind.INCOMPLETE, Severity.CRITICAL)
    assert alarm.words.startswith("Nothing was recorded. The call ended and no audio")
    assert alarm.cleared_at == after(0)


# --- recordings -------------------------------------------------------------------


def test_a_recording_that_lacks_something_tells_how_much_and_where() -> None:
    call = CallFactory.create(ended=True, with_gap=True)
    track = TrackFactory.create(call=call, with_gap=True)

    for _ in range(2):
        recording_alarm_update(call.pk, at=after(0))

    [alarm] = Alarm.objects.unclosed()
    assert (alarm.kind, alarm.severity) == (AlarmKind.INCOMPLETE, Severity.WARNING)
    assert (
        alarm.words == "98.50 % of what was expected is there: up to 0.9 s are missing."
    )
    assert alarm.at_us == track.origin_us + 20_000_000
    assert alarm.cleared_at is not None
    call.refresh_from_db()
    assert call.alarm_count == 1


@pytest.mark.parametrize(
    ("completeness", "limit", "severity"),
    [
        (0.9999, 100, 1),
        (0.9999, 99, None),
        (0.98, 0, None),
        (0.98, 99, 2),
        (1, 100, None),
    ],
)
def test_how_complete_is_complete_enough_is_a_threshold(
    completeness: float, limit: float, severity: int | None
) -> None:
    profile = ProfileFactory.create(alarm_thresholds={"complete_percent": limit})
    call = CallFactory.create(ended=True, completeness=completeness, profile=profile)

    recording_alarm_update(call.pk, at=after(0))

    assert [one.severity for one in Alarm.objects.all()] == [severity][: bool(severity)]


def test_a_recording_that_cannot_be_made_is_one_alarm_until_it_is_made() -> None:
    call = CallFactory.create(ended=True)
    recording_failed(call.pk, "the disk is full", at=after(0))
    recording_failed(call.pk, "the disk is still full", at=after(600))

    [alarm] = Alarm.objects.lasting()
    assert alarm.words == "The recordings could not be made: the disk is still full"
    assert (alarm.severity, alarm.opened_at) == (Severity.CRITICAL, after(0))

    recording_alarm_update(call.pk, at=after(700))
    [alarm] = Alarm.objects.all()
    assert (alarm.state, alarm.cleared_at) == (AlarmState.CLOSED, after(700))
    assert alarm.close_reason == "The recording is complete after all."


def test_who_closed_a_failed_recordings_alarm_is_not_told_of_each_try() -> None:
    call = CallFactory.create(ended=True)
    recording_failed(call.pk, "the disk is full", at=after(0))
    Alarm.objects.update(state=AlarmState.CLOSED, closed_at=after(10))

    recording_failed(call.pk, "the disk is full", at=after(600))

    assert not Alarm.objects.unclosed().exists()


# --- sweeps -----------------------------------------------------------------------


def stalled_call(**fields: object) -> Call:
    call: Call = CallFactory.create(
        live=True,
        streaming_state=StreamingState.STALLED,
        streaming_at=after(0),
        streaming_reason="the socket closed (1006)",
        **fields,
    )
    return call


def test_a_call_without_a_socket_is_stalled_until_one_is_there() -> None:
    call = stalled_call()
    track = TrackFactory.create(call=call)
    alarms_sweep(after(2))
    assert not Alarm.objects.exists()

    for seconds in (4, 9):
        alarms_sweep(after(seconds))

    [alarm] = Alarm.objects.lasting()
    assert (alarm.kind, alarm.severity) == (AlarmKind.STALLED, Severity.CRITICAL)
    assert alarm.words == "No packet has come for 9 s: the socket closed (1006)."
    assert alarm.at_us == track.origin_us + 60_000_000

    Call.objects.update(streaming_state=StreamingState.STREAMING)
    alarms_sweep(after(20))
    assert not Alarm.objects.lasting().exists()


@pytest.mark.parametrize(
    "fields", [{"desired_streaming": False}, {"paused_at": after(0)}]
)
def test_a_call_that_nobody_wants_streamed_is_not_stalled(
    fields: dict[str, object],
) -> None:
    stalled_call(**fields)

    alarms_sweep(after(60))

    assert not Alarm.objects.exists()


def test_what_nobody_sees_any_more_is_over() -> None:
    seen, unseen = after(0), after(-40)
    AlarmFactory.create(last_seen_at=seen)
    AlarmFactory.create(last_seen_at=unseen)
    AlarmFactory.create(last_seen_at=unseen, of_node=True)
    AlarmFactory.create(last_seen_at=unseen, kind=AlarmKind.COMMAND_FAILED)

    alarms_sweep(after(1))

    assert {one.kind for one in Alarm.objects.lasting()} == {
        AlarmKind.DEAD_AIR,
        AlarmKind.COMMAND_FAILED,
    }
    assert Alarm.objects.lasting().count() == 2


def test_an_alarm_that_outlived_its_call_is_over() -> None:
    AlarmFactory.create(call=CallFactory.create(ended=True), last_seen_at=after(0))

    alarms_sweep(after(1))

    assert not Alarm.objects.lasting().exists()


def test_what_was_over_for_a_day_and_nobody_took_up_is_closed() -> None:
    long_ago = after(-24 * 3600 - 1)
    forgotten = AlarmFactory.create(cleared_at=long_ago)
    AlarmFactory.create(cleared_at=after(-23 * 3600))
    AlarmFactory.create(cleared_at=long_ago, state=AlarmState.ACKNOWLEDGED)
    AlarmFactory.create(cleared_at=long_ago, assignee=UserFactory.create())

    alarms_sweep(after(0))

    [closed] = Alarm.objects.filter(state=AlarmState.CLOSED)
    assert (closed.pk, closed.close_reason) == (forgotten.pk, FORGOTTEN)
    assert (closed.closed_at, closed.closed_by) == (after(0), None)


# --- timeline and metrics ---------------------------------------------------------


def test_an_alarms_moments_are_on_the_calls_timeline() -> None:
    ada = UserFactory.create(username="ada")
    call = CallFactory.create(ended=True)
    assert call.origin_us is not None
    alarm = AlarmFactory.create(
        call=call,
        opened_at=after(1),
        at_us=call.origin_us + 2_500_000,
        occurrences=2,
        cleared_at=after(2),
        acknowledged_at=after(3),
        acknowledged_by=ada,
        assigned_at=after(4),
        assignee=ada,
        closed_at=after(5),
        closed_by=ada,
        close_reason="known fault",
        state=AlarmState.CLOSED,
    )

    found = [one for one in history_of(rows_of(call)).entries if one.kind == "alarm"]

    raised, over, acknowledged, assigned, closed = found
    assert (raised.what, raised.told) == ("Alarm: Dead air", alarm.words)
    assert (raised.tone, raised.details["at_second"]) == ("bad", 2.5)
    assert (over.what, over.told) == ("Alarm over: Dead air", "It came 2 times.")
    assert (acknowledged.source, acknowledged.at) == ("ada", after(3))
    assert assigned.told == "To ada."
    assert (closed.source, closed.why) == ("ada", "known fault")


def test_metrics_count_the_alarms_that_last() -> None:
    AlarmFactory.create_batch(2)
    AlarmFactory.create(cleared=True)

    text = in_text([*row_metrics()]).decode()

    assert 'acsstream_alarms{kind="dead_air",severity="warning"} 2.0' in text
    assert 'acsstream_alarms{kind="gaps",severity="warning"} 0.0' in text
