"""The two threads that take every journal of a process to the disk."""

import atexit
import logging
import math
import os
import threading
import time
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from calls.journals.format import JournalError
from streaming.append_file import sync_together
from streaming.journal_outlet import Outlet, Traffic

__all__ = ["JournalThreads", "WriterHealth"]

logger = logging.getLogger(__name__)

# The sync thread looks ten times per interval for what is new, sealed, or unconfirmed
# for 0.7 of it, so that all is confirmed in time. From nine such journals on, one
# call for the whole filesystem is cheaper than one call each.
_SLICES: Final = 10
_URGENT: Final = 0.7
_ONE_BY_ONE: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterHealth:
    """How the way to the disk is doing.

    `pending_bytes` wait in memory, `write_lag` is how many seconds the oldest of
    them may have waited and `sync_lag` how many seconds the oldest written bytes
    have been unconfirmed (both 0.0 when nothing waits). `errors` are the different
    troubles the open journals have now: a sync that succeeds ends that of one before,
    which the journal itself remembers. `alive` is False before the first journal
    and after `close`: in between it means that a thread has died.
    """

    journals: int
    pending_bytes: int
    written_bytes: int
    write_lag: float
    sync_lag: float
    dropped_packets: int
    dropped_records: int
    errors: tuple[str, ...]
    alive: bool


class JournalThreads:
    """The outlets of a process and the threads that serve them, started when needed."""

    def __init__(
        self, traffic: Traffic, *, flush_interval: float, sync_interval: float
    ) -> None:
        self._traffic = traffic
        self._flush_interval = flush_interval
        self._sync_interval = sync_interval
        self._outlets: dict[UUID, Outlet] = {}
        self._stopping = threading.Event()
        self._writing_done = threading.Event()
        self._deadline = 0.0
        self._flushed_at = 0.0
        self._failing = 0
        self._pid: int | None = None
        # Daemons, so that a forgotten writer cannot keep a process from ending; the
        # exit handler still lets them finish.
        self._writer = threading.Thread(
            target=self._write_loop, name="journal-write", daemon=True
        )
        self._syncer = threading.Thread(
            target=self._sync_loop, name="journal-sync", daemon=True
        )

    def add(self, key: UUID, outlet: Outlet) -> None:
        """Serve one more outlet. Raises JournalError if its key is served already."""
        if self._stopping.is_set():
            raise JournalError("the journal writer is closed")
        if key in self._outlets:
            raise JournalError(f"journal {key} is open already")
        self._start()
        self._outlets[key] = outlet

    def _start(self) -> None:
        if self._pid is None:
            self._pid = os.getpid()
            self._flushed_at = time.monotonic()
            self._writer.start()
            self._syncer.start()
            atexit.register(self.close, 5.0)
        elif self._pid != os.getpid():
            raise JournalError("this journal writer belongs to the parent process")

    def close(self, timeout: float) -> bool:
        """Write and confirm everything, close the files, end the threads.

        Returns whether all of it is on the disk. Gives up after `timeout` seconds;
        futures of seals that did not make it fail with JournalError.
        """
        if self._pid not in (None, os.getpid()):
            return True
        self._deadline = time.monotonic() + timeout
        self._stopping.set()
        if self._pid is None:
            return True
        atexit.unregister(self.close)
        for thread in (self._writer, self._syncer):
            thread.join(max(0.0, self._deadline - time.monotonic()) + 0.1)
        return not self._outlets

    def health(self) -> WriterHealth:
        """Return how the way to the disk is doing at this moment."""
        now = time.monotonic()
        outlets = [outlet for _, outlet in self._snapshot()]
        pending = self._traffic.accepted - self._traffic.written
        waiting = [o.dirty_since for o in outlets if o.dirty_since is not None]
        errors = {o.write_error for o in outlets} | {o.sync_fault for o in outlets}
        return WriterHealth(
            journals=len(outlets),
            pending_bytes=pending,
            written_bytes=self._traffic.written,
            write_lag=now - self._flushed_at if pending else 0.0,
            sync_lag=now - min(waiting, default=now),
            dropped_packets=self._traffic.dropped_packets,
            dropped_records=self._traffic.dropped_records,
            errors=tuple(sorted(error for error in errors if error)),
            alive=self._writer.is_alive() and self._syncer.is_alive(),
        )

    # Writer thread.

    def _write_loop(self) -> None:
        try:
            while not self._stopping.wait(self._flush_interval):
                self._write_all()
            while not self._write_all() and time.monotonic() < self._deadline:
                time.sleep(self._flush_interval)
        finally:
            self._writing_done.set()

    def _write_all(self) -> bool:
        """Write what waits in every outlet; return whether nothing is left."""
        started = time.monotonic()
        failing = 0
        for key, outlet in self._snapshot():
            try:
                failing += not outlet.write_out()
            except Exception:
                # The thread that keeps all audio outlives a fault in one journal.
                logger.exception("journal %s: cannot be written", key)
                failing += 1
        if not failing:
            self._flushed_at = started
        self._report(failing)
        return not failing

    def _report(self, failing: int) -> None:
        """Log the beginning and the end of trouble, never its duration."""
        if failing and not self._failing:
            health = self.health()
            logger.error(
                "journals: %d of %d cannot be written, %d bytes wait in memory: %s",
                failing,
                health.journals,
                health.pending_bytes,
                "; ".join(health.errors),
            )
        elif self._failing and not failing:
            logger.warning(
                "journals: all are written again, %d records were dropped so far",
                self._traffic.dropped_records,
            )
        self._failing = failing

    # Sync thread.

    def _sync_loop(self) -> None:
        while not self._writing_done.wait(self._sync_interval / _SLICES):
            self._sync(latest=time.monotonic() - _URGENT * self._sync_interval)
        self._sync(latest=math.inf)
        self._close_all()

    def _sync(self, *, latest: float) -> None:
        """Confirm every outlet that is new, sealed, or unconfirmed since `latest`."""
        now = time.monotonic()
        dirty = [item for item in self._snapshot() if item[1].needs_sync(now)]
        due = [item for item in dirty if item[1].is_urgent(latest)]
        if len(due) > _ONE_BY_ONE and sync_together([o.file for _, o in dirty]):
            for _, outlet in dirty:
                outlet.note_synced(now)
            # Their own sync costs nothing now, and it closes them. It also tells of
            # an error that kernels before 5.8 do not report to the call for all.
            due = [item for item in due if item[1].drained]
        for key, outlet in due:
            try:
                if outlet.sync_out():
                    del self._outlets[key]
            except Exception:
                # As above: one journal's fault is not the others'.
                logger.exception("journal %s: cannot be synced", key)

    def _close_all(self) -> None:
        for key, outlet in self._snapshot():
            if outlet.abandon():
                del self._outlets[key]

    def _snapshot(self) -> list[tuple[UUID, Outlet]]:
        # One step of the interpreter: the event loop may add an outlet meanwhile.
        return list(self._outlets.items())
