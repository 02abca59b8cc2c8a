"""Disks that are full when a test wants it."""

import resource
import subprocess
from contextlib import suppress
from typing import Protocol

from tests.streaming.house import House

SIZE_MB = 48
BLOCK = 4096


class Disk(Protocol):
    """The disk on which a house has its journals."""

    def fill(self) -> None:
        """Let nothing more be written to journals."""

    def free(self) -> None:
        """Let them be written again."""

    def close(self) -> None:
        """Be as if it had not been."""


class SmallDisk:
    """A filesystem of its own in memory, filled by a file. Takes root."""

    def __init__(self, house: House) -> None:
        self._folder = house.folder / "journals"
        self._folder.mkdir()
        options = ["-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=700", "tmpfs"]
        subprocess.run(
            ["mount", *options, self._folder], check=True, capture_output=True
        )
        self._filler = self._folder / "somebody-elses"

    def fill(self) -> None:
        # Journals grow meanwhile: not so many bytes, but until there is no more room.
        with self._filler.open("wb", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(bytes(BLOCK))

    def free(self) -> None:
        self._filler.unlink()

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", self._folder], check=True)


class SizeLimit:
    """RLIMIT_FSIZE on the running ingest: no file may grow beyond the largest journal.

    Where nobody may mount. The database must stay below it, or it is away too.
    """

    def __init__(self, house: House) -> None:
        self._house = house

    def fill(self) -> None:
        self._limit(max(path.stat().st_size for path in self._house.journals))

    def free(self) -> None:
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, size: int) -> None:
        assert self._house.process is not None
        limits = (size, resource.RLIM_INFINITY)
        resource.prlimit(self._house.process.pid, resource.RLIMIT_FSIZE, limits)

    def close(self) -> None:
        """Nothing is left of it: it ends with its process."""


def small_disk(house: House) -> Disk:
    """Return a small disk for a house that has not begun; a limit if we may not."""
    try:
        return SmallDisk(house)
    except (subprocess.CalledProcessError, FileNotFoundError):
        return SizeLimit(house)
