"""The recorder's alarms: looks at calls and at itself, and sends what it sees."""

import os
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from django.conf import settings

from calls.alarms.thresholds import Thresholds
from calls.drafts import ArchiveBatch, CallFacts
from calls.load import LiveLoad
from streaming.alarms import NodeWatch
from streaming.archive import Archive
from streaming.call_audio import CallAudio

# The database has so many seconds to say whether audio is wanted.
PATIENCE = 1.0


class Guard:
    """What an ingest process sees of alarms. `wake` has the database written to."""

    def __init__(self, archive: Archive, wake: Callable[[], None]) -> None:
        self._archive = archive
        self._wake = wake
        own = Thresholds.of(settings.ALARM_THRESHOLDS)
        self._node = NodeWatch(settings.NODE, os.getpid(), own)

    def admit(self, call: CallAudio, facts: CallFacts | None) -> None:
        """Let a call's profile say from where on what is an alarm."""
        profile = facts.thresholds if facts else None
        call.watch.thresholds = Thresholds.of(settings.ALARM_THRESHOLDS, profile)

    def look(self, call: CallAudio, wall: datetime) -> None:
        """Look at a call; what is news goes to the database at once."""
        watch = call.watch
        if watch.look(call, time.monotonic(), wall):
            self._archive.put(ArchiveBatch(alarms=watch.drafts()))
            self._wake()
        if watch.is_quiet and watch.is_wanted is None:
            self._wake()

    def dismiss(self, call: CallAudio) -> None:
        """End a call's alarms: its last socket has closed."""
        call.watch.end(time.monotonic(), datetime.now(UTC), call.handler)

    def weigh(self, load: LiveLoad, streams: int) -> None:
        """Look at this process."""
        if self._node.look(load, streams, time.monotonic(), datetime.now(UTC)):
            self.tell()
            self._wake()

    def tell(self) -> None:
        """Have written again what lasts of this process."""
        self._archive.put(ArchiveBatch(alarms=self._node.drafts()))

    def end(self) -> None:
        """End this process's own alarms."""
        self._node.end(time.monotonic(), datetime.now(UTC))
        self.tell()

    async def learn_transcripts(self, calls: Iterable[CallAudio]) -> None:
        """Learn which calls are to be transcribed, and what text rows have of them."""
        heard = [
            call
            for call in calls
            if call.sessions and call.watch.thresholds.transcript_seconds
        ]
        if not heard:
            return
        asked = [call.call_id for call in heard]
        newest = await self._archive.transcripts_newest(asked, PATIENCE)
        if newest is not None:
            for call in heard:
                call.watch.text.learn(newest.get(call.call_id))

    async def learn(self, calls: Iterable[CallAudio], *, is_first: bool) -> None:
        """Learn of calls without packets whether any should come.

        `is_first`: only of those of which nothing is known yet.
        """
        quiet = [
            call
            for call in calls
            if call.sessions and call.watch.is_quiet
            if not is_first or call.watch.is_wanted is None
        ]
        if not quiet:
            return
        asked = [call.call_id for call in quiet]
        wanted = await self._archive.wanted(asked, PATIENCE)
        if wanted is not None:
            for call in quiet:
                call.watch.is_wanted = call.call_id in wanted
