"""Rolling upload: what calls receive is copied to the storage while they run.

A part is a stretch of a journal's bytes, stored as
`rolling/<call>/<connection>/<start>-<end>` (twelve digits each, `end` not included) and
compared with the disk when it is there. A journal only grows, its header says whose it
is, and each record has a checksum: parts in a row are a journal, torn where the last of
them ends. `calls.journals.rescue` makes journals of them again: a lost node costs what
it had not copied yet.

The worker of the node copies, never ingest. Rows say when a journal was last copied;
what is stored says itself how far. Parts go once the recording they were a copy of is
verified and committed.
"""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone

from calls.alarms.storing import storage_refused, storage_worked
from calls.broker import task_send
from calls.journals.locks import TakenError, alone, alone_at
from calls.journals.reading import JournalHeader
from calls.models import Connection, IngestProcess
from calls.models.sockets import UNFINISHED_JOURNALS
from calls.storage import (
    StorageFaultError,
    is_beside,
    recording_delete,
    recording_save,
    recordings_list,
)

log = logging.getLogger(__name__)

FOLDER: Final = "rolling"
ID: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
PART_NAME: Final = re.compile(
    rf"{FOLDER}/{ID}/(?P<socket>{ID})/[0-9]{{12,}}-[0-9]{{12,}}"
)
# After a fault, whatever the interval is.
AGAIN: Final = timedelta(seconds=30)
# The largest part: so much memory at a time, and so much again after a fault.
PART_BYTES: Final = 8 << 20


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """One stored stretch of a journal."""

    start: int
    end: int
    name: str


def rolls() -> bool:
    """Say whether journals are copied: not onto the disk that they are on already."""
    folder: Path = settings.JOURNAL_DIR
    return bool(settings.ROLLING_MINUTES) and not (
        folder.exists() and is_beside(folder)
    )


def journals_due(now: datetime) -> list[Connection]:
    """Return the sockets of all nodes whose journals have not been copied for so long.

    Open ones first. Those that wait to be finished follow: that a recording cannot be
    made is no reason to have its audio on one disk only.
    """
    due = now - _interval()
    sockets = Connection.objects.filter(journal_state__in=UNFINISHED_JOURNALS)
    return list(
        sockets.alias(copied_at=Coalesce("rolled_at", "opened_at"))
        .filter(copied_at__lte=due)
        .order_by(F("closed_at").asc(nulls_first=True), "copied_at")
    )


def _interval() -> timedelta:
    return timedelta(minutes=settings.ROLLING_MINUTES)


def rolling_sweep(now: datetime) -> None:
    """Have the nodes copy what is due, and remove the parts nobody needs any more."""
    if not settings.ROLLING_MINUTES:
        return
    due = {socket.node for socket in journals_due(now)}
    for node in due & _nodes_alive(now):
        transaction.on_commit(partial(_roll_on, node))
    kept = Connection.objects.filter(
        journal_state=Connection.JournalState.KEPT, rolled_at__isnull=False
    )
    for call_id in set(kept.order_by().values_list("call_id", flat=True)):
        if not parts_remove(call_id):
            # A storage that does not answer is not asked once for each call.
            return


def _nodes_alive(now: datetime) -> set[str]:
    """Return the nodes somebody works on: nobody takes from the queues of others."""
    since = now - timedelta(seconds=10 * settings.LEASE_SECONDS)
    alive = IngestProcess.objects.filter(stopped_at=None, renewed_at__gte=since)
    return {settings.NODE, *alive.values_list("node", flat=True)}


def _roll_on(node: str) -> None:
    from calls.finishing_tasks import roll_journals  # that module imports this one

    task_send(roll_journals, queue=f"recordings.{node}")


def journals_roll(now: datetime) -> int:
    """Copy the journals of this node that are due; return how many bytes that were.

    A storage that refuses is told by the alarm, and tried again when next it is due.
    """
    if not rolls():
        return 0
    folder: Path = settings.JOURNAL_DIR
    folder.mkdir(parents=True, exist_ok=True)
    # Another worker is at it; what is due is so again in ten seconds.
    with suppress(TakenError), alone_at(folder / ".rolling", waits=False):
        return _roll_all(now)
    return 0


def _roll_all(now: datetime) -> int:
    copied = 0
    try:
        for socket in journals_due(now):
            if socket.node == settings.NODE:
                copied += _roll(socket, now)
    except StorageFaultError as exc:
        log.error("journals cannot be copied: %s", exc)
        storage_refused(exc, at=timezone.now())
        return copied
    if copied:
        storage_worked(at=timezone.now())
    return copied


def _roll(socket: Connection, now: datetime) -> int:
    folder: Path = settings.JOURNAL_DIR
    path = folder / f"{socket.pk}.journal"
    row = Connection.objects.filter(pk=socket.pk, journal_state__in=UNFINISHED_JOURNALS)
    # Finishing does better; what is finished, or was never here, has no file.
    with (
        suppress(TakenError, FileNotFoundError),
        alone(folder, socket.call_id, waits=False),
    ):
        size = path.stat().st_size
        # First the row: whoever removes parts goes by it.
        if not row.update(rolled_at=now):
            return 0
        try:
            start = stored_bytes(parts_of(socket.call_id, socket.pk))
            for at in range(start, size, PART_BYTES):
                reached = _copy(path, socket, at, min(at + PART_BYTES, size))
                row.update(rolled_bytes=reached)
        except OSError:
            row.update(rolled_at=now - _interval() + AGAIN)
            raise
        return max(size - start, 0)
    return 0


def _copy(path: Path, socket: Connection, start: int, end: int) -> int:
    with path.open("rb") as journal:
        content = os.pread(journal.fileno(), end - start, start)
    end = start + len(content)
    name = part_name(socket.call_id, socket.pk, start, end)
    recording_save(name, BytesIO(content))
    return end


def part_name(call_id: UUID, connection_id: UUID, start: int, end: int) -> str:
    """Return what a stretch of a journal is stored as."""
    return f"{FOLDER}/{call_id}/{connection_id}/{start:012}-{end:012}"


def parts_of(
    call_id: UUID, connection_id: UUID | None = None
) -> dict[UUID, list[Part]]:
    """Return the stored parts of a call by socket, or those of one of its sockets."""
    within = f"{FOLDER}/{call_id}" + (f"/{connection_id}" if connection_id else "")
    found: dict[UUID, list[Part]] = {}
    for name in _names(within):
        if socket := socket_of(name):
            start, end = map(int, name.rsplit("/", 1)[1].split("-"))
            found.setdefault(socket, []).append(Part(start, end, name))
    return {socket: sorted(parts) for socket, parts in found.items()}


def socket_of(name: str) -> UUID | None:
    """Return whose journal a stored file is a part of; None if it is no part."""
    named = PART_NAME.fullmatch(name)
    return UUID(named["socket"]) if named else None


def _names(within: str) -> Iterator[str]:
    for names in recordings_list(within):
        yield from names


def in_a_row(parts: list[Part]) -> list[Part]:
    """Return the parts that make the longest beginning of a journal.

    A worker that died between a part and its row, or two that copied, leave parts that
    overlap: of those that go on from here, the longest.
    """
    row: list[Part] = []
    reached = 0
    while True:
        ahead = [one for one in parts if one.start <= reached < one.end]
        if not ahead:
            return row
        row.append(max(ahead, key=lambda one: one.end))
        reached = row[-1].end


def stored_bytes(found: dict[UUID, list[Part]]) -> int:
    """Return how much of the one journal in `found` is stored without a hole."""
    return max(
        (in_a_row(parts)[-1].end for parts in found.values() if in_a_row(parts)),
        default=0,
    )


def parts_remove(call_id: UUID, *, is_sure: bool = False) -> bool:
    """Remove the parts of a call's journals that are in verified recordings.

    False if the storage does not let them go: the sweep tries again. `is_sure`: there
    are parts, whatever the rows say.
    """
    try:
        _parts_remove(call_id, is_sure=is_sure)
    except OSError as exc:
        log.warning("call %s: parts stay for now: %s", call_id, exc)
        return False
    except Exception:
        # Every storage has errors of its own, and what is finished stays so.
        log.exception("call %s: parts stay for now", call_id)
        return False
    return True


def _parts_remove(call_id: UUID, *, is_sure: bool) -> None:
    kept = Connection.objects.filter(
        call_id=call_id, journal_state=Connection.JournalState.KEPT
    )
    if not is_sure:
        kept = kept.filter(rolled_at__isnull=False)
    for connection_id in list(kept.values_list("pk", flat=True)):
        for parts in parts_of(call_id, connection_id).values():
            for part in parts:
                recording_delete(part.name)
        Connection.objects.filter(pk=connection_id).update(
            rolled_at=None, rolled_bytes=0
        )


def is_rescued(socket: Connection, header: JournalHeader) -> bool:
    """Say whether another node made the recording, from the copy of this journal.

    The journal that comes back with the node may have more than the copy had.
    """
    return socket.node not in (header.node, settings.NODE)
