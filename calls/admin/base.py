"""What the pages of this admin share."""

from typing import Any, Literal

from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from calls import formats

# Unfold's label variants for each state, so that one state has one colour everywhere.
CALL_COLOURS = {
    "ringing": "info",
    "answering": "info",
    "connected": "success",
    "ended": "",
    "failed": "danger",
}
STREAMING_COLOURS = {
    "off": "",
    "requested": "info",
    "connecting": "info",
    "streaming": "success",
    "stalled": "danger",
    "stopping": "info",
    "stopped": "",
    "failed": "danger",
}
COMMAND_COLOURS = {
    "queued": "info",
    "sent": "info",
    "confirmed": "success",
    "failed": "danger",
    "timed_out": "warning",
}
ARCHIVE_COLOURS = {
    "none": "",
    "live": "info",
    "pending": "warning",
    "finished": "success",
    "failed": "danger",
}


class ConsoleAdmin(ModelAdmin):
    """A list of 50 rows, filters beside it, no second count of the whole table."""

    list_per_page = 50
    show_full_result_count = False
    list_fullwidth = True
    list_filter_submit = True
    compressed_fields = True


class FactAdmin(ConsoleAdmin):
    """What was received or done: shown, never edited here, not even by superusers."""

    def has_add_permission(self, request: HttpRequest, *_: Any) -> Literal[False]:
        """Facts come from ACS, not from a form."""
        return False

    def has_change_permission(self, request: HttpRequest, *_: Any) -> Literal[False]:
        """Facts stay as they were received."""
        return False

    def has_delete_permission(self, request: HttpRequest, *_: Any) -> Literal[False]:
        """Facts leave by retention, together with their bytes."""
        return False


def party(raw_id: str, name: str = "") -> str | SafeString:
    """Return a party as text whose title is the raw id."""
    if not raw_id:
        return formats.NOTHING
    return format_html(
        '<span class="console-party" title="{}">{}</span>',
        raw_id,
        name or formats.party(raw_id),
    )


def bar(share: float | None, kind: str) -> str | SafeString:
    """Return a share of 0 to 1 as a small bar with its percentage beside it.

    `kind` colours it: `silence` neutral, `completeness` red below the whole.
    """
    if share is None:
        return formats.NOTHING
    state = "short" if kind == "completeness" and share < 1 else "whole"
    return format_html(
        '<span class="console-bar" data-kind="{}" data-state="{}">'
        '<i class="console-meter" style="--share: {}"></i><b>{}</b></span>',
        kind,
        state,
        f"{share:.4f}",
        formats.percent(share),
    )


def page_link(row: models.Model | None, text: str = "") -> str | SafeString:
    """Return a link to the admin page of `row`."""
    if row is None:
        return formats.NOTHING
    options = row._meta
    url = reverse(
        f"admin:{options.app_label}_{options.model_name}_change", args=[row.pk]
    )
    return format_html('<a class="console-link" href="{}">{}</a>', url, text or row)
