"""The folder of a backup: its files, and the manifest that names every one of them.

The manifest is written last and under its name only when all of it is there. A folder
without one is a backup that was not finished.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

VERSION = 1
MANIFEST = "manifest.json"
JOURNALS = "journals"
RECORDINGS = "recordings"
SECRET_KEY = "secret_key"  # noqa: S105 the name of a file
BLOCK = 1 << 20


class BackupError(Exception):
    """Nothing, or not all, can be backed up or restored; the text says why."""


class Kept(msgspec.Struct, frozen=True):
    """One file of a backup, by its path within the folder."""

    path: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds, and of what."""

    version: int
    made_at: str
    software: str
    vendor: str
    # The newest migration of each app: what the rows look like.
    migrations: dict[str, str]
    # Tells one key from another, and tells no key.
    key: str
    # False: they were left where they are, in a storage that keeps copies itself.
    has_recordings: bool
    files: list[Kept]
    # Names of recordings that rows have, and that the storage had not.
    absent: list[str] = []


class BackupFolder:
    """A backup that is being written. `earlier`: one whose files may be linked."""

    def __init__(self, root: Path, earlier: Path | None = None) -> None:
        self.root = root
        self._earlier = earlier
        self._known = (
            {kept.path: kept for kept in manifest_read(earlier).files}
            if earlier
            else {}
        )
        self._files: dict[str, Kept] = {}
        # How many files are the earlier backup's own.
        self.linked = 0

    def add(self, path: str, content: IO[bytes]) -> None:
        """Copy `content`; a file of that path is replaced."""
        target = self._place(path)
        digest, size = hashlib.sha256(), 0
        with target.open("wb") as file:
            for block in blocks(content):
                file.write(block)
                digest.update(block)
                size += len(block)
        self._files[path] = Kept(path, size, digest.hexdigest())

    def add_written(self, path: str) -> None:
        """Name a file that somebody else wrote into the folder."""
        target = self.root / path
        self._files[path] = Kept(path, target.stat().st_size, digest_of(target))

    def link(self, path: str, size: int) -> bool:
        """Take the file from the earlier backup if it is there and of that size."""
        known = self._known.get(path)
        if known is None or known.size != size or self._earlier is None:
            return False
        source = self._earlier / path
        if not source.is_file() or source.stat().st_size != size:
            return False
        try:
            self._place(path).hardlink_to(source)
        except OSError:
            # Another file system, or one without links: copied instead.
            return False
        self._files[path] = known
        self.linked += 1
        return True

    def size_of(self, path: str) -> int | None:
        """Return how long the file is that was added last under that path."""
        return self._files[path].size if path in self._files else None

    def count(self, kind: str) -> int:
        """Return how many files are in one of the folders of the backup."""
        return sum(path.startswith(f"{kind}/") for path in self._files)

    @property
    def files(self) -> list[Kept]:
        """What was added, by path."""
        return [self._files[path] for path in sorted(self._files)]

    def seal(self, manifest: Manifest) -> None:
        """Write the manifest once everything is on the disk itself."""
        os.sync()
        draft = self._place(f"{MANIFEST}.part")
        with draft.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(manifest)))
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self.root / MANIFEST)

    def _place(self, path: str) -> Path:
        target = inside(self.root, path)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return target


def manifest_read(root: Path) -> Manifest:
    """Return a backup's manifest. Raises `BackupError`."""
    try:
        manifest = msgspec.json.decode((root / MANIFEST).read_bytes(), type=Manifest)
    except FileNotFoundError:
        words = f"{root} is no backup, or one that was not finished: no {MANIFEST}"
        raise BackupError(words) from None
    except (msgspec.DecodeError, OSError) as exc:
        raise BackupError(f"{root / MANIFEST} cannot be read: {exc}") from None
    if manifest.version != VERSION:
        words = f"the backup is of version {manifest.version}, this reads {VERSION}"
        raise BackupError(words)
    return manifest


def faults(root: Path, manifest: Manifest) -> Iterator[str]:
    """Yield in words which files of a backup are missing or damaged. Reads it all."""
    for kept in manifest.files:
        path = inside(root, kept.path)
        if not path.is_file():
            yield f"{kept.path} is missing"
        elif path.stat().st_size != kept.size or digest_of(path) != kept.sha256:
            yield f"{kept.path} is not what was backed up"


def inside(root: Path, path: str) -> Path:
    """Return the place of a file, which lies in `root` whatever its name says."""
    place = (root / path).resolve()
    if not place.is_relative_to(root.resolve()):
        raise BackupError(f"{path!r} leads out of the backup's folder")
    return place


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def blocks(content: IO[bytes]) -> Iterator[bytes]:
    """Yield a file's bytes from where it stands."""
    while block := content.read(BLOCK):
        yield block
