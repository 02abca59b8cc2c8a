"""The columns of the archive: which there are, and which somebody wants to see."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import F
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from calls.models import SavedView

Shown = TypeVar("Shown", bound=Callable[..., Any])

SESSION_COLUMNS = "archive_columns"
SESSION_ROWS = "archive_rows"
PAGE_SIZES = (25, 50, 100)

# Name of the admin's method, and what the menu calls it; in the order of the list.
COLUMNS: dict[str, Any] = {
    "rang": _("Rang"),
    "parties": _("From → to"),
    "shown_state": _("State"),
    "length": _("Duration"),
    "people": _("People"),
    "silence": _("Silence"),
    "complete": _("Complete"),
    "alarms_seen": _("Alarms"),
    "shown_tags": _("Tags"),
    "stars": _("Rating"),
    "follow_up": _("Follow-up"),
    "streaming": _("Streaming"),
    "archive": _("Recordings"),
    "shown_profile": _("Profile"),
    "transcript": _("Transcript"),
    "play": _("Play"),
}
# Without it nobody knows what a row is.
ALWAYS = "parties"
DEFAULT = tuple(name for name in COLUMNS if name not in ("shown_profile", "transcript"))


def column(name: str, **more: Any) -> Callable[[Shown], Shown]:
    """Return the decorator of a column's method: it is headed as the menu has it."""
    decorator: Callable[[Shown], Shown] = display(description=COLUMNS[name], **more)
    return decorator


@dataclass(frozen=True, slots=True)
class Sort:
    """What a column is sorted by. `has_gaps`: calls without the figure come last."""

    field: str
    has_gaps: bool = False

    def ordering(self, is_descending: bool) -> list[Any]:
        """Return the whole order, as an index has it (docs/decisions/0011).

        Of calls that are alike the newest comes first; the order of a column without
        gaps is turned round as a whole.
        """
        if self.has_gaps:
            figure = F(self.field)
            first = (
                figure.desc(nulls_last=True)
                if is_descending
                else figure.asc(nulls_last=True)
            )
            return [first, "-rang_at", "-pk"]
        if self.field == "rang_at":
            return ["-rang_at", "-pk"] if is_descending else ["rang_at", "pk"]
        turned = is_descending is not (self.field == "alarm_severity")
        first_name = f"-{self.field}" if is_descending else self.field
        return [first_name, *(("rang_at", "pk") if turned else ("-rang_at", "-pk"))]


SORTS: dict[str, Sort] = {
    "rang": Sort("rang_at"),
    "parties": Sort("from_raw_id"),
    "length": Sort("duration_ms", has_gaps=True),
    "people": Sort("people_count", has_gaps=True),
    "silence": Sort("silence_ratio", has_gaps=True),
    "complete": Sort("completeness", has_gaps=True),
    "alarms_seen": Sort("alarm_severity"),
    "stars": Sort("rating", has_gaps=True),
}


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
