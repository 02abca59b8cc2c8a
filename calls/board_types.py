"""The dashboard's snapshot, as the page's script reads it.

Times are seconds since 1970 UTC, shares are 0 to 1. None is "not known".
"""

from typing import TypedDict


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
    """The latest order about a call."""

    label: str
    state: str
    state_label: str
    result: str


class CallRow(TypedDict):
    """One live call. Times are seconds since 1970 UTC."""

    id: str
    url: str
    state: str
    state_label: str
    direction: str
    from_name: str
    from_raw: str
    to_name: str
    to_raw: str
    since: float
    desired: bool
    streaming: str
    streaming_label: str
    streaming_reason: str
    paused: str
    completeness: float | None
    quiet: float | None
    malformed: int
    unknown: int
    mixed: bool
    measured: bool
    tracks: list[TrackRow]
    command: CommandRow | None


class EndedRow(TypedDict):
    """One call that is over."""

    id: str
    url: str
    state: str
    state_label: str
    direction: str
    from_name: str
    to_name: str
    ended_at: float
    seconds: float
    completeness: float | None
    silence_ratio: float | None
    archive: str
    archive_label: str
    reason: str


class Cards(TypedDict):
    """The figures on top. None is "not known", which differs from 0."""

    live_calls: int
    streams: int | None
    packets_per_second: float | None
    silence_ratio: float | None
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


class Board(TypedDict):
    """One whole snapshot."""

    at: float
    live: bool
    reason: str
    cards: Cards
    nodes: list[NodeRow]
    calls: list[CallRow]
    ended: list[EndedRow]
