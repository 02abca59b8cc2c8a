"""Finishing a call: its journals on this node into verified recordings.

A call is finished where its journals lie, by one process at a time. Only when the
recordings are stored, read back and committed are the journals removed. Run again it
does nothing; with new journals, of a socket that came after, it goes on from the
recordings that are there.
"""

import logging
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from calls.alarms.raising import recording_alarm_update, recording_failed
from calls.alarms.storing import storage_refused, storage_worked
from calls.assembly import Assembly, NotYetError
from calls.backlog import retry_at
from calls.batches import storable
from calls.database import DATABASE_AWAY
from calls.journals.kept import stays
from calls.journals.locks import LOCK, alone, is_locked
from calls.journals.reading import JournalError, JournalHeader, is_live, read
from calls.journals.rolling import parts_remove
from calls.models import Call, Connection, Recording
from calls.models.call import CallQuerySet
from calls.models.sockets import UNFINISHED_JOURNALS
from calls.models.states import ArchiveState
from calls.storage import StorageFaultError, storage_try

__all__ = ["Finished", "NotYetError", "call_finish", "calls_half_tidied"]

log = logging.getLogger(__name__)

WORK = "finish-"
MISSING = Connection.JournalState.MISSING
FAILED_FIELDS = (
    "archive_state",
    "archive_error",
    "archive_failed_at",
    "archive_attempts",
    "archive_retry_at",
)


@dataclass(frozen=True, slots=True)
class Finished:
    """What finishing a call did."""

    journals: int
    recordings: int
    packets: int


def call_finish(call_id: UUID, *, waits: bool = True) -> Finished:
    """Make recordings of all sealed journals of a call on this node.

    Raises `NotYetError` while a socket of the call is open here and, unless it `waits`,
    `TakenError` while another process works on the call. Whatever else goes wrong
    (`RecordingError` if what was read back is not what was written, `JournalError` for
    a journal that cannot be read, `StorageFaultError` for a storage that is down or
    full) is told on the call, and the journals stay for the next run.
    """
    folder: Path = settings.JOURNAL_DIR
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder, call_id, waits=waits):
        return _finish_alone(call_id, folder)


def _finish_alone(call_id: UUID, folder: Path) -> Finished:
    journals = _journals(folder, call_id)
    if not journals:
        # Of a finisher that was killed behind its commit.
        shutil.rmtree(_work(folder, call_id), ignore_errors=True)
        _settle_without_journals(call_id)
        return Finished(0, 0, 0)
    try:
        _storage_ask(call_id)
        return _finish(call_id, folder, list(journals.values()))
    except NotYetError:
        raise
    except Exception as exc:
        # If it is the database that is down, nobody can be told on the call.
        with suppress(*DATABASE_AWAY):
            _fail(call_id, exc)
        raise


def _storage_ask(call_id: UUID) -> None:
    """Raise at once what would be raised at the end of the work, if it was before."""
    with suppress(*DATABASE_AWAY):
        if not Call.objects.filter(pk=call_id, archive_attempts__gt=0).exists():
            return
    storage_try()


def _fail(call_id: UUID, exc: Exception) -> None:
    """Tell on a call, and by an alarm, why it could not be finished.

    A storage that takes nothing is one alarm, not one for each call.
    """
    now, reason = timezone.now(), str(exc) or type(exc).__name__
    with transaction.atomic():
        call = Call.objects.select_for_update().filter(pk=call_id).first()
        if call is not None:
            call.archive_state = ArchiveState.FAILED
            call.archive_error = storable(reason, 500)
            call.archive_failed_at = now
            call.archive_attempts = (call.archive_attempts or 0) + 1
            call.archive_retry_at = retry_at(call.archive_attempts, now)
            call.save(update_fields=FAILED_FIELDS)
        if isinstance(exc, StorageFaultError):
            storage_refused(exc, at=now)
        else:
            recording_failed(call_id, reason, at=now)


def _work(folder: Path, call_id: UUID) -> Path:
    """Return where a call is assembled.

    It lies beside the journals: there is room for audio, and /tmp may be memory.
    """
    return folder / f"{WORK}{call_id}"


def _journals(folder: Path, call_id: UUID) -> dict[UUID, Path]:
    """Return the journals of a call by socket, without those in a recording already.

    Raises `NotYetError` if one is being written.
    """
    found: dict[UUID, Path] = {}
    headers: dict[UUID, JournalHeader] = {}
    for path in _perhaps_of(folder, call_id):
        # Unreadable headers are `recover`'s business; a journal may go meanwhile.
        with suppress(FileNotFoundError, JournalError), read(path) as journal:
            header = journal.header
            if header.call_id != call_id:
                continue
            if is_live(path):
                raise NotYetError(f"socket {header.connection_id} is still open")
            found[header.connection_id] = path
            headers[header.connection_id] = header
    # A finisher that died between its commit and the removal leaves such.
    kept = Connection.objects.filter(
        pk__in=found, journal_state=Connection.JournalState.KEPT
    )
    for socket in kept:
        path = found.pop(socket.pk)
        if stays(path, headers[socket.pk], socket):
            log.error("%s is back, and has been recorded from its copy", path.name)
        else:
            path.unlink(missing_ok=True)
    return found


def _perhaps_of(folder: Path, call_id: UUID) -> list[Path]:
    """Return the journals that may be a call's, in the order of their names.

    Thousands may wait here. Those whose rows are another call's need not be opened;
    others may have no row, or another name.
    """
    paths = sorted(folder.glob("*.journal"))
    of_others = Connection.objects.filter(pk__in=_ids(path.stem for path in paths))
    of_others = of_others.exclude(call_id=call_id)
    names = set(map(str, of_others.order_by().values_list("pk", flat=True)))
    return [path for path in paths if path.stem not in names]


def calls_half_tidied(folder: Path) -> set[UUID]:
    """Return calls of which a finisher left something that was killed near its end.

    Their recordings are committed, so nobody else would come back to them: journals
    that are in recordings, a scratch folder, a lock that nobody holds.
    """
    kept = Connection.objects.filter(
        pk__in=_ids(path.stem for path in folder.glob("*.journal")),
        journal_state=Connection.JournalState.KEPT,
    )
    calls = {socket.call_id for socket in kept if not _stays(socket, folder)}
    calls |= _ids(path.name[len(WORK) :] for path in folder.glob(f"{WORK}*"))
    calls |= _ids(path.stem for path in folder.glob(f"*{LOCK}"))
    return {call for call in calls if not is_locked(folder, call)}


def _stays(socket: Connection, folder: Path) -> bool:
    """Say whether the journal of a socket that is recorded is to be left alone."""
    path = folder / f"{socket.pk}.journal"
    with suppress(FileNotFoundError, JournalError), read(path) as journal:
        return stays(path, journal.header, socket)
    return True


def _ids(names: Iterable[str]) -> set[UUID]:
    """Return the ids among file names; what else lies there is not ours."""
    ids = set()
    for name in names:
        with suppress(ValueError):
            ids.add(UUID(name))
    return ids


def _settle_without_journals(call_id: UUID) -> None:
    """Say so if sockets of this node should have journals and have none."""
    sockets = Connection.objects.filter(call_id=call_id)
    waiting = sockets.filter(journal_state__in=UNFINISHED_JOURNALS)
    missing = waiting.filter(node=settings.NODE).update(journal_state=MISSING)
    call = Call.objects.filter(pk=call_id)
    if missing:
        log.error("call %s: %d journals are missing on this node", call_id, missing)
        words = f"{missing} journals are not on node {settings.NODE}"
        _fail(call_id, JournalError(words))
    elif Recording.objects.filter(call_id=call_id).exists():
        # What another node still has, or has failed at, is not done by this.
        if not sockets.filter(
            journal_state__in=(*UNFINISHED_JOURNALS, MISSING)
        ).exists():
            _finished_note(call)
        parts_remove(call_id)


def _finished_note(call: CallQuerySet) -> None:
    failed = list(call.filter(archive_state=ArchiveState.FAILED))
    call.update(
        archive_state=ArchiveState.FINISHED,
        archive_error="",
        archive_attempts=0,
        archive_retry_at=None,
    )
    for one in failed:
        recording_alarm_update(one.pk, at=timezone.now())


def _finish(call_id: UUID, folder: Path, paths: list[Path]) -> Finished:
    with ExitStack() as stack:
        scratch = stack.enter_context(_scratch(_work(folder, call_id)))
        work = Assembly(call_id, scratch, stack, is_text=all(map(_is_text, paths)))
        work.replay.run(paths)
        work.store()
    _tidy(call_id, paths)
    packets = sum(count.packets for count in work.replay.counts)
    log.info(
        "call %s: finished %d tracks, %d packets from %d journals",
        call_id,
        len(work.files),
        packets,
        len(paths),
    )
    return Finished(len(paths), len(work.files), packets)


def _tidy(call_id: UUID, paths: list[Path]) -> None:
    """Remove what is needless now that the recordings are committed.

    Whatever goes wrong here is no failure of the call: sweeps come back for what stays.
    """
    try:
        for path in paths:
            path.unlink(missing_ok=True)
        parts_remove(call_id)
        storage_worked(at=timezone.now())
    except Exception:
        log.exception("call %s: it is finished, and not all tidied up", call_id)


def _is_text(path: Path) -> bool:
    """Say whether a journal is of a transcription socket: no audio is in it."""
    with read(path) as journal:
        return journal.header.socket == "transcription"


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Make a folder for the work and remove it, also what a killed run left in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
