"""The dashboard's snapshot, as the page's script reads it.

Times are seconds since 1970 UTC, shares are 0 to 1. None is "not known". What a row may
leave out is nothing worth a byte: at 1,000 calls every browser gets rows each second.
"""

from typing import NotRequired, TypedDict


class TrackRow(TypedDict):
    """One participant of a live call."""

    key: str
    name: str
    packets: int
    silence_ratio: float | None
    talk_ms: int
    rms_dbfs: float | None
    gap_count: int
    gap_ms: int
    talking: bool


class CommandRow(TypedDict):
    """The latest order about a call, unless it is confirmed."""

    label: str
    state: str
    state_label: str
    result: str


class AlarmsRow(TypedDict):
    """The alarms of a call that nobody has closed, the worst first."""

    count: int
    severity: int
    words: list[str]


class CallRow(TypedDict):
    """One call of the table. `tracks` None: they are in the next snapshot."""

    id: str
    state: str
    direction: str
    from_name: str
    from_raw: str
    to_name: str
    to_raw: str
    since: float
    desired: bool
    streaming: str
    completeness: float | None
    quiet: float | None
    measured: bool
    tracks: list[TrackRow] | None
    ended_at: NotRequired[float]
    streaming_reason: NotRequired[str]
    paused: NotRequired[str]
    malformed: NotRequired[int]
    unknown: NotRequired[int]
    mixed: NotRequired[bool]
    command: NotRequired[CommandRow]
    alarms: NotRequired[AlarmsRow]
    listeners: NotRequired[list[str]]
    # The name of what or who speaks into it for us.
    speaking: NotRequired[str]


class EndedRow(TypedDict):
    """One call that is over."""

    id: str
    state: str
    direction: str
    from_name: str
    to_name: str
    ended_at: float
    seconds: float
    completeness: float | None
    silence_ratio: float | None
    archive: str
    reason: str


class Cards(TypedDict):
    """The figures on top. None is "not known", which differs from 0."""

    live_calls: int
    streams: int | None
    packets_per_second: float | None
    silence_ratio: float | None
    alarms: int
    critical: int
    incomplete: int
    workers: int | None
    redis: bool
    processes: int
    processes_dead: int
    refused: int | None
    journal_pending_bytes: int | None
    journal_error: str


class NodeRow(TypedDict):
    """One ingest process: what it bears, and what it could hold."""

    key: str
    node: str
    pid: int
    streams: int
    limit: int
    cpu: float
    loop_lag_ms: float
    disk_bytes_per_second: float
    disk_free_bytes: int
    disk_days: float | None
    state: str
    state_label: str
    reason: str


class Trend(TypedDict):
    """The last hour: a point for every `step` seconds, the last one at `at`.

    None is a point that nobody took. `alarms` are those opened since the point before.
    """

    at: float
    step: int
    live_calls: list[int | None]
    packets_per_second: list[float | None]
    silence_ratio: list[float | None]
    alarms: list[int | None]


class Board(TypedDict):
    """One snapshot for one viewer: whole, but for rows that are not on screen.

    `calls` are the rows `first`, `first` + 1 … of the `total` that match the view with
    this `number`, of which `matching` are live: others have just ended, and fade.
    `trend` comes when it has a new point.
    """

    at: float
    live: bool
    reason: str
    number: int
    cards: Cards
    nodes: list[NodeRow]
    node_names: list[str]
    first: int
    total: int
    matching: int
    calls: list[CallRow]
    ended: list[EndedRow]
    trend: NotRequired[Trend]
