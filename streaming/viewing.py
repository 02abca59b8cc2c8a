"""Whether who opened a browser's socket may still look."""

import logging
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, get_user_model
from django.utils.crypto import constant_time_compare

from calls.database import DATABASE_AWAY
from calls.sign_in.sessions import is_over

# Who may no longer look is cut off so soon, and a second or five later where a socket
# has other things to do as well.
RECHECK_SECONDS = 8.0

log = logging.getLogger(__name__)


class Recheck:
    """Says when it is time to see whether a viewer may still look."""

    def __init__(self) -> None:
        self._at = time.monotonic()

    def is_due(self) -> bool:
        """Say whether it is; then it is not again for a while."""
        now = time.monotonic()
        if now - self._at < RECHECK_SECONDS:
            return False
        self._at = now
        return True


def viewer_of(session: Any, user_key: Any) -> Any:
    """Return a socket's user as they are now, or None if they are signed in no more.

    As the middleware asks at each request: the session lives and has not run out, the
    password is the one it was begun with, and the user is active staff. A fresh
    row: permissions are cached on the one that came with the handshake.
    """
    if user_key is None or not session.session_key:
        return None
    users = get_user_model().objects.filter(is_active=True, is_staff=True)
    user = users.filter(pk=user_key).first()
    if user is None:
        return None
    engine = import_module(settings.SESSION_ENGINE)
    session_now = engine.SessionStore(session.session_key).load()
    if is_over(session_now):
        return None
    kept = session_now.get(HASH_SESSION_KEY, "")
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return user if any(constant_time_compare(kept, one) for one in hashes) else None


def may_still(scope: Any, permission: str) -> bool:
    """Say whether the session of a socket still lives and its user has a right."""
    user = scope["user"]
    viewer = viewer_of(scope["session"], user.pk if user else None)
    return viewer is not None and viewer.has_perm(permission)


async def may_go_on(
    asked: Callable[[], Awaitable[bool]], *, before: bool = True
) -> bool:
    """Say whether someone may still what they might `before`.

    A database that is down is when people look at these pages: who looks goes on while
    nobody can be asked, nobody new comes in, and nobody gains a right.
    """
    try:
        return await asked()
    except DATABASE_AWAY:
        log.warning("a viewer cannot be checked: the database does not answer")
        return before
