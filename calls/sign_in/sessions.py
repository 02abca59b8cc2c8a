"""How long a sign-in lasts: since it began, and since it was last used.

A page that polls in the background is not somebody who uses it. What counts is opening
a page and giving an order; an open socket does not.
"""

import time
from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

BEGAN: Final = "sign_in_began"
USED: Final = "sign_in_used"
# In the session that follows one that has run out, for the page that says so.
EXPIRED: Final = "sign_in_expired"
# `used` is written at most this often.
GRAIN_SECONDS: Final = 30
LOOKS: Final = ("GET", "HEAD", "OPTIONS")


def session_begin(*, request: HttpRequest | None, **_: Any) -> None:
    """Note when a sign-in began; called by Django's signal."""
    if request is not None:
        request.session[BEGAN] = request.session[USED] = int(time.time())


def is_over(session: Mapping[str, Any], now: float | None = None) -> bool:
    """Say whether a sign-in has run out. One that never began has its cookie's time."""
    now = time.time() if now is None else now
    began, used = session.get(BEGAN), session.get(USED)
    if began is None or used is None:
        return False
    longest, idle = settings.SESSION_SECONDS, settings.SESSION_IDLE_SECONDS
    return bool((longest and now - began >= longest) or (idle and now - used >= idle))


class SessionMiddleware(MiddlewareMixin):
    """Signs out whose time has run out, before anything is done in their name."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        """End a session that is over, note that one is used."""
        if settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return None
        session, now = request.session, time.time()
        if is_over(session, now):
            logout(request)
            request.session[EXPIRED] = True
        elif _is_use(request) and now - session.get(USED, now) > GRAIN_SECONDS:
            session[USED] = int(now)
        return None


def _is_use(request: HttpRequest) -> bool:
    """Say whether a person did this. Browsers tell it over HTTPS and on localhost."""
    how = request.headers.get("Sec-Fetch-Mode", "navigate")
    return request.method not in LOOKS or how == "navigate"
