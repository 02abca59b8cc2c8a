"""Notes the ends that nobody was left to note.

A web process that is killed ends the listening and speaking of everybody it serves, and
notes nothing. A worker sees it: what was begun, has no end on the log, and goes on
nowhere, is over.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

import redis
from django.conf import settings

from calls.live.listeners import listenings
from calls.models import AuditAction, AuditEntry
from calls.models.audit import SYSTEM

# Whose end has not been noted for so long is looked for no more.
LOOKED_BACK = timedelta(days=1)
# The first sign of life of a listening may take this long.
SETTLE = timedelta(seconds=60)

log = logging.getLogger(__name__)


def ends_note(now: datetime) -> int:
    """Note the ends of listening and speaking that were not; return how many."""
    return _listening_end(now) + _speaking_end(now)


def _listening_end(now: datetime) -> int:
    try:
        # Before the log is read: whoever ends notes it and then leaves Redis.
        going_on = listenings()
    except (redis.RedisError, OSError) as exc:
        log.warning("who stopped listening is not known: %s", type(exc).__name__)
        return 0
    if going_on is None:
        return 0
    begun = _open(
        AuditAction.LISTENING_STARTED,
        AuditAction.LISTENING_ENDED,
        "listening",
        until=now - SETTLE,
    )
    return _end(
        AuditAction.LISTENING_ENDED,
        "listening",
        [one for one in begun if one.details["listening"] not in going_on],
    )


def _speaking_end(now: datetime) -> int:
    longest = timedelta(seconds=settings.TALK_SECONDS)
    begun = _open(
        AuditAction.SPEAKING_STARTED,
        AuditAction.SPEAKING_ENDED,
        "utterance",
        until=now - longest - SETTLE,
    )
    return _end(AuditAction.SPEAKING_ENDED, "utterance", begun)


def _open(
    start: AuditAction, end: AuditAction, key: str, *, until: datetime
) -> list[AuditEntry]:
    """Return what began before `until` and has no end; `key` is in both's details."""
    recent = AuditEntry.objects.filter(at__gt=until - LOOKED_BACK).order_by("pk")
    begun = [
        one for one in recent.filter(action=start, at__lt=until) if key in one.details
    ]
    if not begun:
        return []
    ends = recent.filter(action=end).values_list("details", flat=True)
    over = {details.get(key) for details in ends}
    return [one for one in begun if one.details[key] not in over]


def _end(action: AuditAction, key: str, begun: Iterable[AuditEntry]) -> int:
    """Note in the names of those who began that it is over."""
    number = 0
    for one in begun:
        AuditEntry.objects.create(
            action=action,
            actor=one.actor,
            actor_key=one.actor_key,
            call_key=one.call_key,
            object_type=one.object_type,
            object_key=one.object_key,
            object_title=one.object_title,
            address=one.address,
            details={key: one.details[key], "noted_by": SYSTEM},
        )
        number += 1
    return number
