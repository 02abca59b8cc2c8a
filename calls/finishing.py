"""From journals to recordings: one verified FLAC per track, and the mix.

A call is finished where its journals lie, by one process at a time. Packets are
written to their place in a sparse file (what was never received is zeros), encoded,
stored, read back and compared; only then are the journals removed. Run again it does
nothing; with new journals, of a socket that came after, it goes on from the
recordings that are there.
"""

import fcntl
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from django.conf import settings
from django.db import transaction

from calls.audio.ledger import overtalk_us
from calls.audio.timeline import Placement
from calls.audio.track import Window
from calls.batches import call_figures_refresh, chunks_store, track_finalise
from calls.drafts import ArchiveBatch, StopWindow, TrackDraft
from calls.journal import JournalError, JournalHeader, Record, is_live, read
from calls.journal_format import microseconds
from calls.leftovers import Leftovers
from calls.models import AudioChunk, Call, Connection, Recording
from calls.models.call import ArchiveState
from calls.recordings import (
    RecordingError,
    TrackFile,
    folder_of,
    mix_store,
    track_store,
)
from calls.replay import CallReplay, JournalCount, PacketRef, moment, track_draft
from calls.services import batch_store, stop_windows
from calls.storage import recording_delete
from calls.tails import tails_mark

log = logging.getLogger(__name__)


class NotYetError(Exception):
    """The call cannot be finished now: a socket of it is still being journaled."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What finishing a call did."""

    journals: int
    recordings: int
    packets: int


def call_finish(call_id: UUID) -> Finished:
    """Make recordings of all sealed journals of a call on this node.

    Raises `NotYetError` while a socket of the call is open here, `RecordingError` if
    what was read back is not what was written (the journals then stay), and
    `JournalError` for a journal whose header or metadata cannot be read.
    """
    folder: Path = settings.JOURNAL_DIR
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder / f"{call_id}.lock"):
        paths = _journals(folder, call_id)
        if not paths:
            _settle_without_journals(call_id)
            return Finished(0, 0, 0)
        try:
            return _finish(call_id, folder, paths)
        except (RecordingError, JournalError, OSError) as exc:
            Call.objects.filter(pk=call_id).update(
                archive_state=ArchiveState.FAILED, archive_error=str(exc)[:500]
            )
            raise


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the call's lock file; a second finisher waits and then finds no journals."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _journals(folder: Path, call_id: UUID) -> list[Path]:
    """Return the journals of a call. Raises `NotYetError` if one is being written."""
    found = []
    for path in folder.glob("*.journal"):
        # Unreadable headers are `recover`'s business; a journal may go meanwhile.
        with suppress(FileNotFoundError, JournalError):
            header = _header(path)
            if header.call_id != call_id:
                continue
            if is_live(path):
                raise NotYetError(f"socket {header.connection_id} is still open")
            found.append(path)
    return _without_kept(found)


def _header(path: Path) -> JournalHeader:
    with read(path) as journal:
        return journal.header


def _without_kept(paths: list[Path]) -> list[Path]:
    """Remove journals that are in a verified recording already.

    A finisher that died between its commit and the removal leaves such.
    """
    kept = set(
        Connection.objects.filter(
            pk__in=[path.stem for path in paths],
            journal_state=Connection.JournalState.KEPT,
        ).values_list("pk", flat=True)
    )
    for path in paths:
        if UUID(path.stem) in kept:
            path.unlink(missing_ok=True)
    return [path for path in paths if UUID(path.stem) not in kept]


def _settle_without_journals(call_id: UUID) -> None:
    """Say so if sockets of this node should have journals and have none."""
    lost = Connection.objects.filter(call_id=call_id, node=settings.NODE).exclude(
        journal_state__in=(
            Connection.JournalState.KEPT,
            Connection.JournalState.MISSING,
        )
    )
    missing = lost.update(journal_state=Connection.JournalState.MISSING)
    call = Call.objects.filter(pk=call_id)
    if missing:
        log.error("call %s: %d journals are missing on this node", call_id, missing)
        call.update(
            archive_state=ArchiveState.FAILED,
            archive_error=f"{missing} journals are not on node {settings.NODE}",
        )
    elif Recording.objects.filter(call_id=call_id).exists():
        call.update(archive_state=ArchiveState.FINISHED, archive_error="")


def _finish(call_id: UUID, folder: Path, paths: list[Path]) -> Finished:
    with ExitStack() as stack:
        # Beside the journals: there is room for audio there, and /tmp may be memory.
        scratch = stack.enter_context(TemporaryDirectory(dir=folder, prefix="finish-"))
        work = _Work(call_id, Path(scratch), stack)
        work.replay.run(paths)
        work.store()
    for path in paths:
        path.unlink(missing_ok=True)
    packets = sum(count.packets for count in work.replay.counts)
    log.info(
        "call %s: finished %d tracks, %d packets from %d journals",
        call_id,
        len(work.files),
        packets,
        len(paths),
    )
    return Finished(len(paths), len(work.files), packets)


class _Work:
    """One run of finishing: the tracks' scratch files and what becomes of them."""

    def __init__(self, call_id: UUID, scratch: Path, stack: ExitStack) -> None:
        self.call_id = call_id
        self.scratch = scratch
        self.stack = stack
        self.files: dict[tuple[str, int], TrackFile] = {}
        self.leftovers = Leftovers(scratch / "leftovers")
        self.replay = CallReplay(call_id, placed=self._placed, aside=self._aside)
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
        recordings = [
            track_store(
                self.files[key], draft, self.replay.tracks[key].state(), leftovers
            )
            for key, draft in drafts.items()
        ]
        files = [self.files[key] for key in drafts]
        if mixed := mix_store(self.call_id, recordings, files):
            recordings.append(mixed)
        with transaction.atomic():
            self._rows(drafts, recordings)

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

    def _leftovers_store(self, drafts: dict[tuple[str, int], TrackDraft]) -> str:
        origin = min(
            (draft.origin_us for draft in drafts.values()),
            default=self.replay.counts[0].header.opened_at_us,
        )
        return self.leftovers.store(folder_of(self.call_id, moment(origin)))

    def _rows(
        self,
        drafts: dict[tuple[str, int], TrackDraft],
        recordings: list[Recording],
    ) -> None:
        for draft in drafts.values():
            track_finalise(draft)
        sockets = [count.header.connection_id for count in self.replay.counts]
        # The index anew for these sockets: live rows may lack late packets.
        AudioChunk.objects.filter(connection_id__in=sockets).delete()
        chunks_store(self.replay.chunks())
        for recording in recordings:
            _replace(recording)
        Connection.objects.filter(pk__in=sockets).update(
            journal_state=Connection.JournalState.KEPT
        )
        call_figures_refresh(self.call_id)
        ledgers = [
            (draft.origin_us, self.replay.tracks[key].ledger)
            for key, draft in drafts.items()
        ]
        Call.objects.filter(pk=self.call_id).update(
            archive_state=ArchiveState.FINISHED if drafts else ArchiveState.NONE,
            archive_error="",
            overtalk_ms=overtalk_us(ledgers) // 1000,
        )


def _window(stop: StopWindow) -> Window:
    end = microseconds(stop.end) if stop.end else None
    return Window(microseconds(stop.start), end)


def _replace(recording: Recording) -> None:
    """Save a row; the files of the one it replaces go once that is committed."""
    before = Recording.objects.filter(pk=recording.pk).first()
    recording.save()
    if before is None:
        return
    kept = {recording.audio, recording.peaks, recording.manifest, recording.leftovers}
    gone = {before.audio, before.peaks, before.manifest, before.leftovers} - kept

    def remove() -> None:
        for name in gone:
            recording_delete(name)

    transaction.on_commit(remove)
