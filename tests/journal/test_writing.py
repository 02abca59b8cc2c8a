import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast
from uuid import uuid4

import pytest

from calls.journals.format import ZEROS
from calls.journals.reading import (
    NO_PARTICIPANT,
    JournalError,
    Kind,
    is_live,
    read,
    scan,
)
from streaming.journal import JournalWriter
from streaming.protocol import US
from tests.journal.strategies import header

PCM = b"\x01\x02" * 320


def until(condition: Callable[[], object]) -> None:
    """Wait for a thread to get there; a test that never does fails on its own."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited 20 s in vain"
        time.sleep(0.005)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[JournalWriter]:
    writer = JournalWriter(tmp_path, flush_interval=0.01, sync_interval=0.05)
    yield writer
    writer.close(timeout=5)


def test_everything_appended_is_read_again(writer: JournalWriter) -> None:
    owner = header()
    journal = writer.open(owner)
    journal.metadata('{"kind":"AudioMetadata"}', 10)
    speaker = journal.participant("8:acs:a_b", 20)
    assert journal.audio(speaker, 1_000_000, 20, PCM, False)
    assert journal.audio(NO_PARTICIPANT, None, 30, PCM, True)
    assert journal.dtmf('{"kind":"DtmfData"}', 40, 2_000_000, speaker)
    assert journal.unknown('{"kind":"MarkData"}', 50)
    assert journal.malformed(b"\xff\x00", 60)
    assert journal.transcription("{}", 70)
    assert journal.outbound("{}", 80)
    journal.note({"event": "redial"}, 90)
    path = journal.seal(1000, "hung up", {"packets": 2}).result(timeout=20)

    with read(path) as written:
        assert written.header == owner
        assert [
            (Kind(r.kind), r.arrival_us, r.participant, r.timestamp_us, bytes(r.pcm))
            for r in written.records()
            if r.kind != Kind.SEAL
        ] == [
            (Kind.METADATA, 10, NO_PARTICIPANT, None, b'{"kind":"AudioMetadata"}'),
            (Kind.PARTICIPANT, 20, 0, None, b"8:acs:a_b"),
            (Kind.AUDIO, 20, 0, 1_000_000, PCM),
            (Kind.AUDIO, 30, NO_PARTICIPANT, None, PCM),
            (Kind.DTMF, 40, 0, 2_000_000, b'{"kind":"DtmfData"}'),
            (Kind.UNKNOWN, 50, NO_PARTICIPANT, None, b'{"kind":"MarkData"}'),
            (Kind.MALFORMED, 60, NO_PARTICIPANT, None, b"\xff\x00"),
            (Kind.TRANSCRIPTION, 70, NO_PARTICIPANT, None, b"{}"),
            (Kind.OUTBOUND, 80, NO_PARTICIPANT, None, b"{}"),
            (Kind.NOTE, 90, NO_PARTICIPANT, None, b'{"event": "redial"}'),
        ]
        assert [r.silent for r in written.records() if r.kind == Kind.AUDIO] == [
            False,
            True,
        ]
        seal = written.sealed
    assert seal is not None
    assert (seal.code, seal.reason, seal.counters) == (1000, "hung up", {"packets": 2})
    assert (seal.dropped_packets, seal.sync_failures) == (0, 0)


def test_zero_pcm_is_stored_as_its_length(writer: JournalWriter) -> None:
    journal = writer.open(header())
    journal.audio(0, None, 1, bytes(640), True)
    journal.audio(0, None, 2, bytes(639) + b"\x01", True)
    journal.audio(0, None, 3, b"", False)
    path = journal.seal(None, "", {}).result(timeout=20)

    with read(path) as written:
        stored = [r for r in written.records() if r.kind == Kind.AUDIO]
        assert [len(r.payload) for r in stored] == [4, 640, 0]
        assert [r.flags & ZEROS for r in stored] == [ZEROS, 0, 0]
        assert [bytes(r.pcm) for r in stored] == [
            bytes(640),
            bytes(639) + b"\x01",
            b"",
        ]


def test_participant_is_defined_once(writer: JournalWriter) -> None:
    journal = writer.open(header())

    indexes = [journal.participant(raw) for raw in ["4:+1", "8:acs:x", "4:+1", None]]

    assert indexes == [0, 1, 0, NO_PARTICIPANT]
    path = journal.seal(1000, "", {}).result(timeout=20)
    with read(path) as written:
        assert written.participants == {0: "4:+1", 1: "8:acs:x", NO_PARTICIPANT: None}


def test_appended_packets_reach_the_file_before_the_seal(writer: JournalWriter) -> None:
    journal = writer.open(header())
    journal.audio(NO_PARTICIPANT, None, 1, PCM, False)

    until(lambda: journal.path.exists() and journal.path.stat().st_size > 640)

    with read(journal.path) as written:
        assert [r.pcm for r in written.records()] == [PCM]
        assert written.sealed is None


def test_more_than_one_write_takes_at_once_is_all_written(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, flush_interval=30)
    journal = writer.open(header())
    for number in range(5000):
        journal.audio(NO_PARTICIPANT, None, number, PCM, False)

    assert writer.close(timeout=20)

    with read(journal.path) as written:
        assert [r.arrival_us for r in written.records()] == list(range(5000))


def test_journal_is_live_until_it_is_sealed(writer: JournalWriter) -> None:
    journal = writer.open(header())
    until(journal.path.exists)
    assert is_live(journal.path)
    assert scan(writer.directory) == []

    journal.seal(1000, "", {}).result(timeout=20)

    assert not is_live(journal.path)
    [found] = scan(writer.directory)
    assert found.path == journal.path
    assert writer.health().journals == 0


def test_many_journals_sealed_at_once_all_reach_the_disk(
    writer: JournalWriter,
) -> None:
    journals = [writer.open(header()) for _ in range(40)]
    for number, journal in enumerate(journals):
        journal.audio(NO_PARTICIPANT, None, number, PCM, False)
    until(lambda: all(journal.path.exists() for journal in journals))
    until(lambda: not writer.health().sync_lag)

    sealed = [journal.seal(1000, "", {}) for journal in journals]

    for number, future in enumerate(sealed):
        with read(future.result(timeout=20)) as written:
            audio, _ = written.records()
            assert audio.arrival_us == number
            assert written.sealed is not None
    assert writer.health().journals == 0


def test_sealing_twice_is_sealing_once(writer: JournalWriter) -> None:
    journal = writer.open(header())

    first = journal.seal(1000, "hung up", {})

    assert journal.seal(1006, "again", {}) is first
    with read(first.result(timeout=20)) as written:
        assert written.sealed is not None
        assert written.sealed.code == 1000


def test_waiting_for_a_seal_may_be_given_up(writer: JournalWriter) -> None:
    journal = writer.open(header())
    sealed = journal.seal(1000, "", {})

    assert not sealed.cancel()

    assert sealed.result(timeout=20) == journal.path


def test_nothing_is_appended_to_a_sealed_journal(writer: JournalWriter) -> None:
    journal = writer.open(header())
    journal.seal(1000, "", {})

    with pytest.raises(JournalError, match="sealed"):
        journal.audio(0, None, 1, PCM, False)
    with pytest.raises(JournalError, match="sealed"):
        journal.note({"event": "late"})


def test_one_connection_has_one_journal(writer: JournalWriter) -> None:
    owner = header()
    journal = writer.open(owner)
    with pytest.raises(JournalError, match=r"open already|exists already"):
        writer.open(owner)
    journal.seal(1000, "", {}).result(timeout=20)

    with pytest.raises(JournalError, match="exists already"):
        writer.open(owner)


def test_close_takes_unsealed_journals_to_the_disk(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, flush_interval=30, sync_interval=30)
    journal = writer.open(header())
    journal.audio(NO_PARTICIPANT, None, 1, PCM, False)

    assert writer.close(timeout=20)

    assert not is_live(journal.path)
    with read(journal.path) as written:
        assert [r.pcm for r in written.records()] == [PCM]
        assert (written.damage, written.sealed) == (None, None)
    assert not writer.health().alive
    with pytest.raises(JournalError, match="closed"):
        writer.open(header())


def test_close_of_a_writer_never_used_is_done_at_once(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "never")

    assert writer.close()

    assert not (tmp_path / "never").exists()


def test_file_that_cannot_be_created_is_known_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "streaming")
    folder = tmp_path / "journals"
    folder.write_text("a file where a folder should be")
    writer = JournalWriter(folder, flush_interval=0.01, sync_interval=0.05)
    journal = writer.open(header())
    journal.audio(NO_PARTICIPANT, None, 1, PCM, False)

    until(lambda: journal.error)
    assert "EEXIST" in (journal.error or "") or "ENOTDIR" in (journal.error or "")
    health = writer.health()
    assert health.errors == (journal.error,)
    assert health.pending_bytes == 28 + len(PCM)
    until(lambda: writer.health().write_lag > 0.02)

    folder.unlink()
    path = journal.seal(1000, "", {}).result(timeout=20)
    assert journal.error is None
    with read(path) as written:
        assert [r.kind for r in written.records()] == [Kind.AUDIO, Kind.SEAL]
    writer.close()
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_seal_that_never_reached_the_disk_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "journals"
    folder.write_text("a file where a folder should be")
    writer = JournalWriter(folder, flush_interval=0.01, sync_interval=0.05)
    sealed = writer.open(header()).seal(1000, "", {})

    assert not writer.close(timeout=0.1)

    with pytest.raises(JournalError, match="not sealed on disk: write failed"):
        sealed.result(timeout=20)


def test_what_we_said_counts_among_no_dropped_packets(tmp_path: Path) -> None:
    folder = tmp_path / "journals"
    folder.write_text("a file where a folder should be")
    writer = JournalWriter(folder, flush_interval=0.01, max_pending_bytes=2000)
    journal = writer.open(header())
    ours = journal.participant(US)

    while journal.audio(ours, None, 0, PCM, False):
        pass
    assert not journal.audio(NO_PARTICIPANT, None, 1, PCM, False)

    assert (journal.dropped_packets, journal.dropped_records) == (1, 2)
    writer.close(timeout=0.1)


def test_full_memory_drops_and_puts_the_loss_on_record(tmp_path: Path) -> None:
    folder = tmp_path / "journals"
    folder.write_text("a file where a folder should be")
    writer = JournalWriter(
        folder, flush_interval=0.01, sync_interval=0.05, max_pending_bytes=2000
    )
    journal = writer.open(header())

    taken = [journal.audio(0, None, i, PCM, False) for i in range(10)]
    speaker = journal.participant("8:acs:late", 11)
    assert taken == [True, True, True] + [False] * 7
    assert not journal.unknown("{}", 12)
    assert (journal.dropped_packets, journal.dropped_records) == (7, 8)
    assert writer.health().dropped_packets == 7

    folder.unlink()
    until(lambda: not writer.health().pending_bytes)
    assert journal.audio(speaker, None, 20, PCM, False)
    path = journal.seal(1000, "", {}).result(timeout=20)
    with read(path) as written:
        records = list(written.records())
        seal = written.sealed
        kinds = [Kind(r.kind) for r in records]
        assert kinds == [Kind.AUDIO] * 3 + [
            Kind.PARTICIPANT,
            Kind.NOTE,
            Kind.AUDIO,
            Kind.SEAL,
        ]
        assert records[4].text == '{"event": "dropped", "packets": 7, "records": 8}'
    assert seal is not None
    assert (seal.dropped_packets, seal.dropped_records) == (7, 8)
    writer.close()


def test_fault_in_one_journal_does_not_stop_the_others(
    writer: JournalWriter, caplog: pytest.LogCaptureFixture
) -> None:
    broken, sound = writer.open(header()), writer.open(header())
    broken._outlet.pieces.append(cast(bytes, "no bytes"))
    sound.audio(NO_PARTICIPANT, None, 1, PCM, False)

    with read(sound.seal(1000, "", {}).result(timeout=20)) as written:
        assert [r.kind for r in written.records()] == [Kind.AUDIO, Kind.SEAL]

    assert writer.health().alive
    assert f"journal {broken.header.connection_id}: cannot be written" in caplog.text
    broken._outlet.pieces.clear()


def test_refused_sync_is_never_forgotten(writer: JournalWriter) -> None:
    journal = writer.open(header())
    until(journal.path.exists)
    until(lambda: not writer.health().sync_lag)
    with syncs_refused(journal.path):
        journal.audio(0, None, 1, PCM, False)
        until(lambda: journal.error)

    path = journal.seal(1000, "", {}).result(timeout=20)

    assert journal.error == "sync failed: EINVAL (Invalid argument)"
    with read(path) as written:
        assert written.sealed is not None
        assert written.sealed.sync_failures > 0


def test_refused_sync_is_no_trouble_once_another_succeeds(
    writer: JournalWriter,
) -> None:
    journal = writer.open(header())
    until(journal.path.exists)
    until(lambda: not writer.health().sync_lag)
    with syncs_refused(journal.path):
        journal.audio(0, None, 1, PCM, False)
        until(lambda: writer.health().errors)
        assert writer.health().errors == ("sync failed: EINVAL (Invalid argument)",)

    # Its socket is open still: others must be let in meanwhile.
    until(lambda: not writer.health().errors)

    assert writer.health().journals == 1
    assert journal.error


@contextmanager
def syncs_refused(path: Path) -> Iterator[None]:
    """A pipe takes bytes but cannot be synced: the system's own EINVAL."""
    descriptor = descriptor_of(path)
    kept = os.dup(descriptor)
    reading, writing = os.pipe()
    os.dup2(writing, descriptor)
    try:
        yield
    finally:
        os.dup2(kept, descriptor, inheritable=False)
        for other in (kept, reading, writing):
            os.close(other)


def descriptor_of(path: Path) -> int:
    [found] = [
        int(link.name)
        for link in Path("/proc/self/fd").iterdir()
        if link.is_symlink() and os.path.realpath(link) == str(path.resolve())
    ]
    return found


def test_sealing_leaves_no_descriptor_behind(writer: JournalWriter) -> None:
    journal = writer.open(header())
    until(journal.path.exists)
    journal.seal(1000, "", {}).result(timeout=20)

    with pytest.raises(ValueError, match="not enough values"):
        descriptor_of(journal.path)


def test_only_the_owner_may_read_a_journal(writer: JournalWriter) -> None:
    journal = writer.open(header())
    path = journal.seal(1000, "", {}).result(timeout=20)

    assert path.stat().st_mode & 0o777 == 0o600


def test_raw_ids_beyond_what_a_journal_can_name_are_refused(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, flush_interval=0.01)
    journal = writer.open(header(uuid4()))
    for number in range(NO_PARTICIPANT):
        journal.participant(str(number), 0)

    with pytest.raises(JournalError, match="more participants"):
        journal.participant("one more", 0)
    writer.close()
