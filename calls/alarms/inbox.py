"""The problem inbox: what is wrong now or was within 24 hours, worst first.

One page of it costs the same few queries, however many alarms there are; whether it
changed at all costs one.
"""

import hashlib
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db.models import Case, Count, Exists, Max, OuterRef, Q, Sum, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _

from calls import formats
from calls.alarms.filters import CLOSED, MINE, Group, Wanted, chips
from calls.alarms.rows import alarm_rows, with_people
from calls.alarms.types import GoneJson, InboxJson
from calls.markup import call_title
from calls.models import Alarm, AlarmKind, AlarmState, Call, Participant
from calls.models.alarm import AlarmQuerySet
from calls.models.states import LIVE_STATES

SHOWN = timedelta(hours=24)
PAGE = 100
# How long the script is told who closed what vanished.
GONE_SECONDS = 20
# Names and the window of 24 hours change without an alarm changing.
BUCKET_SECONDS = 15
# Of the newest alarms that are closed, the last one closed is good enough.
CLOSED_LOOKED_AT = 100

# --- reading ----------------------------------------------------------------------


def inbox(wanted: Wanted, *, user: User, now: datetime) -> InboxJson:
    """Return a page of the inbox for a user: worst first, lasting first, then newest.

    What is closed is shown only when it is asked for, the last one closed first.
    """
    scope = _scope(wanted, now)
    groups = _groups(scope, user)
    total = sum(group.number for group in groups if group.fits(wanted))
    pages = max(1, -(-total // PAGE))
    page = min(max(wanted.page, 1), pages)
    start = (page - 1) * PAGE
    rows = _ranked(_filtered(scope, wanted, user), wanted)
    alarms = list(with_people(rows)[start : start + PAGE])
    return {
        "now": now.timestamp(),
        "rows": alarm_rows(alarms),
        "chips": chips(groups, wanted),
        "gone": _gone(now, user),
        "total": total,
        "first": start + 1 if alarms else 0,
        "page": page,
        "pages": pages,
        "call": _call_name(wanted),
        "last_closed": "" if alarms else _last_closed(now),
    }


def inbox_version(wanted: Wanted, *, user: User, now: datetime) -> str:
    """Return a text that changes when the page does: one query.

    Empty for the closed ones, of which no such query can tell.
    """
    if wanted.state == CLOSED:
        return ""
    facts = Alarm.objects.inbox(now - SHOWN).aggregate(
        number=Count("pk"),
        seen=Max("last_seen_at"),
        times=Sum("occurrences"),
        cleared=Count("cleared_at"),
        acknowledged=Count("acknowledged_at"),
        last_acknowledged=Max("acknowledged_at"),
        assigned=Count("assignee"),
        last_assigned=Max("assigned_at"),
        live=Count("pk", filter=Q(call__state__in=LIVE_STATES)),
    )
    bucket = int(now.timestamp()) // BUCKET_SECONDS
    zone = timezone.get_current_timezone_name()
    # Sets have another order in each process, and all processes must agree.
    filters = (sorted(wanted.severities), sorted(wanted.kinds), wanted.state)
    rest = (wanted.live, wanted.text, wanted.call, wanted.page)
    text = repr((sorted(facts.items()), user.pk, bucket, zone, filters, rest))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def unhandled(now: datetime) -> tuple[int, int]:
    """Return how many alarms of the inbox nobody has acknowledged; the worst severity.

    (0, 0) if there are none.
    """
    found = (
        Alarm.objects.inbox(now - SHOWN)
        .filter(state=AlarmState.OPEN)
        .aggregate(number=Count("pk"), worst=Max("severity"))
    )
    return found["number"], found["worst"] or 0


def _scope(wanted: Wanted, now: datetime) -> AlarmQuerySet:
    """Return what the filters choose among."""
    since = now - SHOWN
    if wanted.state == CLOSED:
        scope = _closed().filter(opened_at__gte=since)
    else:
        scope = Alarm.objects.inbox(since)
    if wanted.call:
        scope = scope.filter(call=wanted.call)
    return scope.filter(_matches(wanted.text)) if wanted.text else scope


def _closed() -> AlarmQuerySet:
    return Alarm.objects.filter(state=CLOSED)


def _matches(text: str) -> Q:
    """Return what a search finds: words, numbers however grouped, names, nodes."""
    number = "".join(text.split())
    number = number if number.strip("+").isdigit() else text
    people = Participant.objects.filter(
        call=OuterRef("call"), display_name__icontains=text
    )
    found = Q(Exists(people))
    for name in ("words", "node", "call__caller_name", "assignee__username"):
        found |= Q(**{f"{name}__icontains": text})
    for name in ("raw_id", "call__from_raw_id", "call__to_raw_id"):
        found |= Q(**{f"{name}__icontains": number})
    kinds = [kind.value for kind in AlarmKind if text.lower() in kind.label.lower()]
    return found | Q(kind__in=kinds)


def _filtered(scope: AlarmQuerySet, wanted: Wanted, user: User) -> AlarmQuerySet:
    if wanted.severities:
        scope = scope.filter(severity__in=wanted.severities)
    if wanted.kinds:
        scope = scope.filter(kind__in=wanted.kinds)
    if wanted.state == MINE:
        scope = scope.filter(assignee=user)
    elif wanted.state:
        scope = scope.filter(state=wanted.state)
    return scope.filter(call__state__in=LIVE_STATES) if wanted.live else scope


def _ranked(alarms: AlarmQuerySet, wanted: Wanted) -> AlarmQuerySet:
    if wanted.state == CLOSED:
        return alarms.order_by("-closed_at", "-pk")
    lasting = Case(When(cleared_at=None, then=Value(0)), default=Value(1))
    return alarms.order_by("-severity", lasting, "-opened_at", "-pk")


def _groups(scope: AlarmQuerySet, user: User) -> list[Group]:
    rows = (
        scope.order_by()
        .annotate(
            mine=Case(When(assignee=user, then=Value(1)), default=Value(0)),
            is_live=Case(
                When(call__state__in=LIVE_STATES, then=Value(1)), default=Value(0)
            ),
        )
        .values_list("severity", "kind", "state", "mine", "is_live")
        .annotate(number=Count("pk"))
    )
    return [
        Group(severity, kind, state, bool(mine), bool(live), number)
        for severity, kind, state, mine, live, number in rows
    ]


# --- what is gone -----------------------------------------------------------------


def _gone(now: datetime, user: User) -> list[GoneJson]:
    """Return what was closed just now: the script fades it and says by whom."""
    rows = _closed().filter(
        opened_at__gte=now - SHOWN,
        closed_at__gte=now - timedelta(seconds=GONE_SECONDS),
    )
    found = rows.order_by("-closed_at").values_list(
        "pk", "closed_by", "closed_by__username", "close_reason"
    )
    return [
        {"id": str(pk), "words": closed_words(name if by != user.pk else "", why, by)}
        for pk, by, name, why in found[:PAGE]
    ]


def closed_words(name: str, why: str, by: int | None) -> str:
    """Return who closed an alarm and why, in words. An empty name is the reader's."""
    who = name or (_("you") if by else _("the system"))
    return _("Closed by %(who)s: %(why)s") % {"who": who, "why": why}


def _last_closed(now: datetime) -> str:
    """Return when the last problem was closed, in words; empty if none was lately."""
    newest = _closed().order_by("-opened_at").values("closed_at")[:CLOSED_LOOKED_AT]
    found = [row["closed_at"] for row in newest if row["closed_at"]]
    return formats.moment(max(found)) if found else ""


def _call_name(wanted: Wanted) -> str:
    """Return the call that is filtered by, as people name it."""
    if wanted.call is None:
        return ""
    call = Call.objects.defer("incoming_call_context").filter(pk=wanted.call).first()
    return call_title(call) or str(wanted.call)
