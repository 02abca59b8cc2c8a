"""Event Grid: the handshake, the secret, and a call for every IncomingCall."""

from datetime import UTC, datetime

import pytest
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from calls import webhooks
from calls.models import (
    AnswerRule,
    Call,
    CallEvent,
    CallState,
    CommandKind,
    CommandState,
    StreamCommand,
    StreamingProfile,
    StreamingState,
)
from tests.control.wire import CALLER, incoming_call, post_eventgrid

pytestmark = [pytest.mark.database, pytest.mark.django_db]

VALIDATION = {
    "id": "2d1781af-3a4c-4d7c-bd0c-e34b19da4e66",
    "topic": "/subscriptions/xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
    "subject": "",
    "data": {"validationCode": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"},
    "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
    "eventTime": "2018-01-25T22:12:19.4556811Z",
    "metadataVersion": "1",
    "dataVersion": "1",
}


def test_answers_the_validation_handshake() -> None:
    response = post_eventgrid(VALIDATION)

    assert response.status_code == 200
    assert response.json() == {
        "validationResponse": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"
    }


def test_keeps_that_the_handshake_was_answered_and_not_its_secrets() -> None:
    asked = VALIDATION | {
        "data": {"validationCode": "512d38b6", "validationUrl": "https://rp/x?t=y"}
    }

    post_eventgrid(asked)

    kept = CallEvent.objects.get()
    assert (kept.source, kept.kind) == ("eventgrid", "SubscriptionValidationEvent")
    assert kept.call is None
    assert kept.body["data"] == {
        "validationCode": "<answered>",
        "validationUrl": "<not used>",
    }


def test_makes_a_ringing_call_and_asks_for_its_answer() -> None:
    event = incoming_call(callerDisplayName="Ada")

    response = post_eventgrid(event)

    call = Call.objects.get()
    assert response.status_code == 200
    assert call.state == CallState.RINGING
    assert (call.from_raw_id, call.to_raw_id) == (CALLER, "4:+12065550199")
    assert call.caller_name == "Ada"
    assert call.rang_at == datetime(2022, 8, 25, 19, 27, 24, 241539, tzinfo=UTC)
    assert call.incoming_call_context == event["data"]["incomingCallContext"]
    assert call.desired_streaming
    assert call.streaming_state == StreamingState.REQUESTED
    answer = call.commands.get()
    assert (answer.kind, answer.state) == (CommandKind.ANSWER, CommandState.QUEUED)


def test_sends_the_answer_only_after_commit(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        post_eventgrid(incoming_call())

    assert len(callbacks) == 1


def test_keeps_the_right_to_answer_out_of_the_stored_event() -> None:
    event = incoming_call()

    post_eventgrid(event)

    stored = CallEvent.objects.get()
    event["data"]["incomingCallContext"] = "<kept until answered>"
    assert stored.body == event
    assert stored.call == Call.objects.get()


def test_the_profile_of_the_winning_rule_decides() -> None:
    own = StreamingProfile.objects.create(name="Own", start_at_answer=False)
    AnswerRule.objects.create(name="Own", called="4:+12065550199", profile=own)

    post_eventgrid(incoming_call())

    call = Call.objects.get()
    assert call.profile == own
    assert not call.desired_streaming
    assert call.streaming_state == StreamingState.OFF


def test_an_event_that_comes_twice_makes_one_call() -> None:
    event = incoming_call()

    post_eventgrid(event)
    post_eventgrid(event, event)

    assert Call.objects.count() == 1
    assert StreamCommand.objects.count() == 1
    assert CallEvent.objects.count() == 1


def test_two_calls_in_one_batch_are_two_calls() -> None:
    post_eventgrid(incoming_call(), incoming_call(correlationId="another"))

    assert Call.objects.count() == 2


def test_other_events_are_only_stored() -> None:
    event = incoming_call() | {"eventType": "Microsoft.Communication.CallStarted"}

    response = post_eventgrid(event)

    assert response.status_code == 200
    assert CallEvent.objects.get().kind == "CallStarted"
    assert Call.objects.count() == 0


def test_a_call_without_the_right_to_answer_is_stored_and_left_alone() -> None:
    response = post_eventgrid(incoming_call(incomingCallContext=None))

    assert response.status_code == 200
    assert CallEvent.objects.count() == 1
    assert Call.objects.count() == 0


@pytest.mark.parametrize("query", ["", "?secret=", "?secret=wrong", "?secret=%C3%A9"])
def test_a_wrong_secret_is_refused_and_leaves_nothing(
    settings: Settings, query: str
) -> None:
    settings.EVENTGRID_SECRET = "right"

    assert post_eventgrid(incoming_call(), query=query).status_code == 401
    assert post_eventgrid(VALIDATION, query=query).status_code == 401

    assert CallEvent.objects.count() == 0
    assert Call.objects.count() == 0


def test_the_right_secret_is_accepted(settings: Settings) -> None:
    settings.EVENTGRID_SECRET = "right & proper"

    response = post_eventgrid(incoming_call(), query="?secret=right%20%26%20proper")

    assert response.status_code == 200
    assert Call.objects.count() == 1


def test_without_a_configured_secret_everything_is_refused(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EVENTGRID_SECRET = ""
    webhooks._secret_missing.cache_clear()

    for query in ("", "?secret=", "?secret=guess"):
        assert post_eventgrid(incoming_call(), query=query).status_code == 401
        assert post_eventgrid(VALIDATION, query=query).status_code == 401

    assert CallEvent.objects.count() == 0
    assert Call.objects.count() == 0
    told = [line for line in caplog.messages if "ACSSTREAM_EVENTGRID_SECRET" in line]
    assert len(told) == 1


def test_an_installation_that_verifies_nothing_needs_no_secret(
    settings: Settings,
) -> None:
    settings.EVENTGRID_SECRET = ""
    settings.CALLBACK_AUTH = "off"

    assert post_eventgrid(VALIDATION, query="").status_code == 200
    assert post_eventgrid(incoming_call(), query="").status_code == 200
    assert Call.objects.count() == 1


def test_only_posts_are_taken() -> None:
    assert Client().get("/webhooks/eventgrid").status_code == 405


def test_names_that_are_no_text_do_no_harm() -> None:
    odd = incoming_call(to=["x"], callerDisplayName=7, serverCallId={"a": 1})
    odd["data"]["from"] = {"rawId": "4:" + "9" * 400}

    response = post_eventgrid(odd)

    call = Call.objects.get()
    assert response.status_code == 200
    assert (call.to_raw_id, call.caller_name, call.server_call_id) == ("", "", "")
    assert len(call.from_raw_id) == 255
