"""The columns of the archive: which there are, and which somebody wants to see."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import F
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from calls.admin.archive import cells
from calls.models import Call, SavedView

SESSION_COLUMNS = "archive_columns"
SESSION_ROWS = "archive_rows"
PAGE_SIZES = (25, 50, 100)


@dataclass(frozen=True, slots=True)
class Sort:
    """What a column is sorted by. `has_gaps`: calls without the figure come last.

    `is_down`: whether it is sorted downwards at first, because that end matters.
    """

    field: str
    has_gaps: bool = False
    is_down: bool = True

    def ordering(self, is_descending: bool) -> list[Any]:
        """Return the whole order, as an index has it (docs/decisions/0012).

        Of calls that are alike the newest comes first; the order of a column without
        gaps is turned round as a whole.
        """
        if self.has_gaps:
            figure = F(self.field)
            if is_descending:
                return [figure.desc(nulls_last=True), "-rang_at", "-pk"]
            return [figure.asc(nulls_last=True), "-rang_at", "-pk"]
        first = f"-{self.field}" if is_descending else self.field
        if self.field == "rang_at":
            return [first, "-pk" if is_descending else "pk"]
        is_newest = is_descending is self.is_down
        return [first, *(("-rang_at", "-pk") if is_newest else ("rang_at", "pk"))]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: what it is called, what is in it, and what it is sorted by."""

    label: Any
    cell: Callable[[Call], str]
    sort: Sort | None = None
    is_usual: bool = True


# In the order of the list.
COLUMNS: dict[str, Column] = {
    "rang": Column(_("Rang"), cells.moment_cell, Sort("rang_at")),
    "parties": Column(
        _("From → to"), cells.parties_cell, Sort("from_raw_id", is_down=False)
    ),
    "state": Column(_("State"), cells.state_cell),
    "length": Column(
        _("Duration"), cells.length_cell, Sort("duration_ms", has_gaps=True)
    ),
    "people": Column(
        _("People"), cells.people_cell, Sort("people_count", has_gaps=True)
    ),
    "silence": Column(
        _("Silence"), cells.silence_cell, Sort("silence_ratio", has_gaps=True)
    ),
    "complete": Column(
        _("Complete"),
        cells.complete_cell,
        Sort("completeness", has_gaps=True, is_down=False),
    ),
    "alarms": Column(_("Alarms"), cells.alarms_cell, Sort("alarm_severity")),
    "tags": Column(_("Tags"), cells.tags_cell),
    "rating": Column(_("Rating"), cells.stars_cell, Sort("rating", has_gaps=True)),
    "follow_up": Column(_("Follow-up"), cells.follow_up_cell),
    "streaming": Column(_("Streaming"), cells.streaming_cell, is_usual=False),
    "archive": Column(_("Recordings"), cells.archive_cell),
    "profile": Column(_("Profile"), cells.profile_cell, is_usual=False),
    "transcript": Column(_("Transcript"), cells.transcript_cell, is_usual=False),
}
# Without it nobody knows what a row is.
ALWAYS = "parties"
DEFAULT = tuple(name for name, column in COLUMNS.items() if column.is_usual)


def columns_known(names: Iterable[object]) -> list[str]:
    """Return those of `names` that are columns, in the list's order, with the one."""
    wanted = {str(name) for name in names} | {ALWAYS}
    return [name for name in COLUMNS if name in wanted]


def columns_of(request: HttpRequest, view: SavedView | None) -> list[str]:
    """Return the columns that the view has, else those its user has chosen."""
    chosen = view.columns if view else request.session.get(SESSION_COLUMNS)
    if isinstance(chosen, list) and chosen:
        return columns_known(chosen)
    return list(DEFAULT)


def rows_of(request: HttpRequest) -> int:
    """Return how many rows a page has: as asked for, else as chosen before."""
    for asked in (request.GET.get("rows"), request.session.get(SESSION_ROWS)):
        if str(asked) in map(str, PAGE_SIZES):
            return int(str(asked))
    return PAGE_SIZES[1]
