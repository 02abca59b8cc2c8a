"""Journals that the rows do not tell of: they get their row, and sweeps do the rest.

A socket that opened and closed while the database was away, and whose process did not
live to write what it had in memory, is known to its journal alone. And a journal that
could not be found (a disk that was not mounted) may be there again.
"""

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from django.conf import settings

from calls.drafts import ArchiveBatch
from calls.journals.reading import JournalError, JournalHeader, is_live, read
from calls.journals.walk import header_draft
from calls.models import Call, Connection
from calls.models.states import ArchiveState
from calls.services import batch_store

log = logging.getLogger(__name__)

# In one sweep; the next one goes on.
MOST: Final = 200


def strays_adopt(folder: Path, now: datetime) -> int:
    """Have rows tell of every journal of this node; return of how many they did not.

    A journal that is being written is left alone, and so is one that was a moment ago:
    its row may be on its way. Journals with another node's name in them are not ours to
    judge, since its locks cannot be seen here: `recover` takes those.
    """
    adopted = 0
    for path, is_known in _strays(folder, now):
        if adopted == MOST:
            break
        try:
            adopted += _found_again(path, now) if is_known else _adopt(path)
        except Exception:
            # One journal's trouble must not keep the others from being finished.
            log.exception("%s: cannot be given a row", path.name)
    return adopted


def _strays(folder: Path, now: datetime) -> Iterator[tuple[Path, bool]]:
    """Yield journals at rest that no row tells of, and whether a row misses them."""
    paths = dict(_named(folder))
    rows = Connection.objects.filter(pk__in=paths)
    states = dict(rows.values_list("pk", "journal_state"))
    missing = Connection.JournalState.MISSING
    for key, path in paths.items():
        is_stray = states.get(key, missing) == missing
        if is_stray and _is_at_rest(path, now):
            yield path, key in states


def _named(folder: Path) -> Iterator[tuple[UUID, Path]]:
    for path in sorted(folder.glob("*.journal")):
        # What has another name was put there by hand.
        with suppress(ValueError):
            yield UUID(path.stem), path


def _is_at_rest(path: Path, now: datetime) -> bool:
    with suppress(FileNotFoundError):
        age = now.timestamp() - path.stat().st_mtime
        return age > settings.FINISH_GRACE and not is_live(path)
    return False


def _adopt(path: Path) -> bool:
    header = _header(path)
    if header is None or header.node != settings.NODE:
        return False
    written_at = datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
    log.warning("call %s: %s had no row", header.call_id, path.name)
    # What came over it is told when it is read: a journal is long.
    draft = replace(
        header_draft(header),
        closed_at=max(written_at, header.opened_at),
        close_reason="nobody wrote down how it ended",
        is_torn=True,
    )
    batch_store(ArchiveBatch(connections=[draft]))
    return True


def _found_again(path: Path, now: datetime) -> bool:
    """Let a journal that was called missing be finished: it is here."""
    header = _header(path)
    if header is None:
        return False
    row = Connection.objects.filter(
        pk=header.connection_id,
        node=settings.NODE,
        journal_state=Connection.JournalState.MISSING,
    )
    if not row.update(journal_state=Connection.JournalState.TORN):
        return False
    log.warning("call %s: %s is here again", header.call_id, path.name)
    # It failed because of that; it need not wait any more.
    Call.objects.filter(pk=header.call_id, archive_state=ArchiveState.FAILED).update(
        archive_retry_at=now
    )
    return True


def _header(path: Path) -> JournalHeader | None:
    """Return whose a journal is; None if it is gone or cannot tell."""
    with suppress(FileNotFoundError, JournalError), read(path) as journal:
        return journal.header
    return None
