"""The rows that an ingest process writes: what its sockets brought.

A database that is away holds up no packet: rows wait in `streaming.archive`.
"""

import asyncio
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from django.conf import settings

from calls.drafts import ArchiveBatch
from streaming.call_audio import CallAudio
from streaming.ingest import MediaSession
from streaming.late_facts import facts_ask_again
from streaming.resume import windows
from streaming.tasks import outlive

if TYPE_CHECKING:
    from streaming.recorder import Recorder

# Figures and index rows go to the database this often; openings and ends at once.
ROWS_EVERY: Final = 5.0
# Openings and ends come in crowds; each crowd is one transaction.
CROWD: Final = 0.05
# Calls settled in one go: see `streaming.showing`.
AT_ONCE: Final = 8
# A call without sockets is forgotten after this long: a redial then goes on from rows.
FORGET_AFTER = 900.0
STOPS_TIMEOUT: Final = 1.0


class Rows:
    """Writes a recorder's rows: each few seconds, and soon after `wake`."""

    def __init__(self, recorder: "Recorder") -> None:
        self._recorder = recorder
        self._ended: list[MediaSession] = []
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Have what is new written soon."""
        self._wake.set()

    def opened(self, session: MediaSession) -> None:
        """Have a socket's row written soon: it opened, or its first packet came."""
        self.put(session.call, [session], time.monotonic())
        self._wake.set()

    def closed(self, session: MediaSession) -> None:
        """Have a socket's last figures written soon."""
        self._ended.append(session)
        self._wake.set()

    async def last(self) -> None:
        """Write all there is, and that the process has left."""
        recorder, now = self._recorder, time.monotonic()
        for call in recorder.calls.values():
            call.settle()
            self.put(call, (), now)
        self._put_ended()
        recorder.guard.end()
        # A process whose sockets are still open in the database has not left: the
        # sweep that finds its lease run out closes them.
        if await recorder.archive.flush():
            await recorder.archive.leave(recorder.process_id, datetime.now(UTC))

    async def run(self) -> None:
        """Write what there is, until this is cancelled."""
        due = 0.0
        while True:
            now = time.monotonic()
            if now >= due:
                due = now + ROWS_EVERY
                await outlive(self._rows(now))
            else:
                await outlive(self._news())
            await self._woken(due - time.monotonic())

    async def _woken(self, patience: float) -> None:
        try:
            async with asyncio.timeout(max(patience, CROWD)):
                await self._wake.wait()
        except TimeoutError:
            return
        await asyncio.sleep(CROWD)
        self._wake.clear()

    async def _rows(self, now: float) -> None:
        """Send what changed to the database; forget calls long without sockets."""
        recorder = self._recorder
        await recorder.archive.renew(
            recorder.process_id,
            streams=recorder.streams,
            refused=recorder.refused.total(),
        )
        await self._stops()
        await facts_ask_again(recorder)
        await recorder.guard.learn(list(recorder.calls.values()), is_first=False)
        await recorder.guard.learn_transcripts(list(recorder.calls.values()))
        recorder.guard.tell()
        await recorder.transcripts.end_over(now)
        recorder.transcripts.put(everything=True)
        self._put_ended()
        for number, call in enumerate(list(recorder.calls.values()), 1):
            call.settle()
            self.put(call, call.sessions, now)
            idle = call.idle_since
            is_old = idle is not None and now - idle > FORGET_AFTER
            # A redial may have put another in its place since the list was made.
            if is_old and recorder.calls.get(call.call_id) is call:
                del recorder.calls[call.call_id]
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        await recorder.archive.flush()

    async def _stops(self) -> None:
        """Learn which of the pauses were ordered: a stop is no loss."""
        paused = [
            call.call_id
            for call in self._recorder.calls.values()
            if any(track.audio.pauses for track in call.tracks.values())
        ]
        stops = (
            await self._recorder.archive.stops(paused, STOPS_TIMEOUT) if paused else {}
        )
        for call_id, ordered in stops.items():
            if call := self._recorder.calls.get(call_id):
                call.stops = windows(ordered)

    async def _news(self) -> None:
        """Send openings, ends and alarms to the database."""
        await self._recorder.guard.learn(self._recorder.calls.values(), is_first=True)
        self._put_ended()
        await self._recorder.archive.flush()

    def _put_ended(self) -> None:
        self._recorder.transcripts.put()
        ended, self._ended = self._ended, []
        for session in ended:
            self.put(session.call, [session], time.monotonic())
        self._recorder.archive.put(self._recorder.speech_news.batch())

    def put(
        self, call: CallAudio, sessions: Iterable[MediaSession], now: float
    ) -> None:
        """Give the archive what changed of a call, and of these sockets of it."""
        batch = ArchiveBatch(
            connections=[
                session.draft(process_id=self._recorder.process_id, node=settings.NODE)
                for session in sessions
            ],
            subscriptions=[
                draft for session in sessions for draft in session.subscription_drafts()
            ],
            tracks=list(call.drafts(now)),
            chunks=[draft for session in sessions for draft in session.chunk_drafts()],
            tones=[draft for session in sessions for draft in session.tone_drafts()],
            alarms=call.watch.drafts(),
        )
        self._recorder.archive.put(batch)
