"""What waits to be stored is counted, shown, and tried again ever later."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from calls.alarms.sweep import alarms_sweep
from calls.backlog import StorageBacklog, retry_at, storage_backlog
from calls.finishing import call_finish
from calls.journals.recovery import archive_sweep
from calls.models import Alarm, Call
from calls.storage import StorageFaultError
from tests.console.conftest import operator as operator
from tests.factories import CallFactory
from tests.recording.bench import journal
from tests.streaming.wire import audio

pytestmark = pytest.mark.django_db


@pytest.fixture
def refused(settings: Settings) -> Call:
    """A call whose recordings could not be stored, once."""
    call = CallFactory.create(ended=True)
    journal(call.id, [audio(number) for number in range(10)])
    Path(settings.RECORDINGS_DIR).write_text("no folder")
    with pytest.raises(StorageFaultError):
        call_finish(call.id)
    call.refresh_from_db()
    return call


def test_waits_get_longer_to_ten_minutes_and_differ(settings: Settings) -> None:
    settings.RETRY_SECONDS = 30
    now = timezone.now()

    for attempts, longest in ((1, 30), (2, 60), (4, 240), (6, 600), (10_000, 600)):
        waits = {(retry_at(attempts, now) - now).total_seconds() for _ in range(20)}
        assert longest / 2 <= min(waits) < max(waits) <= longest


def test_nothing_waits_where_nothing_happened() -> None:
    CallFactory.create(live=True)

    assert storage_backlog() == StorageBacklog(0, None, 0, "")


def test_what_cannot_be_stored_waits_and_says_why(refused: Call) -> None:
    later = timezone.now() + timedelta(hours=1)
    Call.objects.filter(pk=CallFactory.create(ended=True).pk).update(
        archive_state="pending", ended_at=later
    )

    backlog = storage_backlog()
    assert (backlog.calls, backlog.failing) == (2, 1)
    assert backlog.oldest_at == refused.ended_at
    assert "the folder of recordings cannot be written" in backlog.last_fault


def test_the_archive_and_the_inbox_show_it_as_one_alarm(
    refused: Call, operator: Client
) -> None:
    page = operator.get("/admin/calls/call/?view=all").content.decode()
    assert "1 call cannot be stored: the folder of recordings" in page
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.severity, alarm.call) == ("storage", 3, None)
    assert "1 call waits" in alarm.words
    assert alarm.words in operator.get("/alarms/inbox.json").content.decode()


def test_the_sweep_tries_again_when_it_is_time_and_not_before(
    refused: Call, settings: Settings
) -> None:
    at = refused.archive_retry_at
    assert at is not None
    archive_sweep(now=at - timedelta(seconds=1))
    assert Call.objects.get().archive_state == "failed"

    archive_sweep(now=at)

    assert Call.objects.get().archive_state == "pending"


def test_the_work_is_not_done_again_while_the_storage_refuses(
    refused: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*args: object) -> None:
        raise AssertionError("it was done")

    monkeypatch.setattr("calls.finishing._finish", work)

    with pytest.raises(StorageFaultError):
        call_finish(refused.id)
    assert Call.objects.get().archive_attempts == 2


def test_a_refusal_that_nobody_sees_any_more_is_over(refused: Call) -> None:
    now = timezone.now()

    alarms_sweep(now + timedelta(minutes=29))
    assert Alarm.objects.lasting().count() == 1
    alarms_sweep(now + timedelta(minutes=31))
    assert Alarm.objects.lasting().count() == 0


def test_success_forgets_the_failures_and_closes_the_alarm(
    refused: Call, settings: Settings
) -> None:
    Path(settings.RECORDINGS_DIR).unlink()

    call_finish(refused.id)

    call = Call.objects.get()
    assert (call.archive_state, call.archive_attempts) == ("finished", 0)
    alarm = Alarm.objects.get()
    assert (alarm.state, alarm.closed_by) == ("closed", None)
    assert storage_backlog().failing == 0
