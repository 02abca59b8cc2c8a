"""Who reads what was said is on the audit log."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from calls.audit import log as audit_log
from calls.models import AuditAction, AuditEntry, Call

# Who looks at the same thing again within this long is not noted twice.
SAME = timedelta(minutes=10)


def read_note(
    actor: Any, did: str, *, address: str, call: Call | None = None, **details: Any
) -> None:
    """Note that somebody reads or searches; once, if they look again soon."""
    known = AuditEntry.objects.filter(
        action=AuditAction.TRANSCRIPT_READ,
        actor_key=actor.pk,
        call_key=call.pk if call else None,
        at__gt=timezone.now() - SAME,
    )
    about = {"did": did, **details}
    # Compared here: databases differ in how they compare JSON.
    if about in [one.details for one in known.only("details")[:100]]:
        return
    audit_log.note(
        AuditAction.TRANSCRIPT_READ,
        actor=actor,
        address=address,
        call=call,
        obj=call,
        details=about,
    )


def request_note(
    request: HttpRequest, did: str, *, call: Call | None = None, **details: Any
) -> None:
    """Note what the user behind a request reads, if they do get it."""
    if request.method == "GET":
        address = audit_log.address_of(request)
        read_note(request.user, did, address=address, call=call, **details)
