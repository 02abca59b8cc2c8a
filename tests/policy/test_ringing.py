"""A ring, from Event Grid's POST to the row and the order."""

from datetime import datetime, time, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from calls import ringing
from calls.models import (
    AnswerRule,
    Call,
    CallEvent,
    CallState,
    CommandKind,
    Retention,
    StreamCommand,
    StreamingProfile,
    StreamingState,
    TranscriptionStart,
    TranscriptionState,
)
from tests.control.wire import (
    CALLER,
    disconnected,
    incoming_call,
    post_callback,
    post_eventgrid,
)
from tests.factories import ProfileFactory, RuleFactory

pytestmark = [pytest.mark.database, pytest.mark.django_db]

CALLED = "4:+12065550199"
WHEN = datetime.fromisoformat("2022-08-25T19:27:24.241539+00:00")


def ring(**data: Any) -> Call:
    """Ring; return the one call there is."""
    assert post_eventgrid(incoming_call(**data)).status_code == 200
    return Call.objects.get()


def rung_at(seconds: float, **data: Any) -> dict[str, Any]:
    at = (WHEN + timedelta(seconds=seconds)).isoformat()
    return incoming_call(**data) | {"eventTime": at}


def test_without_a_rule_a_call_is_answered_with_the_default_profile() -> None:
    call = ring()

    assert call.rule is None
    assert call.profile == StreamingProfile.objects.get(is_default=True)
    command = call.commands.get()
    assert command.kind == CommandKind.ANSWER
    assert command.why == "No rule matches: it is answered with the default profile."


def test_a_rule_answers_with_its_profile_and_retention_class() -> None:
    profile = ProfileFactory.create(
        start_at_answer=False,
        retention=Retention.HOLD,
        transcription=TranscriptionStart.AT_ANSWER,
        locale="de-DE",
    )
    rule = RuleFactory.create(name="Desk", called="+1206*", profile=profile)

    call = ring()

    assert (call.rule, call.profile) == (rule, profile)
    assert call.retention == Retention.HOLD
    assert call.streaming_state == StreamingState.OFF
    assert call.desired_transcription
    assert call.transcription_state == TranscriptionState.REQUESTED
    assert call.transcription_locale == "de-DE"
    assert call.commands.get().why == "Rule “Desk”: The called party matches +1206*."


def test_a_call_says_at_once_that_it_cannot_be_transcribed(settings: Settings) -> None:
    settings.COGNITIVE_ENDPOINT = ""
    profile = ProfileFactory.create(transcription=TranscriptionStart.AT_ANSWER)
    RuleFactory.create(called="+1206*", profile=profile)

    call = ring()

    assert call.transcription_state == TranscriptionState.FAILED
    assert "ACSSTREAM_COGNITIVE_ENDPOINT is not set" in call.transcription_reason
    assert call.commands.get().kind == CommandKind.ANSWER


def test_a_rule_rejects_and_the_order_says_why() -> None:
    RuleFactory.create(
        name="Night",
        action=AnswerRule.Action.REJECT,
        reject_reason="busy",
        starts_at=time(19),
        ends_at=time(6),
        time_zone="UTC",
    )

    call = ring()

    command = call.commands.get()
    assert (command.kind, command.arguments) == ("reject", {"reason": "busy"})
    assert command.why == (
        "Rule “Night”: Thursday 19:27 in UTC is within every day 19:00–06:00."
    )
    # It rings on until ACS has taken the order, which needs the right to give it.
    assert call.state == CallState.RINGING
    assert call.incoming_call_context
    assert not call.desired_streaming
    assert call.streaming_state == StreamingState.OFF
    assert call.profile is None


def test_a_rule_redirects() -> None:
    RuleFactory.create(action=AnswerRule.Action.REDIRECT, target="8:acs:x_y")

    command = ring().commands.get()

    assert (command.kind, command.arguments) == ("redirect", {"target": "8:acs:x_y"})


def test_a_rule_ignores_and_the_right_to_answer_is_forgotten() -> None:
    rule = RuleFactory.create(
        name="Others", calling=CALLER, action=AnswerRule.Action.IGNORE
    )

    call = ring()

    assert call.rule == rule
    assert call.state == CallState.FAILED
    assert call.ended_at == call.rang_at
    assert call.end_reason == (
        f"Not answered: Rule “Others”: The calling party matches {CALLER}."
    )
    assert call.incoming_call_context == ""
    assert not StreamCommand.objects.exists()


def test_the_rule_with_the_smallest_priority_decides() -> None:
    RuleFactory.create(priority=2, action=AnswerRule.Action.IGNORE)
    first = RuleFactory.create(priority=1)

    assert ring().rule == first


def test_a_rule_that_cannot_be_read_is_passed_over_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = RuleFactory.create(called="206 555", action=AnswerRule.Action.IGNORE)

    call = ring()

    assert call.commands.get().kind == CommandKind.ANSWER
    assert f"answering rule {broken.pk} is not applied: called" in caplog.messages
    assert "206 555" not in caplog.text


def test_one_ring_told_under_two_event_ids_is_one_call() -> None:
    post_eventgrid(rung_at(0))
    post_eventgrid(rung_at(3))

    call = Call.objects.get()
    assert call.commands.count() == 1
    assert CallEvent.objects.filter(call=call).count() == 2


def test_a_copy_of_a_ring_that_was_ignored_is_ignored_too() -> None:
    rule = RuleFactory.create(action=AnswerRule.Action.IGNORE)
    post_eventgrid(rung_at(0))
    rule.delete()

    post_eventgrid(rung_at(1))

    assert Call.objects.get().state == CallState.FAILED


def test_a_copy_that_comes_after_the_call_has_ended_is_still_a_copy() -> None:
    call = ring()
    post_callback(call, disconnected())

    post_eventgrid(rung_at(1))

    assert Call.objects.count() == 1


@pytest.mark.parametrize(
    "other",
    [
        {"correlationId": "other"},
        {"serverCallId": "other"},
        {"to": {"rawId": "4:+12065550198"}},
        {"from": {"rawId": "4:+12065550101"}},
    ],
)
def test_legs_that_differ_in_any_id_are_calls_of_their_own(
    other: dict[str, Any],
) -> None:
    post_eventgrid(rung_at(0))
    post_eventgrid(rung_at(0, **other))

    assert Call.objects.count() == 2


@pytest.mark.parametrize("missing", ["correlationId", "serverCallId"])
def test_without_both_ids_nothing_says_that_two_rings_are_one(missing: str) -> None:
    post_eventgrid(rung_at(0, **{missing: ""}))
    post_eventgrid(rung_at(0, **{missing: ""}))

    assert Call.objects.count() == 2


def test_who_is_rung_again_later_in_the_same_call_is_called_again() -> None:
    post_eventgrid(rung_at(0))
    post_eventgrid(rung_at(60))
    # A copy of the second, and a very late one of the first.
    post_eventgrid(rung_at(61))
    post_eventgrid(rung_at(1))

    assert Call.objects.count() == 2
    assert StreamCommand.objects.count() == 2


def test_a_new_ring_right_after_the_first_call_has_ended_is_a_new_call() -> None:
    call = ring()
    Call.objects.filter(pk=call.pk).update(
        state=CallState.ENDED, ended_at=WHEN + timedelta(seconds=3)
    )

    post_eventgrid(rung_at(4))

    assert Call.objects.count() == 2


def test_of_two_copies_at_once_the_second_finds_the_call_of_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = ring()
    # As if the first had been committed between the look and the insert.
    monkeypatch.setattr(ringing, "_key", lambda *_: (first.pk, None))

    post_eventgrid(rung_at(1))

    assert Call.objects.get() == first
    assert first.commands.count() == 1
    assert CallEvent.objects.filter(call=first).count() == 2


def test_a_redelivered_ring_is_drawn_alike() -> None:
    RuleFactory.create(share=50, action=AnswerRule.Action.IGNORE)
    for number in range(20):
        ids = {"correlationId": f"call {number}"}
        # Too far apart to be copies: each is decided by itself.
        post_eventgrid(rung_at(0, **ids), rung_at(60, **ids))

    calls = Call.objects.all()
    fates: dict[str, set[str]] = {}
    for call in calls:
        fates.setdefault(call.correlation_id, set()).add(call.state)
    assert {len(states) for states in fates.values()} == {1}
    assert {state for states in fates.values() for state in states} == {
        CallState.FAILED,
        CallState.RINGING,
    }
