"""Where Event Grid and ACS post: authenticate, read, store, answer fast.

A body that cannot be read is answered with 400 and leaves nothing behind. Everything
that was read is stored in one transaction before the 200 goes out, so what ACS takes
for delivered is kept; orders to ACS follow from a worker.
"""

import hmac
import logging
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from http import HTTPStatus
from uuid import UUID

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from calls.database import DATABASE_AWAY
from calls.doors.capability import call_id_of
from calls.doors.sources import source_of
from calls.doors.strikes import failures
from calls.doors.tokens import TokenRefused, bearer, of_event_grid, verify
from calls.envelopes import (
    MAX_BYTES,
    VALIDATION,
    Event,
    Unreadable,
    events_of,
    text_of,
)
from calls.events import (
    Taken,
    callbacks_take,
    incoming_calls_take,
    validations_keep,
)
from calls.live.web_totals import web_totals

log = logging.getLogger(__name__)

# Event Grid's delivery properties can send it, where a query would be in proxies' logs.
SECRET_HEADER = "x-acsstream-secret"  # noqa: S105 a header's name


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused. `kind` is what it is counted under."""

    status: HTTPStatus
    kind: str
    words: str


NO_CALL = Refusal(HTTPStatus.NOT_FOUND, "secret", "There is no such call.")
UNTAKEN = {
    Taken.NO_CALL: NO_CALL,
    Taken.OVER: Refusal(HTTPStatus.FORBIDDEN, "ended", "The call has ended."),
    Taken.STRANGE: Refusal(
        HTTPStatus.FORBIDDEN, "connection", "An event is of another call than the URL."
    ),
}


@csrf_exempt
@require_POST
def eventgrid(request: HttpRequest) -> HttpResponse:
    """Take Event Grid's validation and incoming calls.

    ACS does not sign these. A secret (in the query or in a header) or an Entra token
    proves the sender. Without one of them in the settings everything is refused, unless
    callbacks are not verified either.
    """
    refusal = _eventgrid_refusal(request)
    if refusal:
        return _refuse(request, "eventgrid", refusal)
    events = _events(request)
    if isinstance(events, HttpResponse):
        return events
    now = timezone.now()
    validation = _validation_code(events)
    if validation:
        _validation_note(events, now)
        return JsonResponse({"validationResponse": validation})
    incoming_calls_take(events, received_at=now)
    return HttpResponse(status=200)


@csrf_exempt
@require_POST
def callback(request: HttpRequest, secret: str) -> HttpResponse:
    """Take ACS's callbacks on one call.

    The same callback again is answered with 200 and changes nothing: its events' ids
    are known. One of another call than the secret's is refused, and nothing is kept.
    """
    call_id = call_id_of(secret)
    if call_id is None:
        return _refuse(request, "callback", NO_CALL)
    structlog.contextvars.bind_contextvars(call_id=str(call_id))
    refusal = _token_refusal(request)
    if refusal and settings.CALLBACK_AUTH == "required":
        return _refuse(request, "callback", refusal, call_id)
    if refusal:
        log.warning("call %s: a callback is taken although %s", call_id, refusal.words)
    events = _events(request, call_id)
    if isinstance(events, HttpResponse):
        return events
    taken = callbacks_take(call_id, events, received_at=timezone.now())
    if taken is not Taken.YES:
        return _refuse(request, "callback", UNTAKEN[taken], call_id)
    return HttpResponse(status=200)


def _refuse(
    request: HttpRequest, door: str, refusal: Refusal, call_id: UUID | None = None
) -> HttpResponse:
    """Refuse a request; who fails too often is told to stay away, and not logged."""
    source = source_of(request)
    web_totals.refused(door, refusal.kind)
    seconds = failures().strike(source)
    if seconds:
        response = _plain("Too many failed attempts.\n", 429)
        response["Retry-After"] = str(seconds)
        return response
    log.warning(
        "%s refused (%s), source %s, call %s: %s",
        *(door, refusal.kind, source or "unknown", call_id or "unknown", refusal.words),
    )
    response = _plain(refusal.words, refusal.status)
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    return response


def _events(
    request: HttpRequest, call_id: UUID | None = None
) -> list[Event] | HttpResponse:
    """Return what a body holds, or the answer to one that cannot be taken."""
    body = _body(request)
    if len(body) > MAX_BYTES:
        return _plain(f"The body is larger than {MAX_BYTES} bytes.\n", 413)
    try:
        return events_of(body)
    except Unreadable as exc:
        log.warning("call %s: a webhook cannot be read: %s", call_id or "unknown", exc)
        return _plain(f"{exc}\n", 400)


def _plain(text: str, status: int) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")


def _eventgrid_refusal(request: HttpRequest) -> Refusal | None:
    """Return why what Event Grid showed proves nothing; None if it does."""
    expected, entra = settings.EVENTGRID_SECRET, of_event_grid()
    if not expected and not entra:
        if settings.CALLBACK_AUTH == "off":
            return None
        _secret_missing()
        return _denied("settings", "No secret is configured.")
    shown = request.headers.get(SECRET_HEADER) or request.GET.get("secret", "")
    if expected and hmac.compare_digest(shown.encode(), expected.encode()):
        return None
    if entra is None:
        return _denied("secret", "The secret is wrong.")
    try:
        verify(bearer(request.headers.get("Authorization", "")), entra)
    except TokenRefused as refused:
        return _denied(f"token_{refused.kind}", f"Token refused: {refused}.")
    return None


def _denied(kind: str, words: str) -> Refusal:
    return Refusal(HTTPStatus.UNAUTHORIZED, kind, words)


@cache
def _secret_missing() -> None:
    """Say it once per process, and not of every call that rings."""
    log.error(
        "Event Grid is refused, and with it every incoming call:"
        " ACSSTREAM_EVENTGRID_SECRET is not set"
    )


def _token_refusal(request: HttpRequest) -> Refusal | None:
    """Return why the request's token proves nothing; None if it does."""
    if settings.CALLBACK_AUTH == "off":
        return None
    try:
        verify(bearer(request.headers.get("Authorization", "")))
    except TokenRefused as refused:
        return _denied(f"token_{refused.kind}", f"Token refused: {refused}.")
    return None


def _body(request: HttpRequest) -> bytes:
    """Return the body, one byte more than allowed at most."""
    return request.read(MAX_BYTES + 1)


def _validation_note(events: list[Event], received_at: datetime) -> None:
    """Keep that Event Grid asked; without the database it is answered all the same."""
    asked = [event for event in events if event.kind == VALIDATION]
    try:
        validations_keep(asked, received_at=received_at)
    except DATABASE_AWAY as exc:
        log.error("Event Grid's validation is not kept: %s", type(exc).__name__)


def _validation_code(events: list[Event]) -> str:
    codes = [text_of(each.data, "validationCode") for each in events]
    kinds = [each.kind for each in events]
    return codes[kinds.index(VALIDATION)] if VALIDATION in kinds else ""
