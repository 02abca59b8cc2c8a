"""Running calls are copied to the storage, and come back from there."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from azure.storage.blob import ContainerClient
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from calls.finishing import call_finish
from calls.journals.locks import alone
from calls.journals.recovery import archive_sweep
from calls.journals.rescue import journals_rescue
from calls.journals.rolling import journals_roll, part_name, rolls
from calls.live.processes import Noter
from calls.models import Alarm, Call, Connection, IngestProcess, Track
from calls.verification import Scope, Verification
from calls.verification.findings import Weight
from tests.factories import CallFactory, ConnectionFactory
from tests.faults.door import Door
from tests.recording.bench import journal
from tests.streaming.wire import audio

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(minutes=6)


@pytest.fixture
def running(settings: Settings) -> tuple[Connection, Path]:
    """A socket that has been open for six minutes, and its journal."""
    return run(uuid4(), settings.NODE)


def run(call_id: UUID, node: str) -> tuple[Connection, Path]:
    call = CallFactory.create(id=call_id, live=True)
    path = journal(
        call_id,
        [audio(number) for number in range(50)],
        is_sealed=False,
        header={"node": node},
    )
    row = ConnectionFactory.create(
        id=UUID(path.stem),
        call=call,
        node=node,
        opened_at=timezone.now() - LONG_AGO,
        packets=50,
    )
    return row, path


def copied(container: ContainerClient) -> list[str]:
    return sorted(container.list_blob_names(name_starts_with="rolling/"))


def test_a_journal_is_copied_as_far_as_it_is_and_on_from_there(
    container: ContainerClient, running: tuple[Connection, Path]
) -> None:
    row, path = running
    whole = path.read_bytes()
    path.write_bytes(whole[:10_000])
    now = timezone.now()
    assert journals_roll(now) == 10_000
    path.write_bytes(whole)
    # It is not due again so soon.
    assert journals_roll(now + timedelta(minutes=4)) == 0
    assert journals_roll(now + LONG_AGO) == len(whole) - 10_000

    names = copied(container)
    assert names == [
        part_name(row.call_id, row.pk, 0, 10_000),
        part_name(row.call_id, row.pk, 10_000, len(whole)),
    ]
    assert b"".join(container.download_blob(name).readall() for name in names) == whole
    row.refresh_from_db()
    assert (row.rolled_bytes, row.rolled_at) == (len(whole), now + LONG_AGO)


def test_parts_are_there_until_the_recording_is(
    container: ContainerClient, running: tuple[Connection, Path]
) -> None:
    row, _ = running
    journals_roll(timezone.now())
    assert findings() == set()
    call_finish(row.call_id)

    assert copied(container) == []
    row.refresh_from_db()
    assert (row.journal_state, row.rolled_at) == ("kept", None)
    assert list(container.list_blob_names()) != []


def test_parts_that_could_not_go_are_removed_by_the_sweep(
    container: ContainerClient, running: tuple[Connection, Path]
) -> None:
    row, _ = running
    journals_roll(timezone.now())
    Connection.objects.filter(pk=row.pk).update(
        journal_state="kept", closed_at=timezone.now()
    )

    archive_sweep(now=timezone.now())

    assert copied(container) == []


def test_a_call_that_is_being_finished_is_passed_over(
    container: ContainerClient, running: tuple[Connection, Path], settings: Settings
) -> None:
    row, _ = running

    with alone(settings.JOURNAL_DIR, row.call_id):
        assert journals_roll(timezone.now()) == 0
    assert copied(container) == []


def test_a_storage_that_refuses_parts_is_an_alarm_until_it_takes_them(
    container: ContainerClient, running: tuple[Connection, Path], door: Door
) -> None:
    door.is_full = True
    now = timezone.now()

    assert journals_roll(now) == 0
    assert Alarm.objects.lasting().get().kind == "storage"
    door.is_full = False
    # Half a minute later, not when five are over.
    assert journals_roll(now + timedelta(seconds=31)) > 0
    assert Alarm.objects.get().state == "closed"


def test_journals_are_not_copied_onto_their_own_disk(
    settings: Settings, running: tuple[Connection, Path]
) -> None:
    assert not rolls()
    assert journals_roll(timezone.now()) == 0
    assert not Path(settings.RECORDINGS_DIR).exists()


def test_what_a_lost_node_had_copied_becomes_a_recording_elsewhere(
    container: ContainerClient, settings: Settings
) -> None:
    settings.NODE = "lost"
    row, path = run(uuid4(), "lost")
    other, other_path = run(uuid4(), "other")
    whole = path.read_bytes()
    # It had more than was copied.
    path.write_bytes(whole[: len(whole) // 2])
    journals_roll(timezone.now())
    settings.NODE = "other"
    journals_roll(timezone.now())
    path.unlink()
    other_path.unlink()
    settings.NODE = "rescuer"

    call_command("recover", "--from-storage", "lost")

    row.refresh_from_db()
    assert (row.journal_state, row.node) == ("kept", "rescuer")
    assert 20 < Track.objects.get(call_id=row.call_id).packets < 30
    assert {name.split("/")[1] for name in copied(container)} == {str(other.call_id)}

    # The node comes back, with all it had: nothing of it may be thrown away.
    path.write_bytes(whole)
    settings.NODE = "lost"
    call_finish(row.call_id)
    archive_sweep(now=timezone.now())
    assert path.read_bytes() == whole
    assert "journal-rescued" in findings()


def test_a_rescue_that_was_interrupted_throws_nothing_away_later(
    container: ContainerClient, settings: Settings
) -> None:
    settings.NODE = "lost"
    row, path = run(uuid4(), "lost")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    journals_roll(timezone.now())
    path.unlink()
    # The database is gone, and the first run dies when it has fetched the journal.
    Call.objects.all().delete()
    settings.NODE = "rescuer"
    assert len(list(journals_rescue("lost", settings.JOURNAL_DIR))) == 1

    call_command("recover", "--from-storage", "lost")

    path.write_bytes(whole)
    settings.NODE = "lost"
    call_finish(row.call_id)
    assert path.read_bytes() == whole
    assert Connection.objects.get().node == "rescuer"


def test_a_node_whose_worker_lives_is_not_taken_for_lost(
    redis_url: str, settings: Settings
) -> None:
    settings.REDIS_URL, settings.NODE = redis_url, "alone"
    worker = Noter("worker")
    worker.note(queues=["recordings.alone"])

    with pytest.raises(CommandError, match="a worker of alone lives"):
        call_command("recover", "--from-storage", "alone")
    worker.leave()
    call_command("recover", "--from-storage", "alone")


def test_parts_that_overlap_are_put_together_once(
    container: ContainerClient, settings: Settings
) -> None:
    settings.NODE = "lost"
    row, path = run(uuid4(), "lost")
    whole = path.read_bytes()
    for start, end in ((0, 5_000), (0, 9_000), (8_000, len(whole)), (60_000, 60_001)):
        name = part_name(row.call_id, row.pk, start, end)
        container.upload_blob(name, whole[start:end])
    path.unlink()
    settings.NODE = "rescuer"

    call_command("recover", "--from-storage", "lost")

    assert Track.objects.get(call_id=row.call_id).packets == 50
    assert copied(container) == []


def test_a_node_that_renews_its_lease_is_not_taken_for_lost(
    container: ContainerClient, running: tuple[Connection, Path], settings: Settings
) -> None:
    journals_roll(timezone.now())
    IngestProcess.objects.create(
        id=uuid4(), node=settings.NODE, pid=1, renewed_at=timezone.now()
    )

    with pytest.raises(CommandError, match=r"stop its ingest.* again in 30 s"):
        call_command("recover", "--from-storage", settings.NODE)
    assert len(copied(container)) == 1


def findings() -> set[str]:
    """Return what verification calls an error."""
    work = Verification(Scope([], None, False), timezone.now(), lambda calls: None)
    return {found.code for found in work.findings() if found.weight == Weight.ERROR}
