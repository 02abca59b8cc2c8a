"""Sign-ins and sign-outs, told by Django's signals, as audit entries.

A signal that raises fails its request, and a failed request keeps no session: nobody
signs in unnoted.
"""

from typing import Any

from django.contrib.auth.signals import (
    user_logged_in,
    user_logged_out,
    user_login_failed,
)
from django.http import HttpRequest

from calls.audit.log import address_of, note
from calls.models import AuditAction, AuditEntry
from calls.sign_in.backends import SINGLE_SIGN_ON, WAIT
from calls.sign_in.lockout import LOCKED, is_refusal_noted, name_of
from calls.sign_in.sessions import session_begin


def signed_in(*, request: HttpRequest | None, user: Any, **_: Any) -> None:
    """Note a sign-in."""
    how = request.session.get("_auth_user_backend") if request else None
    details = {"by": "single sign-on"} if how == SINGLE_SIGN_ON else {}
    note(
        AuditAction.SIGNED_IN,
        actor=user,
        address=address_of(request),
        details=details,
    )


def signed_out(*, request: HttpRequest | None, user: Any, **_: Any) -> None:
    """Note a sign-out; of somebody whose session had ended there is none."""
    if user is not None:
        note(AuditAction.SIGNED_OUT, actor=user, address=address_of(request))


def sign_in_failed(
    *, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any
) -> None:
    """Note the name that was tried, nothing else that was typed.

    `step` says that the password was right, and the code behind it was not.

    Of the tries that were refused unread since the last one, the first.
    """
    name = name_of(credentials.get("username", ""))
    address = address_of(request)
    details: dict[str, Any] = {
        key: credentials[key] for key in ("by", "step") if key in credentials
    }
    if hasattr(request, WAIT):
        if is_refusal_noted(name, address):
            return
        details = {LOCKED: True}
    AuditEntry.objects.create(
        action=AuditAction.SIGN_IN_FAILED, actor=name, address=address, details=details
    )


def connect() -> None:
    """Listen to the signals, however often this is called."""
    user_logged_in.connect(session_begin, dispatch_uid="session")
    user_logged_in.connect(signed_in, dispatch_uid="audit")
    user_logged_out.connect(signed_out, dispatch_uid="audit")
    user_login_failed.connect(sign_in_failed, dispatch_uid="audit")
