"""Tags of the frame around every page of the console."""

from django.http import HttpRequest
from django.template import Library
from django.template.context import Context

from acsstream.csp import page_policy

register = Library()


@register.simple_tag(takes_context=True)
def alpine_evaluates(context: Context) -> str:
    """Allow this page what Unfold's Alpine needs; puts nothing on it."""
    if isinstance(request := context.get("request"), HttpRequest):
        page_policy(request).evaluates = True
    return ""


@register.simple_tag(takes_context=True)
def style_nonce(context: Context) -> str:
    """Return the nonce for styles that a script makes."""
    request = context.get("request")
    return page_policy(request).nonce if isinstance(request, HttpRequest) else ""
