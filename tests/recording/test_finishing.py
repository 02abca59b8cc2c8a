"""Journals become verified recordings, whatever happens on the way."""

import base64
import gzip
import json
import threading
import time
from pathlib import Path
from typing import IO, Any
from uuid import UUID, uuid4

import numpy as np
import pytest
import soundfile
from django.core.files.storage import FileSystemStorage, InMemoryStorage
from django.utils import timezone
from pytest_django import Settings

from calls import storage
from calls.assembly import Assembly, NotYetError
from calls.finishing import call_finish
from calls.journals import locks
from calls.journals.reading import JournalHeader
from calls.models import AudioChunk, Call, Connection, Recording, Track
from calls.models.states import ArchiveState
from calls.recordings import RecordingError, verify
from calls.verification.rows import rows_read, rows_verify
from streaming.protocol import US
from tests.recording.bench import (
    OPENED,
    call_ended,
    journal,
    sha256,
    stored_files,
    stored_pcm,
    the_track,
    timeline,
    writer,
)
from tests.streaming.wire import ALICE, BOB, RATE, SAMPLES, audio, dtmf, voice

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


class FickleStorage(FileSystemStorage):
    """Stores one byte of audio otherwise than it was given, while it is told to."""

    is_fickle = True

    def _save(self, name: str, content: Any) -> str:
        saved: str = super()._save(name, content)  # type: ignore[misc] # no stub
        if self.is_fickle and name.endswith(".flac"):
            path = Path(self.path(saved))
            body = bytearray(path.read_bytes())
            body[len(body) // 2] ^= 0x40
            path.write_bytes(body)
        return saved


def archive_state(call_id: UUID) -> str:
    return Call.objects.get(pk=call_id).archive_state


def leftover_lines(recording: Recording) -> list[dict[str, Any]]:
    with storage.recording_open(recording.leftovers) as stored:
        lines = gzip.decompress(stored.read()).splitlines()
    return [json.loads(line) for line in lines]


def test_makes_one_verified_recording_per_track_and_the_mix() -> None:
    call = call_ended()
    frames = [audio(n, who) for n in range(100) for who in (ALICE, BOB)]
    path = journal(call.id, frames)

    done = call_finish(call.id)

    assert (done.journals, done.recordings, done.packets) == (1, 2, 200)
    assert not path.exists()
    assert list(path.parent.iterdir()) == []
    expected = timeline(range(100), 100)
    for who in (ALICE, BOB):
        recording = the_track(call.id, who)
        assert stored_pcm(recording) == expected
        assert recording.pcm_sha256 == sha256(expected)
        assert recording.state == "verified"
    mix = Recording.objects.get(call_id=call.id, track=None)
    summed = np.frombuffer(expected, "<i2").astype(int) * 2
    assert stored_pcm(mix) == np.clip(summed, -32768, 32767).astype("<i2").tobytes()
    call.refresh_from_db()
    assert call.archive_state == ArchiveState.FINISHED
    assert (call.completeness, call.overtalk_ms) == (1.0, 2_000)


def test_who_talks_while_we_do_talks_over_nobody() -> None:
    call = call_ended()
    journal(call.id, [audio(n) for n in range(100)], ours=100)

    call_finish(call.id)

    call.refresh_from_db()
    assert (the_track(call.id, US).samples, call.overtalk_ms) == (100 * SAMPLES, 0)
    rows = rows_read(call.id)
    assert rows is not None
    assert list(rows_verify(rows)) == []


def test_writes_rows_for_what_no_row_was_of() -> None:
    call_id = uuid4()
    path = journal(call_id, [audio(n) for n in range(600)])

    call_finish(call_id)

    socket = Connection.objects.get()
    assert socket.pk == UUID(path.stem)
    assert (socket.packets, socket.bytes, socket.messages) == (600, 384_000, 601)
    assert socket.journal_state == Connection.JournalState.KEPT
    assert socket.subscription is not None
    assert socket.subscription.is_mixed is False
    assert socket.subscription.state == "inactive"
    track = Track.objects.get()
    assert track.is_final
    assert (track.samples, track.packets) == (600 * SAMPLES, 600)
    chunks = AudioChunk.objects.order_by("number")
    assert [(c.number, c.packets) for c in chunks] == [(0, 250), (1, 250), (2, 100)]


def test_silent_packets_are_silence_whatever_they_hold() -> None:
    call = call_ended()
    frames = [audio(n, silent=n % 2 == 1) for n in range(50)]
    journal(call.id, frames)

    call_finish(call.id)

    assert stored_pcm(the_track(call.id, ALICE)) == timeline(range(0, 50, 2), 50)


def test_a_track_that_was_only_silent_is_a_track() -> None:
    call = call_ended()
    journal(call.id, [audio(n, silent=True) for n in range(50)])

    call_finish(call.id)

    assert stored_pcm(the_track(call.id, ALICE)) == bytes(50 * SAMPLES * 2)


def test_a_gap_is_silence_in_the_file_and_a_gap_on_the_ledger() -> None:
    call = call_ended()
    numbers = [*range(50), *range(80, 150)]
    journal(call.id, [audio(n) for n in numbers])

    call_finish(call.id)

    recording = the_track(call.id, ALICE)
    assert stored_pcm(recording) == timeline(numbers, 150)
    track = recording.track
    assert track is not None
    assert track.ledger["runs"] == [
        ["r", 50 * SAMPLES],
        ["g", 30 * SAMPLES],
        ["r", 70 * SAMPLES],
    ]


def test_running_again_changes_nothing() -> None:
    call = call_ended()
    journal(call.id, [audio(n, who) for n in range(50) for who in (ALICE, BOB)])
    call_finish(call.id)
    rows, files = list(Recording.objects.values()), stored_files()

    assert call_finish(call.id).journals == 0

    assert list(Recording.objects.values()) == rows
    assert stored_files() == files
    assert archive_state(call.id) == ArchiveState.FINISHED


def test_goes_on_from_a_recording_when_a_later_socket_ends() -> None:
    call = call_ended()
    journal(call.id, [audio(n) for n in range(100)])
    call_finish(call.id)
    before = stored_files()
    frames = [audio(n) for n in range(110, 200)]
    frames += [audio(n, BOB) for n in range(110, 150)]
    journal(call.id, frames, after=2.2)

    call_finish(call.id)

    recording = the_track(call.id, ALICE)
    expected = timeline([*range(100), *range(110, 200)], 200)
    assert recording.pcm_sha256 == sha256(expected)
    assert stored_pcm(recording) == expected
    assert recording.track is not None
    assert recording.track.gap_samples == 10 * SAMPLES
    assert recording.track.packets == 190
    assert not before & stored_files()
    assert Recording.objects.count() == 3
    assert Connection.objects.filter(journal_state="kept").count() == 2


@pytest.mark.parametrize("is_readable", [True, False])
def test_does_not_go_on_from_a_recording_that_is_not_what_was_recorded(
    *, is_readable: bool
) -> None:
    call = call_ended()
    journal(call.id, [audio(n) for n in range(100)])
    call_finish(call.id)
    recording = the_track(call.id, ALICE)
    with storage.recording_open(recording.audio) as stored:
        path = Path(stored.name)
    if is_readable:
        # Whole, and shorter: the rest would be taken for silence.
        soundfile.write(path, np.zeros(10 * SAMPLES, "int16"), RATE, format="FLAC")
    else:
        path.write_bytes(path.read_bytes()[:100])
    later = journal(call.id, [audio(n) for n in range(110, 200)], after=2.2)

    with pytest.raises(RecordingError, match=r"other audio|decoded"):
        call_finish(call.id)

    assert later.exists()
    assert archive_state(call.id) == ArchiveState.FAILED
    assert the_track(call.id, ALICE).pcm_sha256 == recording.pcm_sha256


def test_levels_of_a_recording_that_went_on_are_of_all_of_it() -> None:
    call = call_ended()
    loud = (16_000).to_bytes(2, "little") * SAMPLES
    quiet = (100).to_bytes(2, "little") * SAMPLES
    journal(call.id, [audio(n, pcm=loud) for n in range(50)])
    call_finish(call.id)
    journal(call.id, [audio(n, pcm=quiet) for n in range(50, 100)], after=1.0)

    call_finish(call.id)

    track = Track.objects.get()
    assert track.peak_dbfs == pytest.approx(-6.23, abs=0.01)
    assert track.rms_dbfs == pytest.approx(-9.24, abs=0.01)


def test_a_redial_that_brought_nothing_new_leaves_the_files_alone() -> None:
    call = call_ended()
    journal(call.id, [audio(n) for n in range(100)])
    call_finish(call.id)
    audio_name = the_track(call.id, ALICE).audio
    journal(call.id, [audio(n) for n in range(20)], after=2.2)

    call_finish(call.id)

    recording = the_track(call.id, ALICE)
    assert recording.audio == audio_name
    assert len(leftover_lines(recording)) == 20
    names = {recording.audio, recording.peaks, recording.manifest, recording.leftovers}
    assert stored_files() == names


def test_what_was_not_read_back_as_written_is_no_recording(settings: Settings) -> None:
    backend = f"{__name__}.FickleStorage"
    options = settings.STORAGES["recordings"]["OPTIONS"]
    settings.STORAGES = settings.STORAGES | {
        "recordings": {"BACKEND": backend, "OPTIONS": options}
    }
    call = call_ended()
    path = journal(call.id, [audio(n) for n in range(100)])

    with pytest.raises(RecordingError):
        call_finish(call.id)

    assert path.exists()
    assert not Recording.objects.exists()
    call.refresh_from_db()
    assert call.archive_state == ArchiveState.FAILED
    assert call.archive_error

    settings.STORAGES = settings.STORAGES | {
        "recordings": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": options,
        }
    }
    call_finish(call.id)

    recording = the_track(call.id, ALICE)
    assert stored_pcm(recording) == timeline(range(100), 100)
    assert stored_files() == {recording.audio, recording.peaks, recording.manifest}
    call.refresh_from_db()
    assert (call.archive_state, call.archive_error) == (ArchiveState.FINISHED, "")


class _BrokenStorage(FileSystemStorage):
    def _save(self, name: str, content: Any) -> str:
        if name.endswith(".manifest.json"):
            raise RuntimeError("the service says 503")
        saved: str = super()._save(name, content)  # type: ignore[misc] # no stub
        return saved


def test_any_trouble_of_a_storage_is_told_on_the_call(settings: Settings) -> None:
    options = settings.STORAGES["recordings"]["OPTIONS"]
    settings.STORAGES = settings.STORAGES | {
        "recordings": {"BACKEND": f"{__name__}._BrokenStorage", "OPTIONS": options}
    }
    call = call_ended()
    path = journal(call.id, [audio(n) for n in range(10)])

    with pytest.raises(RuntimeError):
        call_finish(call.id)

    assert path.exists()
    call.refresh_from_db()
    assert call.archive_state == ArchiveState.FAILED
    assert "503" in call.archive_error


def test_a_death_between_the_commit_and_the_removal_costs_nothing() -> None:
    call = call_ended()
    path = journal(call.id, [audio(n) for n in range(100)])
    content = path.read_bytes()
    call_finish(call.id)
    rows = list(Recording.objects.values())
    path.write_bytes(content)

    call_finish(call.id)

    assert not path.exists()
    assert list(Recording.objects.values()) == rows
    assert Track.objects.get().packets == 100


class _DeathError(Exception):
    pass


def test_a_death_before_the_commit_costs_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = call_ended()
    journal(call.id, [audio(n) for n in range(100)])
    call_finish(call.id)
    journal(call.id, [audio(n) for n in range(50, 150)], after=2.2)

    def die(*_: object) -> None:
        raise _DeathError

    with monkeypatch.context() as patch:
        patch.setattr(Assembly, "_rows", die)
        with pytest.raises(_DeathError):
            call_finish(call.id)
    assert stored_pcm(the_track(call.id, ALICE)) == timeline(range(100), 100)

    call_finish(call.id)

    recording = the_track(call.id, ALICE)
    assert stored_pcm(recording) == timeline(range(150), 150)
    track = Track.objects.get()
    assert (track.packets, track.duplicates) == (200, 50)
    names = {recording.audio, recording.peaks, recording.manifest, recording.leftovers}
    assert stored_files() == names


def test_scratch_of_a_killed_run_is_removed() -> None:
    call = call_ended()
    path = journal(call.id, [audio(n) for n in range(10)])
    left = path.parent / f"finish-{call.id}"
    left.mkdir()
    (left / "0.pcm").write_bytes(b"old audio")

    call_finish(call.id)

    assert not left.exists()


def test_two_nodes_that_finish_one_call_at_once_lose_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = call_ended()
    here, there = settings.JOURNAL_DIR, settings.JOURNAL_DIR.with_name("other-node")
    journal(call.id, [audio(n) for n in range(50)])
    settings.JOURNAL_DIR = there
    journal(call.id, [audio(n) for n in range(50, 100)], after=1.0)
    store = Assembly.store

    def overtaken(work: Assembly) -> None:
        monkeypatch.undo()
        settings.JOURNAL_DIR = here
        call_finish(call.id)
        settings.JOURNAL_DIR = there
        store(work)

    monkeypatch.setattr(Assembly, "store", overtaken)
    with pytest.raises(NotYetError):
        call_finish(call.id)
    first = the_track(call.id, ALICE)
    assert stored_files() == {first.audio, first.peaks, first.manifest}

    call_finish(call.id)

    assert stored_pcm(the_track(call.id, ALICE)) == timeline(range(100), 100)


def test_waits_for_a_socket_that_is_open() -> None:
    call = call_ended()
    path = journal(call.id, [audio(n) for n in range(10)])
    with writer() as journals:
        header = JournalHeader(
            call_id=call.id,
            connection_id=uuid4(),
            call_connection_id="",
            correlation_id=None,
            opened_at=OPENED,
            node="",
            pid=1,
            software="",
        )
        open_one = journals.open(header)
        while not open_one.path.exists():
            pass

        with pytest.raises(NotYetError):
            call_finish(call.id)

        assert path.exists()
        assert archive_state(call.id) != ArchiveState.FAILED


def test_keeps_beside_the_recording_what_has_no_place_in_it() -> None:
    call = call_ended()
    frames = [audio(n, BOB) for n in range(10)]
    extra = [audio(5, BOB), dtmf("7"), '{"kind":"New"}', "not JSON"]
    journal(call.id, [*frames, *extra, *(audio(n, BOB) for n in range(10, 40))])

    call_finish(call.id)

    lines = leftover_lines(the_track(call.id, BOB))
    assert [line["kind"] for line in lines] == ["DTMF", "UNKNOWN", "MALFORMED", "AUDIO"]
    late = lines[-1]
    assert late["participant"] == BOB
    assert base64.b64decode(late["base64"]) == voice(5)
    assert [line["text"] for line in lines[:3]] == extra[1:]


def test_leftovers_of_every_run_are_kept() -> None:
    call = call_ended()
    journal(call.id, [*(audio(n) for n in range(10)), dtmf("1"), dtmf("2")])
    call_finish(call.id)
    journal(call.id, [*(audio(n) for n in range(10, 20)), dtmf("3")], after=0.2)

    call_finish(call.id)

    lines = leftover_lines(the_track(call.id, ALICE))
    assert [json.loads(line["text"])["dtmfData"]["data"] for line in lines] == [
        "1",
        "2",
        "3",
    ]


def test_says_so_when_journals_are_gone(settings: Settings) -> None:
    call = call_ended()
    journal(call.id, [audio(n) for n in range(10)]).unlink()
    Connection.objects.create(
        id=uuid4(),
        call=call,
        node=settings.NODE,
        opened_at=timezone.now(),
        closed_at=timezone.now(),
        journal_state="sealed",
    )

    call_finish(call.id)

    call.refresh_from_db()
    assert call.archive_state == ArchiveState.FAILED
    assert "1 journals" in call.archive_error
    assert Connection.objects.get().journal_state == "missing"


@pytest.mark.parametrize("state", [ArchiveState.PENDING, ArchiveState.FAILED])
def test_a_run_without_journals_does_not_finish_what_another_node_has(
    state: ArchiveState,
) -> None:
    call = call_ended()
    journal(call.id, [audio(n) for n in range(10)])
    Connection.objects.create(
        id=uuid4(),
        call=call,
        node="another",
        opened_at=timezone.now(),
        closed_at=timezone.now(),
        journal_state="sealed",
    )
    call_finish(call.id)
    Call.objects.filter(pk=call.pk).update(archive_state=state)

    call_finish(call.id)

    assert archive_state(call.id) == state


def test_works_on_a_storage_that_is_no_folder(settings: Settings) -> None:
    settings.STORAGES = settings.STORAGES | {
        "recordings": {"BACKEND": "django.core.files.storage.InMemoryStorage"}
    }
    call = call_ended()
    journal(call.id, [audio(n, who) for n in range(100) for who in (ALICE, BOB)])
    call_finish(call.id)
    journal(call.id, [audio(n) for n in range(100, 150)], after=2.0)

    call_finish(call.id)

    assert isinstance(storage._storage(), InMemoryStorage)
    assert stored_pcm(the_track(call.id, ALICE)) == timeline(range(150), 150)


def test_only_one_finisher_of_a_call_works_at_a_time(tmp_path: Path) -> None:
    call_id = uuid4()
    alone = threading.Lock()
    overlaps = 0

    def work() -> None:
        nonlocal overlaps
        for _ in range(20):
            with locks.alone(tmp_path, call_id):
                if not alone.acquire(blocking=False):
                    overlaps += 1
                    continue
                # Others open the lock file, wait, and find it removed.
                time.sleep(0.001)
                alone.release()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert overlaps == 0
    assert not locks.lock_path(tmp_path, call_id).exists()


def test_other_audio_of_the_same_length_is_not_what_was_written() -> None:
    call = call_ended()
    journal(call.id, [audio(n) for n in range(10)])
    call_finish(call.id)
    recording = the_track(call.id, ALICE)

    with pytest.raises(RecordingError, match="other audio"):
        verify(recording.audio, pcm_sha256="0" * 64, samples=recording.samples)


def test_the_bytes_of_a_file_are_never_replaced(tmp_path: Path) -> None:
    def content(of: bytes) -> IO[bytes]:
        file = tmp_path / "content"
        file.write_bytes(of)
        return file.open("rb")

    with content(b"one") as one:
        first = storage.recording_save("a/name.flac", one)
    with content(b"two") as two:
        second = storage.recording_save("a/name.flac", two)
    with content(b"one") as one:
        again = storage.recording_save("a/name.flac", one)

    assert first == again == "a/name.flac"
    with storage.recording_open(first) as stored:
        assert stored.read() == b"one"
    with storage.recording_open(second) as stored:
        assert stored.read() == b"two"
