"""A backup's folder: whole or refused."""

import io
import json
import re
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from calls.backup.folder import (
    MANIFEST,
    BackupError,
    BackupFolder,
    Manifest,
    faults,
    inside,
    manifest_read,
)
from calls.storage import recording_delete, recording_save
from tests import factories


def written(root: Path, earlier: Path | None = None) -> BackupFolder:
    """Write a backup of one file."""
    root.mkdir()
    folder = BackupFolder(root, earlier)
    if not folder.link("recordings/a.flac", 5):
        folder.add("recordings/a.flac", io.BytesIO(b"audio"))
    folder.seal(
        Manifest(
            version=1,
            made_at="2026-03-01T12:00:00+00:00",
            software="acsstream 0.1.0",
            vendor="sqlite",
            migrations={"calls": "0001_initial"},
            key="",
            has_recordings=True,
            files=folder.files,
        )
    )
    return folder


def test_a_damaged_and_a_missing_file_are_named(tmp_path: Path) -> None:
    root = tmp_path / "backup"
    written(root)
    manifest = manifest_read(root)
    file = root / "recordings" / "a.flac"
    assert list(faults(root, manifest)) == []

    file.write_bytes(b"audiO")
    assert list(faults(root, manifest)) == [
        "recordings/a.flac is not what was backed up"
    ]

    file.unlink()
    assert list(faults(root, manifest)) == ["recordings/a.flac is missing"]


def test_one_that_was_not_finished_is_none(tmp_path: Path) -> None:
    root = tmp_path / "backup"
    written(root)
    (root / MANIFEST).unlink()

    with pytest.raises(BackupError, match="not finished"):
        manifest_read(root)


def test_a_recording_of_an_earlier_one_is_linked(tmp_path: Path) -> None:
    written(tmp_path / "monday")
    written(tmp_path / "tuesday", earlier=tmp_path / "monday")

    first, second = (
        tmp_path / day / "recordings" / "a.flac" for day in ("monday", "tuesday")
    )
    assert first.samefile(second)
    assert list(faults(tmp_path / "tuesday", manifest_read(tmp_path / "tuesday"))) == []


@pytest.mark.parametrize("path", ["../above", "/etc/passwd", "a/../../b"])
def test_a_name_never_leads_out_of_the_folder(tmp_path: Path, path: str) -> None:
    with pytest.raises(BackupError, match="leads out"):
        inside(tmp_path / "backup", path)


def test_a_backup_goes_into_no_folder_that_has_something(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()

    with pytest.raises(CommandError, match="not empty") as refused:
        call_command("backup", str(tmp_path))

    assert refused.value.returncode == 2
    assert not (tmp_path / MANIFEST).exists()


@pytest.mark.django_db
def test_rows_of_newer_software_are_refused(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "backup"
    written(root)
    told = json.loads((root / MANIFEST).read_bytes())
    told["migrations"]["calls"] = "9999_later"
    (root / MANIFEST).write_text(json.dumps(told))
    monkeypatch.setattr("calls.backup.database.refuse_other", lambda vendor: None)

    with pytest.raises(CommandError, match=r"calls 9999_later is not known here"):
        call_command("restore", str(root))


@pytest.mark.django_db
def test_what_is_finished_or_begins_during_the_dump_is_in_the_backup(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.JOURNAL_DIR = journals = tmp_path / "journals"
    settings.STORAGES = settings.STORAGES | {"recordings": folder_of(tmp_path / "kept")}
    journals.mkdir()
    (journals / "first.journal").write_bytes(b"a call")

    def dump(folder: Path) -> str:
        """Let a call be finished, and another begin, while rows are written."""
        recording_save("first.flac", io.BytesIO(b"recorded"))
        (journals / "first.journal").unlink()
        (journals / "second.journal").write_bytes(b"another call")
        (folder / "database.sqlite3").write_bytes(b"rows of before")
        return "database.sqlite3"

    monkeypatch.setattr("calls.backup.database.dump", dump)

    call_command("backup", str(tmp_path / "backup"), stdout=io.StringIO())

    kept = {one.path for one in manifest_read(tmp_path / "backup").files}
    assert kept >= {
        "journals/first.journal",
        "journals/second.journal",
        "recordings/first.flac",
    }


@pytest.mark.django_db
def test_a_recording_that_is_replaced_during_the_dump_is_in_the_backup(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.JOURNAL_DIR = tmp_path / "journals"
    settings.STORAGES = settings.STORAGES | {"recordings": folder_of(tmp_path / "kept")}
    recording_save("before.flac", io.BytesIO(b"until it was dialled again"))

    def dump(folder: Path) -> str:
        """Let other recordings take the place of those that the rows name."""
        (folder / "database.sqlite3").write_bytes(b"rows that name before.flac")
        recording_save("after.flac", io.BytesIO(b"all of it"))
        recording_delete("before.flac")
        return "database.sqlite3"

    monkeypatch.setattr("calls.backup.database.dump", dump)

    call_command("backup", str(tmp_path / "backup"), stdout=io.StringIO())

    kept = {one.path for one in manifest_read(tmp_path / "backup").files}
    assert kept >= {"recordings/before.flac", "recordings/after.flac"}


@pytest.mark.django_db
def test_a_recording_that_a_row_names_and_the_storage_lacks_is_told(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.JOURNAL_DIR = tmp_path / "journals"
    settings.STORAGES = settings.STORAGES | {"recordings": folder_of(tmp_path / "kept")}
    recording = factories.RecordingFactory.create()
    for name in (recording.peaks, recording.manifest):
        recording_save(name, io.BytesIO(b"{}"))
    monkeypatch.setattr("calls.backup.database.dump", rows_written)

    with pytest.raises(CommandError, match=re.escape(recording.audio)) as told:
        call_command("backup", str(tmp_path / "backup"), stdout=io.StringIO())

    assert told.value.returncode == 1
    manifest = manifest_read(tmp_path / "backup")
    assert manifest.absent == [recording.audio]
    assert list(faults(tmp_path / "backup", manifest)) == []


def rows_written(folder: Path) -> str:
    (folder / "database.sqlite3").write_bytes(b"rows")
    return "database.sqlite3"


def folder_of(path: Path) -> dict[str, object]:
    options = {"location": str(path), "base_url": None}
    return {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": options,
    }
