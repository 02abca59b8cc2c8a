"""The only module that touches the bytes of recordings.

Names are storage names of Django's `recordings` storage: a local folder by default,
Azure Blob Storage or any other django-storages backend by settings.
"""

import os
from pathlib import Path
from typing import IO, cast

from django.core.files import File
from django.core.files.storage import Storage, storages


def _storage() -> Storage:
    return storages["recordings"]


def recording_open(name: str) -> IO[bytes]:
    """Return the recording's bytes as a readable, seekable file.

    Raises `FileNotFoundError` (or the backend's own error) if it is not there.
    """
    return cast(IO[bytes], _storage().open(name, "rb"))


def recording_save(name: str, content: IO[bytes]) -> str:
    """Store `content` under `name`, replacing what was there; return the name.

    Django's storages never overwrite: without the delete, a second run of the same
    work would leave two files and a row that names the wrong one.
    """
    storage = _storage()
    if storage.exists(name):
        storage.delete(name)
    saved = storage.save(name, File(content))
    _sync(storage, saved)
    return saved


def _sync(storage: Storage, name: str) -> None:
    """Have a local file on the disk itself: its journals are removed after this."""
    try:
        path = Path(storage.path(name))
    except NotImplementedError:
        # A remote storage answers once it has the bytes.
        return
    for target in (path, path.parent):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


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
