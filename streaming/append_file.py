"""One append-only file on disk: created whole, locked, written, synced, closed.

Plain system calls, each of which may fail and be tried again: nothing here retries,
buffers or decides. Python itself resumes a call that a signal interrupted (PEP 475).
"""

import fcntl
import os
from pathlib import Path

__all__ = ["AppendFile", "free_bytes"]


class AppendFile:
    """A file that appears under its name only once its header is in it.

    The header is written to a neighbour, locked there and renamed, so nobody ever
    meets the file without its header or without its writer's lock. What stays of a
    creation that was killed, `<name>.new`, holds a header and nothing else.

    `written` and `synced` count bytes from the start of the file, header included.
    """

    def __init__(self, path: Path, header: bytes) -> None:
        self.path = path
        self.written = 0
        self.synced = 0
        self.entry_synced = False
        self._header = header
        self._fd: int | None = None

    @property
    def is_open(self) -> bool:
        """Return whether the file was created and not closed again."""
        return self._fd is not None

    def create(self) -> None:
        """Create the file under an exclusive lock. Raises OSError, leaving nothing."""
        new = self.path.with_name(self.path.name + ".new")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # rename() replaces silently: two journals of one name must not meet.
        if self.path.exists():
            raise FileExistsError(f"{self.path.name} exists already")
        # Audio is nobody else's to read: owner only.
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            rest = memoryview(self._header)
            while rest:
                rest = rest[os.write(fd, rest) :]
            new.rename(self.path)
        except OSError:
            os.close(fd)
            new.unlink(missing_ok=True)
            raise
        self._fd = fd
        self.written = len(self._header)

    def write(self, content: memoryview) -> int:
        """Write what the system takes of `content`, at most all; return how much."""
        if self._fd is None:
            raise AssertionError("written to before it was created")
        count = os.write(self._fd, content)
        self.written += count
        return count

    def sync(self) -> None:
        """Have all that is written, and the file's name, on the disk itself."""
        if self._fd is None:
            raise AssertionError("synced before it was created")
        reached = self.written
        os.fdatasync(self._fd)
        if not self.entry_synced:
            _sync_directory(self.path.parent)
            self.entry_synced = True
        self.synced = reached

    def close(self) -> None:
        """Close the file; its lock goes with it. Closing twice is nothing."""
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)


def _sync_directory(directory: Path) -> None:
    # A file's own sync does not cover the entry that names it.
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def free_bytes(directory: Path) -> int:
    """Return the bytes an unprivileged writer may still add below `directory`.

    Asks the nearest ancestor that exists, so it answers before the first journal.
    """
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    disk = os.statvfs(directory)
    return disk.f_bavail * disk.f_frsize
