"""What is noted: orders, refusals, changes, audio that is heard, sign-ins."""

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import DatabaseError, connection
from django.test import Client

from calls.audit.words import SENTENCES, sentence
from calls.models import (
    AnswerRule,
    AuditAction,
    AuditEntry,
    Call,
    Recording,
    StreamCommand,
)
from tests.factories import CallFactory, ProfileFactory, UserFactory, member_of

pytestmark = [pytest.mark.database, pytest.mark.django_db]

LIST = "/admin/calls/call/"


def entries(action: AuditAction) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(action=action).order_by("pk"))


def idle_call(**fields: Any) -> Call:
    call: Call = CallFactory.create(
        live=True, desired_streaming=False, streaming_state="stopped", **fields
    )
    return call


def log_take_away() -> None:
    """Have nothing noted any more. What is noted so far is chained first."""
    connection.check_constraints()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE calls_auditentry RENAME TO elsewhere")


# --- orders -----------------------------------------------------------------------


def test_notes_who_asked_for_what_from_where(operator: Client) -> None:
    call = idle_call()

    operator.post(f"/calls/{call.pk}/commands/start_streaming", REMOTE_ADDR="10.1.2.3")

    [entry] = entries(AuditAction.COMMAND_ASKED)
    user = User.objects.get(pk=operator.session["_auth_user_id"])
    assert (entry.actor, entry.actor_key) == (user.username, user.pk)
    assert (entry.call_key, entry.address) == (call.pk, "10.1.2.3")
    assert entry.object_key == str(StreamCommand.objects.get().pk)
    assert entry.object_title == "Start streaming"
    assert sentence(entry) == "asked for “Start streaming”"


def test_notes_why_an_order_was_refused(operator: Client) -> None:
    call = CallFactory.create(ended=True)

    operator.post(f"/calls/{call.pk}/commands/hang_up")

    [entry] = entries(AuditAction.COMMAND_REFUSED)
    assert entry.call_key == call.pk
    told = "was refused “Hang up for everyone”: The call has ended."
    assert sentence(entry) == told
    assert not entries(AuditAction.COMMAND_ASKED)


def test_notes_who_tried_what_they_may_not(auditor: Client) -> None:
    call = idle_call()

    auditor.post(f"/calls/{call.pk}/commands/hang_up")
    Client().post(f"/calls/{call.pk}/commands/hang_up")

    [entry] = entries(AuditAction.COMMAND_REFUSED)
    assert "You may not do that." in sentence(entry)


def test_notes_each_call_of_a_bulk_order_by_its_own(operator: Client) -> None:
    calls = [idle_call(), idle_call()]
    bulk_id = uuid.uuid4()
    form = {"bulk_id": str(bulk_id), "agreed": ",".join(str(one.pk) for one in calls)}

    operator.post(f"{LIST}bulk/start_streaming/", form)

    asked = entries(AuditAction.COMMAND_ASKED)
    assert {entry.call_key for entry in asked} == {one.pk for one in calls}
    assert {entry.details["bulk"] for entry in asked} == {str(bulk_id)}
    assert sentence(asked[0]) == "asked for “Start streaming”, in one bulk action"


def test_asks_for_nothing_that_cannot_be_noted(operator: Client) -> None:
    call = idle_call()
    operator.raise_request_exception = False
    log_take_away()

    answer = operator.post(f"/calls/{call.pk}/commands/start_streaming")

    assert answer.status_code == 500
    assert not StreamCommand.objects.exists()
    call.refresh_from_db()
    assert not call.desired_streaming


# --- audio ------------------------------------------------------------------------


def hear(client: Client, recording: Recording, asked: str = "") -> bytes:
    headers = {"Range": asked} if asked else {}
    answer = client.get(f"/recordings/{recording.pk}/audio", headers=headers)
    return b"".join(answer)


def test_notes_a_play_once_and_not_once_per_range(
    operator: Client, recording: Recording
) -> None:
    for asked in ("bytes=0-", "bytes=0-999", "bytes=1000-1999", "bytes=2000-"):
        assert hear(operator, recording, asked)

    [entry] = entries(AuditAction.RECORDING_PLAYED)
    assert entry.call_key == recording.call_id
    assert entry.object_key == str(recording.pk)
    assert sentence(entry).startswith("played the recording +44 207 946")


def test_notes_whoever_skips_the_beginning(
    operator: Client, recording: Recording
) -> None:
    hear(operator, recording, "bytes=1-")

    assert len(entries(AuditAction.RECORDING_PLAYED)) == 1


def test_notes_each_listener_and_each_later_play(
    operator: Client, auditor: Client, recording: Recording
) -> None:
    hear(operator, recording)
    hear(auditor, recording)
    # The table refuses to be changed: an earlier play is written, not moved.
    first = entries(AuditAction.RECORDING_PLAYED)[0]
    other = UserFactory.create()
    AuditEntry.objects.create(
        action=first.action,
        actor=other.username,
        actor_key=other.pk,
        object_key=first.object_key,
        at=first.at.replace(year=first.at.year - 1),
    )
    late = Client()
    other.is_superuser = True
    other.save()
    late.force_login(other)
    hear(late, recording)

    names = [entry.actor for entry in entries(AuditAction.RECORDING_PLAYED)]
    assert len(names) == 4
    assert names.count(other.username) == 2


def test_notes_what_the_browser_plays_from_its_cache(
    operator: Client, recording: Recording
) -> None:
    etag = f'"{recording.audio_sha256}"'

    operator.get(f"/recordings/{recording.pk}/audio", headers={"If-None-Match": etag})

    assert len(entries(AuditAction.RECORDING_PLAYED)) == 1


@pytest.mark.parametrize("form", ["flac", "wav"])
def test_notes_downloads(operator: Client, recording: Recording, form: str) -> None:
    b"".join(operator.get(f"/recordings/{recording.pk}/download.{form}"))

    [entry] = entries(AuditAction.RECORDING_DOWNLOADED)
    assert sentence(entry).endswith(f" as {form.upper()}")


def test_notes_nothing_where_no_audio_went_out(
    operator: Client, stranger: Client, recording: Recording
) -> None:
    operator.head(f"/recordings/{recording.pk}/audio")
    operator.head(f"/recordings/{recording.pk}/download.wav")
    operator.get(f"/recordings/{recording.pk}/peaks")
    operator.get(
        f"/recordings/{recording.pk}/audio", headers={"Range": "bytes=99999999-"}
    )
    stranger.get(f"/recordings/{recording.pk}/audio")

    assert not entries(AuditAction.RECORDING_PLAYED)
    assert not entries(AuditAction.RECORDING_DOWNLOADED)


def test_sends_no_audio_that_cannot_be_noted(
    operator: Client, recording: Recording
) -> None:
    log_take_away()

    with pytest.raises(DatabaseError):
        operator.get(f"/recordings/{recording.pk}/audio")


# --- settings and people ----------------------------------------------------------


def profile_form(**fields: Any) -> dict[str, Any]:
    usual = {
        "channels": "mixed",
        "sample_rate": 16_000,
        "transcription": "off",
        "locale": "en-US",
        "retention": "standard",
    }
    return usual | fields


def test_notes_a_changed_profile_with_before_and_after(root: Client) -> None:
    profile = ProfileFactory.create(name="Desk", channels="mixed")

    root.post(
        f"/admin/calls/streamingprofile/{profile.pk}/change/",
        profile_form(name="Front desk", sample_rate=24_000, start_at_answer="on"),
    )

    [entry] = entries(AuditAction.SETTING_CHANGED)
    assert entry.details == {
        "how": "changed",
        "fields": {"name": ["Desk", "Front desk"], "sample_rate": [16_000, 24_000]},
    }
    assert sentence(entry) == (
        "changed streaming profile “Front desk”: name Desk → Front desk;"
        " sample rate 16000 → 24000"
    )


def test_notes_a_new_profile_and_one_that_goes(root: Client) -> None:
    root.post("/admin/calls/streamingprofile/add/", profile_form(name="New"))
    made = AuditEntry.objects.get(action=AuditAction.SETTING_CHANGED)
    root.post(
        f"/admin/calls/streamingprofile/{made.object_key}/delete/", {"post": "yes"}
    )

    added, deleted = entries(AuditAction.SETTING_CHANGED)
    assert sentence(added) == "added streaming profile “New”"
    assert sentence(deleted) == "deleted streaming profile “New”"
    assert deleted.details["fields"]["channels"] == "mixed"


def test_notes_what_a_user_may_and_never_a_password(root: Client) -> None:
    user = UserFactory.create(username="ada")
    group = Group.objects.get(name="operator")
    root.post(
        f"/admin/auth/user/{user.pk}/change/",
        {
            "username": "ada",
            "is_staff": "on",
            "is_active": "on",
            "groups": [group.pk],
            "date_joined_0": "2026-01-01",
            "date_joined_1": "00:00:00",
            "sso_identities-TOTAL_FORMS": 0,
            "sso_identities-INITIAL_FORMS": 0,
        },
    )
    root.post(
        f"/admin/auth/user/{user.pk}/password/",
        {
            "password1": "correct horse battery",
            "password2": "correct horse battery",
            "usable_password": "true",
        },
    )

    rights, password = entries(AuditAction.USER_CHANGED)
    assert rights.details["fields"]["groups"] == [[], ["operator"]]
    assert sentence(password) == "changed user “ada”: password"
    assert "horse" not in str(password.details)


def test_notes_what_a_group_may(root: Client) -> None:
    group = Group.objects.get(name="auditor")
    root.post(
        f"/admin/auth/group/{group.pk}/change/", {"name": "auditor", "permissions": []}
    )

    [entry] = entries(AuditAction.USER_CHANGED)
    before, after = entry.details["fields"]["permissions"]
    assert any("play" in each for each in before)
    assert after == []


# --- sign-ins ---------------------------------------------------------------------


def test_notes_sign_ins_and_sign_outs() -> None:
    UserFactory.create(username="ada", password="secret")
    client = Client(REMOTE_ADDR="10.1.2.3")

    client.post("/admin/login/", {"username": "ada", "password": "secret"})
    client.post("/admin/logout/")

    noted = [(one.actor, one.action, one.address) for one in AuditEntry.objects.all()]
    assert noted == [
        ("ada", "signed_out", "10.1.2.3"),
        ("ada", "signed_in", "10.1.2.3"),
    ]


def test_notes_the_name_and_not_the_password_of_a_failed_sign_in() -> None:
    Client().post("/admin/login/", {"username": "ada", "password": "my cat's name"})

    [entry] = entries(AuditAction.SIGN_IN_FAILED)
    assert (entry.actor, entry.actor_key, entry.details) == ("ada", None, {})
    assert "cat" not in str(vars(entry))


def test_signs_nobody_in_unnoted() -> None:
    UserFactory.create(username="ada", password="secret")
    client = Client(raise_request_exception=False)
    log_take_away()

    answer = client.post("/admin/login/", {"username": "ada", "password": "secret"})

    assert answer.status_code == 500
    assert client.get("/admin/").status_code == 302


def test_has_a_sentence_for_every_action() -> None:
    assert set(SENTENCES) == set(AuditAction)


def test_gives_our_groups_the_right_to_look(db: None) -> None:
    assert member_of("auditor").has_perm("calls.view_auditentry")
    assert not member_of("operator").has_perm("calls.delete_auditentry")


def test_notes_what_is_done_to_rules_beside_their_form(root: Client) -> None:
    first = AnswerRule.objects.create(name="First", priority=1, action="ignore")
    second = AnswerRule.objects.create(name="Second", priority=2, action="ignore")
    changelist = "/admin/calls/answerrule/"

    root.post(f"{changelist}{second.pk}/move/up/")
    root.post(
        changelist, {"action": "switch_off", "_selected_action": [first.pk, second.pk]}
    )

    assert [sentence(entry) for entry in entries(AuditAction.SETTING_CHANGED)] == [
        "moved up answering rule “Second”",
        "changed answering rule “Second”: enabled yes → no",
        "changed answering rule “First”: enabled yes → no",
    ]
    assert not AnswerRule.objects.filter(enabled=True).exists()


def test_notes_which_profile_is_the_default(root: Client) -> None:
    profile = ProfileFactory.create(name="Desk")

    root.post(
        f"/admin/calls/streamingprofile/{profile.pk}/make-default/",
        {"_form_submitted": "on"},
    )

    [entry] = entries(AuditAction.SETTING_CHANGED)
    assert entry.details["fields"] == {"is_default": [False, True]}


@pytest.mark.parametrize(
    "path", ["{call}/orders/hang_up/", "bulk/hang_up/", "place/", "connect/"]
)
def test_notes_who_tried_a_page_of_orders_they_may_not_give(
    auditor: Client, path: str
) -> None:
    call = idle_call()

    answer = auditor.post(LIST + path.format(call=call.pk))

    assert answer.status_code == 403

    [entry] = entries(AuditAction.COMMAND_REFUSED)
    assert "You may not do that." in sentence(entry)


def test_notes_of_a_form_only_what_orders_read(operator: Client) -> None:
    call = idle_call()
    form = {"csrfmiddlewaretoken": "secret", "reason": "tests", "else": "x"}

    operator.post(f"/calls/{call.pk}/commands/start_streaming", form)

    [entry] = entries(AuditAction.COMMAND_ASKED)
    assert entry.details["arguments"] == {"reason": "tests"}
