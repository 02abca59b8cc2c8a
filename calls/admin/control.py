"""Commands and events."""

from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from calls import formats
from calls.admin.base import FactAdmin, page_link
from calls.admin.bulk import bulk_page
from calls.admin.filters import BulkFilter, MomentRangeFilter
from calls.audit import words as audit_words
from calls.markup import (
    COMMAND_COLOURS,
    call_title,
    command_words,
    event_told,
    event_words,
    moment,
    moment_ms,
    pretty_json,
    told_words,
)
from calls.models import CallEvent, StreamCommand
from calls.tones.masking import without_keys


@admin.register(StreamCommand)
class StreamCommandAdmin(FactAdmin):
    """Orders to ACS: who, when, why, and what evidence there is."""

    list_display = (
        "asked",
        "kind",
        "shown_state",
        "shown_result",
        "shown_call",
        "asked_by_whom",
        "why",
        "took",
        "attempts",
        "bulk",
    )
    list_filter = (
        BulkFilter,
        ("state", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("asked_at", MomentRangeFilter),
    )
    list_select_related = ("call", "asked_by")
    search_fields = ("id", "call__from_raw_id", "call__to_raw_id", "result", "why")
    search_help_text = _("Number, reason, result, or the command's id")
    date_hierarchy = "asked_at"
    fields = (
        ("kind", "state"),
        "shown_result",
        "evidence",
        ("shown_call", "shown_arguments"),
        ("asked_by_whom", "why"),
        ("asked", "sent"),
        ("accepted", "settled"),
        ("attempts", "took"),
        "bulk",
    )
    readonly_fields = (
        *("shown_result", "shown_call", "shown_arguments"),
        *("asked_by_whom", "asked", "sent", "accepted", "settled", "took", "bulk"),
    )

    @admin.display(description=_("Asked"), ordering="asked_at")
    def asked(self, row: StreamCommand) -> SafeString:
        """Show when the order was given."""
        return moment(row.asked_at)

    @admin.display(description=_("Sent"))
    def sent(self, row: StreamCommand) -> SafeString:
        """Show when it was sent last, to the millisecond."""
        return moment_ms(row.sent_at)

    @admin.display(description=_("Accepted by ACS"))
    def accepted(self, row: StreamCommand) -> SafeString:
        """Show when ACS took it, which proves nothing yet."""
        return moment_ms(row.accepted_at)

    @admin.display(description=_("Settled"))
    def settled(self, row: StreamCommand) -> SafeString:
        """Show when it was confirmed, failed or timed out."""
        return moment_ms(row.settled_at)

    @admin.display(description=_("Arguments"))
    def shown_arguments(self, row: StreamCommand) -> str:
        """Show what was given with the order."""
        return audit_words.argument_words(row.arguments) or formats.NOTHING

    @display(
        description=_("State"),  # type: ignore[arg-type] # Unfold knows no lazy text
        ordering="state",
        label=COMMAND_COLOURS,
    )
    def shown_state(self, row: StreamCommand) -> tuple[str, str]:
        """Show the state as a label."""
        return row.state, row.get_state_display()

    @admin.display(description=_("Call"), ordering="call")
    def shown_call(self, row: StreamCommand) -> str | SafeString:
        """Show the call the order is about."""
        return page_link(row.call, call_title(row.call))

    @admin.display(description=_("By"), ordering="asked_by")
    def asked_by_whom(self, row: StreamCommand) -> str:
        """Show who asked; the system asks by profile."""
        return str(row.asked_by) if row.asked_by else "System"

    @admin.display(description=_("Bulk action"))
    def bulk(self, row: StreamCommand) -> str | SafeString:
        """Show the bulk action it is a part of."""
        if row.bulk_id is None:
            return formats.NOTHING
        url = reverse("admin:calls_streamcommand_bulk", args=[row.bulk_id])
        name = str(row.bulk_id)[:8]
        return format_html('<a class="console-link" href="{}">{}</a>', url, name)

    def get_urls(self) -> list[URLPattern]:
        """Add the page of a bulk action: how far it is."""
        page = path(
            "bulk/<uuid:bulk_id>/",
            self.admin_site.admin_view(self.bulk_view),
            name="calls_streamcommand_bulk",
        )
        return [page, *super().get_urls()]

    def bulk_view(self, request: HttpRequest, bulk_id: UUID) -> HttpResponse:
        """Show how far a bulk action is."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return bulk_page(self.admin_site, request, bulk_id)

    @admin.display(description=_("Took"))
    def took(self, row: StreamCommand) -> str:
        """Show how long ACS needed to show evidence."""
        if row.settled_at is None:
            return formats.NOTHING
        return formats.brief((row.settled_at - row.asked_at).total_seconds())

    @admin.display(description=_("Result"), ordering="result")
    def shown_result(self, row: StreamCommand) -> str | SafeString:
        """Show the result in words, with ACS's numbers beside them."""
        return command_words(row)


@admin.register(CallEvent)
class CallEventAdmin(FactAdmin):
    """Callbacks and Event Grid events, as received."""

    list_display = (
        "received",
        "source",
        "kind",
        "says",
        "shown_call",
        "delay",
        "event_id",
    )
    list_filter = (
        ("source", ChoicesDropdownFilter),
        ("received_at", MomentRangeFilter),
        "kind",
    )
    list_select_related = ("call",)
    search_fields = ("event_id", "kind", "call__from_raw_id", "call__to_raw_id")
    search_help_text = _("Number, type, or the event's id")
    date_hierarchy = "received_at"
    fields = (
        ("source", "kind"),
        "shown_call",
        ("happened", "received"),
        "event_id",
        "says_and_advises",
        "shown_body",
    )
    readonly_fields = (
        "shown_call",
        "happened",
        "received",
        "says_and_advises",
        "shown_body",
    )

    @admin.display(description=_("Received"), ordering="received_at")
    def received(self, row: CallEvent) -> SafeString:
        """Show when it came."""
        return moment(row.received_at)

    @admin.display(description=_("Happened"), ordering="happened_at")
    def happened(self, row: CallEvent) -> SafeString:
        """Show when ACS says it happened."""
        return moment(row.happened_at)

    @admin.display(description=_("Delay"))
    def delay(self, row: CallEvent) -> str:
        """Show how long the event was on its way."""
        if row.happened_at is None:
            return formats.NOTHING
        return formats.brief((row.received_at - row.happened_at).total_seconds())

    @admin.display(description=_("Call"), ordering="call")
    def shown_call(self, row: CallEvent) -> str | SafeString:
        """Show the call it is about."""
        return page_link(row.call, call_title(row.call))

    @admin.display(description=_("Says"))
    def says(self, row: CallEvent) -> str | SafeString:
        """Show its result in words, with ACS's numbers beside them."""
        return event_words(row)

    @admin.display(description=_("Says"))
    def says_and_advises(self, row: CallEvent) -> str | SafeString:
        """Show its result and what to do about it."""
        told = event_told(row)
        return told_words(told) if told else formats.NOTHING

    @admin.display(description=_("Body"))
    def shown_body(self, row: CallEvent) -> SafeString:
        """Show the body with line breaks; keys are for those who may listen."""
        return pretty_json(without_keys(row.body))
