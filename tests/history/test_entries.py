"""What is on a call's timeline, in which order, and in which words."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from calls.audit import log as audit_log
from calls.history import SHOWN, Entry, history_of, rows_of
from calls.lifecycle import call_ended
from calls.models import (
    AuditAction,
    Call,
    CallState,
    CommandKind,
    CommandState,
    StreamingState,
)
from tests.factories import (
    CallFactory,
    CommandFactory,
    ConnectionFactory,
    EventFactory,
    LossFactory,
    RecordingFactory,
    SubscriptionFactory,
    TrackFactory,
    UserFactory,
)

pytestmark = [pytest.mark.database, pytest.mark.django_db]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA, BOB = "4:+12065550100", "8:acs:bob"


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def call_at_noon(**fields: Any) -> Call:
    call: Call = CallFactory.create(rang_at=NOON, **{"ended": True} | fields)
    return call


def entries(call: Call, kind: str = "") -> list[Entry]:
    found = history_of(rows_of(call)).entries
    return [one for one in found if not kind or one.kind == kind]


def whats(call: Call, kind: str = "") -> list[str]:
    return [one.what for one in entries(call, kind)]


# --- commands ---------------------------------------------------------------------


def test_each_step_of_a_command_is_a_moment_of_its_own() -> None:
    call = call_at_noon()
    CommandFactory.create(
        call=call,
        kind=CommandKind.TRANSFER,
        asked_by=UserFactory.create(username="ada"),
        why="wrong desk",
        arguments={"target": ADA, "locale": "de-DE", "empty": ""},
        asked_at=after(3),
        sent_at=after(3.01),
        accepted_at=after(3.2),
        settled_at=after(4),
        evidence="callback",
        result_code=200,
        result_subcode=0,
    )

    asked, sent, accepted, settled = entries(call, "command")

    assert asked.what == "Transfer the call: asked"
    assert (asked.source, asked.why) == ("ada", "wrong desk")
    assert asked.told == "locale de-DE, target +1 206 555 0100"
    assert (sent.what, sent.at) == ("Transfer the call: sent", after(3.01))
    assert (accepted.source, accepted.at) == ("ACS", after(3.2))
    assert settled.what == "Transfer the call: confirmed"
    assert (settled.source, settled.tone) == ("ACS", "good")
    assert settled.details["evidence"] == "A callback of ACS"
    assert settled.details["code"] == 200


def test_a_reason_is_said_once() -> None:
    call = call_at_noon()
    CommandFactory.create(
        call=call,
        kind=CommandKind.PAUSE,
        why="card number",
        arguments={"reason": "card number"},
    )

    asked = next(one for one in entries(call) if one.what.endswith("asked"))

    assert (asked.why, asked.told) == ("card number", "")


def test_says_that_earlier_tries_have_no_moment() -> None:
    call = call_at_noon()
    CommandFactory.create(
        call=call,
        state=CommandState.QUEUED,
        attempts=3,
        asked_at=after(1),
        sent_at=after(5),
        due_at=after(9),
        settled_at=None,
        result="Too many requests.",
    )

    _, sent, waiting = entries(call, "command")

    assert sent.what == "Start streaming: sent, try 3"
    assert sent.told == "It had been sent 2 times before."
    assert (waiting.at, waiting.told) == (after(9), "Too many requests.")


def test_tells_a_failure_in_words() -> None:
    call = call_at_noon()
    CommandFactory.create(
        call=call,
        state=CommandState.FAILED,
        asked_at=after(1),
        settled_at=after(2),
        result="",
        result_code=400,
        result_subcode=8581,
    )

    settled = entries(call, "command")[-1]

    assert settled.tone == "bad"
    assert "could not reach our media URL" in settled.told


# --- events -----------------------------------------------------------------------


def event(call: Call, kind: str, at: float, data: Any = None, **fields: Any) -> None:
    EventFactory.create(
        **{
            "call": call,
            "kind": kind,
            "happened_at": after(at),
            "received_at": after(at + 0.25),
            "body": {"type": f"Microsoft.Communication.{kind}", "data": data or {}},
        }
        | fields
    )


def test_an_event_has_both_its_times_its_words_and_its_body() -> None:
    call = call_at_noon()
    command = CommandFactory.create(call=call)
    result = {"code": 500, "subCode": 8581, "message": "no"}
    data = {"operationContext": str(command.pk), "resultInformation": result}
    event(call, "MediaStreamingFailed", 5, data)

    [told] = entries(call, "event")

    assert (told.at, told.received_at) == (after(5), after(5.25))
    assert told.delay == 0.25
    assert "could not reach our media URL" in told.told
    assert told.details == {"code": 500, "subcode": 8581, "answers": "Start streaming"}
    assert told.body["data"] == data
    assert told.tone == "bad"


def test_an_event_without_a_time_happened_when_it_came() -> None:
    call = call_at_noon()
    event(call, "PlayCompleted", 5, happened_at=None)

    [told] = entries(call, "event")

    assert told.at == told.received_at == after(5.25)


def test_success_is_not_told_as_the_end_of_a_call() -> None:
    call = call_at_noon()
    fine = {"resultInformation": {"code": 200, "subCode": 0}}
    event(call, "AddParticipantSucceeded", 5, fine)
    event(call, "CallDisconnected", 6, fine)

    assert [one.told for one in entries(call, "event")] == [
        "",
        "The call has ended. (200/0)",
    ]


@pytest.mark.parametrize("body", [[], "text", None, {"data": []}, {"data": {"a": 1}}])
def test_an_event_of_any_shape_is_told(body: Any) -> None:
    call = call_at_noon()
    event(call, "ParticipantsUpdated", 5, body=body or {})
    event(call, "IncomingCall", 6, body=body or 1, source="eventgrid")

    assert len(entries(call, "event")) == 2


def people(call: Call, number: int, at: float, *listed: Any) -> None:
    found = [
        {
            "identifier": {"rawId": raw_id},
            "isMuted": "muted" in flags,
            "isOnHold": "held" in flags,
        }
        for raw_id, *flags in listed
    ]
    data = {"sequenceNumber": number, "participants": found}
    event(call, "ParticipantsUpdated", at, data)


def test_tells_who_came_and_went_by_the_order_of_lists_not_of_arrival() -> None:
    call = call_at_noon(from_raw_id=ADA)
    people(call, 3, 9, (ADA, "muted", "held"))
    people(call, 1, 1, (ADA,))
    people(call, 2, 4, (ADA, "muted"), (BOB,))
    people(call, 4, 12, (ADA,))

    assert [(one.what, one.at) for one in entries(call, "participant")] == [
        ("+1 206 555 0100: joined", after(1)),
        ("+1 206 555 0100: muted", after(4)),
        ("ACS user bob: joined", after(4)),
        ("+1 206 555 0100: on hold", after(9)),
        ("ACS user bob: left", after(9)),
        ("+1 206 555 0100: no longer muted", after(12)),
        ("+1 206 555 0100: no longer on hold", after(12)),
    ]


# --- media, recordings, the call, staff -------------------------------------------


def test_tells_sockets_losses_and_streaming() -> None:
    call = call_at_noon()
    one = SubscriptionFactory.create(call=call, ended_at=after(60))
    track = TrackFactory.create(call=call, participant__display_name="Ada")
    socket = ConnectionFactory.create(
        call=call,
        subscription=one,
        journal_end="torn",
        closed_at=after(23),
        close_code=1006,
        close_reason="gone",
    )
    loss = LossFactory.create(track=track, connection=socket)

    opened, cut, closed, broken = entries(call, "connection")

    assert (opened.what, opened.source) == ("Socket opened", "Node recorder-1")
    assert (cut.what, cut.at) == ("Ada: a journal breaks off", loss.until)
    assert "0.18 s are missing" in cut.told
    assert (closed.details["code"], closed.told) == (1006, "gone")
    assert broken.what == "A socket broke off"
    streaming = whats(call, "streaming")
    assert {"Subscription began", "Subscription ended"} < set(streaming)
    assert {"Ada: first packet", "Ada: last packet"} < set(streaming)


def test_tells_the_state_of_streaming_and_a_pause() -> None:
    call = call_at_noon(
        ended=False,
        live=True,
        streaming_state="stalled",
        streaming_at=after(8),
        streaming_reason="No packet for 10 s.",
        paused_at=after(9),
        paused_why="card number",
    )

    state, pause = entries(call, "streaming")

    assert (state.what, state.tone) == ("Streaming: stalled", "bad")
    assert state.told == "No packet for 10 s."
    assert (pause.what, pause.why) == ("Recording paused", "card number")


def test_tells_recordings_and_what_failed() -> None:
    call = call_at_noon(
        archive_state="failed", archive_failed_at=after(90), archive_error="disk full"
    )
    RecordingFactory.create(call=call, track=None, verified_at=after(80))
    RecordingFactory.create(
        call=call, state="failed", error="SHA-256 differs", verified_at=None
    )

    good, *bad = entries(call, "recording")

    assert good.what == "Recording finished: Mix, 1:00"
    assert {one.told for one in bad} == {"SHA-256 differs", "disk full"}


def test_tells_the_life_of_a_call() -> None:
    call = call_at_noon()
    assert whats(call) == [
        "The call began",
        "The call was connected",
        "The call ended",
    ]
    missed = CallFactory.create(state="failed", rang_at=NOON, ended_at=after(3))
    assert whats(missed)[-1] == "The call was not answered"


def test_tells_what_staff_did_about_it_and_not_twice_what_they_asked() -> None:
    call = call_at_noon()
    ada = UserFactory.create(username="ada")
    recording = RecordingFactory.create(call=call, track=None)
    order = {"command": "Hang up", "reason": "The call has ended."}
    audit_log.note(AuditAction.COMMAND_ASKED, actor=ada, call=call, details=order)
    audit_log.note(AuditAction.COMMAND_REFUSED, actor=ada, call=call, details=order)
    audit_log.note(AuditAction.RECORDING_PLAYED, actor=ada, call=call, obj=recording)
    audit_log.note(AuditAction.RECORDING_PLAYED, actor=ada, obj=recording)

    assert [one.told for one in entries(call, "audit")] == [
        "ada was refused “Hang up”: The call has ended.",
        "ada played the recording Mix, 1:00.",
    ]


# --- the list ---------------------------------------------------------------------


def full_call(number: int) -> Call:
    call = call_at_noon()
    for at in range(number):
        track = TrackFactory.create(call=call)
        LossFactory.create(track=track)
        RecordingFactory.create(call=call, track=track)
        CommandFactory.create(call=call, asked_by=UserFactory.create())
        people(call, at, at, (str(uuid4()),))
        audit_log.note(
            AuditAction.COMMAND_REFUSED, actor=UserFactory.create(), call=call
        )
    return call


def test_asks_the_database_no_more_for_many_rows_than_for_one() -> None:
    few, many = full_call(1), full_call(12)
    for limit in (None, SHOWN):
        with CaptureQueriesContext(connection) as asked_for_few:
            history_of(rows_of(few, limit=limit), limit=limit)
        with CaptureQueriesContext(connection) as asked_for_many:
            history_of(rows_of(many, limit=limit), limit=limit)
        assert len(asked_for_many) == len(asked_for_few)


def test_is_in_order_and_names_each_moment_once() -> None:
    found = entries(full_call(5))

    assert [one.at for one in found] == sorted(one.at for one in found)
    assert len({one.key for one in found}) == len(found)


def test_shows_the_newest_and_counts_what_it_hides() -> None:
    call = call_at_noon()
    for at in range(20):
        event(call, f"Event{at}", at)
    whole = entries(call)

    cut = history_of(rows_of(call, limit=5), limit=5)

    assert [one.key for one in cut.entries] == [one.key for one in whole[-5:]]
    assert cut.hidden == len(whole) - 5


def test_nobody_joins_only_because_older_lists_are_hidden() -> None:
    call = call_at_noon()
    for at in range(20):
        people(call, at, at, (ADA,), *([(BOB,)] if at >= 18 else []))

    cut = history_of(rows_of(call, limit=5), limit=50)

    joined = [one.what for one in cut.entries if one.kind == "participant"]
    assert joined == ["ACS user bob: joined"]


@pytest.mark.parametrize("heard", [True, False])
def test_what_ends_with_the_call_ends_then_and_not_when_it_began(heard: bool) -> None:
    call = call_at_noon()
    Call.objects.filter(pk=call.pk).update(
        state=CallState.CONNECTED,
        streaming_state=StreamingState.STREAMING if heard else StreamingState.REQUESTED,
        streaming_at=after(2),
        desired_streaming=True,
        last_packet_at=after(39) if heard else None,
    )

    call_ended(call.pk, at=after(40), code=200, subcode=7000, reason="")

    call.refresh_from_db()
    ended = [one for one in entries(call, "streaming") if one.source == "System"]
    words = "Streaming: stopped" if heard else "Streaming: failed"
    assert [(one.what, one.at) for one in ended] == [(words, after(40))]
