"""Who has failed too often waits: by name and source, longer each time.

The audit log is the memory: every failed sign-in is on it, so all processes agree, and
nothing has to be tidied. A name that belongs to nobody waits like any other.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone

from calls import audit_log
from calls.batches import storable
from calls.models import AuditAction, AuditEntry

# Failures older than this are forgotten.
MEMORY: Final = timedelta(hours=1)
FIRST_WAIT: Final = timedelta(seconds=30)
LONGEST_WAIT: Final = timedelta(minutes=15)
# Of an entry: the try was refused unread. It counts as no failure; nor does what has
# "by": it was no password of ours.
LOCKED: Final = "locked"
UNLOCKED: Final = "unlocked"
LONGEST_NAME: Final = 255


def name_of(typed: object) -> str:
    """Return a name that was typed as the audit log keeps it."""
    return storable(str(typed), LONGEST_NAME)


def wait_for(name: str, address: str, *, now: datetime | None = None) -> timedelta:
    """Return how long whoever signs in as `name` from `address` must wait; 0: not."""
    now = now or timezone.now()
    failures = _failures(name_of(name), address, now)
    beyond = len(failures) - settings.SIGN_IN_TRIES
    if settings.SIGN_IN_TRIES == 0 or beyond < 0:
        return timedelta()
    # 2 ** 5 is beyond the longest wait already.
    wait: timedelta = min(FIRST_WAIT * 2 ** min(beyond, 5), LONGEST_WAIT)
    return max(failures[0] + wait - now, timedelta())


def _failures(name: str, address: str, now: datetime) -> list[datetime]:
    """Return when they failed since they last came in or were let in, newest first."""
    since = max(now - MEMORY, _forgiven(name, address) or now - MEMORY)
    failed = AuditEntry.objects.filter(
        action=AuditAction.SIGN_IN_FAILED, actor=name, address=address, at__gt=since
    ).exclude(details__has_any_keys=[LOCKED, "by"])
    most = settings.SIGN_IN_TRIES + 6
    return list(failed.order_by("-at").values_list("at", flat=True)[:most])


def _forgiven(name: str, address: str) -> datetime | None:
    came_in = AuditEntry.objects.filter(
        action=AuditAction.SIGNED_IN, actor=name, address=address
    )
    let_in = AuditEntry.objects.filter(
        action=AuditAction.USER_CHANGED,
        object_type=User._meta.label_lower,
        object_title=name,
        details__how=UNLOCKED,
    )
    found = [
        rows.order_by("-at").values_list("at", flat=True).first()
        for rows in (came_in, let_in)
    ]
    return max((at for at in found if at), default=None)


def is_refusal_noted(name: str, address: str) -> bool:
    """Say whether the log has it that this lock turned somebody away.

    Once is enough: an append-only log is no place for a guesser to write into.
    """
    last = AuditEntry.objects.filter(
        action=AuditAction.SIGN_IN_FAILED, actor=name, address=address
    ).order_by("-at", "-pk")
    newest = last.first()
    return newest is not None and LOCKED in newest.details


def unlock(request: HttpRequest, user: Any) -> None:
    """Let a user try again at once, from everywhere; on the audit log."""
    audit_log.note_request(
        AuditAction.USER_CHANGED, request, obj=user, details={"how": UNLOCKED}
    )
