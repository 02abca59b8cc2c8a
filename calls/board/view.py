"""What one viewer of the dashboard wants to see: order, filter, and rows on screen.

A browser tells its view over the socket, and the page's address carries it, so that a
view can be kept as a bookmark. Pure: rubbish is a `ViewError` that says what is wrong.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from calls.board.line import Line
from calls.models import CallState, StreamingState

# Of rows in one snapshot: more than any screen shows. At a kilobyte each, sixty a
# second are what one browser may cost.
MOST_ROWS = 60
FIRST_ROWS = 30
MOST_PINNED = 100
LONGEST_VIEW = 16_384  # bytes

Sort = Literal[
    "duration", "state", "from", "to", "streaming", "silence", "completeness", "quiet",
    "alarms", "listeners", "-duration", "-state", "-from", "-to", "-streaming",
    "-silence", "-completeness", "-quiet", "-alarms", "-listeners",
]  # fmt: skip


class ViewError(ValueError):
    """What a browser sent is no view; the text says why."""


class Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a row has to be like. The defaults let every row through."""

    state: CallState | None = None
    streaming: StreamingState | None = None
    # At least that severe an alarm; 1 is any.
    severity: Annotated[int, msgspec.Meta(ge=0, le=3)] = 0
    profile: Annotated[int, msgspec.Meta(ge=1)] | None = None
    node: Annotated[str, msgspec.Meta(max_length=255)] = ""
    incomplete: bool = False
    pinned: bool = False


class View(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One viewer's view. A new one replaces the old one whole."""

    sort: Sort = "duration"
    filter: Filter = Filter()
    search: Annotated[str, msgspec.Meta(max_length=100)] = ""
    pinned: Annotated[tuple[UUID, ...], msgspec.Meta(max_length=MOST_PINNED)] = ()
    selected: UUID | None = None
    first: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    count: Annotated[int, msgspec.Meta(ge=1, le=MOST_ROWS)] = FIRST_ROWS
    # The browser's own, returned with the snapshots that answer this view.
    number: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0

    @property
    def order(self) -> "View":
        """Return the part that decides which rows there are, and in which order."""
        return View(
            sort=self.sort,
            filter=self.filter,
            search=self.search,
            pinned=self.pinned,
        )


def view_read(text: str | bytes | None) -> View:
    """Return the view that a browser sent. Raises `ViewError`."""
    if not text or len(text) > LONGEST_VIEW:
        raise ViewError(f"A view is a JSON object of at most {LONGEST_VIEW} bytes.")
    try:
        return msgspec.json.decode(text, type=View)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as exc:
        raise ViewError(f"This is no view: {exc}") from exc


def view_of_address(query: Mapping[str, str]) -> View:
    """Return the view in the page's address; what makes no sense there is left out."""
    view: dict[str, Any] = {}
    for name, value in query.items():
        tried = dict(view)
        if name in ("sort", "q"):
            tried["search" if name == "q" else name] = value
        elif name in Filter.__struct_fields__:
            tried["filter"] = {**view.get("filter", {}), name: value}
        try:
            msgspec.convert(tried, View, strict=False)
        except msgspec.ValidationError:
            continue
        view = tried
    return msgspec.convert(view, View, strict=False)


# --- rows ---------------------------------------------------------------------------


STATES = {state.value: place for place, state in enumerate(CallState)}
STREAMING_STATES = {one.value: place for place, one in enumerate(StreamingState)}

_KEYS: dict[str, Callable[[Line], Any]] = {
    "duration": lambda row: -row.since,
    "state": lambda row: STATES.get(row.state, 0),
    "from": lambda row: row.from_name.casefold() or None,
    "to": lambda row: row.to_name.casefold() or None,
    "streaming": lambda row: STREAMING_STATES.get(row.streaming, 0),
    "silence": lambda row: row.silence,
    "completeness": lambda row: row.completeness,
    "quiet": lambda row: row.quiet,
    "alarms": lambda row: (row.severity, row.alarm_count),
    "listeners": lambda row: row.listener_count,
}


def rows_ordered(rows: Sequence[Line], view: View) -> list[Line]:
    """Return the rows that match, pinned ones first, in the view's order.

    `rows` come newest first, and rows that are equal stay so. What is not known comes
    last whichever way one sorts.
    """
    is_wanted = _wanted(view)
    found = [row for row in rows if is_wanted(row)]
    key = _KEYS[view.sort.removeprefix("-")]
    known = [(key(row), row) for row in found]
    unknown = [row for value, row in known if value is None]
    sortable = [(value, row) for value, row in known if value is not None]
    sortable.sort(key=lambda pair: pair[0], reverse=view.sort.startswith("-"))
    ordered = [row for _, row in sortable] + unknown
    if view.pinned:
        pinned = frozenset(view.pinned)
        # Stable: both halves keep their order.
        ordered.sort(key=lambda row: row.id not in pinned)
    return ordered


Test = Callable[[Line], bool]


def _wanted(view: View) -> Test:
    """Return a function that says whether a row matches, with only the tests needed."""
    tests = [*_state_tests(view.filter), *_other_tests(view.filter)]
    if view.filter.pinned:
        pinned = frozenset(view.pinned)
        tests.append(lambda row: row.id in pinned)
    if view.search.strip():
        tests.append(_search(view.search))
    return lambda row: all(test(row) for test in tests)


def _state_tests(wanted: Filter) -> Iterator[Test]:
    # A call that has just ended stays where it was looked at: its state is no reason
    # to take it away sooner.
    if (state := wanted.state) is not None:
        yield lambda row: row.is_over or row.state == state
    if (streaming := wanted.streaming) is not None:
        yield lambda row: row.is_over or row.streaming == streaming


def _other_tests(wanted: Filter) -> Iterator[Test]:
    if severity := wanted.severity:
        yield lambda row: row.severity >= severity
    if (profile := wanted.profile) is not None:
        yield lambda row: row.profile_id == profile
    if node := wanted.node:
        yield lambda row: row.node == node
    if wanted.incomplete:
        yield lambda row: row.completeness is not None and row.completeness < 1


_NUMBER = re.compile(r"[\d\s+()./-]+")


def _search(search: str) -> Test:
    """Return a test for a name, a number however it is grouped, or an id."""
    digits = re.sub(r"\D", "", search)
    if digits and _NUMBER.fullmatch(search):
        # "206 555" and "(206) 555" are one number; the text holds it without gaps. Its
        # groups by themselves are in many a row: ids have digits as well.
        return lambda row: digits in row.search_text
    words = search.casefold().split()
    return lambda row: all(word in row.search_text for word in words)
