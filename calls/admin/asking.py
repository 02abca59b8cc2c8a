"""Asking for a command in the name of whoever sent a request: the one place for it."""

from functools import partial

from django.http import HttpRequest

from calls.audit import log as audit_log
from calls.bulk import Ask


def ask_for(request: HttpRequest) -> Ask:
    """Return `control.command_ask` in the name of the request's user, and noted."""
    return partial(audit_log.command_ask, request)
