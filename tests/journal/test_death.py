"""What a journal holds after its process was killed, starved, forked or forgotten."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from calls.journals.reading import (
    JournalFile,
    Kind,
    is_live,
    read,
    scan,
    truncate_torn_tail,
)
from tests.journal import recorder

ROOT = Path(__file__).parents[2]


@contextmanager
def start(scenario: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.journal.recorder", scenario, str(folder)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def run(scenario: str, folder: Path) -> list[str]:
    with start(scenario, folder) as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return output.splitlines()


def packets(journal: JournalFile, speaker: str) -> list[int]:
    return [
        int.from_bytes(record.pcm[:4], "little")
        for record in journal.records()
        if record.kind == Kind.AUDIO
        and journal.participants[record.participant] == speaker
        and bytes(record.pcm)
        == recorder.packet(int.from_bytes(record.pcm[:4], "little"))
    ]


def at(line: str) -> float:
    """Return when the recorder said that it had written a packet."""
    return float(line.split()[1])


def is_old(lines: list[str], newest: str) -> bool:
    """Say whether there is such a line, and what it is of has to be kept."""
    return any(at(line) < at(newest) - 1 for line in lines)


@pytest.mark.parametrize("seconds", [0.9, 1.33])
def test_kill_loses_nothing_older_than_a_second(tmp_path: Path, seconds: float) -> None:
    with start("record_until_killed", tmp_path) as process:
        assert process.stdout is not None
        said = [process.stdout.readline()]
        first = at(said[0])
        # A dozen of them have to be older than what may be lost.
        while at(said[-1]) < first + seconds + 1 or not is_old(said[11:12], said[-1]):
            said.append(process.stdout.readline())
        assert all(is_live(path) for path in tmp_path.glob("*.journal"))
        killed_at = time.monotonic()
        process.send_signal(signal.SIGKILL)
        said += process.stdout.readlines()

    old = [
        int(number)
        for number, at in (line.split() for line in said)
        if float(at) < killed_at - 1
    ]
    found = scan(tmp_path)
    assert len(found) == recorder.JOURNALS
    for dead in found:
        truncate_torn_tail(dead.path)
        with read(dead.path) as journal:
            assert (journal.damage, journal.sealed) == (None, None)
            for speaker in range(recorder.SPEAKERS):
                stored = packets(journal, f"8:acs:{speaker}")
                assert stored == list(range(len(stored)))
                assert stored[: len(old)] == old
                assert len(old) > 10


def test_full_disk_leaves_no_damage_and_its_loss_is_on_record(tmp_path: Path) -> None:
    error, size, taken, outcome = run("record_into_a_full_disk", tmp_path)

    assert error == "write failed: EFBIG (File too large)"
    # The write ended inside a record: the retry went on exactly there.
    assert size == "700"
    with read(tmp_path / f"{UUID(int=1)}.journal") as journal:
        records = list(journal.records())
        stored = [r.arrival_us for r in records if r.kind == Kind.AUDIO]
        notes = [json.loads(r.text) for r in records if r.kind == Kind.NOTE]
        assert journal.damage is None
        assert journal.sealed is not None
        dropped = journal.sealed.dropped_packets
    assert stored == [int(number) for number in taken.split()]
    assert dropped == 25 - len(stored) > 10
    assert sum(note["packets"] for note in notes) == dropped
    assert outcome == f"{dropped} None"


def test_disk_that_takes_no_header_delays_the_journal_only(tmp_path: Path) -> None:
    assert run("record_where_no_header_fits", tmp_path) == ["None .journal"]

    with read(tmp_path / f"{UUID(int=1)}.journal") as journal:
        audio, _ = journal.records()
        assert audio.pcm == recorder.packet(7)


def test_writer_belongs_to_the_process_that_used_it(tmp_path: Path) -> None:
    assert run("fork", tmp_path) == [
        "this journal writer belongs to the parent process",
        "True",
    ]


def test_writer_that_was_never_closed_finishes_at_exit(tmp_path: Path) -> None:
    run("forget_to_close", tmp_path)

    with read(tmp_path / f"{UUID(int=1)}.journal") as journal:
        assert [r.pcm for r in journal.records()] == [recorder.packet(7)]
