"""Storages that fail on command; real ones, by ACSSTREAM_STORAGE_BACKEND."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from django.core.files import File
from django.core.files.storage import FileSystemStorage


class HaltingFileSystemStorage(FileSystemStorage):
    """Stands still in the middle of its work, for its process to die there.

    A file `halt-<call>` in the storage's parent folder says when: at the first "save"
    or "delete" of a file of the call in which that text is found. `halted-<call>`
    appears when half of a file is written, or before one is deleted.
    """

    def save(
        self, name: str | None, content: IO[Any], max_length: int | None = None
    ) -> str:
        for flag in self._flags(f"save {name}"):
            content = HaltingFile(content, flag)
        return super().save(name, content, max_length)

    def delete(self, name: str) -> None:
        for flag in self._flags(f"delete {name}"):
            stand_still(flag)
        super().delete(name)

    def _flags(self, deed: str) -> Iterator[Path]:
        for flag in Path(self.location).parent.glob("halt-*"):
            call = flag.name.removeprefix("halt-")
            if call in deed and flag.read_text() in deed:
                yield flag


class HaltingFile(File):  # type: ignore[type-arg] # not subscriptable at run time
    """Gives half of its content and, while `flag` is there, nothing more."""

    def __init__(self, content: IO[Any], flag: Path) -> None:
        super().__init__(content)
        self._flag = flag

    def chunks(self, chunk_size: int | None = None) -> Iterator[Any]:
        whole = self.read()
        yield whole[: len(whole) // 2]
        stand_still(self._flag)
        yield whole[len(whole) // 2 :]


def stand_still(flag: Path) -> None:
    """Say so, and do nothing more while `flag` is there."""
    flag.with_name(flag.name.replace("halt", "halted")).touch()
    while flag.exists():
        time.sleep(0.05)
