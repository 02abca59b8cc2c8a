"""The list of calls and the page of one call."""

from typing import Any

from django.contrib import admin
from django.contrib.admin import ShowFacets
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from calls import formats
from calls.admin.archive import cells
from calls.admin.archive.changelist import ArchiveList
from calls.admin.archive.columns import (
    ALWAYS,
    COLUMNS,
    SESSION_ROWS,
    column,
    columns_of,
    rows_of,
)
from calls.admin.archive.filters import FILTERS
from calls.admin.archive.urls import archive_urls
from calls.admin.archive.views import default_address, view_chips, view_here
from calls.admin.orders import OrderActions, is_uuid
from calls.markup import (
    ARCHIVE_COLOURS,
    CALL_COLOURS,
    STREAMING_COLOURS,
    TRANSCRIPTION_COLOURS,
    bar,
    call_title,
    streaming_cell,
)
from calls.models import Call
from calls.models.call import ArchiveState
from calls.offers import call_offers, paused_words
from calls.review import assignees, review_of
from calls.search import calls_matching
from calls.selectors import call_page

# The model's own labels are sentences; a column has room for a word.
ARCHIVE_WORDS = {
    "none": "None",
    "live": "Receiving",
    "pending": "Pending",
    "finished": "Verified",
    "failed": "Failed",
}
# Long texts that no list shows; the context is a bearer secret of 8 kB.
NOT_LISTED = (
    "incoming_call_context",
    "search_text",
    "people_text",
)


@admin.register(Call)
class CallAdmin(OrderActions):
    """Calls: newest first; the page of one tells its whole story."""

    list_display = tuple(COLUMNS)
    list_display_links = (ALWAYS,)
    list_filter = tuple(FILTERS)
    list_select_related = ("profile", "follow_up_assignee")
    show_facets = ShowFacets.NEVER
    # What Django looks for a search box by; `get_search_results` searches.
    search_fields = ("search_text",)
    search_help_text = _("Number, name, or any id of the call")
    fields = ("state",)
    change_form_template = "admin/calls/call_page.html"
    change_list_template = "admin/calls/archive.html"

    def get_urls(self) -> list[URLPattern]:
        """Add what the list keeps for people."""
        return [*archive_urls(self.admin_site.admin_view), *super().get_urls()]

    # --- the list -----------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Call]:
        """Return calls without what no page of many shows."""
        calls: QuerySet[Call] = super().get_queryset(request)
        return calls.defer(*NOT_LISTED).prefetch_related("tags")

    def get_changelist(  # type: ignore[override] # a class, as Django has it
        self, request: HttpRequest, **kwargs: Any
    ) -> type[ArchiveList]:
        """Return the archive's own kind of list."""
        return ArchiveList

    def get_list_display(self, request: HttpRequest) -> Any:
        """Return the columns of the view, or those that the user has chosen."""
        return columns_of(request, view_here(request))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search by index; nothing is found twice."""
        if not search_term.strip():
            return queryset, False
        return calls_matching(queryset, search_term), False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Show the list, or the user's default view when nothing is asked for."""
        is_bare = request.method == "GET" and not request.GET
        if is_bare and (address := default_address(request)):
            return redirect(f"{request.path}{address}")
        if "rows" in request.GET:
            request.session[SESSION_ROWS] = rows_of(request)
        view = view_here(request)
        shown = columns_of(request, view)
        context = {
            "views": view_chips(request),
            "view": view,
            "columns": [
                (name, label, name in shown) for name, label in COLUMNS.items()
            ],
            "always": ALWAYS,
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)

    @column("rang", ordering="rang_at")
    def rang(self, row: Call) -> str:
        """Show when it began."""
        return cells.moment_cell(row)

    @column("parties", ordering="from_raw_id")
    def parties(self, row: Call) -> SafeString:
        """Show who called whom."""
        return cells.parties_cell(row)

    @column("shown_state", label=CALL_COLOURS)
    def shown_state(self, row: Call) -> tuple[str, str]:
        """Show the state as a label."""
        return row.state, row.get_state_display()

    @column("length", ordering="duration_ms")
    def length(self, row: Call) -> str:
        """Show how long it lasted, or lasts."""
        return formats.clock(row.duration(timezone.now()))

    @column("people", ordering="people_count")
    def people(self, row: Call) -> str:
        """Show how many took part."""
        return formats.count(row.people_count)

    @column("silence", ordering="silence_ratio")
    def silence(self, row: Call) -> str | SafeString:
        """Show the share of all packets that ACS flagged silent."""
        return bar(row.silence_ratio, "silence")

    @column("complete", ordering="completeness")
    def complete(self, row: Call) -> str | SafeString:
        """Show the received share."""
        return bar(row.completeness, "completeness")

    @column("alarms_seen", ordering="alarm_severity")
    def alarms_seen(self, row: Call) -> str | SafeString:
        """Show how many alarms there were, and how bad the worst was."""
        return cells.alarms_cell(row)

    @column("shown_tags")
    def shown_tags(self, row: Call) -> str | SafeString:
        """Show the words people put on it."""
        return cells.tags_cell(row)

    @column("stars", ordering="rating")
    def stars(self, row: Call) -> str | SafeString:
        """Show what somebody made of it."""
        return cells.stars_cell(row)

    @column("follow_up")
    def follow_up(self, row: Call) -> str | SafeString:
        """Show whose it is to come back to it."""
        return cells.follow_up_cell(row)

    @column("streaming")
    def streaming(self, row: Call) -> SafeString:
        """Show what streaming really does; what was asked for, where that differs."""
        return streaming_cell(row, paused_words(row))

    @column("archive", label=ARCHIVE_COLOURS)
    def archive(self, row: Call) -> tuple[str, str]:
        """Show how far the recordings are."""
        return row.archive_state, ARCHIVE_WORDS[row.archive_state]

    @column("shown_profile")
    def shown_profile(self, row: Call) -> str:
        """Show by what profile it was streamed."""
        return row.profile.name if row.profile else formats.NOTHING

    @column("transcript")
    def transcript(self, row: Call) -> str:
        """Show whether there are words of it."""
        return str(_("Yes")) if row.has_transcript else formats.NOTHING

    @column("play")
    def play(self, row: Call) -> str | SafeString:
        """Lead to the player."""
        if row.archive_state != ArchiveState.FINISHED:
            return formats.NOTHING
        address = reverse("admin:calls_call_change", args=[row.pk])
        return format_html(
            '<a class="archive-play" href="{}#player" aria-label="{}">'
            '<span class="material-symbols-outlined" aria-hidden="true">play_circle'
            "</span></a>",
            address,
            _("Play %(call)s") % {"call": call_title(row)},
        )

    # --- the page -----------------------------------------------------------------

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
                "review": review_of(call, request.user),
                "assignees": assignees(),
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
