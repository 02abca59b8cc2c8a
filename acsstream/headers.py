"""What every answer of the web process tells browsers, whoever made it.

The middleware is the outermost: what later ones answer, refuse or break at passes it,
static files included. A header that a view has set stays. HSTS is Django's own
(`SecurityMiddleware`), because it depends on TLS.

What the server answers before Django hears of it has them by `acsstream.web_server`,
but for Twisted's bare "400 Bad Request", which has neither headers nor a body.
deploy/nginx.conf and deploy/Caddyfile add them where they are missing.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from inspect import iscoroutinefunction
from typing import cast

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from acsstream.csp import HEADER, PagePolicy, page_policy

Answer = Callable[[HttpRequest], HttpResponseBase]
AsyncAnswer = Callable[[HttpRequest], Awaitable[HttpResponseBase]]

SAME_FOR_ALL = {
    # A recording or a JSON answer is never taken for a page or a script.
    "X-Content-Type-Options": "nosniff",
    # Ids of calls and words searched for stand in addresses.
    "Referrer-Policy": "same-origin",
    # For browsers that do not know frame-ancestors.
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    # No other site may show or play what is ours, not even with its reader's cookie.
    "Cross-Origin-Resource-Policy": "same-origin",
    # Whoever did not think of caches has names and numbers in the answer, perhaps.
    "Cache-Control": "private, no-store",
}


def bare_headers() -> dict[str, str]:
    """Return the headers of an answer that no page has made."""
    policy = PagePolicy()
    return SAME_FOR_ALL | {
        HEADER: str(policy),
        "Permissions-Policy": policy.permissions,
    }


@sync_and_async_middleware
def headers_middleware(get_response: Answer | AsyncAnswer) -> Answer | AsyncAnswer:
    """Say in every answer what a browser may do with it. A view's own header stays."""
    if iscoroutinefunction(get_response):
        answer_later = cast(AsyncAnswer, get_response)

        async def later(request: HttpRequest) -> HttpResponseBase:
            return _told(request, await answer_later(request))

        return later
    answer = cast(Answer, get_response)

    def at_once(request: HttpRequest) -> HttpResponseBase:
        return _told(request, answer(request))

    return at_once


def _told(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    policy = page_policy(request)
    response.headers.setdefault("Permissions-Policy", policy.permissions)
    # Django's debug pages have their styles and scripts inside.
    is_debug_page = settings.DEBUG and response.status_code in (
        HTTPStatus.NOT_FOUND,
        HTTPStatus.INTERNAL_SERVER_ERROR,
    )
    if not is_debug_page:
        response.headers.setdefault(HEADER, str(policy))
    for name, value in SAME_FOR_ALL.items():
        response.headers.setdefault(name, value)
    return response
