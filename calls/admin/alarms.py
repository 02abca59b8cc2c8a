"""The list of all alarms there ever were, and the page of one. Handled elsewhere."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import display

from calls import formats
from calls.admin.base import FactAdmin, page_link
from calls.admin.filters import MomentRangeFilter
from calls.alarms.rows import jump_url, moment_seconds, utc_text
from calls.markup import call_title
from calls.models import Alarm, AlarmState, Severity

SEVERITY_COLOURS = {
    str(Severity.NOTICE.value): "info",
    str(Severity.WARNING.value): "warning",
    str(Severity.CRITICAL.value): "danger",
}
STATE_COLOURS = {
    AlarmState.OPEN.value: "danger",
    AlarmState.ACKNOWLEDGED.value: "info",
    AlarmState.CLOSED.value: "",
}


class LastingFilter(DropdownFilter):
    """Whether the condition is there now."""

    title = _("lasting or over")
    parameter_name = "lasting"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the choices."""
        return [("yes", _("Lasting")), ("no", _("Over"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the choice."""
        lasting = {"cleared_at": None}
        match self.value():
            case "yes":
                return queryset.filter(**lasting).exclude(state=AlarmState.CLOSED)
            case "no":
                return queryset.exclude(**lasting)
            case _:
                return queryset


@admin.register(Alarm)
class AlarmAdmin(FactAdmin):
    """Alarms, newest first. What staff do about them is done in the inbox."""

    list_display = (
        "shown_severity",
        "told",
        "shown_call",
        "opened",
        "lasted",
        "shown_state",
        "assignee",
    )
    list_display_links = ("shown_severity", "told")
    list_select_related = ("call", "assignee")
    list_filter = (
        ("severity", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("state", ChoicesDropdownFilter),
        LastingFilter,
        ("opened_at", MomentRangeFilter),
    )
    search_fields = (
        "words",
        "node",
        "raw_id",
        "close_reason",
        "call__id",
        "call__caller_name",
        "call__from_raw_id",
        "call__to_raw_id",
        "assignee__username",
    )
    search_help_text = _("Words, number, name, node, reason or id of the call")
    ordering = ("-opened_at",)
    fields = (
        ("severity", "kind"),
        "words",
        ("value", "threshold"),
        ("shown_call", "moment"),
        ("who", "node"),
        ("since", "lasted"),
        ("seen_last", "occurrences"),
        ("state", "assignee"),
        ("acknowledged", "closed"),
        "close_reason",
        "key",
    )
    readonly_fields = (
        *("shown_call", "moment", "who", "since", "lasted", "seen_last"),
        *("acknowledged", "closed", "key"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alarm]:
        """Return alarms without the secret of their calls."""
        alarms: QuerySet[Alarm] = super().get_queryset(request)
        return alarms.select_related("call").defer("call__incoming_call_context")

    @display(
        description=_("Severity"),  # type: ignore[arg-type] # Unfold knows no lazy text
        ordering="severity",
        label=SEVERITY_COLOURS,
    )
    def shown_severity(self, row: Alarm) -> tuple[str, str]:
        """Show how bad it is, as a label."""
        return str(row.severity), row.get_severity_display()

    @display(
        description=_("State"),  # type: ignore[arg-type] # Unfold knows no lazy text
        ordering="state",
        label=STATE_COLOURS,
    )
    def shown_state(self, row: Alarm) -> tuple[str, str]:
        """Show what was done about it, as a label."""
        return row.state, row.get_state_display()

    @admin.display(description=_("Problem"), ordering="kind")
    def told(self, row: Alarm) -> SafeString:
        """Show what was seen; of what is closed, why it was."""
        why = f"({row.close_reason})" if row.close_reason else ""
        return format_html("<b>{}</b> {} {}", row.get_kind_display(), row.words, why)

    @admin.display(description=_("Call"), ordering="call__rang_at")
    def shown_call(self, row: Alarm) -> str | SafeString:
        """Show the call."""
        return page_link(row.call, call_title(row.call))

    @admin.display(description=_("About"), ordering="raw_id")
    def who(self, row: Alarm) -> str:
        """Show the participant, else the node."""
        return formats.party(row.raw_id) or row.node or formats.NOTHING

    @admin.display(description=_("Since"), ordering="opened_at")
    def opened(self, row: Alarm) -> str:
        """Show when it was first seen, to the minute: the list has no room for more."""
        return formats.minute(row.opened_at)

    @admin.display(description=_("Since"))
    def since(self, row: Alarm) -> SafeString:
        """Show when it was first seen; the title has UTC."""
        return _time(row.opened_at)

    @admin.display(description=_("Lasted"))
    def lasted(self, row: Alarm) -> str:
        """Show how long the condition was there, or that it is; how often, if often."""
        end = row.cleared_at or row.closed_at
        told = formats.clock(end - row.opened_at) if end else str(_("lasts"))
        return f"{told}, {row.occurrences} ×" if row.occurrences > 1 else told

    @admin.display(description=_("Seen last"))
    def seen_last(self, row: Alarm) -> SafeString:
        """Show when the condition was last seen."""
        return _time(row.last_seen_at)

    @admin.display(description=_("Acknowledged"))
    def acknowledged(self, row: Alarm) -> str | SafeString:
        """Show when and by whom it was acknowledged."""
        return _done(row.acknowledged_at, row.acknowledged_by)

    @admin.display(description=_("Closed"))
    def closed(self, row: Alarm) -> str | SafeString:
        """Show when and by whom it was closed."""
        return _done(row.closed_at, row.closed_by)

    @admin.display(description=_("Moment in the call"))
    def moment(self, row: Alarm) -> str | SafeString:
        """Show where on the call's clock it began, as a link there."""
        at = moment_seconds(row)
        if at is None:
            return formats.NOTHING
        return format_html(
            '<a class="console-link" href="{}">{}</a>', jump_url(row), formats.clock(at)
        )


def _time(at: datetime) -> SafeString:
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        at.isoformat(),
        utc_text(at),
        formats.moment(at),
    )


def _done(at: datetime | None, by: User | None) -> str | SafeString:
    if at is None:
        return formats.NOTHING
    return format_html("{}, {}", _time(at), by or _("the system"))
