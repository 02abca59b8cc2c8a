"""What waits to be stored, and when what failed is tried again."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Count, Exists, F, Min, OuterRef, Q
from django.db.models.functions import Coalesce
from django.utils.translation import ngettext

from calls.models import Call, Connection
from calls.models.sockets import UNFINISHED_JOURNALS
from calls.models.states import ArchiveState

# No wait is longer: a storage that is back must not be kept waiting.
LONGEST: Final = 600.0
# 600 s are reached long before, from whatever is set.
DOUBLINGS: Final = 16


@dataclass(frozen=True, slots=True)
class StorageBacklog:
    """Calls whose audio is in journals and in no recording yet, live ones apart.

    `oldest_at`: since when the first of them has waited. `failing`: how many were tried
    in vain, the last time because of `last_fault`.
    """

    calls: int
    oldest_at: datetime | None
    failing: int
    last_fault: str


def nothing_left() -> Q:
    """Match calls whose last journals are missing: trying again is of no use.

    Each has its alarm, and `verify_archive` names it. If a journal is there again, the
    sweep finds it (`calls.journals.strays`).
    """
    sockets = Connection.objects.filter(call_id=OuterRef("pk"))
    missing = sockets.filter(journal_state=Connection.JournalState.MISSING)
    return Q(Exists(missing)) & ~Q(
        Exists(sockets.filter(journal_state__in=UNFINISHED_JOURNALS))
    )


def storage_backlog() -> StorageBacklog:
    """Return what waits to be stored, on all nodes."""
    is_failing = Q(archive_state=ArchiveState.FAILED) | Q(archive_attempts__gt=0)
    waiting = Call.objects.filter(
        archive_state__in=(ArchiveState.PENDING, ArchiveState.FAILED)
    ).exclude(nothing_left())
    found = waiting.aggregate(
        calls=Count("pk"),
        oldest=Min(Coalesce("ended_at", "last_packet_at", "rang_at")),
        failing=Count("pk", filter=is_failing),
    )
    last = waiting.filter(is_failing).order_by(F("archive_failed_at").desc()).first()
    return StorageBacklog(
        found["calls"],
        found["oldest"],
        found["failing"],
        last.archive_error if last else "",
    )


def backlog_words() -> str:
    """Tell people what cannot be stored; "" if nothing is in the way."""
    backlog = storage_backlog()
    if not backlog.failing:
        return ""
    words = ngettext(
        "%(n)s call cannot be stored: %(fault)s",
        "%(n)s calls cannot be stored: %(fault)s",
        backlog.failing,
    )
    return words % {"n": backlog.failing, "fault": backlog.last_fault}


def retry_at(attempts: int, now: datetime) -> datetime:
    """Return when to try again what failed so many times.

    Twice as late each time, ten minutes at most, and nobody at the same moment: half
    of it is chance.
    """
    doubled = settings.RETRY_SECONDS * 2.0 ** min(attempts - 1, DOUBLINGS)
    seconds = min(doubled, LONGEST)
    chance = random.uniform(0.5, 1)  # noqa: S311 nothing secret
    return now + timedelta(seconds=seconds * chance)
