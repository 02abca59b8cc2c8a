"""Alarms as JSON for the pages' scripts.

Times are seconds since 1970 UTC; texts are in the viewer's zone and language.
"""

from typing import TypedDict


class PersonJson(TypedDict):
    """A member of staff."""

    id: int
    name: str


class AlarmCallJson(TypedDict):
    """The call an alarm is about. `alarms` is how many unclosed ones it has."""

    id: str
    url: str
    title: str
    live: bool
    alarms: int


class AlarmJson(TypedDict):
    """One alarm. It was raised when `opened`, its condition was there since `began`.

    `jump` leads to the moment it is about, `at` names that moment."""

    id: str
    kind: str
    kind_label: str
    severity: int
    severity_label: str
    state: str
    state_label: str
    words: str
    call: AlarmCallJson | None
    node: str
    who: str
    began: float
    opened: float
    opened_text: str
    opened_utc: str
    cleared: float | None
    lasts: bool
    occurrences: int
    assignee: PersonJson | None
    acknowledged_by: str
    closed_by: str
    closed: float | None
    closed_text: str
    close_reason: str
    jump: str
    at: str


class ChipJson(TypedDict):
    """One choice of a filter, and how many alarms it would show beside the others.

    None is "not counted": closed alarms and the others are not looked at together.
    """

    value: str
    label: str
    count: int | None
    chosen: bool


class GoneJson(TypedDict):
    """An alarm that was closed a moment ago, and by whom."""

    id: str
    words: str


class InboxJson(TypedDict):
    """One page of the problem inbox."""

    now: float
    rows: list[AlarmJson]
    chips: dict[str, list[ChipJson]]
    gone: list[GoneJson]
    total: int
    first: int
    page: int
    pages: int
    call: str
    last_closed: str
