"""Alarms over HTTP: the inbox, the sidebar's counts, and what staff do about alarms."""

from collections.abc import Iterable
from typing import Any, cast
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from calls.alarms.filters import wanted_of
from calls.alarms.handling import (
    MOST,
    NOBODY,
    PERMISSION,
    Acknowledge,
    Act,
    Assign,
    Close,
    Handled,
    HandlingRefused,
    Reopen,
    alarm_handle,
    alarms_handle,
    handlers,
)
from calls.alarms.inbox import inbox, inbox_version, unhandled
from calls.alarms.rows import alarm_rows, with_people
from calls.alarms.types import AlarmJson
from calls.audit.log import FORBIDDEN, address_of
from calls.models import Alarm, Call

VIEW = "calls.view_alarm"
UNKNOWN = "There is no such alarm."


def _said(reason: str, status: int, **more: Any) -> JsonResponse:
    return JsonResponse({"reason": reason, **more}, status=status)


# --- reading ----------------------------------------------------------------------


@require_safe
def inbox_json(request: HttpRequest) -> HttpResponse:
    """Answer a page of the inbox; 304 after one query if nothing changed.

    403 without permission to see alarms.
    """
    if not request.user.has_perm(VIEW):
        return _said(_(FORBIDDEN), 403)
    user, now = cast(User, request.user), timezone.now()
    wanted = wanted_of(request.GET)
    version = inbox_version(wanted, user=user, now=now)
    etag = f'"{version}"' if version else ""
    if etag and etag == request.headers.get("If-None-Match"):
        return _kept(HttpResponse(status=304), etag)
    return _kept(JsonResponse(inbox(wanted, user=user, now=now)), etag)


@require_safe
def call_alarms_json(request: HttpRequest, call_id: UUID) -> HttpResponse:
    """Answer all alarms of a call: unclosed first, then the newest. 403 as above."""
    if not request.user.has_perm(VIEW):
        return _said(_(FORBIDDEN), 403)
    rows = list(with_people(Alarm.objects.filter(call=call_id))[:MOST])
    rows.sort(key=lambda one: one.opened_at, reverse=True)
    rows.sort(key=lambda one: (one.state == "closed", not one.is_lasting))
    return _kept(
        JsonResponse({"now": timezone.now().timestamp(), "rows": alarm_rows(rows)}), ""
    )


@require_safe
def badges_json(request: HttpRequest) -> HttpResponse:
    """Answer the sidebar's counts: of what the user may not see there is none."""
    return _kept(JsonResponse(badges(request)), "")


def badges(request: HttpRequest) -> dict[str, dict[str, object]]:
    """Return the sidebar's counts: live calls; alarms nobody has acknowledged."""
    found: dict[str, dict[str, object]] = {}
    if request.user.has_perm("calls.view_call"):
        live = Call.objects.live().count()
        found["calls"] = {"count": live, "tone": "good", "words": _("live")}
    if request.user.has_perm(VIEW):
        number, worst = unhandled(timezone.now())
        tone = {3: "bad", 2: "warn"}.get(worst, "plain")
        words = _("not acknowledged")
        found["alarms"] = {"count": number, "tone": tone, "words": words}
    return found


@require_safe
def handlers_json(request: HttpRequest) -> HttpResponse:
    """Answer who an alarm may be assigned to, the user first. 403 if they may not."""
    if not request.user.has_perm(PERMISSION):
        return _said(_(FORBIDDEN), 403)
    people = [
        {
            "id": user.pk,
            "name": user.get_username(),
            "full_name": user.get_full_name(),
            "me": user.pk == request.user.pk,
        }
        for user in handlers()
    ]
    people.sort(key=lambda one: not one["me"])
    return _kept(JsonResponse({"people": people}), "")


def _kept(response: HttpResponse, etag: str) -> HttpResponse:
    """Let the browser ask each time, and nobody on the way keep anything."""
    response["Cache-Control"] = "private, no-cache"
    if etag:
        response["ETag"] = etag
    return response


# --- handling ---------------------------------------------------------------------


@require_POST
def alarm_act(request: HttpRequest, alarm_id: UUID, name: str) -> JsonResponse:
    """Acknowledge, assign, close or reopen one alarm; answer what it is now.

    200 with the row, 403 without permission, 404 for an unknown alarm, 409 with the
    reason in words (and the row) when it makes no sense now.
    """
    try:
        act = _act(name, request.POST)
        alarm_handle(alarm_id, act, by=_by(request), address=address_of(request))
    except PermissionDenied:
        return _said(_(FORBIDDEN), 403)
    except Alarm.DoesNotExist:
        return _said(_(UNKNOWN), 404)
    except HandlingRefused as refusal:
        return _said(str(refusal), 409, rows=_rows([alarm_id]))
    return JsonResponse({"rows": _rows([alarm_id])})


@require_POST
def alarms_act(request: HttpRequest) -> JsonResponse:
    """Do one thing to many alarms: `act`, `ids` with commas, and what the act needs.

    200 with `done` and `refused` (id and reason) and the rows as they are now; 409 if
    none was done; 400 for ids that are none, or more than `MOST`.
    """
    try:
        ids = [UUID(part) for part in request.POST.get("ids", "").split(",") if part]
    except ValueError:
        return _said(_("These are no alarms."), 400)
    if not 0 < len(ids) <= MOST:
        words = _("Choose 1 to %(most)s alarms.") % {"most": MOST}
        return _said(words, 400)
    try:
        act = _act(request.POST.get("act", ""), request.POST)
        handled = alarms_handle(ids, act, by=_by(request), address=address_of(request))
    except PermissionDenied:
        return _said(_(FORBIDDEN), 403)
    except HandlingRefused as refusal:
        return _said(str(refusal), 409, rows=[], refused=[])
    answer = _bulk_answer(handled) | {"rows": _rows(ids)}
    return JsonResponse(answer, status=200 if handled.done else 409)


def _bulk_answer(handled: Handled) -> dict[str, Any]:
    reasons = list(dict.fromkeys(handled.refused.values()))
    return {
        "done": [str(alarm_id) for alarm_id in handled.done],
        "refused": [
            {"id": str(alarm_id), "reason": reason}
            for alarm_id, reason in handled.refused.items()
        ],
        "reason": " ".join(reasons[:3]),
    }


def _act(name: str, given: QueryDict) -> Act:
    """Read an act from a form. Raises `HandlingRefused` for one that is none."""
    match name:
        case "acknowledge":
            return Acknowledge()
        case "reopen":
            return Reopen()
        case "close":
            # PostgreSQL keeps no NUL.
            return Close(given.get("reason", "").replace("\0", ""))
        case "assign":
            return Assign(_user(given.get("to", "")), _was(given.get("was")))
        case _:
            raise HandlingRefused(_("There is no such thing to do."))


def _user(key: str) -> User | None:
    if not key:
        return None
    user = User.objects.filter(pk=key).first() if _is_key(key) else None
    if user is None:
        raise HandlingRefused(_("There is no such user."))
    return user


def _was(key: str | None) -> Any:
    if key is None or not (key == "" or _is_key(key)):
        return None
    return int(key) if key else NOBODY


def _is_key(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _by(request: HttpRequest) -> User:
    if not request.user.is_authenticated:
        raise PermissionDenied
    return request.user


def _rows(ids: Iterable[UUID]) -> list[AlarmJson]:
    return alarm_rows(list(with_people(Alarm.objects.filter(pk__in=list(ids)))))
