"""Who has failed too often waits: by name and source, longer each time.

A source that failed under many names waits whatever the name. An IPv6 source is a /64:
one customer has all of its addresses.

The audit log is the memory: every failed sign-in is on it, so all processes agree, and
nothing has to be tidied. A name that belongs to nobody waits like any other.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import islice, takewhile
from threading import Lock
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone

from calls.audit import log as audit_log
from calls.batches import storable
from calls.doors.networks import group_of
from calls.models import AuditAction, AuditEntry
from calls.sign_in import second_factor

# Failures older than this are forgotten.
MEMORY: Final = timedelta(hours=1)
FIRST_WAIT: Final = timedelta(seconds=30)
LONGEST_WAIT: Final = timedelta(minutes=15)
# A source may fail so many times as often as one name: an office has one address.
SOURCE_TRIES: Final = 20
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
    if settings.SIGN_IN_TRIES == 0:
        return timedelta()
    return max(_name_wait(name_of(name), address, now), source_wait(address, now=now))


def _name_wait(name: str, address: str, now: datetime) -> timedelta:
    others = _others(name, address)
    failures = _failures(name, address, now)
    beyond = len(failures) + others - settings.SIGN_IN_TRIES
    if beyond < 0:
        return timedelta()
    # 2 ** 5 is beyond the longest wait already.
    wait: timedelta = min(FIRST_WAIT * 2 ** min(beyond, 5), LONGEST_WAIT)
    last = now if others or not failures else failures[0]
    return max(last + wait - now, timedelta())


def source_wait(address: str, *, now: datetime | None = None) -> timedelta:
    """Return how long a source must wait that failed under many names; 0: not.

    Nothing but time opens this: who guesses may well have an account of their own.
    """
    now = now or timezone.now()
    most = settings.SIGN_IN_TRIES * SOURCE_TRIES
    others = _others(None, address)
    rows = _rows(address, at__gt=now - MEMORY, action=AuditAction.SIGN_IN_FAILED)
    failures = list(islice(filter(_counts, rows), most))
    if not most or len(failures) + others < most:
        return timedelta()
    last = now if others or not failures else failures[0]["at"]
    return max(last + FIRST_WAIT - now, timedelta())


def _failures(name: str, address: str, now: datetime) -> list[datetime]:
    """Return when they failed since they last came in or were let in, newest first."""
    since = max(now - MEMORY, _forgiven(name, address, now) or now - MEMORY)
    rows = _rows(address, at__gt=since, action=AuditAction.SIGN_IN_FAILED, actor=name)
    failed = (row["at"] for row in rows if _counts(row))
    return list(islice(failed, settings.SIGN_IN_TRIES + 6))


def _counts(row: dict[str, Any]) -> bool:
    return not {LOCKED, "by"} & row["details"].keys()


def _rows(address: str, **wanted: Any) -> Iterator[dict[str, Any]]:
    """Return entries from the source that an address belongs to, newest first."""
    group = group_of(address)
    if "/" in group:
        # Every spelling of its addresses begins like this; some others' do as well.
        parts = takewhile(lambda part: part not in ("", "0"), group.split(":"))
        wanted["address__startswith"] = "".join(f"{part}:" for part in parts)
    else:
        wanted["address__in"] = [address, group]
    found = AuditEntry.objects.filter(**wanted).order_by("-at", "-pk")
    for row in found.values("at", "address", "details"):
        if group_of(row["address"]) == group:
            yield row


def _forgiven(name: str, address: str, now: datetime) -> datetime | None:
    came_in = _rows(
        address,
        at__gt=now - MEMORY,
        action=AuditAction.SIGNED_IN,
        actor=name,
    )
    let_in = AuditEntry.objects.filter(
        action=AuditAction.USER_CHANGED,
        object_type=User._meta.label_lower,
        object_title=name,
        details__how=UNLOCKED,
    ).order_by("-at")
    found = [row["at"] for row in islice(came_in, 1)]
    found += let_in.values_list("at", flat=True)[:1]
    return max(found, default=None)


def is_refusal_noted(name: str, address: str) -> bool:
    """Say whether the log has it that this lock turned somebody away.

    Once is enough: an append-only log is no place for a guesser to write into. Of a
    source that waits under every name, once under any.
    """
    failed: dict[str, Any] = {
        "at__gt": timezone.now() - MEMORY,
        "action": AuditAction.SIGN_IN_FAILED,
    }
    looks = [_rows(address, actor=name, **failed)]
    if source_wait(address):
        looks.append(_rows(address, **failed))
    newest = (
        next((r for r in rows if "by" not in r["details"]), None) for rows in looks
    )
    return any(row is not None and LOCKED in row["details"] for row in newest)


def unlock(request: HttpRequest, user: Any) -> None:
    """Let a user try again at once, from everywhere; on the audit log."""
    second_factor.let_try(user)
    audit_log.note_request(
        AuditAction.USER_CHANGED, request, obj=user, details={"how": UNLOCKED}
    )


# --- Tries at the same time -----------------------------------------------------------

_under_way: Counter[tuple[str | None, str]] = Counter()
_guard = Lock()


@contextmanager
def trying(name: str, address: str) -> Iterator[None]:
    """Count a try as a failure, to all others, until it is known what it was.

    Those of this process; else all that come at once would be looked at before the
    first is on the log.
    """
    keys = _keys(name, address)
    with _guard:
        _under_way.update(keys)
    try:
        yield
    finally:
        with _guard:
            _under_way.subtract(keys)
            for key in keys:
                if not _under_way[key]:
                    del _under_way[key]


def _keys(name: str, address: str) -> list[tuple[str | None, str]]:
    group = group_of(address)
    return [(name_of(name), group), (None, group)]


def _others(name: str | None, address: str) -> int:
    """Return how many tries are under way beside the one that asks."""
    with _guard:
        return max(0, _under_way[name, group_of(address)] - 1)
