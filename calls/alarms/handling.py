"""What staff do about alarms: acknowledge, assign, close with a reason, reopen.

Two people may reach for one alarm. Every act is an UPDATE that holds only while the
alarm is as the act needs it; whoever comes second changes nothing and is told who was
first. Each act is on the audit log in the transaction that does it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from calls.audit import log as audit_log
from calls.live.ingest import board_poke
from calls.models import Alarm, AlarmState, AuditAction
from calls.models.alarm import AlarmQuerySet

PERMISSION = "calls.handle_alarm"
LONGEST_REASON = 500
# More than anyone looks through before acting on all of them.
MOST = 500

NOBODY: Literal["nobody"] = "nobody"


class HandlingRefused(Exception):  # noqa: N818 refused, not broken
    """The act makes no sense now; the text is the reason, for people."""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Say that somebody has seen it."""


@dataclass(frozen=True, slots=True)
class Assign:
    """Give it to `to`, or to nobody.

    `was` is whose it was when the act was chosen, by key or `NOBODY`: somebody else
    may have taken it meanwhile. None does not ask.
    """

    to: User | None
    was: int | Literal["nobody"] | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """Be done with it, for a reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reopen:
    """Take back a closing or an acknowledgement."""


Act = Acknowledge | Assign | Close | Reopen


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of an act on many: done, and why not, by key."""

    done: Sequence[UUID]
    refused: Mapping[UUID, str] = field(default_factory=dict)


def handlers() -> QuerySet[User]:
    """Return who may handle alarms: active staff with the permission, by name."""
    users = User.objects.with_perm(
        PERMISSION, backend="django.contrib.auth.backends.ModelBackend"
    )
    return users.filter(is_staff=True).order_by("username")


def alarm_handle(alarm_id: UUID, act: Act, *, by: User, address: str = "") -> None:
    """Do `act` to an alarm in the name of `by`, note it, and tell who watches.

    Raises `PermissionDenied` without the permission, `Alarm.DoesNotExist` for an
    unknown key, `HandlingRefused` with the reason when it makes no sense (any more).
    """
    _permit(by)
    _check(act)
    _handle(alarm_id, act, by, address)
    board_poke()


def alarms_handle(
    alarm_ids: Iterable[UUID], act: Act, *, by: User, address: str = ""
) -> Handled:
    """Do `act` to each alarm, each in a transaction of its own.

    One that refuses, or is no more, holds up none of the others. Raises
    `PermissionDenied` and, for what makes sense for none, `HandlingRefused`.
    """
    _permit(by)
    _check(act)
    done: list[UUID] = []
    refused: dict[UUID, str] = {}
    for alarm_id in dict.fromkeys(alarm_ids):
        try:
            _handle(alarm_id, act, by, address)
        except HandlingRefused as refusal:
            refused[alarm_id] = str(refusal)
        except Alarm.DoesNotExist:
            refused[alarm_id] = _("There is no such alarm.")
        else:
            done.append(alarm_id)
    if done:
        board_poke()
    return Handled(done, refused)


def _permit(by: User) -> None:
    if not by.has_perm(PERMISSION):
        raise PermissionDenied


def _check(act: Act) -> None:
    """Refuse what makes sense for no alarm at all."""
    match act:
        case Close(reason):
            if not reason.strip():
                raise HandlingRefused(_("Say why you close it."))
            if len(reason.strip()) > LONGEST_REASON:
                most = _("A reason has at most %(most)s characters.")
                raise HandlingRefused(most % {"most": LONGEST_REASON})
        case Assign(to=User() as to) if not handlers().filter(pk=to.pk).exists():
            words = _("%(name)s may not handle alarms.")
            raise HandlingRefused(words % {"name": to.get_username()})


def _handle(alarm_id: UUID, act: Act, by: User, address: str) -> None:
    try:
        with transaction.atomic():
            changed, details = _change(alarm_id, act, by, timezone.now())
            alarm = _read(alarm_id)
            if not changed:
                raise HandlingRefused(_why_not(alarm, act, by))
            audit_log.note(
                AuditAction.ALARM_CHANGED,
                actor=by,
                call=alarm.call,
                obj=alarm,
                details=details,
                address=address,
            )
    except IntegrityError as exc:
        # There is one unclosed alarm of each condition, and this is not it.
        if not isinstance(act, Reopen) or not _is_back(alarm_id):
            raise
        words = _("It came back since: there is a newer alarm about it.")
        raise HandlingRefused(words) from exc


def _read(alarm_id: UUID) -> Alarm:
    return Alarm.objects.select_related(
        "call", "assignee", "acknowledged_by", "closed_by"
    ).get(pk=alarm_id)


def _change(
    alarm_id: UUID, act: Act, by: User, now: datetime
) -> tuple[bool, dict[str, Any]]:
    """Return whether the alarm was changed, and what the audit log says of it."""
    alarm = Alarm.objects.filter(pk=alarm_id)
    match act:
        case Acknowledge():
            changed = alarm.filter(state=AlarmState.OPEN).update(
                state=AlarmState.ACKNOWLEDGED, acknowledged_at=now, acknowledged_by=by
            )
            return bool(changed), {"did": "acknowledged"}
        case Assign(to, was):
            rows = alarm.unclosed().exclude(assignee=to) if to else alarm.unclosed()
            if to is None:
                rows = rows.exclude(assignee=None)
            if was is not None:
                rows = rows.filter(assignee=None if was == NOBODY else was)
            changed = rows.update(assignee=to, assigned_at=now if to else None)
            if to is None:
                return bool(changed), {"did": "unassigned"}
            return bool(changed), {"did": "assigned", "to": to.get_username()}
        case Close(reason):
            reason = reason.strip()
            changed = alarm.unclosed().update(
                state=AlarmState.CLOSED,
                closed_at=now,
                closed_by=by,
                close_reason=reason,
            )
            return bool(changed), {"did": "closed", "why": reason}
        case Reopen():
            return _reopen(alarm)


def _reopen(alarm: AlarmQuerySet) -> tuple[bool, dict[str, Any]]:
    """Open what is closed, or only acknowledged; of each the log says which."""
    fresh: dict[str, Any] = {
        "state": AlarmState.OPEN,
        "acknowledged_at": None,
        "acknowledged_by": None,
    }
    if alarm.filter(state=AlarmState.ACKNOWLEDGED).update(**fresh):
        return True, {"did": "took back the acknowledgement of"}
    closed = alarm.filter(state=AlarmState.CLOSED)
    changed = closed.update(**fresh, closed_at=None, closed_by=None, close_reason="")
    return bool(changed), {"did": "reopened"}


def _is_back(alarm_id: UUID) -> bool:
    key = Alarm.objects.filter(pk=alarm_id).values("key")
    return Alarm.objects.unclosed().filter(key__in=key).exists()


def _why_not(alarm: Alarm, act: Act, by: User) -> str:
    """Return why nothing was changed, by what the alarm has become."""
    if alarm.state == AlarmState.CLOSED:
        words = _("%(name)s closed it first: %(why)s")
        why = alarm.close_reason or _("no reason given")
        return words % {"name": _name(alarm.closed_by, by), "why": why}
    match act:
        case Acknowledge():
            words = _("%(name)s acknowledged it first.")
            return words % {"name": _name(alarm.acknowledged_by, by)}
        case Assign(to):
            if alarm.assignee == to:
                words = _("It is assigned to %(name)s already.")
            else:
                words = _("It was assigned to %(name)s meanwhile.")
            return words % {"name": _whose(alarm, by)}
        case _:
            return _("It is open already.")


def _whose(alarm: Alarm, by: User) -> str:
    if alarm.assignee is None:
        return _("nobody")
    return _("you") if alarm.assignee == by else alarm.assignee.get_username()


def _name(user: User | None, by: User) -> str:
    if user is None:
        return _("The system")
    return _("You") if user == by else user.get_username()
