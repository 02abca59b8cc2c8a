"""The audit log: who did what, filtered, searched, taken away as a file."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypedDict
from uuid import UUID

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseBadRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    TextFilter,
)
from unfold.views import ChangeList

from calls import formats
from calls.admin.base import FactAdmin, page_link
from calls.admin.filters import MomentRangeFilter
from calls.audit import log as audit_log
from calls.audit.export import RowsResponse, csv_blocks, jsonl_blocks
from calls.audit.head import head_now
from calls.audit.words import sentence
from calls.markup import call_title, moment, pretty_json
from calls.models import AuditAction, AuditCheck, AuditEntry, Call

Blocks = Callable[[QuerySet[AuditEntry], Mapping[str, str]], Iterator[bytes]]
FORMS: dict[str, tuple[str, Blocks]] = {
    "csv": ("text/csv; charset=utf-8", csv_blocks),
    "jsonl": ("application/jsonl", jsonl_blocks),
}


class WhoFilter(TextFilter):
    """The name of who did it, whole, upper or lower case."""

    title = "who"
    parameter_name = "who"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return what they did."""
        name = (self.value() or "").strip()
        return queryset.filter(actor__iexact=name) if name else queryset


class CallFilter(TextFilter):
    """Our id of a call, or ACS's connection id."""

    title = "call id"
    parameter_name = "call"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return what was done about the call; nothing for an id that is none."""
        text = (self.value() or "").strip()
        if not text:
            return queryset
        wanted = Q(call_key__in=Call.objects.filter(connection_id=text).values("pk"))
        with suppress(ValueError):
            # ACS's ids look like ours.
            wanted |= Q(call_key=UUID(text))
        return queryset.filter(wanted)


class ObjectFilter(TextFilter):
    """What it was done to: a title or part of it, a key whole."""

    title = "about"
    parameter_name = "about"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return what was done to it."""
        text = (self.value() or "").strip()
        about = Q(object_title__icontains=text) | Q(object_key=text)
        return queryset.filter(about) if text else queryset


class AddressFilter(TextFilter):
    """The address it was done from, or how it begins: 10.1."""

    title = "address"
    parameter_name = "address"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return what was done from there."""
        text = (self.value() or "").strip()
        return queryset.filter(address__startswith=text) if text else queryset


class AuditList(ChangeList):
    """The list of entries. What they are about is asked once per page and kind."""

    def get_results(self, request: HttpRequest) -> None:
        """Find the page's entries, and what they are about."""
        super().get_results(request)
        self.result_list = list(self.result_list)
        subjects_find(self.result_list)


def subjects_find(entries: Sequence[Any]) -> None:
    """Give each entry its `call` and whether its object `is_there`, if still so."""
    keys: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        keys[entry.object_type].add(entry.object_key)
    there = {kind: _there(kind, found) for kind, found in keys.items()}
    calls = Call.objects.defer("incoming_call_context").in_bulk(
        {entry.call_key for entry in entries if entry.call_key}
    )
    for entry in entries:
        entry.call = calls.get(entry.call_key)
        entry.is_there = entry.object_key in there[entry.object_type]


def _there(kind: str, keys: set[str]) -> set[str]:
    """Return which rows of a table there still are and have a page here."""
    try:
        model = apps.get_model(kind)
    except (LookupError, ValueError):
        return set()
    if not admin.site.is_registered(model):
        return set()
    rows = model._default_manager.filter(pk__in=keys).values_list("pk", flat=True)
    return {str(pk) for pk in rows}


class Chain(TypedDict):
    """What the page says of the chain."""

    is_intact: bool
    words: str


def chain_words() -> Chain:
    """Return what the last check found, by two queries: nothing is verified here."""
    last = AuditCheck.objects.first()
    head = head_now()
    if last is None:
        words = _("%(number)s entries are chained; not verified yet.")
        return {"is_intact": True, "words": words % {"number": head.sequence}}
    told = {
        "sequence": last.sequence,
        "head": head.sequence,
        "at": formats.moment(last.at),
        "faults": last.faults,
        "words": last.words,
    }
    if last.faults:
        words = _("NOT INTACT on %(at)s: %(faults)s findings. The first: %(words)s.")
    else:
        words = _("Verified up to entry %(sequence)s of %(head)s on %(at)s.")
    return {"is_intact": not last.faults, "words": words % told}


@admin.register(AuditEntry)
class AuditEntryAdmin(FactAdmin):
    """Every entry as a sentence. Nobody adds, changes or deletes one here."""

    list_display = ("when", "actor", "told", "shown_call", "shown_object", "address")
    list_filter = (
        WhoFilter,
        ("action", ChoicesDropdownFilter),
        ("at", MomentRangeFilter),
        CallFilter,
        ObjectFilter,
        AddressFilter,
    )
    search_fields = (
        "actor",
        "object_title",
        "object_key",
        "call_key",
        "address",
        "details",
    )
    search_help_text = _("Name, address, title or id of what it is about")
    fields = (
        ("when", "actor"),
        "told",
        ("shown_call", "shown_object"),
        "address",
        "shown_details",
        "place",
    )
    readonly_fields = (
        "when",
        "told",
        "shown_call",
        "shown_object",
        "shown_details",
        "place",
    )
    list_before_template: Any = "admin/calls/audit_exports.html"

    def get_changelist(self, request: HttpRequest, **_: Any) -> Any:
        """Return the list that finds what its entries are about."""
        return AuditList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Show the list, and how far the chain is verified; note who looks."""
        if request.method == "GET" and self.has_view_permission(request):
            audit_log.look_note(request)
        context = {"chain": chain_words(), **(extra_context or {})}
        return super().changelist_view(request, context)

    def view_note(self, request: HttpRequest, row: AuditEntry) -> None:
        """Note a look at the log, whichever entry it is."""
        audit_log.look_note(request)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> AuditEntry | None:
        """Return an entry with what it is about."""
        entry: AuditEntry | None = super().get_object(request, object_id, from_field)
        if entry:
            subjects_find([entry])
        return entry

    def get_urls(self) -> list[Any]:
        """Add the exports before the pages of entries, which match anything."""
        exports = [
            path(
                f"export.{form}",
                self.admin_site.admin_view(self.export),
                {"form": form},
                name=f"calls_auditentry_{form}",
            )
            for form in FORMS
        ]
        return exports + super().get_urls()

    def export(self, request: HttpRequest, form: str) -> HttpResponseBase:
        """Send what the list shows under the same filters, whole. Noted itself."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            entries = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            return HttpResponseBadRequest("These filters make no sense.\n")
        content_type, blocks = FORMS[form]
        audit_log.note_request(
            AuditAction.AUDIT_EXPORTED,
            request,
            details={"format": form, "filters": request.GET.dict()},
        )
        name = f"audit_{timezone.localtime():%Y%m%d-%H%M%S}.{form}"
        response = RowsResponse(
            blocks(entries, request.GET.dict()), content_type=content_type
        )
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        response["Cache-Control"] = "private, no-store"
        return response

    @admin.display(description=_("When"), ordering="at")
    def when(self, row: AuditEntry) -> SafeString:
        """Show when it was, to the second; the title has the rest and UTC."""
        return moment(row.at)

    @admin.display(description=_("What"), ordering="action")
    def told(self, row: AuditEntry) -> str:
        """Show what was done, as a sentence."""
        return sentence(row)

    @admin.display(description=_("Call"))
    def shown_call(self, row: Any) -> str | SafeString:
        """Show the call: a link while it is there, afterwards its id."""
        if row.call:
            return page_link(row.call, call_title(row.call))
        return str(row.call_key) if row.call_key else formats.NOTHING

    @admin.display(description=_("About"), ordering="object_type")
    def shown_object(self, row: Any) -> str | SafeString:
        """Show what it was done to: a link while it is there."""
        if not row.is_there:
            return row.object_title or formats.NOTHING
        app, _, model = row.object_type.partition(".")
        url = reverse(f"admin:{app}_{model}_change", args=[row.object_key])
        return format_html(
            '<a class="console-link" href="{}">{}</a>', url, row.object_title
        )

    @admin.display(description=_("Place in the chain"))
    def place(self, row: AuditEntry) -> str:
        """Show the entry's number and its hash."""
        link = getattr(row, "link", None)
        return f"{link.sequence}: {link.hash}" if link else formats.NOTHING

    @admin.display(description=_("Details"))
    def shown_details(self, row: AuditEntry) -> SafeString:
        """Show what else was kept, with line breaks."""
        return pretty_json(row.details)
