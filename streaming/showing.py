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

    def __init__(self, house: "Recorder") -> None:
        self._house = house
        self._details = DetailPublisher(house.process_id)
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
        for number, call in enumerate(list(self._house.calls.values()), 1):
            if call.sessions:
                call.measure()
                call.explain()
                self._house.guard.look(call, wall)
                shown.append(call_snapshot(call))
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        now = time.monotonic()
        self._count_packets(now)
        self.weigh(now)
        watched = await self._house.live.publish(self.snapshot(shown))
        await self._details.publish(self._house.live.redis, self._house.calls, watched)

    def _count_packets(self, now: float) -> None:
        self._house.totals.look()
        packets = self._house.totals.packets(self._house.calls.values())
        then, before = self._counted
        self._packets_per_second = (packets - before) / max(now - then, 0.001)
        self._counted = (now, packets)

    def weigh(self, now: float) -> None:
        """See how much this process bears; say once when it can take no more."""
        house = self._house
        with suppress(OSError):
            house.capacity.tick(
                now,
                cpu=time.process_time(),
                written=house.journals.written_bytes,
                free=free_bytes(settings.JOURNAL_DIR),
                streams=house.streams,
                others=house.live.others_bytes_per_second,
            )
        if house.is_draining:
            # It refuses because it was told to: nobody need come for that.
            return
        load = self.load()
        house.guard.weigh(load, house.streams)
        full = load["reason"] or None
        if full and not self._full:
            log.error("no further media socket is taken: %s", full)
        elif self._full and not full:
            log.warning("media sockets are taken again")
        self._full = full

    def load(self) -> LiveLoad:
        """Return what this process bears, and what it could hold."""
        return self._house.capacity.load(self._house.streams, self._house.no_room())

    def snapshot(self, calls: list[LiveCall]) -> LiveProcess:
        """Return what this process and its `calls` are like, for the live view."""
        house = self._house
        health = house.journals.health()
        shown: LiveProcess = {
            "process": str(house.process_id),
            "node": settings.NODE,
            "pid": os.getpid(),
            "at": time.time(),
            "streams": house.streams,
            "packets_per_second": self._packets_per_second,
            "refused": house.refused.total(),
            "journal": {
                "pending_bytes": health.pending_bytes,
                "error": next(iter(health.errors), None),
            },
            "database": house.archive.error,
            "load": self.load(),
            "started_at": house.started_at,
            "draining": house.is_draining,
            "totals": house.totals.told(
                house.calls.values(),
                dropped=health.dropped_records,
                refused=house.refused,
            ),
            "calls": calls,
        }
        if house.backlog.now is not None:
            shown["backlog"] = house.backlog.now
        return shown
