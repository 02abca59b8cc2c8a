"""An ingest process in the live view: what it is like, told each second."""

import asyncio
import logging
import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from django.conf import settings

from calls.live.ingest import LiveCall, LiveProcess
from calls.load import LiveLoad
from streaming.call_details import DetailPublisher
from streaming.journal import free_bytes
from streaming.live import call_snapshot
from streaming.tasks import outlive

if TYPE_CHECKING:
    from streaming.recorder import Recorder

log = logging.getLogger(__name__)

TICK: Final = 1.0
# Calls looked at in one go: hundreds would hold up their packets, and going back to
# the event loop after each of them costs as much as looking at it.
AT_ONCE: Final = 8


class Showing:
    """Measures a recorder's calls and shows them, its load and its totals."""

    def __init__(self, recorder: "Recorder") -> None:
        self._recorder = recorder
        self._details = DetailPublisher(recorder.process_id)
        self._packets_per_second = 0.0
        self._counted = (time.monotonic(), 0)
        # Why no further socket was taken when that was last looked at.
        self._full: str | None = None

    async def run(self) -> None:
        """Show the process each second, until this is cancelled."""
        due = time.monotonic()
        while True:
            due = max(due + TICK, time.monotonic())
            await outlive(self._tick())
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _tick(self) -> None:
        shown, wall = [], datetime.now(UTC)
        for number, call in enumerate(list(self._recorder.calls.values()), 1):
            if call.sessions:
                call.measure()
                call.explain()
                self._recorder.guard.look(call, wall)
                shown.append(call_snapshot(call))
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        now = time.monotonic()
        self._count_packets(now)
        self.weigh(now)
        watched = await self._recorder.live.publish(self.snapshot(shown))
        await self._details.publish(
            self._recorder.live.redis, self._recorder.calls, watched
        )

    def _count_packets(self, now: float) -> None:
        self._recorder.totals.look()
        packets = self._recorder.totals.packets(self._recorder.calls.values())
        then, before = self._counted
        self._packets_per_second = (packets - before) / max(now - then, 0.001)
        self._counted = (now, packets)

    def weigh(self, now: float) -> None:
        """See how much this process bears; say once when it can take no more."""
        recorder = self._recorder
        with suppress(OSError):
            recorder.capacity.tick(
                now,
                cpu=time.process_time(),
                written=recorder.journals.written_bytes,
                free=free_bytes(settings.JOURNAL_DIR),
                streams=recorder.streams,
                others=recorder.live.others_bytes_per_second,
            )
        if recorder.is_draining:
            # It refuses because it was told to: nobody need come for that.
            return
        load = self.load()
        recorder.guard.weigh(load, recorder.streams)
        full = load["reason"] or None
        if full and not self._full:
            log.error("no further media socket is taken: %s", full)
        elif self._full and not full:
            log.warning("media sockets are taken again")
        self._full = full

    def load(self) -> LiveLoad:
        """Return what this process bears, and what it could hold."""
        return self._recorder.capacity.load(
            self._recorder.streams, self._recorder.no_room()
        )

    def snapshot(self, calls: list[LiveCall]) -> LiveProcess:
        """Return what this process and its `calls` are like, for the live view."""
        recorder = self._recorder
        health = recorder.journals.health()
        shown: LiveProcess = {
            "process": str(recorder.process_id),
            "node": settings.NODE,
            "pid": os.getpid(),
            "at": time.time(),
            "streams": recorder.streams,
            "packets_per_second": self._packets_per_second,
            "refused": recorder.refused.total(),
            "journal": {
                "pending_bytes": health.pending_bytes,
                "error": next(iter(health.errors), None),
            },
            "database": recorder.archive.error,
            "load": self.load(),
            "started_at": recorder.started_at,
            "draining": recorder.is_draining,
            "totals": recorder.totals.told(
                recorder.calls.values(),
                dropped=health.dropped_records,
                refused=recorder.refused,
            ),
            "calls": calls,
        }
        if recorder.backlog.now is not None:
            shown["backlog"] = recorder.backlog.now
        return shown
