"""The filters of the archive by date: presets and a range."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from calls.admin.archive.inputs import (
    ArchiveFilter,
    Chip,
    Choice,
    ChoiceFilter,
    Field,
    day_of,
)

PRESETS: dict[str, tuple[Any, int, int]] = {
    # Label; first and last day, counted back from today.
    "today": (gettext_lazy("Today"), 0, 0),
    "yesterday": (gettext_lazy("Yesterday"), 1, 1),
    "7": (gettext_lazy("Last 7 days"), 6, 0),
    "14": (gettext_lazy("Last 14 days"), 13, 0),
    "30": (gettext_lazy("Last 30 days"), 29, 0),
}


class PresetFilter(ChoiceFilter):
    """Days counted back from today, in the viewer's time zone; today is one of them."""

    title = gettext_lazy("date")
    label = gettext_lazy("Rang")
    names = ("when",)

    def options(self) -> list[Choice]:
        """Return the presets."""
        return [(key, str(label)) for key, (label, *_days) in PRESETS.items()]

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the calls of those days."""
        _label, first, last = PRESETS[value]
        today = timezone.localdate()
        queryset = queryset.filter(rang_at__gte=_midnight(today - timedelta(first)))
        if last == 0:
            return queryset
        return queryset.filter(rang_at__lt=_midnight(today - timedelta(last - 1)))


def _midnight(day: Any) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


class RangFilter(ArchiveFilter):
    """When it rang: from and to, in the viewer's time zone.

    A date alone means all of that day. A time is a parameter of its own.
    """

    title = gettext_lazy("date range")
    names = ("rang_at_from_0", "rang_at_to_0", "rang_at_from_1", "rang_at_to_1")

    def moment(self, side: str) -> datetime | None:
        """Return a limit; None if there is none, or it is no date."""
        day = day_of(self.given(f"rang_at_{side}_0"))
        if day is None:
            return None
        try:
            at = time.fromisoformat(self.given(f"rang_at_{side}_1")[:15])
        except ValueError:
            at = time() if side == "from" else time(23, 59, 59, 999_999)
        return timezone.make_aware(datetime.combine(day, at.replace(tzinfo=None)))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the calls between."""
        if begin := self.moment("from"):
            queryset = queryset.filter(rang_at__gte=begin)
        if end := self.moment("to"):
            queryset = queryset.filter(rang_at__lte=end)
        return queryset

    def fields(self) -> list[Field]:
        """Return two dates, and the times of a link that has them."""
        begin, end = self.names[:2]
        return [
            Field(begin, _("From day"), "date", self.given(begin)),
            Field(end, _("To day"), "date", self.given(end)),
            *(
                Field(name, "", "hidden", self.given(name))
                for name in self.names[2:]
                if self.given(name)
            ),
        ]

    def chips(self) -> Iterator[Chip]:
        """Yield the limits."""
        for side, word in (("from", _("from")), ("to", _("to"))):
            if self.moment(side):
                names = (f"rang_at_{side}_0", f"rang_at_{side}_1")
                given = " ".join(filter(None, (self.given(name) for name in names)))
                yield Chip(
                    _("Rang %(side)s %(at)s") % {"side": word, "at": given}, names
                )
