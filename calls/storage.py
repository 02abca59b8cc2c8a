"""The only module that touches the bytes of recordings.

Names are storage names of Django's `recordings` storage: a local folder by default,
Azure Blob Storage (`calls.azure_blobs`) or any other django-storages backend by
settings. What keeps one from working is a `StorageFaultError`, in words.
"""

import errno
import hashlib
import os
import posixpath
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, cast

from django.conf import settings
from django.core.files import File
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.utils import timezone

from calls.storage_faults import StorageFaultError, folder_fault

__all__ = ["StorageFaultError"]

BLOCK = 1 << 20
# For so long an answer about the storage holds: probes come from everywhere.
PROBE_SECONDS = 10.0
# By what option a storage writes over a name that is taken, and how to forbid it: S3
# and Google (where it is the default), Azure, FTP and a local folder, Dropbox.
OVERWRITING = {
    "file_overwrite": '"file_overwrite": false',
    "overwrite_files": '"overwrite_files": false',
    "allow_overwrite": '"allow_overwrite": false',
    "write_mode": '"write_mode": "add"',
}
PART = ".part-"
# Filesystems without hard links, such as network shares.
NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)


def _storage() -> Storage:
    return storages["recordings"]


def recording_open(name: str) -> IO[bytes]:
    """Return the recording's bytes as a readable, seekable file.

    Raises `FileNotFoundError` (or the backend's own error) if it is not there.
    """
    return cast(IO[bytes], _storage().open(name, "rb"))


def recording_save(name: str, content: IO[bytes]) -> str:
    """Store `content` under `name`, or under one like it; return the name it has.

    What is stored is never overwritten or removed: rows may name it, and its journals
    are gone. The same bytes under the same name are left as they are, so a second run
    of the same work ends in the same file. What a remote storage took is read back and
    compared. Raises `StorageFaultError`.
    """
    storage = _storage()
    with _in_words(storage):
        if _is_stored(storage, name, content):
            _sync(storage, name)
            return name
        content.seek(0)
        if isinstance(storage, FileSystemStorage):
            name = _save_whole(storage, name, content)
            _sync(storage, name)
            return name
        # A remote storage takes a file whole or not at all.
        name = storage.save(name, File(content))
        content.seek(0)
        if not _is_stored(storage, name, content):
            words = "the storage gives back other bytes than were stored"
            raise StorageFaultError(words, "It is tried again by itself.")
    return name


@contextmanager
def _in_words(storage: Storage) -> Iterator[None]:
    """Tell what a storage raises as a `StorageFaultError`."""
    try:
        yield
    except StorageFaultError:
        raise
    except FileExistsError as exc:
        if isinstance(storage, FileSystemStorage):
            raise folder_fault(exc) from exc
        # Somebody took the name in between: tried again, it finds another.
        raise StorageFaultError("the name of a recording was taken meanwhile") from exc
    except OSError as exc:
        raise folder_fault(exc) from exc


@dataclass(slots=True)
class _Probed:
    """What the storage answered when it was last tried."""

    at: float = float("-inf")
    fault: str = ""


_probed = _Probed()


def storage_fault() -> str:
    """Return in words what keeps recordings from being stored; "" if nothing does.

    Tries it, at most once in ten seconds.
    """
    if time.monotonic() - _probed.at > PROBE_SECONDS:
        _probed.fault = ""
        try:
            storage_try()
        except StorageFaultError as exc:
            _probed.fault = exc.words
        _probed.at = time.monotonic()
    return _probed.fault


def storage_try() -> None:
    """Raise the `StorageFaultError` that keeps recordings from being stored now."""
    storage = _storage()
    try:
        with _in_words(storage):
            if isinstance(storage, FileSystemStorage):
                folder = Path(storage.location)
                folder.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryFile(dir=folder) as file:
                    file.write(b"?")
            elif probe := getattr(storage, "probe", None):
                probe()
            else:
                storage.exists("probe")
    except StorageFaultError:
        raise
    except Exception as exc:
        # Every storage has errors of its own.
        raise StorageFaultError(f"the storage fails ({type(exc).__name__})") from exc


def signed_url(name: str, disposition: str = "") -> str:
    """Return a short-lived address of a stored file; "" where there is none to have.

    ACSSTREAM_SIGNED_URLS says for how many seconds. `disposition`: the header
    Content-Disposition of the answer.
    """
    sign = getattr(_storage(), "signed_url", None)
    seconds = settings.SIGNED_URLS
    return str(sign(name, seconds, disposition)) if sign and seconds else ""


def signed_origin() -> str:
    """Return the origin of signed addresses; "" if there are none."""
    return str(getattr(_storage(), "origin", "")) if settings.SIGNED_URLS else ""


def is_beside(folder: Path) -> bool:
    """Say whether recordings lie on the disk that `folder` is on."""
    storage = _storage()
    if not isinstance(storage, FileSystemStorage):
        return False
    place = Path(storage.location)
    while not place.exists():
        place = place.parent
    return place.stat().st_dev == folder.stat().st_dev


def _save_whole(storage: FileSystemStorage, name: str, content: IO[bytes]) -> str:
    """Store a file that has its name only once all of it is there.

    A worker that is killed and a disk that is full leave half a file: it must neither
    stand in the way of the whole one nor stay.
    """
    part = _part(name)
    path = Path(storage.path(part))
    # One process of a node finishes a call: what is there is of one that was killed.
    for left in path.parent.glob(f"{PART}{_node()}-*"):
        left.unlink(missing_ok=True)
    try:
        storage.save(part, File(content))
        while True:
            name = storage.get_available_name(name)
            # Somebody else may take it between the question and the answer.
            with suppress(FileExistsError):
                _name(path, Path(storage.path(name)))
                return name
    finally:
        path.unlink(missing_ok=True)


def _part(name: str) -> str:
    """Return what a file is called before it is whole. Nodes may share a storage."""
    path = PurePosixPath(name)
    return str(path.with_name(f"{PART}{_node()}-{path.name}"))


def _node() -> str:
    return hashlib.sha256(settings.NODE.encode()).hexdigest()[:8]


def _name(part: Path, whole: Path) -> None:
    """Give a file its name, in place of no other."""
    try:
        whole.hardlink_to(part)
    except OSError as exc:
        if exc.errno not in NO_LINKS:
            raise
        # It replaces silently, if another node takes the name at this very moment.
        part.rename(whole)


def _is_stored(storage: Storage, name: str, content: IO[bytes]) -> bool:
    if not storage.exists(name):
        return False
    with storage.open(name, "rb") as stored:
        while True:
            ours, theirs = content.read(BLOCK), stored.read(BLOCK)
            if ours != theirs:
                return False
            if not ours:
                return True


def _sync(storage: Storage, name: str) -> None:
    """Have a local file on the disk itself: its journals are removed after this."""
    if not isinstance(storage, FileSystemStorage):
        return
    path = Path(storage.path(name))
    for target in (path, path.parent):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def overwriting_option(storage: Storage) -> str:
    """Return the option by which `storage` writes over what is there; "" if none.

    `recording_save` relies on a storage that finds another name instead.
    """
    for option in OVERWRITING:
        value = getattr(storage, option, None) or getattr(storage, f"_{option}", None)
        # Dropbox's says how it writes: "add", "update" or "overwrite".
        if value is True or value == "overwrite":
            return option
    return ""


def recording_size(name: str) -> int:
    """Return the number of bytes stored under `name`."""
    return _storage().size(name)


def recording_exists(name: str) -> bool:
    """Say whether anything is stored under `name`."""
    return bool(name) and _storage().exists(name)


def recording_delete(name: str) -> None:
    """Remove what is stored under `name`, if anything is."""
    if name:
        _storage().delete(name)


def recording_changed_at(name: str) -> datetime:
    """Return when what is stored under `name` was last changed.

    `NotImplementedError` if the storage cannot tell.
    """
    at = _storage().get_modified_time(name)
    return at if timezone.is_aware(at) else timezone.make_aware(at)


def recordings_list(within: str = "") -> Iterator[list[str]]:
    """Yield the names of all stored files `within` a folder, folder by folder.

    A folder that is not there (yet, or any more) holds none. `NotImplementedError` if
    the storage cannot list.
    """
    storage = _storage()
    folders = [within]
    while folders:
        folder = folders.pop()
        try:
            below, files = storage.listdir(folder)
        except FileNotFoundError:
            continue
        folders += [posixpath.join(folder, name) for name in sorted(below)]
        yield [posixpath.join(folder, name) for name in sorted(files)]
