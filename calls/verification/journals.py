"""Whether every journal is where its row says, and every row has its journal.

Journals lie on the disk of the node that received them: only that node can look.
"""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings

from calls.journals.kept import has_more
from calls.journals.reading import JournalError, JournalHeader, is_live, read
from calls.journals.rolling import is_rescued
from calls.models import Call, Connection
from calls.models.sockets import UNFINISHED_JOURNALS
from calls.models.states import ArchiveState
from calls.verification.findings import About, Finding
from calls.verification.rows import CallRows

JournalState = Connection.JournalState
# Rows and files follow each other within seconds; before that nothing is amiss.
YOUNG = timedelta(minutes=5)


class NodeJournals:
    """The journals on this node's disk, as they were when verification began."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Header, or why it cannot be read.
        self.headers: dict[Path, JournalHeader | str] = {}
        for path in sorted(folder.glob("*.journal")):
            try:
                with read(path) as journal:
                    self.headers[path] = journal.header
            except FileNotFoundError:
                # Finished and removed since it was listed.
                continue
            except JournalError as exc:
                self.headers[path] = str(exc)
        self._of = {
            header.connection_id: path
            for path, header in self.headers.items()
            if isinstance(header, JournalHeader)
        }

    def path_of(self, connection_id: UUID) -> Path | None:
        """Return where the journal of a socket is at this moment, if it is here.

        Its header says whose it is, whatever its name is.
        """
        named = self.folder / f"{connection_id}.journal"
        for path in (named, self._of.get(connection_id)):
            if path and path.exists():
                return path
        return None


def sockets_verify(
    rows: CallRows, journals: NodeJournals, now: datetime
) -> Iterator[Finding]:
    """Yield sockets without their journals, and what of a call is not finished."""
    for socket in rows.connections:
        about = About(rows.call.pk, "socket", str(socket.pk))
        if socket.journal_state == JournalState.MISSING:
            words = f"its journal is lost, with {socket.packets} packets"
            yield about.error("journal-missing", words)
        elif socket.journal_state in UNFINISHED_JOURNALS:
            yield from _unfinished(socket, rows.call, journals, now)
    yield from _state(rows)


def _unfinished(
    socket: Connection, call: Call, journals: NodeJournals, now: datetime
) -> Iterator[Finding]:
    about = About(call.pk, "socket", str(socket.pk))
    is_here = socket.node == settings.NODE
    path = journals.path_of(socket.pk)
    if is_here and path is None:
        if now - (socket.closed_at or socket.opened_at) > YOUNG:
            words = f"its journal, with {socket.packets} packets, is not on this node"
            yield about.error("journal-missing", words)
        return
    if call.is_live:
        # All journals of a call wait until it is over.
        return
    if socket.closed_at is None:
        yield from _open(call, about, now, path)
    elif is_here:
        yield about.pending("not-finished", "its journal is not in a recording yet")
    else:
        words = f"its journal is not in a recording yet; only {socket.node} can look"
        yield about.pending("not-finished", words)


def _open(
    call: Call, about: About, now: datetime, path: Path | None
) -> Iterator[Finding]:
    grace = timedelta(seconds=settings.FINISH_GRACE) + YOUNG
    is_late = call.ended_at is not None and now - call.ended_at > grace
    if is_late and not (path and is_live(path)):
        words = "it is called open, long after its call ended"
        yield about.error("socket-open", words)
    else:
        yield about.pending("not-finished", "it is open although its call has ended")


def _state(rows: CallRows) -> Iterator[Finding]:
    """Compare the call's own word on its archive with its sockets."""
    about, state = About(rows.call.pk, "", ""), rows.call.archive_state
    is_lost = any(one.journal_state == "missing" for one in rows.connections)
    if state == ArchiveState.FAILED and not is_lost:
        words = f"finishing failed and is tried again: {rows.call.archive_error}"
        yield about.error("finishing-failed", words)
    waits = state in (ArchiveState.LIVE, ArchiveState.PENDING)
    if waits and not rows.unfinished:
        words = f"its archive is called {state}, and every journal is in a recording"
        yield about.error("archive-state", words)
    if rows.unfinished and state in (ArchiveState.NONE, ArchiveState.FINISHED):
        words = (
            f"its archive is called {state}, and {len(rows.unfinished)} journals wait"
        )
        yield about.error("archive-state", words)


def journals_verify(
    journals: NodeJournals,
    now: datetime,
    *,
    is_quick: bool,
    calls: Collection[UUID] = (),
) -> Iterator[Finding]:
    """Yield what is wrong with the journals that no process writes on this node.

    `calls` limits it to theirs. Quick does not read them through.
    """
    for path, header in journals.headers.items():
        try:
            if is_live(path) or (calls and not _is_of(header, calls)):
                continue
            if isinstance(header, str):
                yield _unreadable(path, header, now)
                continue
            yield from _known(path, header, now)
            if not is_quick:
                yield from _through(path, header)
        except FileNotFoundError:
            # Finished and removed meanwhile.
            continue


def _is_of(header: JournalHeader | str, calls: Collection[UUID]) -> bool:
    return isinstance(header, JournalHeader) and header.call_id in calls


def _is_young(path: Path, now: datetime) -> bool:
    return now - datetime.fromtimestamp(path.stat().st_mtime, tz=UTC) < YOUNG


def _unreadable(path: Path, error: str, now: datetime) -> Finding:
    about = About(None, "journal", path.name)
    if _is_young(path, now):
        return about.pending("journal-unreadable", f"it cannot be read yet: {error}")
    return about.error("journal-unreadable", f"it cannot be read: {error}")


def _known(path: Path, header: JournalHeader, now: datetime) -> Iterator[Finding]:
    """Compare a journal that is here with the row of its socket."""
    about = About(header.call_id, "journal", path.name)
    row = Connection.objects.filter(pk=header.connection_id).first()
    if row is None:
        if _is_young(path, now):
            yield about.pending("journal-unknown", "no row knows it yet")
        else:
            words = "no row knows it: `manage.py recover` makes its recording"
            yield about.error("journal-unknown", words)
    elif row.call_id != header.call_id:
        words = f"it is of another call than its socket, which is of {row.call_id}"
        yield about.error("journal-call", words)
    elif row.journal_state == JournalState.MISSING:
        words = "its row says that it is lost: `manage.py recover` brings it back"
        yield about.error("journal-found", words)
    elif row.journal_state == JournalState.KEPT:
        yield from _recorded(path, header, row)


def _recorded(path: Path, header: JournalHeader, row: Connection) -> Iterator[Finding]:
    """Say why a journal is here although it has been recorded."""
    about = About(header.call_id, "journal", path.name)
    if is_rescued(row, header):
        words = (
            f"{row.node} made its recording from a copy, when this node was lost: it"
            " may have more; it is left for somebody to decide"
        )
        yield about.error("journal-rescued", words)
    elif has_more(path, row):
        words = (
            "its recording was made from a copy that had less: it is left for somebody"
            " to decide"
        )
        yield about.error("journal-more", words)
    elif path.exists():
        words = "its audio is in a recording already: `manage.py recover` removes it"
        yield about.error("journal-left", words)


def _through(path: Path, header: JournalHeader) -> Iterator[Finding]:
    """Read a journal through."""
    about = About(header.call_id, "journal", path.name)
    with read(path) as journal:
        damage = journal.damage
        if damage and journal.readable_after(journal.valid_bytes):
            yield about.error("journal-damaged", damage)
        elif damage:
            yield about.pending("journal-torn", f"its end is torn: {damage}")
        elif journal.sealed is None:
            words = "it has no seal: its process died"
            yield about.pending("journal-torn", words)
        elif journal.sealed.sync_failures:
            words = "the disk once did not confirm what it had taken"
            yield about.pending("journal-unsynced", words)
