"""Alarms into rows, and out of them. Drafts may come twice, late, and again.

Whoever sees a condition says what it is like now; the rows settle the rest:

- There is one unclosed alarm of each condition. What lasts goes on with it, and so
  does what comes back within a minute of ceasing, whoever saw it first.
- What comes back later is another alarm. The system closes the one before.
- An alarm that people have closed stays closed while its condition lasts.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Count, Max, Q
from django.db.models.functions import Greatest

from calls import identity
from calls.batches import storable
from calls.drafts import AlarmDraft
from calls.live.ingest import board_poke
from calls.models.alarm import Alarm, AlarmKind, AlarmState
from calls.models.call import Call

# As long as ingest takes what comes back for the same (streaming.alarms.latch).
SAME_WITHIN: Final = timedelta(seconds=60)
# What ingest sees by itself; the other alarms are raised by commands and finishing.
SEEN_BY_INGEST: Final = (
    AlarmKind.DEAD_AIR,
    AlarmKind.ONE_WAY,
    AlarmKind.SILENT_FLOW,
    AlarmKind.STALLED,
    AlarmKind.GAPS,
    AlarmKind.CLIPPING,
    AlarmKind.TOO_QUIET,
    AlarmKind.OVERTALK,
    AlarmKind.MALFORMED,
    AlarmKind.HANDLER,
    AlarmKind.TRANSCRIPT,
)
CAME_BACK: Final = "It was over; the condition came back later, as another alarm."


def alarms_store(drafts: Sequence[AlarmDraft], *, may_last: bool = False) -> None:
    """Write alarms as they are now. Call it inside a transaction.

    Alarms of calls that have no row are passed over; those of calls that are over are
    over too, unless they `may_last` beyond their calls.
    """
    if not drafts:
        return
    calls = Call.objects.only("state", "ended_at").in_bulk(
        {draft.call_id for draft in drafts if draft.call_id}
    )
    keys = {_key(draft) for draft in drafts}
    unclosed = {row.key: row for row in Alarm.objects.unclosed().filter(key__in=keys)}
    known = Alarm.objects.in_bulk({draft.id for draft in drafts})
    changed: set[UUID | None] = set()
    for draft in drafts:
        call = calls.get(draft.call_id) if draft.call_id else None
        if draft.call_id and call is None:
            continue
        row = unclosed.get(_key(draft)) or known.get(draft.id)
        cleared_at = draft.cleared_at if may_last else _cleared_at(draft, call)
        written, is_news = _write(draft, row, cleared_at)
        if written is not None:
            unclosed[written.key] = known[written.pk] = written
        if is_news:
            changed.add(draft.call_id)
    if changed:
        calls_count_alarms({call_id for call_id in changed if call_id})
        board_poke()


def _key(draft: AlarmDraft) -> str:
    return storable(draft.key, 400)


def _cleared_at(draft: AlarmDraft, call: Call | None) -> datetime | None:
    if draft.cleared_at or call is None or call.is_live:
        return draft.cleared_at
    return call.ended_at or draft.seen_at


def _write(
    draft: AlarmDraft, row: Alarm | None, cleared_at: datetime | None
) -> tuple[Alarm | None, bool]:
    """Write one draft; return its row, and whether that tells anything new."""
    if row is None:
        return _create(draft, cleared_at), True
    if row.state == AlarmState.CLOSED:
        if row.closed_at is None or draft.since <= row.closed_at:
            # Somebody has done with it.
            return None, False
        return _create(draft, cleared_at, raised_at=draft.since), True
    if _goes_on(row, draft):
        return row, _update(row, draft, cleared_at)
    alarms_close(Q(pk=row.pk), at=draft.raised_at, reason=CAME_BACK)
    return _create(draft, cleared_at, heir_of=row), True


def _goes_on(row: Alarm, draft: AlarmDraft) -> bool:
    """Say whether a draft tells of the alarm that has a row."""
    if row.pk == draft.id or row.cleared_at is None:
        return True
    return draft.raised_at - row.cleared_at <= SAME_WITHIN


def _create(
    draft: AlarmDraft,
    cleared_at: datetime | None,
    *,
    raised_at: datetime | None = None,
    heir_of: Alarm | None = None,
) -> Alarm | None:
    """Add an alarm, assigned as the one before; None if another process just did."""
    opened_at = raised_at or draft.raised_at
    row = Alarm(
        id=identity.alarm_id(draft.key, opened_at),
        key=_key(draft),
        kind=draft.kind,
        call_id=draft.call_id,
        raw_id=storable(draft.raw_id, 255),
        node=storable(draft.node, 255),
        opened_at=opened_at,
        occurrences=1 if raised_at else draft.occurrences,
        cleared_at=cleared_at,
        at_us=draft.at_us,
        **_told(draft),
        assignee_id=heir_of.assignee_id if heir_of else None,
        assigned_at=heir_of.assigned_at if heir_of else None,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return None
    return row


def _told(draft: AlarmDraft) -> dict[str, Any]:
    """Return the columns that say what was seen last."""
    return {
        "severity": draft.severity,
        "words": storable(draft.words, 500),
        "value": draft.value,
        "threshold": draft.threshold,
        "last_seen_at": draft.seen_at,
    }


def _update(row: Alarm, draft: AlarmDraft, cleared_at: datetime | None) -> bool:
    """Let an alarm tell what is seen now; True if it began, ceased or got worse."""
    is_again = row.cleared_at is not None and cleared_at is None
    occurrences = max(row.occurrences, draft.occurrences)
    if is_again and row.pk != draft.id:
        occurrences = row.occurrences + 1
    changes = _told(draft) | {"cleared_at": cleared_at, "occurrences": occurrences}
    if occurrences > row.occurrences:
        changes["at_us"] = draft.at_us
    is_news = (row.cleared_at is None) != (cleared_at is None)
    is_news |= occurrences != row.occurrences or draft.severity != row.severity
    # Closed meanwhile, it stays as whoever closed it saw it.
    Alarm.objects.unclosed().filter(pk=row.pk).update(**changes)
    for name, value in changes.items():
        setattr(row, name, value)
    return is_news


def calls_count_alarms(calls: Collection[UUID]) -> None:
    """Let calls say how many alarms they had, and how bad the worst was."""
    counted = (
        Alarm.objects.filter(call_id__in=calls)
        .order_by()
        .values_list("call_id")
        .annotate(Count("pk"), Max("severity"))
    )
    for call_id, count, worst in counted:
        Call.objects.filter(pk=call_id).update(
            alarm_count=count, alarm_severity=Greatest("alarm_severity", worst)
        )


def alarms_clear(alarms: Q, *, at: datetime) -> int:
    """End the lasting alarms that are meant; return how many there were."""
    lasting = Alarm.objects.lasting().filter(alarms)
    cleared = lasting.update(cleared_at=at, last_seen_at=Greatest("last_seen_at", at))
    if cleared:
        board_poke()
    return cleared


def alarms_close(alarms: Q, *, at: datetime, reason: str) -> int:
    """Let the system close the alarms that are meant; return how many there were."""
    closed = (
        Alarm.objects.unclosed()
        .filter(alarms)
        .update(
            state=AlarmState.CLOSED, closed_at=at, closed_by=None, close_reason=reason
        )
    )
    if closed:
        board_poke()
    return closed


def alarms_of(call_id: UUID, *, now: datetime) -> list[AlarmDraft]:
    """Return a call's alarms that last or ceased just now, for who takes it over."""
    rows = Alarm.objects.unclosed().filter(call_id=call_id, kind__in=SEEN_BY_INGEST)
    fresh = Q(cleared_at=None) | Q(cleared_at__gte=now - SAME_WITHIN)
    return [_draft(row) for row in rows.filter(fresh)]


def _draft(row: Alarm) -> AlarmDraft:
    return AlarmDraft(
        key=row.key,
        kind=row.kind,
        severity=row.severity,
        call_id=row.call_id,
        raw_id=row.raw_id,
        node=row.node,
        words=row.words,
        value=row.value,
        threshold=row.threshold,
        at_us=row.at_us,
        raised_at=row.opened_at,
        since=row.opened_at,
        seen_at=row.last_seen_at,
        cleared_at=row.cleared_at,
        occurrences=row.occurrences,
    )
