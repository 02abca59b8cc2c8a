from collections.abc import Iterator
from pathlib import Path

import pytest

from calls.journals.reading import is_live
from streaming.append_file import AppendFile, free_bytes, sync_together


def descriptors() -> set[str]:
    return {link.name for link in Path("/proc/self/fd").iterdir()}


@pytest.fixture
def file(tmp_path: Path) -> Iterator[AppendFile]:
    file = AppendFile(tmp_path / "a.journal", b"header")
    yield file
    file.close()


def test_file_appears_locked_and_with_its_header(file: AppendFile) -> None:
    file.create()

    assert file.path.read_bytes() == b"header"
    assert is_live(file.path)
    assert file.written == 6
    assert [path.name for path in file.path.parent.iterdir()] == ["a.journal"]


def test_file_that_exists_is_never_replaced(file: AppendFile) -> None:
    file.path.write_bytes(b"somebody's audio")

    with pytest.raises(FileExistsError):
        file.create()

    assert file.path.read_bytes() == b"somebody's audio"
    assert not file.is_open


def test_creation_that_fails_leaves_nothing_and_may_be_tried_again(
    tmp_path: Path,
) -> None:
    file = AppendFile(tmp_path / "a.journal", b"header")
    other = tmp_path / "a.journal.new"
    other.mkdir()
    before = descriptors()
    with pytest.raises(IsADirectoryError):
        file.create()
    assert descriptors() == before

    other.rmdir()
    file.create()
    assert file.path.read_bytes() == b"header"
    file.close()


def test_sync_confirms_what_was_written_before_it(file: AppendFile) -> None:
    file.create()
    file.write(b"one")

    file.sync()

    assert (file.written, file.synced, file.entry_synced) == (9, 9, True)


def test_files_are_confirmed_together(tmp_path: Path) -> None:
    files = [AppendFile(tmp_path / f"{n}.journal", b"h" * n) for n in range(1, 4)]
    for file in files:
        file.create()
        file.write(b"audio")

    assert sync_together(files)

    assert [file.synced for file in files] == [6, 7, 8]
    assert all(file.entry_synced for file in files)
    for file in files:
        file.close()


def test_closing_lets_go_of_the_lock(file: AppendFile) -> None:
    file.create()

    file.close()
    file.close()

    assert not is_live(file.path)
    with pytest.raises(AssertionError, match="not open"):
        file.write(b"late")


def test_free_bytes_answers_before_the_folder_exists(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "not" / "yet") > 0
