"""Drafts on their way to the database: kept, in order, never in each other's way."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, OperationalError

from calls import ingest_facts, services
from calls.drafts import AlarmDraft, ArchiveBatch, ChunkDraft
from streaming import archive as archive_module
from streaming.archive import Archive
from tests.recording.test_rows import socket, track
from tests.streaming.house import PATIENCE, eventually

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def archive() -> Iterator[Archive]:
    archive = Archive()
    yield archive
    archive.close(wait=True)


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> "Stored":
    """Put a small database in the place of the real one."""
    fake = Stored()
    monkeypatch.setattr(services, "batch_store", fake.batch_store)
    return fake


class Stored:
    """What was written, and whether a write works: `trouble` raises."""

    def __init__(self) -> None:
        self.batches: list[ArchiveBatch] = []
        self.trouble: Callable[[ArchiveBatch], None] = lambda batch: None

    def batch_store(self, batch: ArchiveBatch) -> None:
        self.trouble(batch)
        self.batches.append(batch)


def down(_: ArchiveBatch) -> None:
    raise OperationalError("the database is down")


async def test_what_was_not_written_waits(archive: Archive, stored: Stored) -> None:
    draft = socket(uuid4())
    archive.put(ArchiveBatch(connections=[draft]))
    stored.trouble = down
    assert not await archive.flush()
    assert archive.waiting == 1
    assert archive.error == "OperationalError: the database is down"

    stored.trouble = lambda batch: None
    assert await archive.flush()

    assert [list(batch.connections) for batch in stored.batches] == [[draft]]
    assert archive.waiting == 0
    assert not archive.error


async def test_a_newer_draft_takes_the_place_of_an_older(
    archive: Archive, stored: Stored
) -> None:
    first = socket(uuid4())
    archive.put(ArchiveBatch(connections=[first]))
    archive.put(ArchiveBatch(connections=[replace(first, packets=9)]))

    await archive.flush()

    [batch] = stored.batches
    assert [draft.packets for draft in batch.connections] == [9]


async def test_what_failed_never_overwrites_what_came_meanwhile(
    archive: Archive, stored: Stored
) -> None:
    call_id = uuid4()
    old, new = track(call_id, packets=1), track(call_id, packets=2)
    archive.put(ArchiveBatch(tracks=[old]))

    def fail_while_news_comes(_: ArchiveBatch) -> None:
        archive.put(ArchiveBatch(tracks=[new]))
        raise OperationalError

    stored.trouble = fail_while_news_comes
    await archive.flush()
    stored.trouble = lambda batch: None
    await archive.flush()

    [batch] = stored.batches
    assert list(batch.tracks) == [new]


async def test_alarms_wait_as_everything_does_the_newest_word_of_each(
    archive: Archive, stored: Stored
) -> None:
    node = AlarmDraft("node/1", "node_full", 2, None, "80 %", NOON, NOON, NOON)
    of_call = replace(node, key="call/1", call_id=uuid4())
    archive.put(ArchiveBatch(alarms=[node, of_call]))
    stored.trouble = down
    assert not await archive.flush()
    archive.put(ArchiveBatch(alarms=[replace(node, words="85 %")]))
    assert archive.waiting == 2

    def refuse_calls(batch: ArchiveBatch) -> None:
        if of_call in batch.alarms:
            raise IntegrityError

    stored.trouble = refuse_calls
    assert await archive.flush()

    [batch] = stored.batches
    assert [draft.words for draft in batch.alarms] == ["85 %"]
    assert (archive.waiting, archive.dropped) == (0, 1)


@pytest.mark.parametrize("fault", [IntegrityError, OverflowError, ValueError])
async def test_one_unstorable_draft_does_not_keep_the_others_waiting(
    archive: Archive, stored: Stored, fault: type[Exception]
) -> None:
    bad, good = socket(uuid4()), socket(uuid4())
    chunk = ChunkDraft(uuid4(), good.id, 0, 0, 320, 1, 0)
    archive.put(ArchiveBatch([bad, good], chunks=[chunk], tracks=[track(bad.call_id)]))

    def refuse_the_bad(batch: ArchiveBatch) -> None:
        if bad in batch.connections:
            raise fault("4:+12065550100 cannot be stored")

    stored.trouble = refuse_the_bad
    assert await archive.flush()

    [batch] = stored.batches
    assert list(batch.connections) == [good]
    assert list(batch.chunks) == [chunk]
    assert (archive.waiting, archive.dropped) == (0, 2)


async def test_a_database_that_goes_down_halfway_loses_nothing(
    archive: Archive, stored: Stored
) -> None:
    drafts = [socket(uuid4()) for _ in range(3)]
    archive.put(ArchiveBatch(drafts))
    faults: list[Any] = [IntegrityError, None, OperationalError]

    def fail_in_turn(_: ArchiveBatch) -> None:
        if fault := faults.pop(0):
            raise fault

    stored.trouble = fail_in_turn
    assert not await archive.flush()

    assert archive.waiting == 3


async def test_too_much_that_waits_is_counted(
    archive: Archive, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "MAX_SOCKETS", 2)
    first, second, third = (socket(uuid4()) for _ in range(3))

    archive.put(ArchiveBatch([first, second, third, replace(first, packets=5)]))
    await archive.flush()

    [batch] = stored.batches
    assert [draft.packets for draft in batch.connections] == [5, 0]
    assert archive.dropped == 1


async def test_a_database_that_hangs_is_asked_in_vain_but_not_for_long(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    monkeypatch.setattr(ingest_facts, "call_facts", lambda call_id: gate.wait(20))

    # More questions than there are threads: each gives up by itself.
    answers = [await archive.facts(uuid4(), 0.01) for _ in range(6)]

    assert answers == [None] * 6
    gate.set()


async def test_a_write_that_hangs_is_told_until_it_is_done(
    archive: Archive, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    monkeypatch.setattr(archive_module, "WRITE_PATIENCE", 0.01)

    def hang(_: ArchiveBatch) -> None:
        gate.wait(60)

    stored.trouble = hang
    archive.put(ArchiveBatch(connections=[socket(uuid4())]))

    writing = asyncio.create_task(archive.flush())
    await eventually(lambda: archive.error)
    assert archive.error == "it has not answered for 0.01 s"
    assert not writing.done()
    gate.set()

    assert await writing
    assert archive.error is None


def test_a_database_that_hangs_does_not_keep_the_process_from_ending() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", HANGING_AT_THE_END],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
        timeout=PATIENCE,
        check=False,
        capture_output=True,
        text=True,
    )

    assert (ended.returncode, ended.stdout) == (0, "closed\n")


HANGING_AT_THE_END = """
import asyncio, threading, uuid
import django
django.setup()
from calls import services
from streaming.archive import Archive

async def main():
    begun = threading.Event()
    def hang(*_, **__):
        begun.set()
        threading.Event().wait()
    services.process_renew = hang
    archive = Archive()
    asyncio.create_task(archive.renew(uuid.uuid4(), streams=0, refused=0))
    await asyncio.to_thread(begun.wait)
    await asyncio.to_thread(archive.close)
    print("closed", flush=True)

asyncio.run(main())
"""


async def test_a_question_that_fails_is_no_answer(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise OperationalError

    monkeypatch.setattr(ingest_facts, "call_facts", fail)
    monkeypatch.setattr(ingest_facts, "stop_windows_by_call", fail)

    assert await archive.facts(uuid4(), 5) is None
    assert await archive.stops([uuid4()], 5) == {}


async def test_the_log_names_no_values(
    archive: Archive, stored: Stored, caplog: pytest.LogCaptureFixture
) -> None:
    archive.put(ArchiveBatch([socket(uuid4())]))

    def refuse(_: ArchiveBatch) -> None:
        raise IntegrityError("duplicate key\nDETAIL:  Key (raw_id)=(4:+1206) exists.")

    stored.trouble = refuse
    await archive.flush()

    assert "duplicate key" in caplog.text
    assert "4:+1206" not in caplog.text


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
async def test_keeps_honest_calls_beside_one_that_lost_its_row(
    archive: Archive,
) -> None:
    """A real database: a call's row is removed while its tracks still change."""
    gone, there = uuid4(), uuid4()
    archive.put(ArchiveBatch(connections=[socket(there)], tracks=[track(gone)]))

    assert await archive.flush()

    facts = await archive.facts(there, 20)
    assert facts is not None
    assert facts.is_known
    assert archive.dropped == 1
