"""Every page in the time zone of who reads it."""

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.decorators import sync_and_async_middleware

from calls.zones import COOKIE, Zone, zone_of

Answer = Callable[[HttpRequest], HttpResponseBase]
AsyncAnswer = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


def request_zone(request: HttpRequest) -> Zone:
    """Return the zone that a request's cookie asks for."""
    return zone_of(request.COOKIES.get(COOKIE, ""))


@sync_and_async_middleware
def zone_middleware(get_response: Answer | AsyncAnswer) -> Answer | AsyncAnswer:
    """Make the answer with the reader's zone as Django's current one."""
    if iscoroutinefunction(get_response):
        answer_later = cast(AsyncAnswer, get_response)

        async def later(request: HttpRequest) -> HttpResponseBase:
            with timezone.override(request_zone(request).tz):
                return await answer_later(request)

        return later
    answer = cast(Answer, get_response)

    def at_once(request: HttpRequest) -> HttpResponseBase:
        with timezone.override(request_zone(request).tz):
            return answer(request)

    return at_once
