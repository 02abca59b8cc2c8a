"""The timeline as a page shows it, and as the page fetches it anew."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from django.template.loader import get_template
from django.utils import timezone

from calls import formats
from calls.history import SHOWN, CallRows, Entry, EntryKind, history_of, rows_of
from calls.models import Call
from calls.models.states import UNFINISHED_ARCHIVE

ENTRY_TEMPLATE = "admin/calls/timeline_entry.html"


class EntryHtml(TypedDict):
    """An entry as the page has it: replaced only when `html` differs."""

    key: str
    html: str


class TimelinePart(TypedDict):
    """What a page that is open fetches. `moving`: ask again."""

    moving: bool
    hidden: int
    entries: list[EntryHtml]


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry and its time as shown: with the date, if it is not the call's."""

    entry: Entry
    when: str
    utc: str


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """The newest entries of a call's timeline, oldest first."""

    rows: Sequence[EntryRow]
    kinds: Sequence[EntryKind]
    hidden: int
    is_moving: bool
    is_whole: bool
    zone: str


def timeline_page_of(rows: CallRows, *, is_whole: bool) -> TimelinePage:
    """Return the timeline for a page, from rows read with the same limit."""
    history = history_of(rows, limit=limit_of(is_whole=is_whole))
    return TimelinePage(
        rows=[entry_row(entry, rows.call) for entry in history.entries],
        kinds=list(EntryKind),
        hidden=history.hidden,
        is_moving=is_moving(rows.call),
        is_whole=is_whole,
        zone=timezone.get_current_timezone_name(),
    )


def limit_of(*, is_whole: bool) -> int | None:
    """Return how many entries a page shows at most."""
    return None if is_whole else SHOWN


def is_moving(call: Call) -> bool:
    """Say whether the timeline may still grow by itself."""
    return call.is_live or call.archive_state in UNFINISHED_ARCHIVE


def entry_row(entry: Entry, call: Call) -> EntryRow:
    """Return an entry as the list shows it."""
    local, rang = timezone.localtime(entry.at), timezone.localtime(call.rang_at)
    when = formats.moment_ms(entry.at)
    if local.date() != rang.date():
        when = f"{local:%Y-%m-%d} {when}"
    return EntryRow(
        entry=entry,
        when=when,
        utc=formats.utc(entry.at),
    )


def timeline_part(call: Call, *, is_whole: bool) -> TimelinePart:
    """Return what an open page needs to show the timeline as it is now."""
    rows = rows_of(call, limit=limit_of(is_whole=is_whole))
    page = timeline_page_of(rows, is_whole=is_whole)
    template = get_template(ENTRY_TEMPLATE)
    return {
        "moving": page.is_moving,
        "hidden": page.hidden,
        "entries": [
            {"key": row.entry.key, "html": template.render({"row": row})}
            for row in page.rows
        ],
    }
