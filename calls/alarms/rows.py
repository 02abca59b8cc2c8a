"""Alarms for people: rows with names, times, and where the moment is."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Count
from django.urls import reverse

from calls import formats
from calls.alarms.types import AlarmCallJson, AlarmJson, PersonJson
from calls.markup import call_title
from calls.models import Alarm, AlarmKind, AlarmState, Call, Participant
from calls.models.alarm import AlarmQuerySet

# Seconds from the beginning of a condition to its alarm, at most.
LONGEST_RAISE = 600
SECOND = 1_000_000
Names = Mapping[tuple[UUID | None, str], str]


def with_people(alarms: AlarmQuerySet) -> AlarmQuerySet:
    """Return alarms with all that a row shows of their call and of staff: one query."""
    # The context is a bearer secret of 8 kB and no page needs it.
    return alarms.select_related(
        "call", "assignee", "acknowledged_by", "closed_by"
    ).defer("call__incoming_call_context")


def alarm_rows(alarms: Sequence[Alarm]) -> list[AlarmJson]:
    """Return rows of alarms that were read by `with_people`: two queries for all."""
    calls = {one.call_id for one in alarms if one.call_id}
    names, counts = _names(alarms), _counts(calls)
    return [_row(one, names, counts) for one in alarms]


def moment_seconds(alarm: Alarm) -> float | None:
    """Return where the condition began on the call's clock, in seconds; None: unknown.

    The call's clock begins with its first packet.
    """
    call = alarm.call
    if call is None or call.origin_us is None or alarm.at_us is None:
        return None
    return max(0, alarm.at_us - call.origin_us) / SECOND


def jump_url(alarm: Alarm) -> str:
    """Return the address of the moment: of the call at least; empty without a call."""
    if alarm.call_id is None:
        return ""
    url = reverse("admin:calls_call_change", args=[alarm.call_id])
    at = moment_seconds(alarm)
    return url if at is None else f"{url}?t={round(at, 1):g}"


def who_of(alarm: Alarm, names: Names) -> str:
    """Return the participant an alarm is about; empty for the whole call."""
    if not alarm.raw_id:
        return ""
    call = alarm.call
    name = names.get((alarm.call_id, alarm.raw_id), "")
    if not name and call and alarm.raw_id == call.from_raw_id:
        name = call.caller_name
    return formats.who(name, alarm.raw_id)


def _names(alarms: Iterable[Alarm]) -> Names:
    wanted = [one for one in alarms if one.raw_id and one.call_id]
    if not wanted:
        return {}
    people = Participant.objects.filter(
        call__in={one.call_id for one in wanted},
        raw_id__in={one.raw_id for one in wanted},
    ).order_by()
    return {
        (call_id, raw_id): name
        for call_id, raw_id, name in people.values_list(
            "call_id", "raw_id", "display_name"
        )
    }


def _counts(calls: Iterable[UUID]) -> Mapping[UUID | None, int]:
    """Return how many unclosed alarms each call has."""
    rows = Alarm.objects.unclosed().filter(call__in=list(calls)).order_by()
    return dict(rows.values_list("call").annotate(number=Count("pk")))


def _row(alarm: Alarm, names: Names, counts: Mapping[UUID | None, int]) -> AlarmJson:
    at = moment_seconds(alarm)
    return {
        "id": str(alarm.pk),
        "kind": alarm.kind,
        "kind_label": alarm.get_kind_display(),
        "severity": alarm.severity,
        "severity_label": alarm.get_severity_display(),
        "state": alarm.state,
        "state_label": alarm.get_state_display(),
        "words": alarm.words,
        "call": _call(alarm.call, counts) if alarm.call else None,
        "node": alarm.node,
        "who": who_of(alarm, names),
        "began": _began(alarm),
        "opened": alarm.opened_at.timestamp(),
        "opened_text": formats.moment(alarm.opened_at),
        "opened_utc": utc_text(alarm.opened_at),
        "cleared": alarm.cleared_at.timestamp() if alarm.cleared_at else None,
        "lasts": alarm.is_lasting,
        "occurrences": alarm.occurrences,
        "assignee": _person(alarm.assignee),
        "acknowledged_by": _named(alarm.acknowledged_by),
        "closed_by": _named(alarm.closed_by),
        "closed": alarm.closed_at.timestamp() if alarm.closed_at else None,
        "closed_text": formats.moment(alarm.closed_at)
        if alarm.state == AlarmState.CLOSED
        else "",
        "close_reason": alarm.close_reason,
        "jump": jump_url(alarm),
        "at": "" if at is None else formats.clock(at),
    }


def _began(alarm: Alarm) -> float:
    """Return when the condition began, which is some time before it is an alarm.

    An incomplete recording names the moment of its first gap, and is one only once it
    is made. Beyond `LONGEST_RAISE` the sender's clock is not ours.
    """
    opened = alarm.opened_at.timestamp()
    if alarm.at_us is None or alarm.kind == AlarmKind.INCOMPLETE:
        return opened
    began = alarm.at_us / SECOND
    return began if opened - LONGEST_RAISE <= began <= opened else opened


def _call(call: Call, counts: Mapping[UUID | None, int]) -> AlarmCallJson:
    return {
        "id": str(call.pk),
        "url": reverse("admin:calls_call_change", args=[call.pk]),
        "title": call_title(call),
        "live": call.is_live,
        "alarms": counts.get(call.pk, 0),
    }


def _person(user: User | None) -> PersonJson | None:
    return {"id": user.pk, "name": user.get_username()} if user else None


def _named(user: User | None) -> str:
    return user.get_username() if user else ""


def utc_text(at: datetime) -> str:
    """Return a moment in UTC, to the second, for titles."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
