"""Whoever looks leaves a trace, once; and an end that nobody noted is noted late."""

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from calls.audit import reaping as audit_reaping
from calls.audit.words import sentence
from calls.live import listeners
from calls.live.ingest import redis_sync
from calls.models import AuditAction, AuditEntry, Recording
from tests.audit.test_notes import entries
from tests.console.conftest import logged_in
from tests.factories import CallFactory, UserFactory

pytestmark = [pytest.mark.database, pytest.mark.django_db]


def test_notes_who_opens_a_calls_page_once_in_ten_minutes(
    operator: Client, auditor: Client
) -> None:
    call = CallFactory.create(ended=True)
    page = f"/admin/calls/call/{call.pk}/change/"
    asked = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            operator.get(page)
        # The timeline leaves all views out, of recordings too.
        about = [one["sql"] for one in queries if "call_viewed" in one["sql"]]
        asked.append(sum("recording_viewed" not in sql for sql in about))
    auditor.get(page)

    noted = entries(AuditAction.CALL_VIEWED)
    assert len({one.actor for one in noted}) == len(noted) == 2
    assert noted[0].call_key == call.pk
    assert sentence(noted[0]) == "opened the call's page"
    # Whether it is known is one query, and the entry is another.
    assert asked == [2, 1]


def test_notes_a_view_again_when_the_last_one_is_long_ago(operator: Client) -> None:
    call = CallFactory.create(ended=True)
    user = User.objects.get(pk=operator.session["_auth_user_id"])
    AuditEntry.objects.create(
        action=AuditAction.CALL_VIEWED,
        actor=user.username,
        actor_key=user.pk,
        call_key=call.pk,
        object_key=str(call.pk),
        at=timezone.now() - timedelta(minutes=11),
    )

    operator.get(f"/admin/calls/call/{call.pk}/change/")

    assert len(entries(AuditAction.CALL_VIEWED)) == 2


def test_notes_who_reads_a_calls_timeline_without_its_page(operator: Client) -> None:
    call = CallFactory.create(ended=True)
    user = User.objects.get(pk=operator.session["_auth_user_id"])
    for _ in range(2):
        operator.get(f"/calls/{call.pk}/timeline/page.json")

    [entry] = entries(AuditAction.CALL_VIEWED)
    assert (entry.actor_key, entry.call_key) == (user.pk, call.pk)


def test_notes_who_opens_a_recordings_page_or_takes_its_manifest(
    operator: Client, recording: Recording
) -> None:
    operator.get(f"/admin/calls/recording/{recording.pk}/change/")
    operator.get(f"/recordings/{recording.pk}/manifest")

    [entry] = entries(AuditAction.RECORDING_VIEWED)
    assert (entry.call_key, entry.object_key) == (
        recording.call_id,
        str(recording.pk),
    )


def test_notes_who_looks_at_what_belongs_to_a_call(operator: Client) -> None:
    call = CallFactory.create(ended=True)
    person = call.participants.create(id=uuid4(), raw_id="4:+12065550100")

    operator.get(f"/admin/calls/participant/{person.pk}/change/")

    [entry] = entries(AuditAction.CALL_VIEWED)
    assert (entry.call_key, entry.object_type) == (call.pk, "calls.participant")


def test_notes_who_looks_at_the_log_itself(auditor: Client, stranger: Client) -> None:
    stranger.get("/admin/calls/auditentry/")
    for _ in range(2):
        auditor.get("/admin/calls/auditentry/")

    [entry] = entries(AuditAction.AUDIT_VIEWED)
    assert sentence(entry) == "looked at the audit log"


def test_notes_nobody_who_was_turned_away(stranger: Client) -> None:
    call = CallFactory.create(ended=True)

    answer = stranger.get(f"/admin/calls/call/{call.pk}/change/")

    assert answer.status_code == 403
    assert not entries(AuditAction.CALL_VIEWED)


def test_notes_whoever_changes_their_own_password() -> None:
    user = UserFactory.create(username="ada", password="old secret", is_staff=True)

    logged_in(user).post(
        "/admin/password_change/",
        {
            "old_password": "old secret",
            "new_password1": "correct horse battery",
            "new_password2": "correct horse battery",
        },
    )

    [entry] = entries(AuditAction.USER_CHANGED)
    assert (entry.actor, sentence(entry)) == ("ada", "changed user “ada”: password")


def test_notes_what_becomes_of_saved_views(operator: Client) -> None:
    operator.post("/admin/calls/call/views/", {"name": "Mine", "query": "q=%2B1206"})
    noted = entries(AuditAction.SETTING_CHANGED)

    assert [one.details["how"] for one in noted] == ["saved"]
    assert noted[0].object_title == "Mine"


def test_notes_a_call_that_is_exported_on_the_command_line(tmp_path: Any) -> None:
    call = CallFactory.create(ended=True)

    call_command("export_call", str(call.pk), str(tmp_path))

    [entry] = entries(AuditAction.RECORDING_DOWNLOADED)
    assert (entry.actor, entry.call_key) == ("system", call.pk)
    assert entry.details["command"] == "export_call"
    assert entry.details["login"]


def test_notes_a_backup_before_anything_is_copied(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.JOURNAL_DIR = tmp_path / "journals"
    folder = tmp_path / "backup"
    noted: list[str] = []

    def dump(root: Path) -> str:
        noted.extend(map(sentence, entries(AuditAction.RECORDINGS_EXPORTED)))
        (root / "rows").touch()
        return "rows"

    monkeypatch.setattr("calls.backup.database.dump", dump)
    call_command("backup", str(folder), "--without-recordings", stdout=StringIO())

    assert noted == [f"made a backup without recordings in {folder}"]


# --- ends that nobody noted -------------------------------------------------------


def begun(action: AuditAction, key: str, *, seconds: float) -> AuditEntry:
    call = CallFactory.create(live=True)
    entry: AuditEntry = AuditEntry.objects.create(
        action=action,
        actor="ada",
        actor_key=7,
        call_key=call.pk,
        details={key: str(uuid4())},
        at=timezone.now() - timedelta(seconds=seconds),
    )
    return entry


def listens(entry: AuditEntry, client: Any) -> None:
    """Have it told in Redis, as the web process does, that somebody listens."""
    key = entry.details["listening"]
    told = {"call_id": str(entry.call_key), "listen_id": key, "user": "ada"}
    seen = timezone.now().timestamp()
    client.hset(listeners.LISTENERS_KEY, key, json.dumps(told | {"seen": seen}))


@pytest.fixture
def old_redis(redis_url: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have a Redis that has been told of all who listen."""
    settings.REDIS_URL = redis_url
    monkeypatch.setattr(listeners, "KNOWS_AFTER_SECONDS", 0)
    with redis_sync() as client:
        client.flushdb()
    return redis_url


@pytest.mark.usefixtures("old_redis")
def test_notes_that_listening_ended_with_its_web_process() -> None:
    started = AuditAction.LISTENING_STARTED
    killed = begun(started, "listening", seconds=120)
    goes_on = begun(started, "listening", seconds=120)
    begun(started, "listening", seconds=5)
    over = begun(started, "listening", seconds=120)
    AuditEntry.objects.create(
        action=AuditAction.LISTENING_ENDED, actor="ada", details=over.details
    )
    with redis_sync() as client:
        listens(goes_on, client)

    assert audit_reaping.ends_note(timezone.now()) == 1
    assert audit_reaping.ends_note(timezone.now()) == 0

    entry = entries(AuditAction.LISTENING_ENDED)[-1]
    assert entry.details == {**killed.details, "noted_by": "system"}
    assert (entry.actor, entry.call_key) == ("ada", killed.call_key)
    assert sentence(entry).endswith(", as their web process ended")


@pytest.mark.usefixtures("old_redis")
def test_notes_no_end_that_redis_cannot_know(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    begun(AuditAction.LISTENING_STARTED, "listening", seconds=120)
    monkeypatch.setattr(listeners, "KNOWS_AFTER_SECONDS", 1_000_000)
    assert audit_reaping.ends_note(timezone.now()) == 0

    settings.REDIS_URL = "redis://127.0.0.1:9/0"

    assert audit_reaping.ends_note(timezone.now()) == 0


@pytest.mark.usefixtures("old_redis")
def test_notes_that_speaking_ended_with_its_web_process(settings: Any) -> None:
    longest = settings.TALK_SECONDS
    begun(AuditAction.SPEAKING_STARTED, "utterance", seconds=longest + 90)
    begun(AuditAction.SPEAKING_STARTED, "utterance", seconds=longest)

    assert audit_reaping.ends_note(timezone.now()) == 1
    assert entries(AuditAction.SPEAKING_ENDED)[0].details["noted_by"] == "system"
