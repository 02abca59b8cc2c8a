"""Whether who opened a browser's socket may still look."""

from typing import Any

from django.contrib.auth import get_user_model


def may_still(scope: Any, permission: str) -> bool:
    """Say whether the session of a socket still lives and its user has a right."""
    session, user = scope["session"], scope["user"]
    key = user.pk if user else None
    if key is None or not session.exists(session.session_key or ""):
        return False
    # A fresh row: permissions are cached on the one that came with the handshake.
    fresh = get_user_model().objects.filter(pk=key, is_active=True).first()
    return fresh is not None and fresh.has_perm(permission)
