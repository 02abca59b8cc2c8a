"""Bodies nobody should send: refused with 400, or stored harmlessly. Never a 500."""

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from calls.doors.capability import call_secret
from calls.envelopes import MAX_BYTES, Event, Unreadable, events_of, instant_of_text
from calls.models import Call, CallEvent
from tests.control.wire import (
    call_made,
    cloud_event,
    connected,
    disconnected,
    eventgrid_query,
    participants,
    post_body,
    post_callback,
)

UNREADABLE = {
    "nothing": b"",
    "no JSON": b"{",
    "not UTF-8": b'["\xff"]',
    "an object": b'{"id":"1","type":"Microsoft.Communication.CallConnected"}',
    "a string": b'"x"',
    "null": b"null",
    "an array of numbers": b"[1]",
    "an event and a string": b'[{"id":"1","type":"a"},"x"]',
    "NaN": b'[{"id":"1","type":"a","data":{"x":NaN}}]',
    "infinity": b'[{"id":"1","type":"a","data":{"x":-Infinity}}]',
    "a float too large": b'[{"id":"1","type":"a","data":{"x":1e999}}]',
    "an integer of 5000 digits": b"[" + b"9" * 5000 + b"]",
    "deep arrays": b"[" * 100 + b"]" * 100,
    "very deep arrays": b"[" * 200_000,
    "deep objects": b'[{"a":' * 70 + b"1" + b"}]" * 70,
}


@pytest.fixture(autouse=True)
def without_tokens(settings: Settings) -> None:
    settings.CALLBACK_AUTH = "off"


@pytest.mark.database
@pytest.mark.django_db
@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_an_unreadable_body_is_refused_and_leaves_nothing(body: bytes) -> None:
    call = call_made()

    assert post_body(f"/webhooks/eventgrid{eventgrid_query()}", body).status_code == 400
    assert post_body(f"/webhooks/calls/{call_secret(call.id)}", body).status_code == 400

    assert CallEvent.objects.count() == 0
    assert Call.objects.count() == 1


@pytest.mark.database
@pytest.mark.django_db
def test_a_body_that_is_too_large_is_refused_as_such() -> None:
    call, body = call_made(), b"[" + b" " * MAX_BYTES + b"]"

    assert post_body(f"/webhooks/eventgrid{eventgrid_query()}", body).status_code == 413
    assert post_body(f"/webhooks/calls/{call_secret(call.id)}", body).status_code == 413


@pytest.mark.database
@pytest.mark.django_db
def test_one_bad_entry_spoils_the_batch() -> None:
    call = call_made()

    assert post_callback(call, connected(), 7).status_code == 400

    assert CallEvent.objects.count() == 0


ODD_DATA: dict[str, dict[str, Any]] = {
    "NUL": {"message": "a\x00b", "k\x00": 1},
    "half a surrogate pair": {"message": "\ud800 \udfff"},
    "codes of the wrong kind": {
        "resultInformation": {"code": "200", "subCode": True, "message": []}
    },
    "codes too large": {"resultInformation": {"code": 2**40, "subCode": -(2**70)}},
    "no result": {"resultInformation": None},
    "no participants": {"participants": None},
    "participants that are none": {
        "participants": [1, None, {}, {"identifier": 3}, {"identifier": {"rawId": 5}}]
    },
    "a raw id too long": {"participants": [{"identifier": {"rawId": "4:" * 300}}]},
    "a raw id with NUL": {"participants": [{"identifier": {"rawId": "4:\x001"}}]},
    "a sequence number too large": {
        "sequenceNumber": 2**63,
        "participants": [{"identifier": {"rawId": "4:+1"}}],
    },
    "a long context": {"operationContext": "x" * 70_000},
    "a connection id that is none": {"callConnectionId": 7},
    "a long connection id": {"callConnectionId": "x" * 4000},
    "an update that is none": {"mediaStreamingUpdate": "x"},
    "a large number": {"x": 10**4000, "y": 1.5e300},
}
KINDS = [
    "CallConnected",
    "ParticipantsUpdated",
    "MediaStreamingStarted",
    "MediaStreamingStopped",
    "MediaStreamingFailed",
    "CallDisconnected",
    "AnswerFailed",
    "NeverHeardOf",
]


@pytest.mark.database
@pytest.mark.django_db
@pytest.mark.parametrize("data", ODD_DATA.values(), ids=ODD_DATA.keys())
def test_odd_data_is_stored_and_never_fails(data: dict[str, Any]) -> None:
    call = call_made(connection_id=None)
    events = [cloud_event(kind, **data) for kind in KINDS]

    response = post_callback(call, *events)

    assert response.status_code == 200
    assert CallEvent.objects.count() == len(KINDS)


ODD_ENVELOPES: dict[str, dict[str, Any]] = {
    "no id": {"id": None},
    "an id too long": {"id": "x" * 1000},
    "an id with NUL": {"id": "a\x00b"},
    "no type": {"type": None},
    "a type too long": {"type": "Microsoft.Communication." + "x" * 4000},
    "no time": {"time": None},
    "a time that is none": {"time": "yesterday"},
    "a time before all times": {"time": "0001-01-01T00:00:00+14:00"},
    "data that is none": {"data": [1]},
}


@pytest.mark.database
@pytest.mark.django_db
@pytest.mark.parametrize("envelope", ODD_ENVELOPES.values(), ids=ODD_ENVELOPES.keys())
def test_an_odd_envelope_is_stored_once(envelope: dict[str, Any]) -> None:
    call = call_made()
    event = disconnected() | envelope

    assert post_callback(call, event).status_code == 200
    assert post_callback(call, event).status_code == 200

    assert CallEvent.objects.count() == 1


@pytest.mark.database
@pytest.mark.django_db
@pytest.mark.parametrize(
    "kind",
    ["application/json", "application/cloudevents-batch+json", "text/plain", "x"],
)
def test_the_content_type_does_not_matter(kind: str) -> None:
    call = call_made()
    body = json.dumps([participants(1, "4:+1")]).encode()

    response = Client().post(
        f"/webhooks/calls/{call_secret(call.id)}", data=body, content_type=kind
    )

    assert response.status_code == 200
    assert call.participants.count() == 1


@pytest.mark.database
@pytest.mark.django_db
@pytest.mark.parametrize("secret", ["x", "0" * 43, "%00", "a" * 5000, "Ä"])
def test_a_secret_we_did_not_make_is_unknown(secret: str) -> None:
    response = post_body(f"/webhooks/calls/{secret}", [connected()])

    assert response.status_code == 404
    assert CallEvent.objects.count() == 0


@pytest.mark.database
@pytest.mark.django_db
def test_the_secret_of_a_call_that_is_gone_is_unknown() -> None:
    call = call_made()
    path = f"/webhooks/calls/{call_secret(call.id)}"
    call.delete()

    assert post_body(path, [connected()]).status_code == 404
    assert CallEvent.objects.count() == 0


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        ("2025-05-06T16:31:49Z", 0),
        ("2025-05-06T16:31:49.9Z", 900_000),
        ("2025-05-06T16:31:49.911575+00:00", 911_575),
        ("2025-05-06T18:31:49.8331644+02:00", 833_164),
        ("2025-05-06T16:31:49.8331644", 833_164),
    ],
)
def test_reads_times_with_any_fraction(text: str, microsecond: int) -> None:
    assert instant_of_text(text) == datetime(
        2025, 5, 6, 16, 31, 49, microsecond, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00Z", "1999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"]
)
def test_a_time_that_can_be_no_events_is_none(text: str) -> None:
    assert instant_of_text(text) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(json_values)
def test_any_json_is_events_or_unreadable(value: object) -> None:
    raw = json.dumps(value).encode()

    try:
        events = events_of(raw)
    except Unreadable:
        return

    assert all(isinstance(event, Event) for event in events)


@given(st.binary())
def test_any_bytes_are_events_or_unreadable(raw: bytes) -> None:
    with contextlib.suppress(Unreadable):
        assert events_of(raw) == []
