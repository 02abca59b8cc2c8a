"""Every request has an id, which its log lines carry, and is counted."""

import re
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from inspect import iscoroutinefunction
from typing import TypeAlias, cast
from uuid import uuid4

import structlog
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware, sync_only_middleware

from calls.live.web_totals import route_of, web_totals
from calls.tracing import span

Answer: TypeAlias = Callable[[HttpRequest], HttpResponseBase]
AsyncAnswer: TypeAlias = Callable[[HttpRequest], Awaitable[HttpResponseBase]]

HEADER = "X-Request-ID"
UNTRACED = frozenset({"probe", "static"})
# What a proxy may have given. Anything else is not written into our logs.
GIVEN = re.compile(r"[0-9A-Za-z._-]{8,64}")


@sync_and_async_middleware
def request_middleware(get_response: Answer | AsyncAnswer) -> Answer | AsyncAnswer:
    """Name and count a request. It stands first, so that all others are inside."""
    if iscoroutinefunction(get_response):
        answer_async = cast(AsyncAnswer, get_response)

        async def middleware_async(request: HttpRequest) -> HttpResponseBase:
            name, began = _name(request), time.monotonic()
            with _around(request, name):
                return _counted(request, await answer_async(request), name, began)

        return middleware_async
    answer = cast(Answer, get_response)

    def middleware(request: HttpRequest) -> HttpResponseBase:
        name, began = _name(request), time.monotonic()
        with _around(request, name):
            return _counted(request, answer(request), name, began)

    return middleware


@contextmanager
def _around(request: HttpRequest, name: str) -> Iterator[None]:
    """Have the fields of its log lines, and a span if it is more than a probe."""
    # A thread may have been left with those of another request.
    structlog.contextvars.clear_contextvars()
    route = route_of(request.path)
    with structlog.contextvars.bound_contextvars(request_id=name), ExitStack() as stack:
        if route not in UNTRACED:
            method = request.method or ""
            stack.enter_context(
                span(f"{method} {route}", kind="SERVER", request_id=name)
            )
        yield
    structlog.contextvars.clear_contextvars()


def _name(request: HttpRequest) -> str:
    given = request.headers.get(HEADER, "")
    return given if GIVEN.fullmatch(given) else uuid4().hex


def _counted(
    request: HttpRequest, response: HttpResponseBase, name: str, began: float
) -> HttpResponseBase:
    response.headers[HEADER] = name
    web_totals.answered(
        request.path,
        request.method or "",
        response.status_code,
        time.monotonic() - began,
    )
    return response


@sync_only_middleware
def one_thread_middleware(get_response: Answer) -> Answer:
    """Do nothing, in a thread: all middleware outside of this does its work there, too.

    Django's own could run in the event loop, and each would then go to a thread and
    back twice for every request.
    """
    return get_response
