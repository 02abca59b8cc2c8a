"""What the pages of this admin share."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from unfold.decorators import display
from unfold.views import ChangeList

from calls import formats
from calls.admin.auditing import AuditedAdmin
from calls.admin.paging import BoundedList, BoundedPaginator
from calls.admin.sidebar import list_name
from calls.audit.log import view_note
from calls.instants import instant
from calls.markup import call_title, moment, pretty_json
from calls.models import AuditAction, Call


class ConsoleAdmin(AuditedAdmin):
    """A list of 50 rows, filters beside it; changes go on the audit log."""

    list_per_page = 50
    paginator = BoundedPaginator
    show_full_result_count = False
    list_fullwidth = True
    list_filter_submit = True
    compressed_fields = True
    empty_value_display = formats.NOTHING

    def get_changelist(  # type: ignore[override] # a class, as Django has it
        self, request: HttpRequest, **kwargs: Any
    ) -> type[ChangeList]:
        """Return the kind of list that does not count a million rows."""
        return BoundedList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Name the list as the sidebar does, not "Select call to view"."""
        title = list_name(request.path) or capfirst(str(self.opts.verbose_name_plural))
        return super().changelist_view(
            request, {"title": title, **(extra_context or {})}
        )


SHOWN_BETTER = (models.DateTimeField, models.IntegerField, models.JSONField)
# Integers that count nothing.
NO_COUNTS = {"pid", "close_code"}


class FactAdmin(ConsoleAdmin):
    """What was received or done: shown, never edited here, not even by superusers."""

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the fields, times in the reader's zone and JSON with line breaks."""
        return [
            (title, {**options, "fields": [self._shown(f) for f in options["fields"]]})
            for title, options in super().get_fieldsets(request, obj)
        ]

    def _shown(self, name: Any) -> Any:
        try:
            field = self.opts.get_field(name)
        except (FieldDoesNotExist, TypeError):
            # A method of ours, or several fields in a line.
            return name
        if name in NO_COUNTS or not isinstance(field, SHOWN_BETTER):
            return name
        if field.choices or field.primary_key:
            return name
        return shown_field(field)

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """Show a row's page, to those who may see it, and note that they do."""
        row = kwargs.get("obj")
        if row is not None and request.method == "GET":
            self.view_note(request, row)
        return super().render_change_form(request, context, *args, **kwargs)

    def view_note(self, request: HttpRequest, row: Any) -> None:
        """Note a view of what belongs to a call; numbers are on all such pages."""
        if isinstance(row, Call) or getattr(row, "call_id", None):
            view_note(AuditAction.CALL_VIEWED, request, row)

    def has_add_permission(self, request: HttpRequest, *_: Any) -> Literal[False]:
        """Facts come from ACS, not from a form."""
        return False

    def has_change_permission(self, request: HttpRequest, *_: Any) -> Literal[False]:
        """Facts stay as they were received."""
        return False

    def has_delete_permission(self, request: HttpRequest, *_: Any) -> Literal[False]:
        """Facts belong together with their bytes; a row alone must not go."""
        return False


def shown_field(field: "models.Field[Any, Any]") -> Callable[[Any], str]:
    """Return what shows a field of a row better than Django's own way."""

    def shown(row: Any) -> str:
        value = getattr(row, field.attname)
        match field:
            case models.JSONField():
                return pretty_json(value)
            case models.DateTimeField():
                return moment(value)
            case _ if field.name == "origin_us":
                return moment(instant(value))
            case _:
                return formats.count(value)

    shown.__name__ = field.name
    shown.short_description = field.verbose_name  # type: ignore[attr-defined] # Django's way
    return shown


def page_link(row: models.Model | None, text: str = "") -> str | SafeString:
    """Return a link to the admin page of `row`."""
    if row is None:
        return formats.NOTHING
    options = row._meta
    url = reverse(
        f"admin:{options.app_label}_{options.model_name}_change", args=[row.pk]
    )
    return format_html('<a class="console-link" href="{}">{}</a>', url, text or row)


class OfCallAdmin(FactAdmin):
    """A fact that belongs to a call."""

    list_select_related: ClassVar[tuple[str, ...]] = ("call",)

    @display(description="Call", ordering="call__rang_at")
    def shown_call(self, row: Any) -> str | SafeString:
        """Show the call."""
        return page_link(row.call, call_title(row.call))

    @display(description="Rate", ordering="sample_rate")
    def rate(self, row: Any) -> str:
        """Show the sample rate."""
        return f"{row.sample_rate / 1000:g} kHz"
