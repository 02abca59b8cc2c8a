"""One verification of the archive: every call, every journal, every file."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings

from calls.models import Call
from calls.models.call import CallQuerySet
from calls.verification.files import leftovers_verify, recording_verify
from calls.verification.findings import About, Finding, Weight
from calls.verification.journals import (
    NodeJournals,
    journals_verify,
    sockets_verify,
)
from calls.verification.orphans import orphans_verify
from calls.verification.rows import CallRows, rows_read, rows_verify

# Calls whose keys are held at a time.
AT_ONCE = 500
# How often a call is looked at again because somebody finished it meanwhile.
TRIES = 3


@dataclass(frozen=True, slots=True)
class Scope:
    """What to look at. With `calls` or `since`, unnamed files are not looked for."""

    calls: Sequence[UUID] = ()
    since: datetime | None = None
    is_quick: bool = False

    @property
    def is_whole(self) -> bool:
        """Say whether all of the archive is looked at."""
        return not self.calls and self.since is None

    def select(self) -> CallQuerySet:
        """Return the calls to look at, in the order in which they rang."""
        calls = Call.objects.order_by("rang_at", "pk")
        if self.calls:
            calls = calls.filter(pk__in=self.calls)
        if self.since:
            calls = calls.filter(rang_at__gte=self.since)
        return calls


@dataclass(slots=True)
class Looked:
    """What has been looked at, and how much of it was found wanting."""

    calls: int = 0
    recordings: int = 0
    audio_seconds: float = 0.0
    journals: int = 0
    errors: int = 0
    pending: int = 0

    def count(self, finding: Finding) -> None:
        """Count a finding."""
        if finding.weight is Weight.ERROR:
            self.errors += 1
        else:
            self.pending += 1


class Verification:
    """Looks through the archive once. `now` tells what is young; nothing is changed.

    `progress(calls so far)` is called after each call.
    """

    def __init__(
        self,
        scope: Scope,
        now: datetime,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.scope = scope
        self.now = now
        self.looked = Looked()
        self._progress = progress
        self._journals = NodeJournals(settings.JOURNAL_DIR)

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong, call by call; then journals, then unnamed files."""
        for finding in self._findings():
            self.looked.count(finding)
            yield finding

    def _findings(self) -> Iterator[Finding]:
        calls = self.scope.select().values_list("pk", flat=True)
        for call_id in calls.iterator(chunk_size=AT_ONCE):
            yield from self._call(call_id)
            self.looked.calls += 1
            self._progress(self.looked.calls)
        if self.scope.since is None:
            self.looked.journals = len(self._journals.headers)
            yield from journals_verify(
                self._journals,
                self.now,
                is_quick=self.scope.is_quick,
                calls=self.scope.calls,
            )
        if self.scope.is_whole:
            yield from orphans_verify(self.now)

    def _call(self, call_id: UUID) -> list[Finding]:
        """Return what is wrong with a call, as it is at rest.

        The archive lives while it is looked at: what was read in the middle of
        finishing says nothing, and is read again.
        """
        rows, found = rows_read(call_id), list[Finding]()
        for _ in range(TRIES):
            if rows is None:
                # Removed meanwhile.
                return []
            found = list(self._look(rows))
            again = rows_read(call_id) if found else rows
            if again and again.stamp() == rows.stamp():
                break
            rows = again
        for recording in rows.recordings if rows else ():
            self.looked.recordings += 1
            self.looked.audio_seconds += recording.seconds
        return found

    def _look(self, rows: CallRows) -> Iterator[Finding]:
        yield from rows_verify(rows)
        yield from sockets_verify(rows, self._journals, self.now)
        tracks = {track.pk: track for track in rows.tracks}
        for recording in rows.recordings:
            track = tracks.get(recording.track_id) if recording.track_id else None
            is_final = track is not None and track.is_final
            # Of a track that goes on live, the ledger is ahead of the recording.
            ledger = rows.ledgers.get(track.pk) if track and is_final else None
            yield from recording_verify(
                recording, track, ledger, is_quick=self.scope.is_quick
            )
        if not self.scope.is_quick and rows.is_settled:
            about = About(rows.call.pk, "", "")
            for name, packets in sorted(rows.leftovers().items()):
                yield from leftovers_verify(name, packets, about)
