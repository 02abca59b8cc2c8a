"""Celery tasks of the archive: thin, idempotent, ids only."""

import logging
from uuid import UUID

from celery import Task, shared_task
from django.utils import timezone

from calls.finishing import NotYetError, call_finish
from calls.recovery import archive_sweep

log = logging.getLogger(__name__)

RETRY_SECONDS = 60


# A task that waited so long is dropped: the sweep has sent it again.
@shared_task(name="calls.finish_call", bind=True, max_retries=30, expires=120)
def finish_call(self: "Task[[str], None]", call_id: str) -> None:
    """Make a call's journals on this node into recordings.

    A socket of the call may still be closing: then again in two seconds. What fails
    for other reasons stays on disk, is told on the call, and is tried again later: a
    storage that is down comes back.
    """
    try:
        call_finish(UUID(call_id))
    except NotYetError as exc:
        raise self.retry(countdown=2, exc=exc) from exc
    except Exception as exc:
        # A task's edge: every reason is told on the call and worth another try.
        log.exception("call %s: finishing failed", call_id)
        later, latest = RETRY_SECONDS, 3 * RETRY_SECONDS
        raise self.retry(countdown=later, expires=latest, exc=exc) from exc


@shared_task(name="calls.sweep_calls")
def sweep_calls() -> None:
    """Close what dead processes left open; finish what nobody finished."""
    archive_sweep(now=timezone.now())
