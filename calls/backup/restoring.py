"""Filling an empty installation from a backup.

Everything is looked at before anything is written. Files come first and the database
last: until the very end there is no row, and an attempt that broke off shows as an
installation that is not empty, not as one that lacks something.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db.migrations.loader import MigrationLoader

from calls.backup import database
from calls.backup.folder import (
    JOURNALS,
    RECORDINGS,
    SECRET_KEY,
    BackupError,
    Kept,
    Manifest,
    faults,
    inside,
    manifest_read,
)
from calls.backup.making import key_word
from calls.storage import recording_save, recordings_list

Say = Callable[[str], None]


def backup_restore(root: Path, *, say: Say) -> Manifest:
    """Restore the backup in `root`. Raises `BackupError` before anything is written."""
    manifest = manifest_read(root)
    database.refuse_other(manifest.vendor)
    _refuse_newer(manifest)
    _refuse_what_is_there(manifest)
    if found := list(faults(root, manifest)):
        raise BackupError("the backup is damaged: " + "; ".join(found[:5]))
    for kept in manifest.files:
        _put(root, kept)
    database.load(root, manifest.vendor)
    _tell_key(manifest, say)
    return manifest


def _refuse_newer(manifest: Manifest) -> None:
    """Refuse rows of software newer than this: it could not read them."""
    known = MigrationLoader(None).disk_migrations
    for app, name in manifest.migrations.items():
        if (app, name) not in known:
            words = (
                f"the backup's rows are newer than this software ({app} {name} is not"
                f" known here): restore with {manifest.software} or newer"
            )
            raise BackupError(words)


def _refuse_what_is_there(manifest: Manifest) -> None:
    journals = Path(settings.JOURNAL_DIR)
    if journals.is_dir() and any(journals.iterdir()):
        raise BackupError(f"{journals} is not empty")
    if manifest.has_recordings and any(names for names in recordings_list()):
        raise BackupError("the storage of recordings is not empty")


def _put(root: Path, kept: Kept) -> None:
    source = inside(root, kept.path)
    kind, _, name = kept.path.partition("/")
    if kind == RECORDINGS:
        with source.open("rb") as file:
            recording_save(name, file)
    elif kind == JOURNALS:
        journals = Path(settings.JOURNAL_DIR)
        journals.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, journals / name)
    elif kind == SECRET_KEY and key_is_generated():
        target = settings.DATA_DIR / "secret_key"
        shutil.copyfile(source, target)
        target.chmod(0o600)


def key_is_generated() -> bool:
    """Say whether the key in use is the one that was made in the data folder."""
    path = settings.DATA_DIR / "secret_key"
    return path.is_file() and path.read_text().strip() == str(settings.SECRET_KEY)


def _tell_key(manifest: Manifest, say: Say) -> None:
    path = settings.DATA_DIR / "secret_key"
    now = path.read_text().strip() if path.is_file() else str(settings.SECRET_KEY)
    if manifest.key not in (key_word(now), key_word(str(settings.SECRET_KEY))):
        say(
            "SECRET_KEY is not that of the backup: everybody must sign in again, and"
            " what ACS was given for calls that still run no longer opens a door."
        )
