"""Between password and code: somebody is known, and nobody is signed in.

The session belongs to nobody until the code is right, so no page and no socket has to
know of this state.
"""

import time
from typing import Any, Final

from django.contrib.auth import login
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from calls.sign_in.backends import LOCAL

PENDING: Final = "sign_in_pending"
SECONDS: Final = 600


def pend(request: HttpRequest, user: Any, next_page: str) -> None:
    """Keep whose password was right."""
    request.session.cycle_key()
    request.session[PENDING] = {
        "user": user.pk,
        "hash": user.get_session_auth_hash(),
        "until": int(time.time()) + SECONDS,
        "next": next_page,
    }


def pending(request: HttpRequest) -> tuple[User | None, str]:
    """Return whose code is awaited, and which page they wanted; None: nobody's."""
    kept = request.session.get(PENDING)
    if not kept or kept["until"] < time.time():
        return None, ""
    user = User.objects.filter(pk=kept["user"], is_active=True, is_staff=True).first()
    if user is None:
        return None, ""
    # The password may have been changed meanwhile.
    is_same = constant_time_compare(kept["hash"], user.get_session_auth_hash())
    return (user, kept["next"]) if is_same else (None, "")


def complete(request: HttpRequest, user: User) -> None:
    """Sign in whose code was right; the session gets a new key."""
    request.session.pop(PENDING, None)
    login(request, user, backend=LOCAL)
