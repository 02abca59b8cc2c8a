"""The archive's list: Django's, with bounded totals and an order that indexes have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.urls import reverse
from unfold.dataclasses import UnfoldAction
from unfold.views import ChangeList

from calls.admin.archive.columns import (
    COLUMNS,
    PAGE_SIZES,
    Sort,
    columns_of,
    rows_of,
)
from calls.admin.archive.filters import NAMES
from calls.admin.archive.inputs import ArchiveFilter, Chip
from calls.admin.archive.params import SORT_VAR, VIEW_VAR
from calls.admin.archive.views import view_here
from calls.admin.archive.when import PRESETS
from calls.admin.paging import BoundedPaginator
from calls.markup import call_title
from calls.models import Call
from calls.search import GRAM, Words, words_of

# Of a request: what its search is by words, if it is.
FOUND = "_archive_found"
# The whole list, where a default view would open.
ALL_VIEWS = "all"


@dataclass(frozen=True, slots=True)
class Heading:
    """The heading of a column; `address` sorts by it, `way` says how it is sorted."""

    name: str
    label: Any
    address: str = ""
    way: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A call of the list: its cells by column, and the orders it can be given."""

    call: Call
    title: str
    cells: list[tuple[str, str]]
    orders: list[tuple[str, str, str]]


def order_links(call: Call, orders: list[UnfoldAction]) -> list[tuple[str, str, str]]:
    """Return address, name and icon of the orders a call that runs can be given."""
    if not call.is_live:
        return []
    return [
        (
            reverse(f"admin:{order.action_name}", args=[call.pk]),
            order.description,
            str(order.icon or ""),
        )
        for order in orders
    ]


class ArchiveList(ChangeList):
    """Calls by filters, a search and one column."""

    page_sizes = PAGE_SIZES

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.list_request = request
        super().__init__(request, *args, **kwargs)

    # --- filters ------------------------------------------------------------------

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        """Return parameters of filters alone: no other may look into columns."""
        found = super().get_filters_params(params)
        return {name: value for name, value in found.items() if name in NAMES}

    @property
    def filters(self) -> list[ArchiveFilter]:
        """Return the filters, set or not."""
        specs: list[Any] = self.filter_specs
        return specs

    @property
    def chips(self) -> list[tuple[Chip, str]]:
        """Return each filter that is set and the address of the list without it."""
        return [
            (chip, self.address(without=chip.names))
            for one in self.filters
            for chip in one.chips()
        ]

    @property
    def presets(self) -> list[tuple[str, str, bool]]:
        """Return label, address and whether it is chosen, of each date preset."""
        dates = tuple(name for name in NAMES if name.startswith("rang_at_"))
        given = self.list_request.GET.get("when", "")
        found = [(str(_of[0]), key) for key, _of in PRESETS.items()]
        return [
            (label, self.address({"when": key}, without=dates), given == key)
            for label, key in found
        ]

    def address(
        self, with_: dict[str, str] | None = None, without: tuple[str, ...] = ()
    ) -> str:
        """Return the list's query string with a few changes, on its first page."""
        query = self.kept(*without)
        for name, value in (with_ or {}).items():
            query[name] = value
        return f"?{query.urlencode()}" if query else f"?{VIEW_VAR}={ALL_VIEWS}"

    def kept(self, *without: str) -> QueryDict:
        """Return the list's parameters without the page, empty ones, and some."""
        query = QueryDict(mutable=True)
        known = {*NAMES, SEARCH_VAR, SORT_VAR, VIEW_VAR}
        for name, value in self.list_request.GET.items():
            is_idle = name == VIEW_VAR and value == ALL_VIEWS
            if name in known and name not in without and value and not is_idle:
                query[name] = str(value)
        return query

    @property
    def without_search(self) -> str:
        """Return the address of the list without the search."""
        return self.address(without=(SEARCH_VAR,))

    @property
    def is_too_short(self) -> bool:
        """Say whether the search has no word that is long enough to look for."""
        return (
            bool(self.query) and max(map(len, words_of(self.query)), default=0) < GRAM
        )

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """Return what the filter panel's form keeps beside the filters."""
        return [(name, str(value)) for name, value in self.kept(*NAMES).items()]

    @property
    def row_links(self) -> list[tuple[int, str, bool]]:
        """Return how many rows a page can have: number, address, whether it has."""
        return [
            (size, self.address({"rows": str(size)}), size == self.list_per_page)
            for size in PAGE_SIZES
        ]

    def page_address(self, number: int) -> str:
        """Return the address of a page."""
        return f"?{urlencode([*self.kept().items(), (PAGE_VAR, number)])}"

    @property
    def before(self) -> str:
        """Return the address of the page before; empty on the first."""
        return self.page_address(self.page_num - 1) if self.page_num > 1 else ""

    @property
    def after(self) -> str:
        """Return the address of the next page; empty on the last."""
        is_last = self.page_num >= self.paginator.num_pages
        return "" if is_last else self.page_address(self.page_num + 1)

    # --- order --------------------------------------------------------------------

    def _sort(self) -> tuple[str, bool]:
        """Return the column that is asked for and whether downwards.

        One column: of more, no index would be of use.
        """
        asked = self.list_request.GET.get(SORT_VAR, "")
        name = asked.removeprefix("-")
        column = COLUMNS.get(name)
        if column is None or column.sort is None:
            return "rang", True
        return name, asked.startswith("-")

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Return the order by one column, newest first where nothing is said."""
        name, is_descending = self._sort()
        sort = COLUMNS[name].sort or Sort("rang_at")
        return sort.ordering(is_descending)

    # --- the table ----------------------------------------------------------------

    @property
    def shown(self) -> list[str]:
        """Return the columns to show."""
        return columns_of(self.list_request, view_here(self.list_request))

    @property
    def headings(self) -> Iterator[Heading]:
        """Yield the heading of each column."""
        sorted_by, is_descending = self._sort()
        for name in self.shown:
            column = COLUMNS[name]
            if column.sort is None:
                yield Heading(name, column.label)
                continue
            is_sorted = name == sorted_by
            is_down = not is_descending if is_sorted else column.sort.is_down
            way = ("descending" if is_descending else "ascending") if is_sorted else ""
            address = self.address({SORT_VAR: f"{'-' if is_down else ''}{name}"})
            yield Heading(name, column.label, address, way)

    @property
    def rows(self) -> Iterator[Row]:
        """Yield the calls of the page."""
        shown = [(name, COLUMNS[name].cell) for name in self.shown]
        admin: Any = self.model_admin
        orders = admin.get_actions_row(self.list_request)
        for call in self.result_list:
            yield Row(
                call=call,
                title=call_title(call),
                cells=[(name, cell(call)) for name, cell in shown],
                orders=order_links(call, orders),
            )

    # --- pages --------------------------------------------------------------------

    def get_results(self, request: HttpRequest) -> None:
        """Find the page; one that is not there is the nearest that is."""
        self.list_per_page = rows_of(request)
        paginator = BoundedPaginator(self.queryset, self.list_per_page)
        self._count(paginator, getattr(request, FOUND, None))
        self.paginator = self.bounded = paginator
        self.page_num = min(max(self.page_num, 1), paginator.num_pages)
        self.result_count = paginator.count
        self.result_list = paginator.page(self.page_num).object_list
        self.show_full_result_count = False
        # Beside the title it would be another total.
        self.full_result_count = self.result_count
        self.show_admin_actions = True
        self.can_show_all = False
        self.multi_page = paginator.num_pages > 1

    def _count(self, paginator: BoundedPaginator, words: Words | None) -> None:
        """Let the rows be counted in the way that is soonest for their words."""
        known = [words, *(one.words for one in self.filters)]
        paginator.counted = self.queryset.filter(
            *(one.counting for one in known if one)
        )
        limits = (one.most for one in known if one and one.most)
        paginator.most = min(limits, default=None)

    @property
    def rows_words(self) -> str:
        """Return which rows are shown, of how many."""
        return self.bounded.rows_words(self.page_num)
