"""Tags of the frame around every page of the console."""

from django.http import HttpRequest
from django.template import Library
from django.template.context import Context

from acsstream.csp import page_policy
from acsstream.zones import request_zone
from calls.zones import Zone, zone_of

register = Library()


@register.simple_tag(takes_context=True)
def alpine_evaluates(context: Context) -> str:
    """Allow this page what Unfold's Alpine needs; puts nothing on it."""
    if isinstance(request := context.get("request"), HttpRequest):
        page_policy(request).evaluates = True
    return ""


@register.simple_tag(takes_context=True)
def microphone_allowed(context: Context) -> str:
    """Let this page ask for the microphone; puts nothing on it."""
    if isinstance(request := context.get("request"), HttpRequest):
        page_policy(request).speaks = True
    return ""


@register.simple_tag(takes_context=True)
def style_nonce(context: Context) -> str:
    """Return the nonce for styles that a script makes."""
    request = context.get("request")
    return page_policy(request).nonce if isinstance(request, HttpRequest) else ""


@register.simple_tag(takes_context=True)
def reading_zone(context: Context) -> Zone:
    """Return the time zone in which this page shows times."""
    request = context.get("request")
    return request_zone(request) if isinstance(request, HttpRequest) else zone_of("")
