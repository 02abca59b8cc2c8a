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

from calls.audit_log import address_of, note
from calls.models import AuditAction, AuditEntry


def signed_in(*, request: HttpRequest | None, user: Any, **_: Any) -> None:
    """Note a sign-in."""
    note(AuditAction.SIGNED_IN, actor=user, address=address_of(request))


def signed_out(*, request: HttpRequest | None, user: Any, **_: Any) -> None:
    """Note a sign-out; of somebody whose session had ended there is none."""
    if user is not None:
        note(AuditAction.SIGNED_OUT, actor=user, address=address_of(request))


def sign_in_failed(
    *, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any
) -> None:
    """Note the name that was tried, nothing else that was typed."""
    AuditEntry.objects.create(
        action=AuditAction.SIGN_IN_FAILED,
        # NUL fits into no text column of PostgreSQL.
        actor=str(credentials.get("username", "")).replace("\0", "\ufffd")[:255],
        address=address_of(request),
    )


def connect() -> None:
    """Listen to the signals, however often this is called."""
    user_logged_in.connect(signed_in, dispatch_uid="audit")
    user_logged_out.connect(signed_out, dispatch_uid="audit")
    user_login_failed.connect(sign_in_failed, dispatch_uid="audit")
