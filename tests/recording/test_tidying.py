"""What a finisher left that was killed near its end is found, and nothing else."""

import fcntl
from pathlib import Path
from typing import Never
from uuid import UUID, uuid4

import pytest
from django.core.files.storage import FileSystemStorage
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from calls.finishing import call_finish, calls_half_tidied
from calls.journals.reading import Kind
from calls.models import Alarm, Call, Connection
from tests.factories import ConnectionFactory
from tests.recording.bench import (
    OPENED,
    append,
    call_ended,
    journal,
    recorded_from_half,
)
from tests.streaming.wire import audio, voice

pytestmark = pytest.mark.django_db(transaction=True)


class UnlistedStorage(FileSystemStorage):
    """Keeps files, and cannot say which."""

    def listdir(self, path: str) -> Never:
        raise NotImplementedError("this storage does not list")


@pytest.fixture
def unlisted(folders: Path, settings: Settings) -> None:
    settings.STORAGES = settings.STORAGES | {
        "recordings": {
            "BACKEND": f"{__name__}.UnlistedStorage",
            "OPTIONS": {"location": str(settings.RECORDINGS_DIR)},
        }
    }


def test_finds_a_journal_that_is_in_a_recording_already(folders: Path) -> None:
    call = call_ended()
    # What we said is in journals, and counts among no packets.
    path = journal(call.id, [audio(n) for n in range(10)], ours=5)
    content = path.read_bytes()
    call_finish(call.id)
    path.write_bytes(content)
    # Nobody has begun with this one: it is the sweep's, not ours.
    journal(call_ended().id, [audio(0)])

    assert calls_half_tidied(path.parent) == {call.id}
    call_finish(call.id)
    assert not path.exists()


def test_keeps_a_journal_that_has_more_than_the_recording(folders: Path) -> None:
    call = call_ended()
    # What was copied of it before its node was lost; the new one has the same name.
    path = recorded_from_half(call)
    whole = path.read_bytes()

    assert calls_half_tidied(path.parent) == set()
    call_finish(call.id)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("is_counted", [True, False])
def test_packets_that_were_dropped_make_no_room_for_others(
    folders: Path, *, is_counted: bool
) -> None:
    call, path = recorded_with_drops()
    if not is_counted:
        # By a release that did not count records.
        Connection.objects.update(journal_records=None)
    assert calls_half_tidied(path.parent) == {call.id}

    append(path, Kind.AUDIO, voice(10))

    assert calls_half_tidied(path.parent) == set()
    call_finish(call.id)
    assert path.exists()


@pytest.mark.parametrize("kind", [Kind.DTMF, Kind.TRANSCRIPTION, Kind.NOTE])
def test_keeps_a_journal_that_has_more_of_anything(folders: Path, kind: Kind) -> None:
    _, path = recorded_with_drops()

    append(path, kind, b"{}")

    assert calls_half_tidied(path.parent) == set()


@pytest.mark.parametrize(
    "kind", [Kind.DTMF, Kind.TRANSCRIPTION, Kind.MALFORMED, Kind.UNKNOWN]
)
def test_keeps_a_journal_that_has_more_messages_than_an_old_release_counted(
    folders: Path, kind: Kind
) -> None:
    call, path = recorded_with_drops()
    Connection.objects.update(journal_records=None)

    append(path, kind, b"{}")

    assert calls_half_tidied(path.parent) == set()
    call_finish(call.id)
    assert path.exists()


def test_a_seal_is_nothing_that_a_recording_lacks(folders: Path) -> None:
    call, path = recorded_with_drops()

    append(path, Kind.SEAL, b"{}")

    assert calls_half_tidied(path.parent) == {call.id}


def recorded_with_drops() -> tuple[Call, Path]:
    """Return a recorded call, and its journal, which is back as it was recorded."""
    call = call_ended()
    path = journal(call.id, [audio(n) for n in range(10)], is_sealed=False)
    append(path, Kind.NOTE, b'{"event": "dropped", "packets": 7, "records": 7}')
    content = path.read_bytes()
    call_finish(call.id)
    path.write_bytes(content)
    return call, path


def test_finds_scratch_folders_and_locks_that_nobody_holds(folders: Path) -> None:
    scratched, locked = uuid4(), uuid4()
    journals = journal(call_ended().id, [audio(0)]).parent
    (journals / f"finish-{scratched}").mkdir()
    (journals / f"{locked}.lock").touch()

    assert calls_half_tidied(journals) == {scratched, locked}
    for call_id in (scratched, locked):
        call_finish(call_id)
    assert calls_half_tidied(journals) == set()


def test_leaves_a_call_alone_that_is_being_finished(folders: Path) -> None:
    call_id = uuid4()
    journals = journal(call_ended().id, [audio(0)]).parent
    (journals / f"finish-{call_id}").mkdir()

    with (journals / f"{call_id}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert calls_half_tidied(journals) == set()
    assert calls_half_tidied(journals) == {call_id}


def test_leaves_alone_what_somebody_else_put_there(folders: Path) -> None:
    journals = journal(call_ended().id, [audio(0)]).parent
    for name in ("a copy.journal", "yum.lock", "finish-line"):
        (journals / name).touch()

    assert calls_half_tidied(journals) == set()


def test_what_cannot_be_tidied_up_is_no_failure_of_the_call(unlisted: None) -> None:
    call = call_ended()
    path = journal(call.id, [audio(n) for n in range(10)])
    # Some of it had been copied while the call ran.
    ConnectionFactory.create(
        id=UUID(path.stem),
        call=call,
        subscription=None,
        opened_at=OPENED,
        rolled_at=timezone.now(),
    )

    call_finish(call.id)

    call.refresh_from_db()
    assert (call.archive_state, path.exists()) == ("finished", False)
    assert not Alarm.objects.filter(kind="incomplete", cleared_at=None).exists()


def test_one_calls_parts_do_not_keep_others_from_being_recovered(
    unlisted: None,
) -> None:
    calls = [call_ended(), call_ended()]
    for call in calls:
        journal(call.id, [audio(n) for n in range(10)])

    call_command("recover", "--json")

    assert set(Call.objects.values_list("archive_state", flat=True)) == {"finished"}
