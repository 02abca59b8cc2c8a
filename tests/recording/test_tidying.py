"""What a finisher left that was killed near its end is found, and nothing else."""

import fcntl
from pathlib import Path
from uuid import uuid4

import pytest

from calls.finishing import call_finish, calls_half_tidied
from tests.recording.bench import call_ended, journal
from tests.streaming.wire import audio

pytestmark = pytest.mark.django_db(transaction=True)


def test_finds_a_journal_that_is_in_a_recording_already(folders: Path) -> None:
    call = call_ended()
    path = journal(call.id, [audio(n) for n in range(10)])
    content = path.read_bytes()
    call_finish(call.id)
    path.write_bytes(content)
    # Nobody has begun with this one: it is the sweep's, not ours.
    journal(call_ended().id, [audio(0)])

    assert calls_half_tidied(path.parent) == {call.id}


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
