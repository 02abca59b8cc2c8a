"""One run of finishing: from a call's journals to verified recordings and rows.

Packets are written to their place in a sparse file (what was never received is zeros),
encoded, stored, read back and compared. Rows follow in one transaction, if nobody else
stored recordings of the call meanwhile.
"""

import logging
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from calls.alarms.raising import recording_alarm_update
from calls.audio.ledger import Ledger, overtalk_us
from calls.audio.timeline import Placement
from calls.audio.track import Window
from calls.batches import chunks_store, track_finalise
from calls.drafts import ArchiveBatch, StopWindow, TrackDraft
from calls.figures import calls_figures_refresh
from calls.ingest_facts import stop_windows
from calls.instants import instant, microseconds
from calls.journals.losses import losses_store
from calls.journals.reading import Record
from calls.journals.replay import (
    CallReplay,
    JournalCount,
    PacketRef,
    track_draft,
)
from calls.journals.tails import tails_mark
from calls.leftovers import Leftovers
from calls.models import AudioChunk, Call, Connection, Recording
from calls.models.sockets import UNFINISHED_JOURNALS
from calls.models.states import ArchiveState
from calls.recordings import TrackFile, folder_of, mix_store, track_store
from calls.services import batch_store
from calls.storage import recording_delete
from calls.tones.keeping import tones_store
from calls.transcripts.segments import segments_store
from calls.utterances import utterances_recover
from streaming.protocol import US

log = logging.getLogger(__name__)


class NotYetError(Exception):
    """The call cannot be finished now; says why. Later it can."""


class Assembly:
    """One run of finishing: the tracks' scratch files and what becomes of them.

    `is_text`: no audio is in its journals, so that recordings stay as they are.
    """

    def __init__(
        self, call_id: UUID, scratch: Path, stack: ExitStack, *, is_text: bool = False
    ) -> None:
        self.call_id = call_id
        self.is_text = is_text
        self.scratch = scratch
        self.stack = stack
        self.files: dict[tuple[str, int], TrackFile] = {}
        self.leftovers = Leftovers(scratch / "leftovers")
        self.replay = CallReplay(call_id, placed=self._placed, aside=self._aside)
        # What the recordings were when this run began.
        self._before = _names(call_id)
        if not is_text:
            self._restore()

    def _restore(self) -> None:
        """Go on from recordings that are there: a socket came after they were made."""
        recordings = Recording.objects.filter(
            call_id=self.call_id, track__isnull=False
        ).select_related("track__participant")
        for recording in recordings:
            file = TrackFile.restore(self.scratch, recording)
            self.files[file.raw_id, file.rate] = self.stack.enter_context(file)
            self.replay.tracks[file.raw_id, file.rate] = file.restored_audio()
            self.leftovers.keep(recording.leftovers)
        for name in sorted(_of_sockets(self.call_id)):
            self.leftovers.keep(name)

    def _placed(self, raw_id: str, rate: int, placement: Placement[PacketRef]) -> None:
        file = self.files.get((raw_id, rate)) or self._file(raw_id, rate)
        # `silent` means silence, whatever the buffer holds: the file's zeros stay.
        if placement.start is not None and not placement.silent:
            file.write(placement.start, placement.ref.pcm)

    def _file(self, raw_id: str, rate: int) -> TrackFile:
        path = self.scratch / f"{len(self.files)}.pcm"
        file = self.stack.enter_context(TrackFile(path, raw_id, rate))
        self.files[raw_id, rate] = file
        return file

    def _aside(self, count: JournalCount, record: Record) -> None:
        self.leftovers.add(count, record)

    def store(self) -> None:
        """Store, read back and compare every file, then write the rows at once."""
        self._sockets_ensure()
        windows = [_window(stop) for stop in stop_windows(self.call_id)]
        drafts = {}
        tails_mark(self.call_id, self.replay.counts, self.replay.tracks.values())
        for key, track in sorted(self.replay.tracks.items()):
            track.mark_stopped(windows)
            drafts[key] = track_draft(self.call_id, key[0], track)
            if key not in self.files:
                # All its packets were silent: the file of zeros is still a track.
                self._file(*key)
        leftovers = self._leftovers_store(drafts)
        if leftovers and not drafts and not self.is_text:
            log.warning(
                "call %s: no audio came; what did come is in %s",
                self.call_id,
                leftovers,
            )
        recordings = [
            track_store(
                self.files[key], draft, self.replay.tracks[key].state(), leftovers
            )
            for key, draft in drafts.items()
        ]
        files = [self.files[key] for key in drafts]
        if mixed := mix_store(self.call_id, recordings, files):
            recordings.append(mixed)
        try:
            with transaction.atomic():
                self._claim()
                self._rows(drafts, recordings, leftovers)
        except NotYetError:
            ours = _files(recordings) | ({leftovers} - {""})
            _remove(ours - _stored(self.call_id))
            raise

    def _claim(self) -> None:
        """Raise `NotYetError` if another node stored recordings since we began.

        Ours lack what came over its sockets, and its journals are gone.
        """
        # The lock of the call's row: of two nodes, one sees what the other did.
        Call.objects.select_for_update().get(pk=self.call_id)
        if _names(self.call_id) != self._before:
            raise NotYetError("another node stored recordings of the call meanwhile")

    def _sockets_ensure(self) -> None:
        """Write rows for sockets that ingest could not close, or never had rows.

        What ingest wrote last of a socket it did not live to seal is seconds old; its
        journal knows better.
        """
        sealed = set(
            Connection.objects.filter(
                pk__in=[count.header.connection_id for count in self.replay.counts],
                journal_state=Connection.JournalState.SEALED,
            ).values_list("pk", flat=True)
        )
        counts = [
            count
            for count in self.replay.counts
            if not (count.is_sealed and count.header.connection_id in sealed)
        ]
        subscriptions = [
            draft for count in counts for draft in count.subscription_drafts()
        ]
        connections = [count.draft() for count in counts]
        batch_store(
            ArchiveBatch(connections=connections, subscriptions=subscriptions),
            is_finishing=True,
        )
        # Their journals are here, whoever wrote them: what fails is tried again here,
        # and where they were written they are not taken for recorded.
        rows = Connection.objects.filter(
            pk__in=[count.header.connection_id for count in self.replay.counts]
        )
        rows.exclude(node=settings.NODE).update(node=settings.NODE)

    def _leftovers_store(self, drafts: dict[tuple[str, int], TrackDraft]) -> str:
        origin = min(
            (draft.origin_us for draft in drafts.values()),
            default=self.replay.counts[0].header.opened_at_us,
        )
        return self.leftovers.store(folder_of(self.call_id, instant(origin)))

    def _rows(
        self,
        drafts: dict[tuple[str, int], TrackDraft],
        recordings: list[Recording],
        leftovers: str,
    ) -> None:
        for draft in drafts.values():
            track_finalise(draft)
        self._index_store()
        tones_store(list(self.replay.tones()))
        utterances_recover(self.call_id, self.replay.utterances())
        segments_store(self.replay.segments())
        ledgers = {
            draft.id: self.replay.tracks[key].ledger for key, draft in drafts.items()
        }
        losses_store(self.call_id, self.replay.counts, ledgers)
        before = _stored(self.call_id)
        for recording in recordings:
            recording.save()
        self._sockets_kept(leftovers)
        gone = before - _stored(self.call_id)
        # Robust: a file that stays is no reason to fail what is committed.
        transaction.on_commit(lambda: _remove(gone), robust=True)
        self._call_settle(drafts, ledgers)

    def _index_store(self) -> None:
        """Write the index of these sockets anew: live rows may lack late packets."""
        sockets = [count.header.connection_id for count in self.replay.counts]
        AudioChunk.objects.filter(connection_id__in=sockets).delete()
        chunks_store(self.replay.chunks())

    def _call_settle(
        self,
        drafts: dict[tuple[str, int], TrackDraft],
        ledgers: Mapping[UUID, Ledger],
    ) -> None:
        """Write what the call's rows mean for the call itself."""
        calls_figures_refresh([self.call_id])
        call = Call.objects.filter(pk=self.call_id)
        has_audio = bool(drafts or self._before)
        call.update(
            archive_state=self._archive_state(has_audio),
            archive_error="",
            archive_attempts=0,
            archive_retry_at=None,
        )
        if not self.is_text:
            starts = [
                (draft.origin_us, ledgers[draft.id])
                for draft in drafts.values()
                if draft.raw_id != US
            ]
            call.update(overtalk_ms=overtalk_us(starts) // 1000)
        recording_alarm_update(self.call_id, at=timezone.now())

    def _sockets_kept(self, leftovers: str) -> None:
        """Say that the journals may go, and in what file their leftovers are.

        And what there was of each: one that comes back may have more.
        """
        kept = Connection.objects.filter(call_id=self.call_id)
        kept.bulk_update(
            [
                Connection(
                    id=count.header.connection_id,
                    journal_state=Connection.JournalState.KEPT,
                    journal_records=count.records,
                    leftovers=leftovers,
                )
                for count in self.replay.counts
            ],
            ["journal_state", "journal_records", "leftovers"],
        )
        if not self.is_text:
            # Those of earlier runs are in it too.
            kept.exclude(leftovers="").update(leftovers=leftovers)

    def _archive_state(self, has_audio: bool) -> ArchiveState:
        rest = Connection.objects.filter(
            call_id=self.call_id, journal_state__in=UNFINISHED_JOURNALS
        )
        if rest.filter(closed_at=None).exists():
            return ArchiveState.LIVE
        if rest.exists():
            return ArchiveState.PENDING
        return ArchiveState.FINISHED if has_audio else ArchiveState.NONE


def _window(stop: StopWindow) -> Window:
    end = microseconds(stop.end) if stop.end else None
    return Window(microseconds(stop.start), end)


def _rows_of(call_id: UUID) -> list[Recording]:
    return list(Recording.objects.filter(call_id=call_id))


def _names(call_id: UUID) -> dict[UUID, tuple[str, str]]:
    return {row.pk: (row.audio, row.manifest) for row in _rows_of(call_id)}


def _of_sockets(call_id: UUID) -> set[str]:
    """Return the names of the leftovers that sockets of a call refer to."""
    names = Connection.objects.filter(call_id=call_id).exclude(leftovers="")
    return set(names.order_by().values_list("leftovers", flat=True))


def _stored(call_id: UUID) -> set[str]:
    """Return the storage names that rows of a call refer to."""
    return _files(_rows_of(call_id)) | _of_sockets(call_id)


def _files(recordings: Iterable[Recording]) -> set[str]:
    """Return the storage names that rows refer to."""
    return {
        name
        for row in recordings
        for name in (row.audio, row.peaks, row.manifest, row.leftovers)
        if name
    }


def _remove(names: Iterable[str]) -> None:
    for name in names:
        recording_delete(name)
