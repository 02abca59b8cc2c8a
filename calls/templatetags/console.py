"""`calls.formats` and `calls.markup` as template filters."""

from typing import Any

from django.template import Library
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from calls import formats, markup, offers
from calls.models import Call

register = Library()
for function in (
    formats.party,
    formats.clock,
    formats.brief,
    formats.delay,
    formats.seconds,
    formats.percent,
    formats.dbfs,
    formats.count,
    formats.size,
    markup.command_words,
    markup.end_code,
    markup.end_told,
    markup.minute,
    markup.moment,
    markup.moment_ms,
    markup.page_title,
    markup.pretty_json,
    markup.time_of_day,
    markup.told_words,
):
    register.filter(function.__name__, function)


@register.filter
def header_name(part: dict[str, Any]) -> str:
    """Return the name of a part of the header: the sidebar's, if it is there."""
    # Importing the admin loads template libraries, so it cannot be done above.
    from calls.admin.sidebar import list_name

    name = list_name(str(part.get("link", ""))) or markup.page_title(part["title"])
    return capfirst(name)


@register.filter
def bar(share: float | None, kind: str) -> str | SafeString:
    """Return a share of 0 to 1 as a bar: `{{ share|bar:"silence" }}`."""
    return markup.bar(share, kind)


@register.filter
def command_colour(state: str) -> str:
    """Return the label variant of a command's state."""
    return markup.COMMAND_COLOURS.get(state, "")


@register.filter
def of(found: dict[str, object], key: str) -> object:
    """Return what a mapping has under a key that is itself a variable."""
    return found.get(key, ())


@register.filter
def paused(call: Call) -> str:
    """Return since when and why a call's recording is paused; empty if it is not."""
    return offers.paused_words(call)
