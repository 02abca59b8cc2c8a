"""Writes who did what: commands, settings, users, audio that was heard, sign-ins.

An entry belongs into the transaction of what it tells, and before bytes that leave: an
action that cannot be noted does not happen. It gets its place in the chain at the
commit (docs/audit.md). Phone numbers may be in entries and in no log line.
"""

import getpass
import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models, transaction
from django.http import HttpRequest
from django.utils import timezone

from calls import control
from calls.doors.sources import source_of
from calls.markup import page_title
from calls.models import (
    AuditAction,
    AuditEntry,
    Call,
    CommandKind,
    Recording,
    StreamCommand,
)
from calls.models.audit import SYSTEM
from calls.orders import given_of

FORBIDDEN = "You may not do that."
Actor = AbstractBaseUser | AnonymousUser | None

# A browser asks for the beginning of a file more than once when it starts to play.
STARTING = timedelta(seconds=10)
# Parts that follow belong to the play that is under way. Who begins in the middle,
# having heard nothing for so long, has begun to play.
PLAYING = timedelta(hours=6)
# Whoever opens a page again so soon goes on reading.
VIEWING = timedelta(minutes=10)
# A page that stays open asks again and again, for a working day.
KEPT_OPEN = timedelta(hours=12)


def note(
    action: AuditAction,
    *,
    actor: Actor,
    call: Call | None = None,
    obj: models.Model | None = None,
    details: Mapping[str, Any] | None = None,
    address: str = "",
) -> AuditEntry:
    """Add an entry about what `actor` did; nobody signed in is the system.

    `details` must be JSON. Raises what the database raises: let it, and nothing that
    was not noted happens.
    """
    is_user = actor is not None and actor.is_authenticated
    return AuditEntry.objects.create(
        action=action,
        actor_key=actor.pk if actor is not None and is_user else None,
        actor=actor.get_username() if actor is not None and is_user else SYSTEM,
        call_key=call.pk if call else None,
        details=dict(details or {}),
        address=address[:64],
        **_named(obj),
    )


def note_request(action: AuditAction, request: HttpRequest, **about: Any) -> AuditEntry:
    """Add an entry about what the user behind `request` did; see `note`."""
    actor = getattr(request, "user", None)
    return note(action, actor=actor, address=address_of(request), **about)


def command_note(
    action: AuditAction,
    command: str,
    *,
    details: Mapping[str, Any] | None = None,
    **about: Any,
) -> AuditEntry:
    """Add an entry about what was done by `manage.py`: by whom the machine knows."""
    who = {"command": command, "login": _login()}
    return note(action, actor=None, details={**(details or {}), **who}, **about)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user need not have a name.
        return str(os.getuid())


def address_of(request: HttpRequest | None) -> str:
    """Return where a request came from, whoever passed it on; empty if it did not."""
    return source_of(request)


def _named(obj: models.Model | None) -> dict[str, str]:
    if obj is None:
        return {}
    # What a command is called goes on to say how far it is, which does not stay true.
    if isinstance(obj, StreamCommand):
        title = obj.get_kind_display()
    else:
        title = page_title(obj)
    return {
        "object_type": obj._meta.label_lower,
        "object_key": str(obj.pk)[:64],
        "object_title": title[:255],
    }


def command_ask_noted(
    request: HttpRequest,
    *,
    call: Call,
    kind: CommandKind,
    details: Mapping[str, Any] | None = None,
    **order: Any,
) -> StreamCommand:
    """Ask for a command in the name of the request's user, and note it, or neither.

    `order` is handed on to `control.command_ask`; `details` are the entry's, beside
    kind, reason and arguments. A refusal is noted too, and raised.
    """
    if order.get("arguments"):
        order["arguments"] = given_of(order["arguments"])
    asked = {"kind": kind.value, "command": str(kind.label)}
    asked |= {name: order[name] for name in ("why", "arguments") if order.get(name)}
    if order.get("bulk_id"):
        asked["bulk"] = str(order["bulk_id"])
    about = asked | dict(details or {})
    try:
        with transaction.atomic():
            command = control.command_ask(
                call=call, kind=kind, asked_by=user_of(request), **order
            )
            # As they were read: a key alone would tell nobody what was meant.
            read = {"arguments": command.arguments} if command.arguments else {}
            note_request(
                AuditAction.COMMAND_ASKED,
                request,
                call=call,
                obj=command,
                details=about | read,
            )
    except control.CommandRefused as refusal:
        refused = about | {"reason": str(refusal)}
        note_request(AuditAction.COMMAND_REFUSED, request, call=call, details=refused)
        raise
    return command


def note_forbidden(
    request: HttpRequest, kind: CommandKind, *, call: Call | None = None
) -> None:
    """Note that a user tried an order they may not give; strangers are not noted."""
    if request.user.is_authenticated:
        details = {"kind": kind.value, "command": str(kind.label), "reason": FORBIDDEN}
        note_request(AuditAction.COMMAND_REFUSED, request, call=call, details=details)


def user_of(request: HttpRequest) -> Any:
    """Return the user behind a request; None if nobody is signed in."""
    return request.user if request.user.is_authenticated else None


def recording_note(
    action: AuditAction,
    request: HttpRequest,
    recording: Recording,
    *,
    from_start: bool,
    details: Mapping[str, Any] | None = None,
) -> AuditEntry | None:
    """Note that a user is about to get a recording's audio: once, not once per range.

    None if the request belongs to what was noted before. `from_start` says whether the
    request is for the beginning of the file; whoever asks only for the rest is noted
    as well, unless they have had the beginning.
    """
    patience = STARTING if from_start else PLAYING
    if _is_known(action, request, recording, patience):
        return None
    return note_request(
        action, request, call=recording.call, obj=recording, details=details
    )


def view_note(
    action: AuditAction,
    request: HttpRequest,
    obj: models.Model,
    *,
    patience: timedelta = VIEWING,
) -> AuditEntry | None:
    """Note that a user is about to see a page about `obj`: once in ten minutes.

    One query, and with the first view another. None if it was noted before.
    """
    if _is_known(action, request, obj, patience):
        return None
    call = obj if isinstance(obj, Call) else getattr(obj, "call", None)
    return note_request(action, request, call=call, obj=obj)


def look_note(request: HttpRequest) -> AuditEntry | None:
    """Note that a user looks at the audit log: once in ten minutes."""
    since = timezone.now() - VIEWING
    known = AuditEntry.objects.filter(
        action=AuditAction.AUDIT_VIEWED, actor_key=request.user.pk, at__gt=since
    )
    if known.exists():
        return None
    return note_request(AuditAction.AUDIT_VIEWED, request)


def _is_known(
    action: AuditAction, request: HttpRequest, obj: models.Model, patience: timedelta
) -> bool:
    """Say whether this user did this to `obj` not longer ago than `patience`."""
    known = AuditEntry.objects.filter(
        action=action,
        actor_key=request.user.pk,
        object_key=str(obj.pk),
        at__gt=timezone.now() - patience,
    )
    if isinstance(obj, Call):
        # There are few entries about one call, and an index.
        known = known.of_call(obj.pk)
    return known.exists()
