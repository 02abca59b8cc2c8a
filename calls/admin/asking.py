"""Asking for a command in the name of whoever sent a request: the one place for it."""

from functools import partial
from typing import cast

from django.contrib.auth.models import User
from django.http import HttpRequest

from calls import control
from calls.bulk import Ask


def ask_for(request: HttpRequest) -> Ask:
    """Return `control.command_ask` in the name of the request's user."""
    return partial(control.command_ask, asked_by=cast(User, request.user))
