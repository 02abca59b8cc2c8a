"""The moments that are marked on a call's waveforms."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from calls.markers import LONGEST_LABEL
from calls.models import Call, CommandKind, CommandState
from tests.console.conftest import logged_in
from tests.factories import (
    AlarmFactory,
    CallFactory,
    CommandFactory,
    ParticipantFactory,
    UserFactory,
)

pytestmark = pytest.mark.database


def zero(call: Call) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
        microseconds=call.origin_us or 0
    )


def us(call: Call, seconds: float) -> int:
    return (call.origin_us or 0) + round(seconds * 1e6)


def markers(client: Client, call: Call) -> list[dict[str, Any]]:
    answer = client.get(reverse("markers", args=[call.pk]))
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()
    return found


def test_tells_moments_by_the_clock_of_the_call_in_order(operator: Client) -> None:
    call = CallFactory.create(ended=True)
    start = zero(call)
    raw_id = "4:+12065550100"
    ParticipantFactory.create(
        call=call,
        raw_id=raw_id,
        display_name="Ada",
        joined_at=start - timedelta(seconds=1),
        left_at=start + timedelta(seconds=50),
    )
    AlarmFactory.create(call=call, raw_id=raw_id, at_us=us(call, 12.5))
    call.notes.create(author_name="Mei", text="listen", at_us=us(call, 20))
    call.notes.create(author_name="Mei", text="about all of it")
    for kind, at in ((CommandKind.PAUSE, 30), (CommandKind.HANG_UP, 55)):
        CommandFactory.create(
            call=call, kind=kind, sent_at=start + timedelta(seconds=at)
        )
    CommandFactory.create(
        call=call,
        kind=CommandKind.RESUME,
        state=CommandState.FAILED,
        sent_at=start + timedelta(seconds=40),
    )

    assert markers(operator, call) == [
        {"at": 0, "kind": "joined", "label": "Ada joined", "raw_id": raw_id},
        {
            "at": 12.5,
            "kind": "alarm",
            "label": "Dead air: Nobody has spoken for 12 s.",
            "raw_id": raw_id,
        },
        {"at": 20, "kind": "note", "label": "Mei: listen", "raw_id": ""},
        {"at": 30, "kind": "pause", "label": "Pause recording", "raw_id": ""},
        {"at": 50, "kind": "left", "label": "Ada left", "raw_id": raw_id},
    ]


def test_has_no_moments_before_there_is_audio(operator: Client) -> None:
    person = ParticipantFactory.create()
    assert person.call.origin_us is None
    assert markers(operator, person.call) == []


def test_cuts_long_labels(operator: Client) -> None:
    call = CallFactory.create(ended=True)
    call.notes.create(author_name="Mei", text="x" * 900, at_us=call.origin_us)
    [found] = markers(operator, call)
    assert len(found["label"]) == LONGEST_LABEL + 1


def test_asks_the_database_no_more_for_many(operator: Client) -> None:
    few, many = CallFactory.create(ended=True), CallFactory.create(ended=True)
    for number in range(12):
        ParticipantFactory.create(call=many)
        AlarmFactory.create(call=many, at_us=us(many, number))
        CommandFactory.create(call=many, kind=CommandKind.PAUSE)
    markers(operator, few)
    with CaptureQueriesContext(connection) as asked_for_few:
        markers(operator, few)
    with CaptureQueriesContext(connection) as asked_for_many:
        assert len(markers(operator, many)) == 36
    assert len(asked_for_many) == len(asked_for_few)


def test_answers_who_asks_again_that_nothing_is_new(operator: Client) -> None:
    call = CallFactory.create(ended=True)
    url = reverse("markers", args=[call.pk])
    headers = {"If-None-Match": operator.get(url).headers["ETag"]}
    assert operator.get(url, headers=headers).status_code == 304


def test_tells_strangers_nothing(stranger: Client) -> None:
    call = CallFactory.create(ended=True)
    assert stranger.get(reverse("markers", args=[call.pk])).status_code == 403


def test_shows_which_key_was_pressed_to_those_who_may_hear_it(
    operator: Client, db: None
) -> None:
    call = CallFactory.create(ended=True)
    call.tones.create(id=uuid4(), tone="7", at_us=us(call, 3))
    reader = UserFactory.create()
    reader.user_permissions.add(Permission.objects.get(codename="view_call"))

    [known] = markers(operator, call)
    [hidden] = markers(logged_in(reader), call)

    assert (known["at"], known["kind"], known["label"]) == (3.0, "tone", "Tone 7")
    assert hidden["label"] == "Tone"
