"""A clean archive is clean, and every kind of damage is found."""

import fcntl
import gzip
import io
import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.files.storage import FileSystemStorage
from django.core.management import call_command
from django.db.models import F
from django.utils import timezone
from pytest_django import Settings

from calls.finishing import call_finish
from calls.journals.reading import JournalHeader
from calls.management.commands.verify_archive import Command
from calls.models import AudioChunk, Call, Connection, Loss, Recording, Track
from calls.verification import Finding, archive, orphans
from calls.verification.rows import CallRows
from tests.factories import CallFactory, ConnectionFactory
from tests.recording.bench import (
    OPENED,
    call_ended,
    journal,
    recorded_from_half,
    stored_files,
    the_track,
    writer,
)
from tests.streaming.wire import ALICE, BOB, START, audio, dtmf

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]

Said = tuple[int, list[dict[str, Any]], dict[str, Any]]


def verify(*words: str) -> Said:
    """Run the command; return its exit code, its findings and its summary."""
    said, code = io.StringIO(), 0
    try:
        call_command("verify_archive", "--json", *words, stdout=said)
    except SystemExit as end:
        code = int(end.code or 0)
    *findings, summary = map(json.loads, said.getvalue().splitlines())
    return code, findings, summary["summary"]


def codes(*words: str) -> list[str]:
    """Run the command and return the codes of what it found, which makes it fail."""
    code, findings, summary = verify(*words)
    errors = [one["finding"] for one in findings if one["weight"] == "error"]
    assert code == (1 if errors else 0)
    assert summary["errors"] == len(errors)
    return errors


@pytest.fixture
def call(settings: Settings) -> Call:
    """A finished call with all that a call can have.

    Two speakers, silence, a gap, a stop, a torn journal and a redial, leftovers.
    """
    call = call_ended()
    frames = [
        audio(n, who, silent=n % 7 == 0) for n in range(200) for who in (ALICE, BOB)
    ]
    frames[40:40] = [audio(3, BOB), dtmf("5"), "rubbish"]
    journal(call.id, frames, is_sealed=False)
    journal(call.id, [audio(n) for n in range(210, 300)], after=9)
    call_finish(call.id)
    for path in stored_files():
        old(stored(path, settings))
    return Call.objects.get(pk=call.pk)


def stored(name: str, settings: Settings) -> Path:
    return Path(settings.RECORDINGS_DIR) / name


def old(path: Path) -> Path:
    """Make a file as old as nothing that is still being written is."""
    at = time.time() - 3_600
    os.utime(path, (at, at))
    return path


def open_journal(journals: Any, call: Call, connection_id: UUID) -> None:
    """Open a journal as ingest does, and wait until it is there."""
    made = journals.open(
        JournalHeader(
            call_id=call.pk,
            connection_id=connection_id,
            call_connection_id="",
            correlation_id=None,
            opened_at=OPENED,
            node="",
            pid=1,
            software="",
        )
    )
    while not made.path.exists():
        os.sched_yield()


# What is well.


def test_a_clean_archive_is_clean(call: Call) -> None:
    code, findings, summary = verify()

    assert findings == []
    assert code == 0
    assert summary == {
        "clean": True,
        "quick": False,
        "calls": 1,
        "recordings": 3,
        "audio_seconds": 16.0,
        "journals": 0,
        "errors": 0,
        "pending": 0,
    }


def test_an_empty_archive_is_clean() -> None:
    assert verify()[:2] == (0, [])


def test_a_call_that_is_being_streamed_is_clean(settings: Settings) -> None:
    live = CallFactory.create(live=True, completeness=None)
    socket = ConnectionFactory.create(call=live, node=settings.NODE)
    with writer() as journals:
        open_journal(journals, live, socket.pk)

        assert verify()[:2] == (0, [])


def test_an_archive_in_a_storage_that_is_no_folder_is_clean(
    settings: Settings,
) -> None:
    settings.STORAGES = settings.STORAGES | {
        "recordings": {"BACKEND": "django.core.files.storage.InMemoryStorage"}
    }
    call = call_ended()
    journal(call.id, [audio(n) for n in range(100)])
    call_finish(call.id)

    assert codes() == []


def test_says_it_in_words(call: Call) -> None:
    said = io.StringIO()

    call_command("verify_archive", stdout=said)

    [line] = said.getvalue().splitlines()
    assert line == (
        "Clean: 1 calls, 3 recordings (0:16 of audio) decoded, 0 journals on this"
        " node; 0 errors, 0 not finished yet."
    )


# Files.


def test_finds_one_flipped_bit_of_audio(call: Call, settings: Settings) -> None:
    recording = the_track(call.id, ALICE)
    path = stored(recording.audio, settings)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    code, findings, _ = verify()

    assert code == 1
    assert findings[0]["finding"] == "audio-sha256"
    assert {one["id"] for one in findings} == {str(recording.pk)}
    assert {one["call"] for one in findings} == {str(call.pk)}
    # What is as long as it should be and nobody reads is not found.
    assert codes("--quick") == []


@pytest.mark.parametrize("words", [[], ["--quick"]])
def test_finds_audio_that_was_cut_off(
    call: Call, settings: Settings, words: list[str]
) -> None:
    path = stored(the_track(call.id, ALICE).audio, settings)
    os.truncate(path, path.stat().st_size - 1000)

    assert codes(*words)[0] == "audio-size"


@pytest.mark.parametrize("what", ["audio", "peaks", "manifest", "leftovers"])
@pytest.mark.parametrize("words", [[], ["--quick"]])
def test_finds_files_that_are_gone(
    call: Call, settings: Settings, words: list[str], what: str
) -> None:
    stored(getattr(the_track(call.id, ALICE), what), settings).unlink()

    code, findings, _ = verify(*words)

    assert code == 1
    assert {one["finding"] for one in findings} <= {"file-missing", "file-unreadable"}
    assert what in findings[0]["words"]


@pytest.mark.parametrize("what", ["peaks", "manifest"])
def test_finds_rows_that_name_no_file(call: Call, what: str) -> None:
    Recording.objects.filter(track=None).update(**{what: ""})

    assert codes("--quick") == ["file-missing", "file-unnamed"]


def test_finds_another_waveform(call: Call, settings: Settings) -> None:
    path = stored(the_track(call.id, ALICE).peaks, settings)
    peaks = json.loads(path.read_text())
    peaks["data"][100] += 1
    path.write_text(json.dumps(peaks))

    assert codes() == ["peaks-differ"]


@pytest.mark.parametrize("what", ["peaks", "manifest", "leftovers"])
def test_finds_files_that_cannot_be_read(
    call: Call, settings: Settings, what: str
) -> None:
    path = stored(getattr(the_track(call.id, ALICE), what), settings)
    path.write_bytes(path.read_bytes()[:-30])

    assert codes() == ["file-unreadable"]


def test_finds_a_manifest_that_says_something_else(
    call: Call, settings: Settings
) -> None:
    path = stored(the_track(call.id, BOB).manifest, settings)
    manifest = json.loads(path.read_text())
    manifest["samples"] += 1
    manifest["track"]["raw_id"] = "4:+12065550199"
    path.write_text(json.dumps(manifest))

    _, [finding], _ = verify()

    assert finding["finding"] == "manifest-differs"
    assert finding["words"].endswith("differs in samples, track.raw_id")
    assert "+1206555" not in json.dumps(finding)


def test_finds_leftovers_that_lack_a_packet(call: Call, settings: Settings) -> None:
    path = stored(the_track(call.id, ALICE).leftovers, settings)
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["kind"] != "AUDIO"]
    assert len(kept) == len(lines) - 1
    path.write_bytes(gzip.compress(b"".join(kept)))

    _, [finding], _ = verify()

    assert finding["finding"] == "leftovers-differ"
    assert finding["words"].startswith("1 packets were received and are on no track, 0")


def test_finds_sound_where_nothing_was_received(call: Call, settings: Settings) -> None:
    """The ledger says gap; the audio says otherwise, and every hash agrees with it."""
    track = Track.objects.get(participant__raw_id=ALICE)
    recording = track.recording
    runs = track.ledger["runs"]
    assert runs[1][0] == "r"
    gap = runs[1][1]
    runs[1][0] = "g"
    manifest = stored(recording.manifest, settings)
    document = json.loads(manifest.read_text())
    figures: dict[str, Any] = {
        "gap_count": track.gap_count + 1,
        "gap_samples": track.gap_samples + gap,
        "talk_samples": track.talk_samples - gap,
        "ledger": track.ledger,
    }
    came = sum(length for kind, length in runs if kind in "rs")
    figures["completeness"] = came / track.samples
    document["track"] |= figures
    manifest.write_text(json.dumps(document))
    Track.objects.filter(pk=track.pk).update(**figures)

    found = {one["finding"]: one["words"] for one in verify()[1]}

    assert found["audio-noise"] == (
        f"{gap} samples sound where the ledger has no audio, the first of them at"
        f" {runs[0][1]}"
    )


def test_finds_a_storage_that_is_down(call: Call, settings: Settings) -> None:
    settings.STORAGES = settings.STORAGES | {
        "recordings": {
            "BACKEND": f"{__name__}.Down",
            "OPTIONS": {"location": str(settings.RECORDINGS_DIR)},
        }
    }

    code, findings, _ = verify()

    assert code == 1
    found = {one["finding"] for one in findings}
    assert found == {"file-unreadable", "storage-unlisted"}
    assert "503" in findings[0]["words"]


class Down(FileSystemStorage):
    def exists(self, name: str) -> bool:
        raise RuntimeError("the service says 503")

    def listdir(self, path: str) -> Any:
        raise RuntimeError("the service says 503")


# Files that no row names.


def test_finds_a_file_that_no_row_names(call: Call, settings: Settings) -> None:
    stray = stored("2026/03/01/stray.flac", settings)
    stray.write_bytes(b"audio")
    assert codes() == []
    old(stray)

    _, [finding], _ = verify()

    assert (finding["finding"], finding["id"]) == (
        "file-unnamed",
        "2026/03/01/stray.flac",
    )
    assert codes("--call", str(call.pk)) == []


def test_asks_of_every_file_who_names_it(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder may hold more files than one query asks about."""
    monkeypatch.setattr(orphans, "AT_ONCE", 1)

    assert codes() == []


class Listless(FileSystemStorage):
    def listdir(self, path: str) -> Any:
        raise NotImplementedError


def test_does_without_a_list_where_the_storage_has_none(
    call: Call, settings: Settings
) -> None:
    stray = stored("stray", settings)
    stray.write_bytes(b"audio")
    old(stray)
    assert codes() == ["file-unnamed"]
    settings.STORAGES = settings.STORAGES | {
        "recordings": {
            "BACKEND": f"{__name__}.Listless",
            "OPTIONS": {"location": str(settings.RECORDINGS_DIR)},
        }
    }

    assert codes() == []


# Rows.


def of(who: str) -> Any:
    return Track.objects.filter(participant__raw_id=who)


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda: of(ALICE).update(samples=F("samples") + 1), "ledger-sum"),
        (lambda: of(ALICE).update(gap_samples=F("gap_samples") + 1), "ledger-sum"),
        (lambda: of(ALICE).update(talk_samples=F("talk_samples") - 1), "ledger-sum"),
        (lambda: of(ALICE).update(stopped_samples=1), "ledger-sum"),
        (lambda: of(ALICE).update(gap_count=7), "ledger-sum"),
        (lambda: of(ALICE).update(late=7), "ledger-sum"),
        (lambda: of(ALICE).update(duplicates=7), "ledger-sum"),
        (lambda: of(ALICE).update(discarded=7), "ledger-sum"),
        (lambda: of(ALICE).update(completeness=0.99999), "ledger-sum"),
        (lambda: of(ALICE).update(sample_rate=24_000), "ledger-sum"),
        (lambda: of(ALICE).update(ledger={}), "ledger-unreadable"),
        (lambda: of(ALICE).update(origin_us=1), "recording-track"),
        (lambda: of(ALICE).update(packets=F("packets") + 1), "index-packets"),
        (lambda: of(ALICE).update(silent_packets=1), "index-packets"),
        (lambda: AudioChunk.objects.all()[0].delete(), "index-packets"),
        (
            lambda: AudioChunk.objects.filter(number=0).update(samples=320),
            "index-samples",
        ),
        (
            lambda: Connection.objects.filter(packets=90).update(packets=89),
            "socket-packets",
        ),
        (
            lambda: Connection.objects.filter(packets=90).update(packets=89),
            "call-packets",
        ),
        (
            lambda: Connection.objects.filter(packets=90).update(packets=91),
            "leftovers-differ",
        ),
        (lambda: Call.objects.update(completeness=0.5), "call-figures"),
        (lambda: Call.objects.update(origin_us=5), "call-figures"),
        (lambda: Call.objects.update(overtalk_ms=5), "call-figures"),
        (lambda: Loss.objects.update(samples=5), "loss-differs"),
        (lambda: Recording.objects.update(samples=5), "audio-samples"),
        (lambda: Recording.objects.update(sample_rate=24_000), "audio-rate"),
        (lambda: Recording.objects.update(pcm_sha256="0" * 64), "audio-pcm"),
        (lambda: Recording.objects.update(audio_sha256="0" * 64), "audio-sha256"),
        (lambda: Recording.objects.update(audio_bytes=5), "audio-size"),
        (lambda: Recording.objects.update(state="failed"), "recording-unverified"),
        (
            lambda: Recording.objects.update(verified_at=None),
            "recording-unverified",
        ),
        (
            lambda: Recording.objects.filter(track=None).delete(),
            "recording-absent",
        ),
        (
            lambda: Recording.objects.filter(track=of(ALICE)[0]).delete(),
            "recording-absent",
        ),
        (lambda: Call.objects.update(archive_state="none"), "archive-state"),
        (lambda: Call.objects.update(archive_state="pending"), "archive-state"),
        (lambda: Call.objects.update(archive_state="failed"), "finishing-failed"),
        (lambda: Recording.objects.all().delete(), "archive-state"),
        (
            lambda: Connection.objects.filter(packets=90).update(
                journal_state="missing"
            ),
            "journal-missing",
        ),
        (
            lambda: Connection.objects.filter(packets=90).update(
                journal_state="sealed"
            ),
            "journal-missing",
        ),
        (
            lambda: Connection.objects.filter(packets=90).update(
                journal_state="sealed"
            ),
            "archive-state",
        ),
    ],
)
def test_finds_rows_that_do_not_fit(
    call: Call, damage: Callable[[], object], found: str
) -> None:
    damage()

    assert found in codes()


def test_finds_that_packets_are_nowhere(settings: Settings) -> None:
    call = call_ended()
    journal(call.id, [audio(n) for n in range(100)])
    call_finish(call.id)
    Connection.objects.update(packets=101)

    assert codes("--quick") == ["call-packets"]


def test_packets_that_the_disk_did_not_take_are_no_fault_of_the_archive(
    call: Call,
) -> None:
    Connection.objects.filter(packets=90).update(packets=97, unjournaled=7)

    assert codes() == []


def test_a_lost_journal_is_one_error_and_not_many(call: Call) -> None:
    lost = ConnectionFactory.create(
        call=call,
        subscription=None,
        opened_at=OPENED,
        journal_state="missing",
        packets=50,
    )
    # What ingest had indexed of it while it was live.
    AudioChunk.objects.create(
        track=of(ALICE)[0],
        connection=lost,
        number=9,
        start_sample=720_000,
        samples=16_000,
        packets=50,
        silent_packets=0,
    )
    Call.objects.update(archive_state="failed")

    assert codes() == ["journal-missing"]


def test_looks_only_at_the_calls_it_is_told(call: Call) -> None:
    other = call_ended()
    Call.objects.filter(pk=other.pk).update(
        archive_state="finished", overtalk_ms=0, rang_at=START - timedelta(days=9)
    )
    Call.objects.filter(pk=call.pk).update(rang_at=START)

    assert codes("--call", str(call.pk)) == []
    assert codes("--call", str(other.pk)) == ["archive-state"]
    both = verify("--call", str(other.pk), "--call", str(call.pk))[2]
    assert both["calls"] == 2
    assert codes("--since", "2026-03-01") == []
    assert codes("--since", "2026-02-01T12:00+00:00") == ["archive-state"]


# Calls that are not finished.


def socket_of(path: Path, call: Call, **more: Any) -> Connection:
    """Write the row of a journal's socket as ingest does when it closes."""
    about = {"node": "", "closed_at": OPENED, "journal_state": "sealed", "packets": 10}
    Call.objects.filter(pk=call.pk).update(archive_state="pending")
    return Connection.objects.create(
        id=UUID(path.stem), call=call, opened_at=OPENED, **about | more
    )


def pending(*words: str) -> list[str]:
    """Return the codes of what is not finished, if nothing is wrong."""
    code, findings, summary = verify(*words)
    assert code == summary["errors"] == 0, findings
    assert summary["pending"] == len(findings)
    return [one["finding"] for one in findings]


def test_a_call_whose_journal_waits_is_not_finished_and_no_error(
    settings: Settings,
) -> None:
    call = call_ended()
    path = journal(call.id, [audio(n) for n in range(10)])
    socket_of(path, call, node=settings.NODE)

    assert pending() == ["not-finished"]
    assert verify("--strict")[0] == 1


def test_a_journal_that_should_be_here_and_is_not_is_an_error(
    settings: Settings,
) -> None:
    call = call_ended()
    path = journal(call.id, [audio(n) for n in range(10)])
    socket = socket_of(path, call, node=settings.NODE)
    path.unlink()

    assert codes() == ["journal-missing"]
    # Its row may be a moment older than the finishing that removed it.
    socket.closed_at = timezone.now()
    socket.save()
    assert codes() == []


def test_of_another_nodes_journal_only_that_node_can_tell() -> None:
    call = call_ended()
    path = journal(call.id, [audio(n) for n in range(10)])
    socket_of(path, call, node="far away")
    path.unlink()

    _, [finding], _ = verify()

    assert (finding["finding"], finding["weight"]) == ("not-finished", "pending")
    assert "only far away can look" in finding["words"]


def test_a_journal_under_another_name_is_found(settings: Settings) -> None:
    call = call_ended()
    path = journal(call.id, [audio(n) for n in range(10)])
    socket_of(path, call, node=settings.NODE)
    path.rename(path.with_name("brought here.journal"))

    assert pending() == ["not-finished"]


def test_a_socket_that_is_open_long_after_its_call_is_an_error(
    settings: Settings,
) -> None:
    call = call_ended()
    path = journal(call.id, [audio(n) for n in range(10)], is_sealed=False)
    socket_of(path, call, node=settings.NODE, closed_at=None, journal_state="open")

    assert codes() == ["socket-open"]
    with path.open("rb") as held:
        # As its writer does.
        fcntl.flock(held, fcntl.LOCK_EX)
        assert pending() == ["not-finished"]
    Call.objects.update(ended_at=timezone.now())
    assert pending() == ["not-finished", "journal-torn"]


def test_a_live_calls_sealed_journal_waits_for_its_end(settings: Settings) -> None:
    call = CallFactory.create(live=True, completeness=None)
    path = journal(call.id, [audio(n) for n in range(10)])
    socket_of(path, call, node=settings.NODE)
    assert pending() == []
    path.unlink()

    assert codes() == ["journal-missing"]


# Journals on this node.


def test_finds_a_journal_that_no_row_knows() -> None:
    path = journal(uuid4(), [audio(n) for n in range(10)])
    assert pending() == ["journal-unknown"]
    old(path)

    assert codes() == ["journal-unknown"]
    assert codes("--since", "2026-01-01") == []


def test_finds_a_journal_whose_audio_is_in_a_recording() -> None:
    call = call_ended()
    path = journal(call.id, [audio(n) for n in range(10)])
    content = path.read_bytes()
    call_finish(call.id)
    path.write_bytes(content)

    assert codes() == ["journal-left"]
    assert codes("--call", str(call.pk)) == ["journal-left"]
    assert codes("--call", str(call_ended().pk)) == []


def test_finds_a_journal_that_has_more_than_its_recording() -> None:
    call = call_ended()
    recorded_from_half(call)

    assert codes() == ["journal-more"]


def test_finds_a_journal_that_was_thought_lost(settings: Settings) -> None:
    call = call_ended()
    path = journal(call.id, [audio(n) for n in range(10)])
    socket_of(path, call, node=settings.NODE, journal_state="missing")

    assert "journal-found" in codes()


def test_finds_a_journal_of_another_call(settings: Settings) -> None:
    call = call_ended()
    path = journal(uuid4(), [audio(n) for n in range(10)])
    socket_of(path, call, node=settings.NODE)

    assert codes() == ["journal-call"]


def test_finds_what_is_no_journal(settings: Settings) -> None:
    Path(settings.JOURNAL_DIR).mkdir()
    stranger = Path(settings.JOURNAL_DIR) / f"{uuid4()}.journal"
    stranger.write_bytes(b"this is no journal at all")
    assert pending() == ["journal-unreadable"]
    old(stranger)

    assert codes() == ["journal-unreadable"]


def test_a_torn_journal_is_told_and_a_damaged_one_is_an_error(
    settings: Settings,
) -> None:
    call = call_ended()
    path = journal(call.id, [audio(n) for n in range(100)], is_sealed=False)
    socket_of(path, call, node=settings.NODE, journal_state="torn")
    assert pending() == ["not-finished", "journal-torn"]
    os.truncate(path, path.stat().st_size - 100)
    assert pending() == ["not-finished", "journal-torn"]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    assert codes() == ["journal-damaged"]
    assert codes("--quick") == []


def test_leaves_journals_alone_that_are_being_written(settings: Settings) -> None:
    call = call_ended()
    with writer() as journals:
        open_journal(journals, call, uuid4())
        for path in Path(settings.JOURNAL_DIR).glob("*.journal"):
            old(path)

        assert verify()[:2] == (0, [])


# The archive lives on while it is looked at.


def test_looks_again_at_a_call_that_was_finished_meanwhile(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal(call.id, [audio(n, BOB) for n in range(210, 400)], after=10)
    look = archive.Verification._look

    def overtaken(work: archive.Verification, rows: CallRows) -> Iterator[Finding]:
        monkeypatch.setattr(archive.Verification, "_look", look)
        call_finish(call.id)
        return look(work, rows)

    monkeypatch.setattr(archive.Verification, "_look", overtaken)

    code, findings, _ = verify()

    # The files it had read of are gone, and that is as it should be.
    assert (code, findings) == (0, [])


def test_forgets_a_call_that_was_removed_meanwhile(
    call: Call, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = archive.Verification._look
    gone = stored(the_track(call.id, ALICE).audio, settings)

    def removed(work: archive.Verification, rows: CallRows) -> Iterator[Finding]:
        Call.objects.all().delete()
        gone.unlink()
        return look(work, rows)

    monkeypatch.setattr(archive.Verification, "_look", removed)

    assert codes("--call", str(call.pk)) == []


# Usage.


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_says_on_a_terminal_how_far_it_is(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal, pipe = Terminal(), io.StringIO()
    for stderr in (terminal, pipe):
        monkeypatch.setattr("sys.stderr", stderr)
        call_command("verify_archive", "--quick", stdout=io.StringIO())

    assert terminal.getvalue() == "\r1 of 1 calls\r\x1b[K"
    assert pipe.getvalue() == ""


@pytest.mark.parametrize(
    "words",
    [
        ["--call", "7"],
        ["--call", str(uuid4())],
        ["--since", "yesterday"],
        ["--nonsense"],
    ],
)
def test_wrong_usage_is_told_with_code_2(
    words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        Command().run_from_argv(["manage.py", "verify_archive", *words])

    assert end.value.code == 2
    assert words[-1] in capfd.readouterr().err
