"""Asking for the recordings of a call, on the nodes where its journals lie."""

from collections.abc import Collection
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from calls.broker import task_send
from calls.models import Call, Connection
from calls.models.sockets import UNFINISHED_JOURNALS
from calls.models.states import ArchiveState

# A worker that was asked for recordings so long ago is asked again.
ASKED_SECONDS = 120


def call_finish_soon(call_id: UUID, *, but_on: Collection[str] = ()) -> None:
    """Have a call's journals made into recordings, on the nodes where they lie.

    Queued after commit. If the broker is down, `calls.sweep_calls` finds the call; so
    it does what nobody took from the queue, but not every ten seconds. Nodes `but_on`
    which too much waits already are asked another time.
    """
    journals = Connection.objects.filter(
        call_id=call_id, journal_state__in=UNFINISHED_JOURNALS
    )
    nodes = set(journals.order_by().values_list("node", flat=True))
    if not nodes:
        return
    wait = min(settings.FINISH_GRACE, ASKED_SECONDS)
    Call.objects.filter(pk=call_id).update(
        archive_state=ArchiveState.PENDING,
        archive_retry_at=timezone.now() + timedelta(seconds=wait),
    )
    for node in nodes.difference(but_on):
        transaction.on_commit(partial(_finish_on, node, call_id))


def call_finish_here(call_id: UUID) -> None:
    """Have a worker of this node look after what lies here of a call."""
    transaction.on_commit(partial(_finish_on, settings.NODE, call_id))


def _finish_on(node: str, call_id: UUID) -> None:
    from calls.finishing_tasks import finish_call  # that module imports this one

    if not task_send(finish_call, str(call_id), queue=f"recordings.{node}"):
        Call.objects.filter(pk=call_id, archive_state=ArchiveState.PENDING).update(
            archive_retry_at=None
        )
