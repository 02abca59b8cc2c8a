"""Recordings have their names only once all of them is there."""

import errno
import io
from pathlib import Path
from typing import IO, Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage
from pytest_django import Settings

from calls import storage
from tests.recording.bench import stored_files

NAME = "2026/03/01/call/track.flac"


class FullDisk(io.BytesIO):
    """Content of which a disk takes the first block and no more."""

    blocks = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.blocks += 1
        if self.blocks > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().read(size)


def test_a_disk_that_is_full_in_mid_file_is_left_as_it_was() -> None:
    with pytest.raises(OSError, match="No space"):
        storage.recording_save(NAME, FullDisk(bytes(1 << 20)))

    assert stored_files() == set()


def test_half_a_file_of_a_killed_run_goes_and_is_in_nobodys_way(
    settings: Settings,
) -> None:
    half = Path(settings.RECORDINGS_DIR) / storage._part(NAME)
    other = half.with_name(f"{half.name}-of-another")
    half.parent.mkdir(parents=True)
    half.write_bytes(b"ha")
    other.write_bytes(b"oth")

    name = storage.recording_save(NAME, io.BytesIO(b"whole"))

    assert name == NAME
    assert stored_files() == {NAME}


def test_another_nodes_half_file_is_left_alone(settings: Settings) -> None:
    settings.NODE = "here"
    half = Path(settings.RECORDINGS_DIR) / storage._part(NAME)
    half.parent.mkdir(parents=True)
    half.write_bytes(b"ha")
    settings.NODE = "there"

    storage.recording_save(NAME, io.BytesIO(b"whole"))

    assert half.exists()


def test_a_filesystem_without_links_takes_recordings_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(self: Path, target: Any) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(Path, "hardlink_to", refuse)

    assert storage.recording_save(NAME, io.BytesIO(b"whole")) == NAME
    assert stored_files() == {NAME}
    with storage.recording_open(NAME) as stored:
        assert stored.read() == b"whole"


def test_a_disk_that_refuses_the_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "hardlink_to", refuse)

    with pytest.raises(OSError, match="Input/output"):
        storage.recording_save(NAME, io.BytesIO(b"whole"))

    assert stored_files() == set()


class Garbling(InMemoryStorage):
    """Takes everything, and keeps something else."""

    def _save(self, name: str, content: IO[Any]) -> str:
        other = ContentFile(content.read()[:-1] + b"?")
        return str(super()._save(name, other))  # type: ignore[misc] # not in the stubs


def test_what_a_remote_storage_took_is_read_back(settings: Settings) -> None:
    settings.STORAGES = settings.STORAGES | {
        "recordings": {"BACKEND": f"{__name__}.Garbling"}
    }

    with pytest.raises(storage.StorageFaultError, match="other bytes"):
        storage.recording_save(NAME, io.BytesIO(b"whole"))
