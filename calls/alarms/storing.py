"""The alarm about a storage that takes no recordings, as this node sees it."""

from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from calls.alarms.kinds import WEIGHTS, Kind, storage_key
from calls.alarms.store import alarms_clear, alarms_close, alarms_store
from calls.backlog import storage_backlog
from calls.drafts import AlarmDraft
from calls.models.alarm import Alarm
from calls.storage_faults import StorageFaultError

WORKS_AGAIN: Final = "The storage takes recordings again."


def storage_refused(fault: StorageFaultError, *, at: datetime) -> None:
    """Raise the alarm of this node, or let it tell what is wrong now."""
    node = settings.NODE
    key = storage_key(node)
    lasting = Alarm.objects.lasting().filter(key=key).first()
    since = lasting.opened_at if lasting else at
    waiting = storage_backlog().calls
    words = (
        f"Recordings cannot be stored: {fault.words}. {fault.advice} Nothing is lost:"
        f" {waiting} {'call waits' if waiting == 1 else 'calls wait'}, and the audio"
        " stays in journals and is tried again by itself."
    )
    draft = AlarmDraft(
        key=key,
        kind=Kind.STORAGE,
        severity=WEIGHTS[Kind.STORAGE],
        call_id=None,
        node=node,
        words=words,
        raised_at=since,
        since=since,
        seen_at=at,
    )
    with transaction.atomic():
        alarms_store([draft])


def storage_worked(*, at: datetime) -> None:
    """End and close the alarm of this node, if there is one."""
    alarm = Q(key=storage_key(settings.NODE))
    if not Alarm.objects.unclosed().filter(alarm).exists():
        return
    alarms_clear(alarm, at=at)
    alarms_close(alarm, at=at, reason=WORKS_AGAIN)
