"""Pages of lists that may have a million rows: nobody counts them all."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.translation import gettext as _
from unfold.views import ChangeList

from calls import formats

# So many rows are counted and can be turned to; who looks for more needs a filter.
MOST_ROWS = 10_000


if TYPE_CHECKING:
    AnyPaginator = Paginator[Any]
else:
    # Subscriptable in Django's stubs alone.
    AnyPaginator = Paginator


class BoundedPaginator(AnyPaginator):
    """Pages of the first `most` rows; one row more is looked for, not all."""

    template_name = "admin/calls/pagination.html"
    # The same rows in another way, by which they are counted sooner.
    counted: Any = None
    # Fewer where each row takes long to find.
    most: int | None = None

    @property
    def limit(self) -> int:
        """Return how many rows are counted at most."""
        return self.most or MOST_ROWS

    @cached_property
    def found(self) -> int:
        """Return how many rows there are, `most` + 1 standing for any more."""
        rows: Any = self.object_list if self.counted is None else self.counted
        if not hasattr(rows, "order_by"):
            return len(rows)
        # Without order, annotations and joins: the database stops when it has enough.
        found: int = rows.order_by().values("pk")[: self.limit + 1].count()
        return found

    @cached_property
    def count(self) -> int:
        """Return how many rows the pages have together."""
        return min(self.found, self.limit)

    @property
    def is_bounded(self) -> bool:
        """Say whether there are more rows than are counted."""
        return self.found > self.limit

    @property
    def total_words(self) -> str:
        """Return how many rows there are, for people."""
        if self.is_bounded:
            return _("more than %(n)s") % {"n": formats.count(self.limit)}
        return formats.count(self.found)

    def rows_words(self, number: int) -> str:
        """Return which rows a page has, of how many: "51–100 of 1 234"."""
        if not self.count:
            return _("nothing")
        page = self.page(number)
        return _("%(first)s–%(last)s of %(total)s") % {
            "first": formats.count(page.start_index()),
            "last": formats.count(page.end_index()),
            "total": self.total_words,
        }


class BoundedList(ChangeList):
    """A list that says under its rows how many there are, and not beside its title."""

    def get_results(self, request: HttpRequest) -> None:
        """Find the page; the title's total would be that of the counted rows."""
        super().get_results(request)
        self.full_result_count = self.result_count
