"""Celery tasks of the archive: thin, idempotent, ids only."""

import logging
from uuid import UUID

from celery import Task, shared_task
from django.utils import timezone

from calls.finishing import NotYetError, call_finish
from calls.recovery import archive_sweep

log = logging.getLogger(__name__)


@shared_task(name="calls.finish_call", bind=True, max_retries=30)
def finish_call(self: "Task[[str], None]", call_id: str) -> None:
    """Make a call's journals on this node into recordings.

    A socket of the call may still be closing: then again in two seconds. What fails
    for other reasons stays on disk and is told on the call.
    """
    try:
        call_finish(UUID(call_id))
    except NotYetError as exc:
        raise self.retry(countdown=2, exc=exc) from exc


@shared_task(name="calls.sweep_calls")
def sweep_calls() -> None:
    """Close what dead processes left open; finish what nobody finished."""
    archive_sweep(now=timezone.now())
