"""Filters of the lists that a plain field does not give."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ModelAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from calls.models import Call
from calls.models.call import CallQuerySet


class CompletenessFilter(DropdownFilter):
    """Whether everything that was expected was received."""

    title = "completeness"
    parameter_name = "complete"

    def lookups(
        self, request: HttpRequest, model_admin: ModelAdmin[Any]
    ) -> list[tuple[str, str]]:
        """Return the choices."""
        return [
            ("yes", "Complete"),
            ("no", "Incomplete"),
            ("under99", "Below 99 %"),
            ("unknown", "Not known"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the choice."""
        match self.value():
            case "yes":
                return queryset.filter(completeness__gte=1)
            case "no":
                if isinstance(queryset, CallQuerySet):
                    return queryset.incomplete()
                return queryset.filter(completeness__lt=1)
            case "under99":
                return queryset.filter(completeness__lt=0.99)
            case "unknown":
                return queryset.filter(completeness=None)
            case _:
                return queryset


class LiveFilter(DropdownFilter):
    """Whether the call is still running."""

    title = "live or over"
    parameter_name = "live"

    def lookups(
        self, request: HttpRequest, model_admin: ModelAdmin[Any]
    ) -> list[tuple[str, str]]:
        """Return the choices."""
        return [("yes", "Live"), ("no", "Over")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Call]) -> Any:
        """Return the rows of the choice."""
        assert isinstance(queryset, CallQuerySet)  # noqa: S101 Call's own manager
        match self.value():
            case "yes":
                return queryset.live()
            case "no":
                return queryset.ended()
            case _:
                return queryset
