"""What filters of the archive share: their fields on the page, and their chips."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from calls.search import Words

Choice = tuple[str, str]

# Years that a call can be of: dates outside overflow somewhere on their way.
YEARS = range(1971, 2200)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the filter panel. `kind`: text, date, or a select with `choices`."""

    name: str
    label: str
    kind: str
    value: str
    choices: Sequence[Choice] = ()
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is set, in words, and the parameters that go with it."""

    text: str
    names: tuple[str, ...]


class ArchiveFilter(SimpleListFilter):
    """A filter of one or more parameters. What makes no sense in them is no filter."""

    names: ClassVar[tuple[str, ...]] = ()
    # Of a filter by words: how they are found.
    words: Words | None = None

    def __init__(
        self,
        request: HttpRequest,
        params: dict[str, Any],
        model: Any,
        model_admin: ModelAdmin[Any],
    ) -> None:
        # Django wants one name, and takes that one only.
        self.parameter_name = self.names[0]
        self.request = request
        super().__init__(request, params, model, model_admin)
        for name in self.names[1:]:
            if given := params.pop(name, None):
                self.used_parameters[name] = given[-1]

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[Any]:
        """Return nothing: the panel is drawn from `fields`."""
        return []

    def has_output(self) -> bool:
        """Be among the list's filters, set or not."""
        return True

    def expected_parameters(self) -> list[str | None]:
        """Return the names of the parameters."""
        return list(self.names)

    def given(self, name: str) -> str:
        """Return what was given for a parameter; empty for nothing."""
        return str(self.used_parameters.get(name, "")).replace("\0", "").strip()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows that pass."""
        raise NotImplementedError

    def fields(self) -> list[Field]:
        """Return the fields of the panel."""
        raise NotImplementedError

    def chips(self) -> Iterator[Chip]:
        """Yield what is set."""
        raise NotImplementedError


class ChoiceFilter(ArchiveFilter):
    """One of a few choices."""

    label: ClassVar[Any] = ""

    def options(self) -> Sequence[Choice]:
        """Return value and label of each choice."""
        raise NotImplementedError

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the rows of a choice."""
        raise NotImplementedError

    def chosen(self) -> str:
        """Return the choice; empty for none, or for something that is not offered."""
        value = self.given(self.names[0])
        # Some choices are rows: they are asked for when there is something to judge.
        return value if value and value in dict(self.choices_offered()) else ""

    def choices_offered(self) -> Sequence[Choice]:
        """Return the choices, asked for once."""
        if not hasattr(self, "_offered"):
            self._offered = list(self.options())
        return self._offered

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the choice."""
        value = self.chosen()
        return self.narrow(queryset, value) if value else queryset

    def fields(self) -> list[Field]:
        """Return a select."""
        choices = [("", _("Any")), *self.choices_offered()]
        return [Field(self.names[0], str(self.label), "select", self.chosen(), choices)]

    def chips(self) -> Iterator[Chip]:
        """Yield the choice in words."""
        if value := self.chosen():
            words = dict(self.choices_offered())[value]
            yield Chip(f"{self.label}: {words}", self.names)


class TextFilter(ArchiveFilter):
    """A text to look for."""

    label: ClassVar[Any] = ""
    hint: ClassVar[Any] = ""

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the rows that have the text."""
        raise NotImplementedError

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows that have the text."""
        value = self.given(self.names[0])
        return self.narrow(queryset, value) if value else queryset

    def fields(self) -> list[Field]:
        """Return a field for the text."""
        [name] = self.names
        label, hint = str(self.label), str(self.hint)
        return [Field(name, label, "text", self.given(name), hint=hint)]

    def chips(self) -> Iterator[Chip]:
        """Yield the text."""
        if value := self.given(self.names[0]):
            yield Chip(f"{self.label}: {value}", self.names)


class RangeFilter(ArchiveFilter):
    """From and to; `names` are these two. `read` makes a number of what was typed."""

    label: ClassVar[Any] = ""
    hint: ClassVar[Any] = ""
    field: ClassVar[str] = ""

    def read(self, text: str) -> float | None:
        """Return what was typed as the column has it; None if it is nothing."""
        raise NotImplementedError

    def limits(self) -> tuple[float | None, float | None]:
        """Return both limits as the column has them."""
        least, most = (self.read(self.given(name)) for name in self.names)
        return least, most

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows between, limits included."""
        least, most = self.limits()
        if least is not None:
            queryset = queryset.filter(**{f"{self.field}__gte": least})
        if most is not None:
            queryset = queryset.filter(**{f"{self.field}__lte": most})
        return queryset

    def fields(self) -> list[Field]:
        """Return a field for each limit."""
        least, most = self.names
        label, hint = str(self.label), str(self.hint)
        return [
            Field(
                least,
                _("%(what)s from") % {"what": label},
                "text",
                self.given(least),
                hint=hint,
            ),
            Field(
                most,
                _("%(what)s to") % {"what": label},
                "text",
                self.given(most),
                hint=hint,
            ),
        ]

    def chips(self) -> Iterator[Chip]:
        """Yield the limits as they were typed."""
        least, most = self.limits()
        shown = [
            f"{sign} {self.given(name)}"
            for sign, name, limit in zip("≥≤", self.names, (least, most), strict=True)
            if limit is not None
        ]
        if shown:
            yield Chip(f"{self.label} {' '.join(shown)}", self.names)


def number_of(text: str) -> float | None:
    """Return a number as people type it, comma or point; None if it is none."""
    try:
        number = float(text.replace(",", ".").rstrip("%").strip())
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def seconds_of(text: str) -> float | None:
    """Return a length of time: "90", "1:30" or "1:02:03"; None if it is none."""
    total = 0.0
    parts = text.split(":")
    if len(parts) > 3:
        return None
    for part in parts:
        number = number_of(part)
        if number is None or number < 0:
            return None
        total = total * 60 + number
    return min(total, 1e9)


def day_of(text: str) -> date | None:
    """Return a day of the calendar, "2026-03-01"; None if it is none."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.year in YEARS else None
