"""What a lost node had copied, as journals on this node: `recover --from-storage`.

Needs nothing but the storage: with the database gone too, calls are rebuilt from the
journals as `calls.journals.recovery` always does.
"""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings
from redis.exceptions import RedisError

from calls.journals.reading import JournalError, read
from calls.journals.rolling import FOLDER, Part, in_a_row, parts_of
from calls.live.ingest import live_processes
from calls.live.processes import FRESH_SECONDS, is_fresh, process_notes
from calls.models import Connection, IngestProcess
from calls.storage import recording_open, recordings_list

log = logging.getLogger(__name__)

HALF = ".rescued"


class NodeLivesError(Exception):
    """The node is not lost: processes of it live."""


@dataclass(frozen=True, slots=True)
class Rescued:
    """A journal that is here again, as far as it had been copied."""

    call_id: UUID
    connection_id: UUID
    size: int


def node_must_be_lost(node: str, now: datetime) -> None:
    """Raise `NodeLivesError` unless a node is long silent: its calls are its own.

    A worker may still finish what an ingest that has ended received, and has all of it.
    """
    since = now - timedelta(seconds=2 * settings.LEASE_SECONDS)
    lives = IngestProcess.objects.filter(
        node=node, stopped_at=None, renewed_at__gte=since
    )
    # By Redis's clock as well: by ours, if it is ahead, every lease has run out.
    if lives.exists() or _has_ingest(node):
        seconds = f"{2 * settings.LEASE_SECONDS:g}"
        raise NodeLivesError(
            f"an ingest process of {node} renews its lease. If it is one that has taken"
            f" its place and its name, stop its ingest, and try again in {seconds} s"
        )
    if _has_worker(node):
        raise NodeLivesError(
            f"a worker of {node} lives, and finishes what is there. If it is one that"
            f" has taken its place and its name, stop it, and try again in"
            f" {FRESH_SECONDS:g} s"
        )


def _has_ingest(node: str) -> bool:
    """Say whether an ingest process of a node shows itself in the live view."""
    with suppress(RedisError, OSError):
        return any(one["node"] == node for one in live_processes())
    return False


def _has_worker(node: str) -> bool:
    """Say whether somebody finishes the calls of a node."""
    try:
        notes = process_notes()
    except (RedisError, OSError) as exc:
        log.warning("nobody can say whether %s has a worker: %s", node, exc)
        return False
    return any(
        is_fresh(note)
        for note in notes
        if f"recordings.{node}" in note.get("queues", ())
    )


def journals_rescue(node: str, folder: Path) -> Iterator[Rescued]:
    """Fetch the copied journals of a lost node into `folder`, one by one.

    Passes over what is in recordings already, and what is here already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for call_id in _calls():
        for connection_id, parts in parts_of(call_id).items():
            path = folder / f"{connection_id}.journal"
            kept = Connection.objects.filter(
                pk=connection_id, journal_state=Connection.JournalState.KEPT
            )
            row = in_a_row(parts)
            if not row or path.exists() or kept.exists():
                continue
            if not _fetch(row, path, node):
                continue
            # From now on it is this node's to finish; its end is where the copy ends.
            Connection.objects.filter(pk=connection_id).update(node=settings.NODE)
            yield Rescued(call_id, connection_id, path.stat().st_size)


def _calls() -> list[UUID]:
    calls = []
    seen = set()
    for names in recordings_list(FOLDER):
        for name in names:
            call = name.split("/")[1]
            if call not in seen:
                seen.add(call)
                with suppress(ValueError):
                    calls.append(UUID(call))
    return calls


def _fetch(row: list[Part], path: Path, node: str) -> bool:
    """Put parts together in a file of their own, which gets its name when it is whole.

    False, and nothing is left, if it is no journal of that node.
    """
    half = path.with_name(f"{path.name}{HALF}")
    try:
        with half.open("wb") as file:
            for number, part in enumerate(row):
                with recording_open(part.name) as stored:
                    # Parts may overlap; what both have is the same.
                    stored.seek(file.tell() - part.start)
                    shutil.copyfileobj(stored, file, 1 << 20)
                file.flush()
                if number == 0 and not _is_of(half, node):
                    return False
            os.fsync(file.fileno())
        half.rename(path)
    finally:
        half.unlink(missing_ok=True)
    return True


def _is_of(path: Path, node: str) -> bool:
    try:
        with read(path) as journal:
            return journal.header.node == node
    except JournalError as exc:
        log.error("%s: not a journal: %s", path.name, exc)
        return False
