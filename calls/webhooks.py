"""Where Event Grid and ACS post: authenticate, read, store, answer fast.

A body that cannot be read is answered with 400 and leaves nothing behind. Everything
that was read is stored in one transaction before the 200 goes out, so what ACS takes
for delivered is kept; orders to ACS follow from a worker.
"""

import hmac
import logging
from datetime import datetime
from functools import cache

import structlog
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from calls.capability import call_id_of
from calls.envelopes import (
    MAX_BYTES,
    VALIDATION,
    Event,
    Unreadable,
    events_of,
    text_of,
)
from calls.events import callbacks_take, incoming_calls_take, validations_keep
from calls.tokens import TokenRefused, bearer, verify

log = logging.getLogger(__name__)


@csrf_exempt
@require_POST
def eventgrid(request: HttpRequest) -> HttpResponse:
    """Take Event Grid's validation and incoming calls.

    ACS does not sign these: the secret in the query proves the sender. Without one in
    the settings everything is refused, unless callbacks are not verified either.
    """
    refusal = _secret_refusal(request.GET.get("secret", ""))
    if refusal:
        return HttpResponse(f"{refusal}\n", status=401)
    try:
        events = events_of(_body(request))
    except Unreadable as exc:
        return HttpResponse(f"{exc}\n", status=400)
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
    """Take ACS's callbacks on one call."""
    call_id = call_id_of(secret)
    if call_id is None:
        return HttpResponse("There is no such call.", status=404)
    structlog.contextvars.bind_contextvars(call_id=str(call_id))
    refusal = _token_refusal(request)
    if refusal:
        log.warning("call %s: the token of a callback is refused: %s", call_id, refusal)
        if settings.CALLBACK_AUTH == "required":
            response = HttpResponse(f"Token refused: {refusal}.", status=401)
            response["WWW-Authenticate"] = "Bearer"
            return response
    try:
        events = events_of(_body(request))
    except Unreadable as exc:
        log.warning("call %s: a callback cannot be read: %s", call_id, exc)
        return HttpResponse(f"{exc}\n", status=400)
    if not callbacks_take(call_id, events, received_at=timezone.now()):
        return HttpResponse("There is no such call.", status=404)
    return HttpResponse(status=200)


def _secret_refusal(secret: str) -> str:
    """Return why what Event Grid showed proves nothing; empty if it does."""
    expected = settings.EVENTGRID_SECRET
    if not expected:
        if settings.CALLBACK_AUTH == "off":
            return ""
        _secret_missing()
        return "No secret is configured."
    if not hmac.compare_digest(secret.encode(), expected.encode()):
        log.warning("Event Grid called with a wrong secret")
        return "The secret is wrong."
    return ""


@cache
def _secret_missing() -> None:
    """Say it once per process: Event Grid repeats what is refused for a day."""
    log.error(
        "Event Grid is refused, and with it every incoming call:"
        " ACSSTREAM_EVENTGRID_SECRET is not set"
    )


def _token_refusal(request: HttpRequest) -> str:
    """Return why the request's token proves nothing; empty if it does."""
    if settings.CALLBACK_AUTH == "off":
        return ""
    try:
        verify(bearer(request.headers.get("Authorization", "")))
    except TokenRefused as refused:
        return str(refused)
    return ""


def _body(request: HttpRequest) -> bytes:
    """Return the body, one byte more than allowed at most."""
    return request.read(MAX_BYTES + 1)


def _validation_note(events: list[Event], received_at: datetime) -> None:
    """Keep that Event Grid asked; without the database it is answered all the same."""
    asked = [event for event in events if event.kind == VALIDATION]
    try:
        validations_keep(asked, received_at=received_at)
    except DatabaseError as exc:
        log.error("Event Grid's validation is not kept: %s", type(exc).__name__)


def _validation_code(events: list[Event]) -> str:
    codes = [text_of(each.data, "validationCode") for each in events]
    kinds = [each.kind for each in events]
    return codes[kinds.index(VALIDATION)] if VALIDATION in kinds else ""
