"""Filters of the lists that a plain field does not give."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.admin import ModelAdmin
from django.db.models import Min, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import DropdownFilter, RangeDateTimeFilter
from unfold.utils import parse_datetime_str

from calls import formats
from calls.models import CommandKind, IngestProcess, StreamCommand, StreamingProfile
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


class RateFilter(DropdownFilter):
    """The sample rate: what ACS sends, and not what is in a million rows."""

    title = "sample rate"
    parameter_name = "sample_rate"

    def lookups(
        self, request: HttpRequest, model_admin: ModelAdmin[Any]
    ) -> list[tuple[str, str]]:
        """Return the choices."""
        rates = StreamingProfile.SampleRate
        return [(str(rate.value), str(rate.label)) for rate in rates]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the choice."""
        value = self.value()
        if value not in dict(self.lookup_choices):
            return queryset
        return queryset.filter(sample_rate=int(value or 0))


class NodeFilter(DropdownFilter):
    """The node: one that has or had an ingest process."""

    title = "node"
    parameter_name = "node"

    def lookups(
        self, request: HttpRequest, model_admin: ModelAdmin[Any]
    ) -> list[tuple[str, str]]:
        """Return the choices."""
        nodes = IngestProcess.objects.order_by("node").values_list("node", flat=True)
        return [(node, node) for node in nodes.distinct()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the choice."""
        return queryset.filter(node=self.value()) if self.value() else queryset


class MomentRangeFilter(RangeDateTimeFilter):
    """From and to, in the pages' time zone; a date alone means all of that day.

    Unfold's own hands on times without a zone, and ignores a date without a time.
    """

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows between; what is no date is no limit."""
        name = self.parameter_name
        for side, lookup, rest in (
            ("from", "gte", "00:00:00"),
            ("to", "lte", "23:59:59.999999"),
        ):
            day = self.used_parameters.get(f"{name}_{side}_0")
            time = self.used_parameters.get(f"{name}_{side}_1") or rest
            if day and (moment := parse_datetime_str(f"{day} {time}")):
                limit = timezone.make_aware(moment)
                queryset = queryset.filter(**{f"{name}__{lookup}": limit})
        return queryset


class BulkFilter(DropdownFilter):
    """The bulk action a command is a part of: the latest are offered."""

    title = "bulk action"
    parameter_name = "bulk"
    offered = 10

    def lookups(
        self, request: HttpRequest, model_admin: ModelAdmin[Any]
    ) -> list[tuple[str, str]]:
        """Return the choices."""
        latest = (
            StreamCommand.objects.exclude(bulk_id=None)
            .order_by()
            .values_list("bulk_id", "kind")
            .annotate(at=Min("asked_at"))
            .order_by("-at")[: 2 * self.offered]
        )
        # Transcription may pause with the recording: what was asked for came first.
        asked = {bulk_id: (kind, at) for bulk_id, kind, at in latest}
        listed = [
            (str(bulk_id), f"{CommandKind(kind).label}, {formats.moment(at)}")
            for bulk_id, (kind, at) in asked.items()
        ]
        return [("any", "Part of any"), *listed[: self.offered]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the choice; none for what is no bulk action's id."""
        match self.value():
            case None:
                return queryset
            case "any":
                return queryset.exclude(bulk_id=None)
            case chosen:
                try:
                    return queryset.filter(bulk_id=UUID(chosen))
                except ValueError:
                    return queryset.none()
