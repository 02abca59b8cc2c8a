"""The list of calls and the page of one call."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, FloatField, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Cast, NullIf
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import display

from calls import formats, markup
from calls.admin.filters import CompletenessFilter, LiveFilter, MomentRangeFilter
from calls.admin.orders import OrderActions, is_uuid
from calls.markup import (
    ARCHIVE_COLOURS,
    CALL_COLOURS,
    STREAMING_COLOURS,
    TRANSCRIPTION_COLOURS,
    bar,
    call_title,
    party,
    streaming_cell,
)
from calls.models import Call, Participant, Track
from calls.models.call import Direction
from calls.offers import call_offers, paused_words
from calls.selectors import call_page

# The model's own labels are sentences; a column has room for a word.
ARCHIVE_WORDS = {
    "none": "None",
    "live": "Receiving",
    "pending": "Pending",
    "finished": "Verified",
    "failed": "Failed",
}


@admin.register(Call)
class CallAdmin(OrderActions):
    """Calls: newest first; the page of one tells its whole story."""

    list_display = (
        "shown_state",
        "parties",
        "rang",
        "length",
        "streaming",
        "people",
        "silence",
        "complete",
        "archive",
    )
    list_display_links = ("shown_state", "parties")
    list_filter = (
        LiveFilter,
        ("state", ChoicesDropdownFilter),
        ("streaming_state", ChoicesDropdownFilter),
        ("archive_state", ChoicesDropdownFilter),
        CompletenessFilter,
        ("direction", ChoicesDropdownFilter),
        ("profile", RelatedDropdownFilter),
        ("rang_at", MomentRangeFilter),
    )
    search_fields = (
        "id",
        "from_raw_id",
        "to_raw_id",
        "caller_name",
        "connection_id",
        "correlation_id",
        "server_call_id",
    )
    search_help_text = "Number, name, or any id of the call"
    date_hierarchy = "rang_at"
    fields = ("state",)
    change_form_template = "admin/calls/call_page.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Call]:
        """Return calls with what the list shows of their participants, in one query."""
        people = (
            Participant.objects.filter(call=OuterRef("pk"))
            .order_by()
            .values("call")
            .annotate(number=Count("pk"))
            .values("number")
        )
        silence = (
            Track.objects.filter(call=OuterRef("pk"))
            .order_by()
            .values("call")
            .annotate(
                share=Cast(Sum("silent_packets"), FloatField())
                / NullIf(Sum("packets"), 0)
            )
            .values("share")
        )
        # The context is a bearer secret of 8 kB and no page needs it.
        calls: QuerySet[Call] = super().get_queryset(request)
        return calls.defer("incoming_call_context").annotate(
            people_counted=Subquery(people), silence_share=Subquery(silence)
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the story of a call."""
        call = self.get_object(request, object_id) if is_uuid(object_id) else None
        if call and self.has_view_permission(request, call):
            extra_context = {
                **(extra_context or {}),
                "title": call_title(call),
                "page": call_page(call, is_whole=request.GET.get("timeline") == "all"),
                "offers": call_offers(call, request.user),
                "paused": paused_words(call),
                "colours": {
                    "call": CALL_COLOURS.get(call.state),
                    "streaming": STREAMING_COLOURS.get(call.streaming_state),
                    "transcription": TRANSCRIPTION_COLOURS.get(
                        call.transcription_state
                    ),
                    "archive": ARCHIVE_COLOURS.get(call.archive_state),
                },
            }
        return super().change_view(request, object_id, form_url, extra_context)

    @display(description="State", ordering="state", label=CALL_COLOURS)
    def shown_state(self, row: Call) -> tuple[str, str]:
        """Show the state as a label."""
        return row.state, row.get_state_display()

    @display(description="From → to", ordering="from_raw_id")
    def parties(self, row: Call) -> SafeString:
        """Show who called whom, with an arrow for the direction."""
        inbound = row.direction == Direction.INBOUND
        return format_html(
            '<span class="console-direction" title="{}">{}</span>'
            ' {} <span class="console-dim">→</span> {}',
            row.get_direction_display(),
            "↘" if inbound else "↗",
            party(row.from_raw_id, row.caller_name),
            party(row.to_raw_id),
        )

    @display(description="Rang", ordering="rang_at")
    def rang(self, row: Call) -> SafeString:
        """Show when it began."""
        return markup.minute(row.rang_at)

    @display(description="Duration")
    def length(self, row: Call) -> str:
        """Show how long it lasted, or lasts."""
        return formats.clock(row.duration(timezone.now()))

    @display(description="Streaming", ordering="streaming_state")
    def streaming(self, row: Call) -> SafeString:
        """Show what streaming really does; what was asked for, where that differs."""
        return streaming_cell(row, paused_words(row))

    @display(description="People", ordering="people_counted")
    def people(self, row: Any) -> str:
        """Show how many took part."""
        return formats.count(row.people_counted or 0)

    @display(description="Silence", ordering="silence_share")
    def silence(self, row: Any) -> str | SafeString:
        """Show the share of all packets that ACS flagged silent."""
        return bar(row.silence_share, "silence")

    @display(description="Complete", ordering="completeness")
    def complete(self, row: Call) -> str | SafeString:
        """Show the received share."""
        return bar(row.completeness, "completeness")

    @display(description="Archive", ordering="archive_state", label=ARCHIVE_COLOURS)
    def archive(self, row: Call) -> tuple[str, str]:
        """Show how far the recordings are."""
        return row.archive_state, ARCHIVE_WORDS[row.archive_state]
