"""Journals that no row tells of are finished by the sweep, as all others are."""

import os
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.conf import settings as configured
from django.utils import timezone
from pytest_django import Settings

from acsstream.celery import app
from calls.backlog import storage_backlog
from calls.finishing import call_finish
from calls.finishing_tasks import sweep_node
from calls.journals.reading import JournalHeader
from calls.journals.recovery import archive_sweep
from calls.journals.strays import strays_adopt
from calls.live.ingest import redis_sync
from calls.live.processes import Noter
from calls.metrics.rows import row_metrics
from calls.models import Alarm, Call, Connection, Recording
from tests.recording.bench import OPENED, call_ended, journal, writer
from tests.streaming.wire import audio

pytestmark = pytest.mark.django_db(transaction=True)

FRAMES = [audio(n) for n in range(10)]


def aged(path: Path, seconds: float = 600) -> Path:
    """Let a journal have been written to for the last time so long ago."""
    at = timezone.now().timestamp() - seconds
    os.utime(path, (at, at))
    return path


def adopt(now: datetime | None = None) -> int:
    return strays_adopt(configured.JOURNAL_DIR, now or timezone.now())


def test_the_sweep_has_a_journal_without_a_row_made_into_a_recording() -> None:
    call_id = uuid4()
    path = aged(journal(call_id, FRAMES))

    archive_sweep(now=timezone.now())

    # The call is known again, is over, and a worker has been asked.
    call = Call.objects.get(pk=call_id)
    assert (call.state, call.archive_state) == ("ended", "pending")
    call_finish(call_id)
    socket = Connection.objects.get(pk=UUID(path.stem))
    assert (socket.journal_state, socket.packets, socket.close_code) == (
        "kept",
        10,
        1000,
    )
    assert Recording.objects.filter(call_id=call_id).exists()


def test_a_node_without_a_worker_for_sweeps_looks_for_itself(
    settings: Settings, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = redis_url
    monkeypatch.setattr(app.conf, "broker_url", redis_url)
    monkeypatch.setattr(app.conf, "broker_write_url", redis_url)
    here, settings.NODE = settings.NODE, f"far-{uuid4()}"
    queue = f"recordings.{settings.NODE}"
    worker = Noter("worker")
    worker.note(queues=[queue])
    path = aged(journal(uuid4(), FRAMES))
    elsewhere, settings.JOURNAL_DIR = settings.JOURNAL_DIR, path.parent / "none"
    settings.NODE = here

    archive_sweep(now=timezone.now())

    worker.leave()
    with redis_sync() as broker:
        assert b"calls.sweep_node" in broker.lindex(queue, 0)
        broker.delete(queue)
    settings.NODE, settings.JOURNAL_DIR = queue.removeprefix("recordings."), elsewhere
    sweep_node()
    assert Connection.objects.get().pk == UUID(path.stem)


def test_a_journal_of_a_moment_ago_waits_for_its_row(settings: Settings) -> None:
    settings.FINISH_GRACE = 120
    aged(journal(uuid4(), FRAMES), 100)

    assert adopt() == 0
    assert adopt(timezone.now() + timedelta(seconds=60)) == 1


def test_a_journal_that_is_being_written_is_left_alone() -> None:
    head = JournalHeader(
        call_id=uuid4(),
        connection_id=uuid4(),
        call_connection_id="",
        correlation_id=None,
        opened_at=OPENED,
        node=configured.NODE,
        pid=1,
        software="",
    )
    with writer() as journals:
        live = journals.open(head)
        while not live.path.exists() or not live.path.stat().st_size:
            os.sched_yield()
        aged(live.path)

        assert adopt() == 0

    assert not Connection.objects.exists()
    assert live.path.exists()


def test_a_journal_of_another_node_is_left_to_people() -> None:
    path = aged(journal(uuid4(), FRAMES, header={"node": "another"}))
    path.with_name(f"{uuid4()}.journal").write_bytes(b"no journal")

    assert adopt() == 0
    assert not Call.objects.exists()


def test_a_journal_that_was_missing_and_is_back_is_finished() -> None:
    call = call_ended()
    path = journal(call.id, FRAMES)
    content = path.read_bytes()
    Connection.objects.create(
        id=UUID(path.stem), call=call, node=configured.NODE, opened_at=OPENED,
        closed_at=OPENED, journal_state="sealed",
    )  # fmt: skip
    # Its disk is not mounted.
    path.unlink()
    call_finish(call.id)
    assert Connection.objects.get().journal_state == "missing"
    path.write_bytes(content)
    aged(path)

    archive_sweep(now=timezone.now())

    call.refresh_from_db()
    assert call.archive_state == "pending"
    call_finish(call.id)
    call.refresh_from_db()
    assert (call.archive_state, Connection.objects.get().packets) == ("finished", 10)


def test_what_is_lost_for_good_does_not_wait_for_ever() -> None:
    call = call_ended()
    Connection.objects.create(
        id=uuid4(), call=call, node=configured.NODE, opened_at=OPENED,
        closed_at=OPENED, journal_state="sealed",
    )  # fmt: skip

    call_finish(call.id)

    call.refresh_from_db()
    assert call.archive_state == "failed"
    assert (storage_backlog().calls, storage_backlog().failing) == (0, 0)
    failed = [
        sample.value
        for family in row_metrics()
        for sample in family.samples
        if sample.labels.get("state") == "failed"
        and sample.name == "acsstream_archive_calls"
    ]
    assert failed == [0]
    assert Alarm.objects.lasting().get().kind == "incomplete"
