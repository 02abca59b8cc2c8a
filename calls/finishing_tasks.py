"""Celery tasks of the archive: thin, idempotent, ids only."""

import logging
from uuid import UUID

from celery import Task, shared_task
from django.utils import timezone

from calls.finishing import NotYetError, call_finish
from calls.finishing_queue import ASKED_SECONDS
from calls.journals.locks import TakenError
from calls.journals.recovery import archive_sweep, node_sweep
from calls.journals.rolling import journals_roll
from calls.storage_faults import StorageFaultError

log = logging.getLogger(__name__)


# A task that waited so long is dropped: the sweep has sent it again.
@shared_task(name="calls.finish_call", bind=True, max_retries=30, expires=ASKED_SECONDS)
def finish_call(self: "Task[[str], None]", call_id: str) -> None:
    """Make a call's journals on this node into recordings.

    A socket of the call may still be closing: then again in two seconds. What fails
    for other reasons stays on disk and is told on the call, with when to try again: the
    sweep does, whatever became of this task, this worker and Redis.
    """
    try:
        call_finish(UUID(call_id), waits=False)
    except TakenError:
        # Who has it does the same; if that fails, the sweep comes back.
        return
    except NotYetError as exc:
        raise self.retry(countdown=2, exc=exc) from exc
    except StorageFaultError as exc:
        log.error("call %s: cannot be stored: %s", call_id, exc)
    except Exception:
        # A task's edge: every reason is told on the call and worth another try.
        log.exception("call %s: finishing failed", call_id)


@shared_task(name="calls.sweep_calls")
def sweep_calls() -> None:
    """Close what dead processes left open; finish what nobody finished."""
    archive_sweep(now=timezone.now())


# Sent every ten seconds, as the next one.
@shared_task(name="calls.sweep_node", ignore_result=True, expires=30)
def sweep_node() -> None:
    """Find what lies on this node's disk and no row leads to."""
    node_sweep(timezone.now())


# Swept every ten seconds: what waited longer has been sent again.
@shared_task(name="calls.roll_journals", ignore_result=True, expires=30)
def roll_journals() -> None:
    """Copy this node's journals that are due to the storage."""
    journals_roll(timezone.now())
