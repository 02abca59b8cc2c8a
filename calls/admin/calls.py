"""The list of calls and the page of one call."""

from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.admin import ShowFacets
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern
from django.utils.translation import gettext_lazy as _

from calls.admin.archive.changelist import FOUND, ArchiveList
from calls.admin.archive.columns import (
    ALWAYS,
    COLUMNS,
    SESSION_ROWS,
    columns_of,
    rows_of,
)
from calls.admin.archive.filters import FILTERS
from calls.admin.archive.urls import archive_urls
from calls.admin.archive.views import opening_address, view_chips, view_here
from calls.admin.orders import OrderActions, is_uuid
from calls.backlog import backlog_words
from calls.export.views import PERMISSION as EXPORT_PERMISSION
from calls.export.views import export_preview
from calls.markup import (
    ARCHIVE_COLOURS,
    CALL_COLOURS,
    STREAMING_COLOURS,
    TRANSCRIPTION_COLOURS,
    call_title,
)
from calls.models import Call
from calls.offers import call_offers, paused_words
from calls.review import assignees, review_of
from calls.search import calls_matching
from calls.selectors import call_page

# Long texts that no list shows; the context is a bearer secret of 8 kB.
NOT_LISTED = (
    "incoming_call_context",
    "search_text",
    "people_text",
)


def _export(
    model_admin: Any, request: HttpRequest, calls: QuerySet[Call]
) -> HttpResponse:
    return export_preview(model_admin.admin_site, request, calls)


@admin.register(Call)
class CallAdmin(OrderActions):
    """Calls: newest first; the page of one tells its whole story."""

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
        calls = calls.defer(*NOT_LISTED)
        # Actions show no tags.
        return calls if request.method == "POST" else calls.prefetch_related("tags")

    def get_changelist(  # type: ignore[override] # a class, as Django has it
        self, request: HttpRequest, **kwargs: Any
    ) -> type[ArchiveList]:
        """Return the archive's own kind of list."""
        return ArchiveList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search by index; nothing is found twice."""
        if not search_term.strip():
            return queryset, False
        found, words = calls_matching(queryset, search_term)
        setattr(request, FOUND, words)
        return found, False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Show the list, or the user's default view when nothing is asked for."""
        if request.method == "GET" and (address := opening_address(request)):
            return redirect(f"{request.path}{address}")
        if "rows" in request.GET:
            request.session[SESSION_ROWS] = rows_of(request)
        view = view_here(request)
        shown = columns_of(request, view)
        context = {
            "backlog": backlog_words(),
            # Actions come through here too and show none.
            "views": partial(view_chips, request),
            "view": view,
            "columns": [
                (name, column.label, name in shown) for name, column in COLUMNS.items()
            ],
            "always": ALWAYS,
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)

    # --- many calls ---------------------------------------------------------------

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer to download the recordings of the chosen calls, first of all."""
        orders = super().get_actions(request)
        if not request.user.has_perm(EXPORT_PERMISSION):
            return orders
        return {"export": (_export, "export", _("Download recordings …"))} | orders

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
