"""What a dead process left: open sockets, unsealed journals, unfinished calls.

`journals_recover` needs nothing but the journals: with the database gone it rebuilds
calls, participants, tracks and chunks from them. `archive_sweep` runs every few
seconds and needs nobody to call it; it gives journals that have no row one.
"""

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, cast
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from redis.exceptions import RedisError

from calls.broker import task_send
from calls.finishing import Finished, NotYetError, call_finish, calls_half_tidied
from calls.finishing_queue import call_finish_here, call_finish_soon
from calls.journals.losses import call_losses, lost_seconds
from calls.journals.reading import is_live, scan
from calls.journals.rolling import rolling_sweep
from calls.journals.strays import strays_adopt
from calls.live.ingest import live_processes, redis_sync
from calls.live.processes import is_fresh, process_notes
from calls.models import Call, Connection, IngestProcess
from calls.models.sockets import UNFINISHED_JOURNALS
from calls.models.states import LIVE_STATES, ArchiveState
from calls.services import calls_end_without_word, socket_lose
from calls.utterances import utterances_sweep

log = logging.getLogger(__name__)

# For what failed before calls said when to try again.
FAILED_AGAIN_SECONDS = 600
# Calls that one sweep asks recordings for, and that may wait in the queue of a node.
MOST: Final = 200
# What the queues of nodes are called.
RECORDINGS: Final = "recordings."
# So long a process that ended is listed.
PROCESSES_KEPT: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of one call (or of one file that is no journal)."""

    call_id: UUID | None
    journals: int
    packets: int
    recordings: int
    problem: str = ""
    # A socket of the call is open: nothing is wrong, and nothing was done.
    is_live: bool = False
    # Journals of the call that ended without a seal, these and earlier ones.
    torn: int = 0
    # What is missing behind them, on the track that misses most; None: not known.
    lost_seconds: float | None = None

    @property
    def is_ok(self) -> bool:
        """Say whether everything readable is in verified recordings, or will be."""
        return not self.problem or self.is_live


def journals_recover(folder: Path) -> Iterator[Recovered]:
    """Finish every call whose journals nobody writes any more, one by one.

    A call that also has a live journal is left alone: it is not over.
    """
    calls: dict[UUID, int] = {}
    for found in scan(folder):
        if found.header is None:
            yield Recovered(None, 1, 0, 0, f"{found.path.name}: {found.error}")
        else:
            calls[found.header.call_id] = calls.get(found.header.call_id, 0) + 1
    for call_id, journals in calls.items():
        try:
            done = call_finish(call_id)
        except NotYetError as exc:
            yield Recovered(call_id, journals, 0, 0, f"not yet: {exc}", is_live=True)
        except Exception as exc:
            # One call's trouble must not keep the others from being recovered.
            log.exception("call %s: cannot be recovered", call_id)
            problem = str(exc) or type(exc).__name__
            yield Recovered(call_id, journals, 0, 0, problem)
        else:
            yield _recovered(call_id, done)


def _recovered(call_id: UUID, done: Finished) -> Recovered:
    torn = Connection.objects.filter(
        call_id=call_id, journal_end=Connection.JournalEnd.TORN
    ).count()
    lost = lost_seconds(loss for loss in call_losses(call_id) if loss.is_end)
    return Recovered(
        call_id,
        done.journals,
        done.packets,
        done.recordings,
        torn=torn,
        lost_seconds=lost if torn else 0.0,
    )


def archive_sweep(*, now: datetime) -> None:
    """Close what dead processes left open, then finish what can be finished.

    What lies on a node's disk is looked after by that node (`node_sweep`).
    """
    for process in _dead_processes(now):
        sockets_close(process, now=now)
    IngestProcess.objects.filter(stopped_at__lt=now - PROCESSES_KEPT).delete()
    utterances_sweep(now)
    # Before calls end and are finished: both go by rows.
    node_sweep(now)
    for node in _nodes_with_workers() - {settings.NODE}:
        transaction.on_commit(partial(_sweep_on, node))
    calls_end_without_word(now=now)
    _finish_soon(_unfinished(now))
    # Last: it may wait for the storage.
    rolling_sweep(now)


def node_sweep(now: datetime) -> None:
    """Find what lies on this node's disk and no row leads to."""
    strays_adopt(settings.JOURNAL_DIR, now)
    for call_id in calls_half_tidied(settings.JOURNAL_DIR):
        call_finish_here(call_id)


def _nodes_with_workers() -> set[str]:
    """Return the nodes whose recordings somebody makes: others take no tasks."""
    with suppress(RedisError, OSError):
        return {
            queue.removeprefix(RECORDINGS)
            for note in process_notes()
            if is_fresh(note)
            for queue in note.get("queues", ())
            if queue.startswith(RECORDINGS)
        }
    return set()


def _sweep_on(node: str) -> None:
    from calls.finishing_tasks import sweep_node  # that module imports this one

    task_send(sweep_node, queue=f"{RECORDINGS}{node}")


def _finish_soon(calls: list[UUID]) -> None:
    """Ask for recordings, but not on nodes that do not take what waits for them.

    A node that is lost, or has no worker, must not fill Redis.
    """
    sockets = Connection.objects.filter(
        call_id__in=calls, journal_state__in=UNFINISHED_JOURNALS
    )
    nodes = set(sockets.order_by().values_list("node", flat=True))
    full: list[str] = []
    # Redis is away: then nothing can be sent either.
    with suppress(RedisError, OSError):
        full = [node for node in nodes if recordings_waiting(node) >= MOST]
    for call_id in calls:
        call_finish_soon(call_id, but_on=full)


def recordings_waiting(node: str) -> int:
    """Return how many tasks nobody has taken from a node's queue yet."""
    with redis_sync() as client:
        return cast(int, client.llen(f"{RECORDINGS}{node}"))


def _dead_processes(now: datetime) -> list[IngestProcess]:
    """Return processes that are over and whose sockets are not.

    Their leases ran out; or they left, and could not say so of each socket; or they
    died before they ever wrote a lease.
    """
    expired = now - timedelta(seconds=settings.LEASE_SECONDS)
    silent = IngestProcess.objects.filter(stopped_at=None, renewed_at__lt=expired)
    sockets = Connection.objects.filter(closed_at=None, opened_at__lt=expired)
    owners = sockets.order_by("opened_at").values_list(
        "process_id", "node", "opened_at"
    )
    of_sockets = IngestProcess.objects.filter(
        pk__in=sockets.order_by().values("process_id")
    )
    known = {process.pk: process for process in of_sockets}
    dead = {process.pk: process for process in silent}
    for process_id, node, opened_at in owners:
        process = known.get(process_id) if process_id else None
        if process is None:
            process = IngestProcess(id=process_id, node=node, renewed_at=opened_at)
        elif process.stopped_at is None:
            continue
        dead.setdefault(process.pk, process)
    return list(dead.values())


def sockets_close(process: IngestProcess, *, now: datetime) -> int:
    """Close the sockets of a dead process; return how many there were.

    A process that only lost the database still holds the locks on its journals; its
    sockets are left alone. That can be seen on its own node only, so other nodes'
    processes get ten times as long, and for ever while the live view has them: their
    clocks may be far behind ours.
    """
    is_here = process.node == settings.NODE
    far = timedelta(seconds=10 * settings.LEASE_SECONDS)
    if not is_here and (now - process.renewed_at < far or _is_shown(process)):
        return 0
    sockets = Connection.objects.filter(process_id=process.pk, closed_at=None)
    if is_here and any(is_live(_journal(socket)) for socket in sockets):
        return 0
    lost = sum(
        socket_lose(socket, at=max(process.renewed_at, socket.opened_at))
        for socket in sockets
    )
    IngestProcess.objects.filter(pk=process.pk, stopped_at=None).update(
        stopped_at=now, streams=0
    )
    log.error(
        "ingest process %s of node %s is dead: %d sockets closed",
        process.pk,
        process.node,
        lost,
    )
    return lost


def _is_shown(process: IngestProcess) -> bool:
    """Say whether a process shows itself in the live view, by Redis's clock."""
    with suppress(RedisError, OSError):
        return any(one["process"] == str(process.pk) for one in live_processes())
    return False


def _journal(socket: Connection) -> Path:
    folder: Path = settings.JOURNAL_DIR
    return folder / f"{socket.pk}.journal"


def _unfinished(now: datetime) -> list[UUID]:
    """Return calls with journals to finish: ended, or long without a socket.

    Not all at once, and first those that have waited for longest to be asked for.
    What failed is tried again after a while, for ever: its audio is in journals, and
    whatever refused it (a storage that was down, a full disk) may have been mended.
    """
    quiet = now - timedelta(seconds=settings.FINISH_GRACE)
    waiting = Call.objects.filter(
        (
            Q(archive_state__in=(ArchiveState.LIVE, ArchiveState.PENDING))
            & (Q(archive_retry_at=None) | Q(archive_retry_at__lte=now))
        )
        | Q(archive_state=ArchiveState.FAILED, archive_retry_at__lte=now)
        | Q(
            archive_state=ArchiveState.FAILED,
            archive_retry_at=None,
            archive_failed_at__lt=now - timedelta(seconds=FAILED_AGAIN_SECONDS),
        )
    )
    journals = Connection.objects.filter(
        call_id=OuterRef("pk"), journal_state__in=UNFINISHED_JOURNALS
    )
    waiting = waiting.exclude(connections__closed_at=None).filter(Exists(journals))
    is_quiet = ~Q(connections__closed_at__gt=quiet)
    waiting = waiting.filter(~Q(state__in=LIVE_STATES) | is_quiet)
    due = waiting.order_by(F("archive_retry_at").asc(nulls_first=True), "pk")
    return list(due.values_list("pk", flat=True)[:MOST])
