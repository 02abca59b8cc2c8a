"""Notes, tags, rating and follow-up of a call: who may, what is kept, what is noted."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from calls.audit.words import sentence
from calls.models import AuditAction, AuditEntry, Call, CallNote, Tag
from tests.console.conftest import logged_in
from tests.factories import CallFactory, UserFactory, member_of

pytestmark = pytest.mark.database

HOSTILE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture
def call(db: None) -> Call:
    row: Call = CallFactory.create(ended=True)
    return row


def ask(client: Client, call: Call, route: str, /, **given: Any) -> Any:
    keys = [given.pop("note")] if "note" in given else []
    return client.post(reverse(route, args=[call.pk, *keys]), given)


def noted() -> list[str]:
    entries = AuditEntry.objects.filter(action=AuditAction.CALL_REVIEWED)
    return [sentence(one) for one in entries.order_by("pk")]


def test_keeps_a_note_about_a_moment(operator: Client, call: Call) -> None:
    answer = ask(
        operator, call, "note_add", text="  Hold music\r\ntoo loud ", at="72.5"
    )

    [note] = answer.json()["notes"]
    assert note == note | {"text": "Hold music\ntoo loud", "at": 72.5, "mine": True}
    row = CallNote.objects.get()
    assert row.at_us == (call.origin_us or 0) + 72_500_000
    assert row.author_name == row.author.get_username()  # type: ignore[union-attr] # just written
    assert noted() == ["wrote a note about 1:12"]


def test_lets_nobody_delete_what_somebody_else_wrote(
    operator: Client, root: Client, call: Call
) -> None:
    ask(operator, call, "note_add", text="mine")
    note = CallNote.objects.get()
    assert not root.get(reverse("review", args=[call.pk])).json()["notes"][0]["mine"]

    refused = ask(root, call, "note_delete", note=note.pk)
    assert (refused.status_code, CallNote.objects.count()) == (400, 1)
    assert "Only who wrote" in refused.json()["reason"]

    assert ask(operator, call, "note_delete", note=note.pk).json()["notes"] == []
    again = ask(operator, call, "note_delete", note=note.pk)
    assert "not there any more" in again.json()["reason"]
    assert ask(operator, call, "note_delete", note=2**70).status_code == 400
    assert noted() == ["wrote a note", "deleted a note of their own"]


def test_a_note_stays_when_its_author_is_gone(operator: Client, call: Call) -> None:
    ask(operator, call, "note_add", text="still true")
    name = CallNote.objects.get().author_name
    User.objects.all().delete()

    found = logged_in(UserFactory.create(is_superuser=True)).get(
        reverse("review", args=[call.pk])
    )

    [note] = found.json()["notes"]
    assert (note["author"], note["mine"]) == (name, False)


def test_makes_tags_on_the_fly_and_keeps_them_small(
    operator: Client, call: Call
) -> None:
    ask(operator, call, "tag_add", name="  Billing\t Dispute ")
    answer = ask(operator, call, "tag_add", name="billing dispute")
    assert answer.json()["tags"] == ["billing dispute"]
    other = CallFactory.create()
    ask(operator, other, "tag_add", name="BILLING dispute")
    assert Tag.objects.count() == 1

    assert (
        ask(operator, call, "tag_remove", name="billing dispute").json()["tags"] == []
    )
    ask(operator, call, "tag_remove", name="billing dispute")
    found = operator.get(reverse("tags"), {"q": "BILL"})
    assert found.json() == {"tags": ["billing dispute"]}
    assert noted() == [
        "tagged the call “billing dispute”",
        "tagged the call “billing dispute”",
        "took the tag “billing dispute” off the call",
    ]


def test_a_call_has_no_more_tags_than_can_be_read(operator: Client, call: Call) -> None:
    for number in range(20):
        assert ask(operator, call, "tag_add", name=f"tag {number}").status_code == 200

    refused = ask(operator, call, "tag_add", name="one more")

    assert refused.status_code == 400
    assert refused.json() == {"reason": "A call may have 20 tags."}
    assert not Tag.objects.filter(name="one more").exists()


def test_rates_and_takes_the_rating_back(operator: Client, call: Call) -> None:
    assert ask(operator, call, "rating", rating="4").json()["rating"] == 4
    ask(operator, call, "rating", rating="4")
    assert ask(operator, call, "rating", rating="").json()["rating"] is None

    # What changed nothing is not noted.
    assert noted() == ["rated the call 4", "took the rating back"]


def test_gives_a_call_to_somebody_to_follow_up(operator: Client, call: Call) -> None:
    member = member_of("auditor")
    member.first_name, member.last_name = "Ada", "Okafor"
    member.save()

    given = ask(operator, call, "follow_up", needed="1", assignee=member.pk).json()
    assert given["assignee"] == {"id": member.pk, "name": "Ada Okafor"}
    call.refresh_from_db()
    assert (call.needs_follow_up, call.follow_up_assignee) == (True, member)
    ask(operator, call, "follow_up", needed="1")
    done = ask(operator, call, "follow_up", needed="0", assignee=member.pk).json()

    assert (done["follow_up"], done["assignee"]) == (False, None)
    assert noted() == [
        "gave the call to Ada Okafor to follow up",
        "marked the call for follow-up",
        "needs no follow-up of the call",
    ]


@pytest.mark.parametrize(
    ("name", "given", "reason"),
    [
        ("note_add", {"text": " \x00 "}, "needs some words"),
        ("note_add", {"text": "x" * 4_001}, "4000 characters; this one has 4001"),
        ("note_add", {"text": "x", "at": "soon"}, "is no number"),
        ("note_add", {"text": "x", "at": "nan"}, "no such moment"),
        ("note_add", {"text": "x", "at": "1e300"}, "no such moment"),
        ("note_add", {"text": "x", "at": "-1"}, "no such moment"),
        ("tag_add", {"name": "\t"}, "needs a word"),
        ("tag_add", {"name": "x" * 41}, "40 characters"),
        ("rating", {"rating": "6"}, "1 to 5"),
        ("rating", {"rating": "4.5"}, "no whole number"),
        ("rating", {"rating": "inf"}, "no whole number"),
        ("follow_up", {"needed": "maybe"}, "0 or 1"),
        ("follow_up", {"needed": "1", "assignee": "-5"}, "may not see calls"),
    ],
)
def test_refuses_what_makes_no_sense_in_words(
    operator: Client, call: Call, name: str, given: dict[str, str], reason: str
) -> None:
    answer = ask(operator, call, name, **given)

    assert answer.status_code == 400
    assert reason in answer.json()["reason"]
    assert noted() == []


def test_a_call_without_audio_has_no_moments(operator: Client) -> None:
    call = CallFactory.create(live=True)

    refused = ask(operator, call, "note_add", text="x", at="1")

    assert "no audio yet" in refused.json()["reason"]
    assert ask(operator, call, "note_add", text="x").status_code == 200


@pytest.mark.parametrize(
    "name", ["note_add", "tag_add", "tag_remove", "rating", "follow_up"]
)
def test_lets_only_reviewers_review(auditor: Client, call: Call, name: str) -> None:
    answer = ask(auditor, call, name, text="x", name="x", rating="5", needed="1")

    assert answer.status_code == 403
    assert auditor.get(reverse("review", args=[call.pk])).status_code == 200
    assert (CallNote.objects.count(), Tag.objects.count(), noted()) == (0, 0, [])


def test_shows_strangers_nothing(stranger: Client, call: Call) -> None:
    for url in (reverse("review", args=[call.pk]), reverse("tags")):
        assert stranger.get(url).status_code == 403


def test_knows_no_call_that_is_not_there(operator: Client, call: Call) -> None:
    url = reverse("review", args=[call.pk])
    nobody = url.replace(str(call.pk), "00000000-0000-4000-8000-000000000000")
    assert operator.get(nobody).status_code == 404
    assert operator.post(nobody.replace(".json", "/rating")).status_code == 404
    assert operator.post(url).status_code == 405


def test_answers_who_asks_again_that_nothing_is_new(
    operator: Client, call: Call
) -> None:
    url = reverse("review", args=[call.pk])
    first = operator.get(url)
    headers = {"If-None-Match": first.headers["ETag"]}
    assert operator.get(url, headers=headers).status_code == 304
    ask(operator, call, "rating", rating="1")
    assert operator.get(url, headers=headers).status_code == 200


def test_asks_the_database_no_more_for_many_notes(operator: Client, call: Call) -> None:
    url = reverse("review", args=[call.pk])
    operator.get(url)
    with CaptureQueriesContext(connection) as asked_for_none:
        operator.get(url)
    for number in range(12):
        ask(operator, call, "note_add", text=f"note {number}", at=number)
        ask(operator, call, "tag_add", name=f"tag {number}")
    with CaptureQueriesContext(connection) as asked_for_many:
        assert len(operator.get(url).json()["notes"]) == 12
    assert len(asked_for_many) == len(asked_for_none)


def test_carries_hostile_text_as_data(operator: Client, call: Call) -> None:
    ask(operator, call, "note_add", text=HOSTILE)
    ask(operator, call, "tag_add", name=HOSTILE[:40])

    page = operator.get(f"/admin/calls/call/{call.pk}/change/").content.decode()

    assert "<img" not in page
    assert (
        json.loads(operator.get(reverse("review", args=[call.pk])).content)["notes"][0][
            "text"
        ]
        == HOSTILE
    )


def test_a_tag_that_gets_another_s_name_takes_its_calls(root: Client) -> None:
    one, two, both = CallFactory.create_batch(3)
    for call, names in ((one, "a"), (two, "b"), (both, "ab")):
        for name in names:
            ask(root, call, "tag_add", name=name)
    kept = Tag.objects.get(name="a")

    root.post(reverse("admin:calls_tag_change", args=[kept.pk]), {"name": " B "})

    assert list(Tag.objects.values_list("pk", "name")) == [(kept.pk, "b")]
    assert set(kept.calls.all()) == {one, two, both}


def test_lists_tags_and_makes_none_twice(root: Client, call: Call) -> None:
    ask(root, call, "tag_add", name="vip")
    root.post(reverse("admin:calls_tag_add"), {"name": "VIP"})
    refused = root.post(reverse("admin:calls_tag_add"), {"name": "\t"})

    assert Tag.objects.count() == 1
    assert refused.status_code == 200
    assert "vip" in root.get(reverse("admin:calls_tag_changelist")).content.decode()
