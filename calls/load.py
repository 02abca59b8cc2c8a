"""What an ingest process says of its own load. A shape and nothing else: ingest
makes it, the console and /metrics read it.
"""

from typing import TypedDict


class LiveLoad(TypedDict):
    """What an ingest process bears, and what it could hold."""

    limit: int
    estimate: int
    cpu: float
    loop_lag_p50_ms: float
    loop_lag_p95_ms: float
    loop_lag_p99_ms: float
    disk_bytes_per_second: float
    disk_free_bytes: int
    disk_days: float | None
    state: str
    reason: str
