"""Alarms: raised, over, acknowledged, assigned and closed are moments of their own."""

from collections.abc import Iterator
from datetime import datetime

from calls.history.entries import Detail, Entry, EntryKind
from calls.history.rows import CallRows
from calls.models import Alarm, Severity


def alarm_entries(rows: CallRows) -> Iterator[Entry]:
    """Yield the moments of every alarm."""
    for alarm in rows.alarms:
        yield _raised(alarm, rows)
        if alarm.cleared_at:
            yield _moment(alarm, "over", alarm.cleared_at, told=_lasted(alarm))
        if alarm.acknowledged_at:
            source = str(alarm.acknowledged_by or "?")
            yield _moment(alarm, "acknowledged", alarm.acknowledged_at, source=source)
        if alarm.assigned_at and alarm.assignee:
            told = f"To {alarm.assignee}."
            yield _moment(alarm, "assigned", alarm.assigned_at, told=told)
        if alarm.closed_at:
            yield _moment(
                alarm,
                "closed",
                alarm.closed_at,
                source=str(alarm.closed_by or "System"),
                why=alarm.close_reason,
            )


def _raised(alarm: Alarm, rows: CallRows) -> Entry:
    details: dict[str, Detail] = {"severity": alarm.get_severity_display()}
    if alarm.raw_id:
        details["participant"] = rows.name(alarm.raw_id)
    if alarm.value is not None:
        details["value"] = round(alarm.value, 2)
    if alarm.threshold is not None:
        details["threshold"] = alarm.threshold
    if alarm.occurrences > 1:
        details["times"] = alarm.occurrences
    if alarm.at_us is not None and rows.call.origin_us is not None:
        # On the call's clock: where to listen.
        details["at_second"] = round((alarm.at_us - rows.call.origin_us) / 1e6, 1)
    tone = "busy" if alarm.severity == Severity.NOTICE else "bad"
    return Entry(
        key=f"alarm:{alarm.pk}:raised",
        at=alarm.opened_at,
        kind=EntryKind.ALARM,
        what=f"Alarm: {alarm.get_kind_display()}",
        source="System",
        told=alarm.words,
        details=details,
        tone=tone,
    )


def _lasted(alarm: Alarm) -> str:
    if alarm.occurrences > 1:
        return f"It came {alarm.occurrences} times."
    return ""


def _moment(
    alarm: Alarm,
    what: str,
    at: datetime,
    *,
    source: str = "System",
    told: str = "",
    why: str = "",
) -> Entry:
    return Entry(
        key=f"alarm:{alarm.pk}:{what}",
        at=at,
        kind=EntryKind.ALARM,
        what=f"Alarm {what}: {alarm.get_kind_display()}",
        source=source,
        told=told,
        why=why,
        tone="good" if what == "over" else "",
    )
