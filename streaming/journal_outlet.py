"""A journal's way to the disk, as the two threads behind `streaming.journal` walk it.

The event loop appends pieces of records to a list; the writer thread joins and writes
what stands in it; the sync thread confirms it and, once a sealed journal is wholly on
the disk, closes it. Every field has one thread that writes it, and the list's own
operations are atomic, so no step waits for another.
"""

import errno
import time
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from calls.journals.format import JournalError
from streaming.append_file import AppendFile

__all__ = ["Outlet", "Traffic"]

# Pieces joined for one write: three per record, so about 1.4 MB of 20 ms packets.
# It bounds what a write after a long stall copies at once.
_BATCH_PIECES: Final = 6144


@dataclass(slots=True)
class Traffic:
    """What a process's journals took, dropped and wrote, headers not counted.

    The event loop counts `accepted` and the dropped, the writer thread `written`.
    """

    accepted: int = 0
    written: int = 0
    dropped_packets: int = 0
    dropped_records: int = 0


class Outlet:
    """One journal's pieces on their way into its file."""

    def __init__(self, file: AppendFile, traffic: Traffic) -> None:
        self.file = file
        self.pieces: list[bytes] = []
        self.sealed: Future[Path] | None = None
        self.write_error: str | None = None
        self.drained = False
        self.dirty_since: float | None = None
        # The last one for good; and what is wrong now.
        self.sync_error: str | None = None
        self.sync_fault: str | None = None
        self.sync_failures = 0
        self._traffic = traffic
        self._batch: bytes | memoryview = b""

    # Writer thread.

    def write_out(self) -> bool:
        """Write all that waits; False if the disk did not take it all.

        What a short or failed write leaves is where the next call goes on, byte for
        byte, so trouble never leaves half a record in the middle of a file.
        """
        # Read before the pieces: a seal seen here has its record in the list.
        sealed = self.sealed is not None
        try:
            if not self.file.is_open and not self.drained:
                self.file.create()
            while self._batch or self._refill():
                count = self.file.write(self._batch)
                self._traffic.written += count
                # A slice of bytes would copy the rest; there seldom is one.
                left = count < len(self._batch)
                self._batch = memoryview(self._batch)[count:] if left else b""
        except OSError as error:
            self.write_error = _in_words("write", error)
            return False
        self.write_error = None
        self.drained = sealed
        return True

    def _refill(self) -> bool:
        # The event loop only ever appends behind these pieces.
        count = min(len(self.pieces), _BATCH_PIECES)
        if not count:
            return False
        self._batch = b"".join(self.pieces[:count])
        del self.pieces[:count]
        return True

    # Sync thread.

    def needs_sync(self, now: float) -> bool:
        """Return whether the file holds unconfirmed bytes; notes since when."""
        if not self.file.is_open:
            return False
        if self.file.written > self.file.synced or self.drained:
            if self.dirty_since is None:
                self.dirty_since = now
            return True
        return False

    def is_urgent(self, latest: float) -> bool:
        """Return whether this outlet must not wait for its turn.

        It is new, or sealed and awaited, or unconfirmed since before `latest`.
        """
        return (
            not self.file.entry_synced
            or self.drained
            or (self.dirty_since is not None and self.dirty_since <= latest)
        )

    def sync_out(self) -> bool:
        """Confirm what is written; close a sealed file that is all confirmed.

        Returns whether the journal is finished: on the disk, closed, unlocked.
        """
        # Read before syncing: drained means that nothing will be written any more.
        drained, started = self.drained, time.monotonic()
        try:
            self.file.sync()
        except OSError as error:
            self.sync_failures += 1
            self.sync_error = self.sync_fault = _in_words("sync", error)
            return False
        self.note_synced(started)
        if not drained:
            return False
        self.file.close()
        if self.sealed is not None:
            self.sealed.set_result(self.file.path)
        return True

    def note_synced(self, started: float) -> None:
        """Note that what was written before `started` is confirmed."""
        self.sync_fault = None
        self.dirty_since = started if self.file.written > self.file.synced else None

    def abandon(self) -> bool:
        """Close the file as it is; return whether it has everything.

        For the end of the process, when the writer thread has ended.
        """
        waiting = len(self._batch) + sum(map(len, self.pieces))
        self.file.close()
        if self.sealed is not None:
            reason = self.write_error or self.sync_error or "no time left"
            self.sealed.set_exception(JournalError(f"not sealed on disk: {reason}"))
            return False
        return not waiting and self.file.written == self.file.synced


def _in_words(what: str, error: OSError) -> str:
    name = errno.errorcode.get(error.errno or 0, "OSError")
    return f"{what} failed: {name} ({error.strerror or error})"
