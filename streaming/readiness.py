"""What an ingest process needs to take a stream, and what it can do without.

It needs its journal folder, room on that disk, and room for itself. Database and Redis
it can do without: rows and the live view catch up, so neither takes it out of
rotation. Nothing is asked here that the process does not know already.
"""

from collections.abc import Iterator

from django.conf import settings

from calls.health.clocks import clock_finding
from calls.health.findings import Finding, Level
from streaming.recorder import Recorder


def ingest_findings(recorder: Recorder) -> Iterator[Finding]:
    """Yield what is found of each thing it needs, the critical ones first."""
    yield _admission(recorder)
    yield _journal(recorder)
    yield _disk(recorder)
    yield _database(recorder)
    yield _redis(recorder)
    yield clock_finding(recorder.live.ahead)


def _admission(recorder: Recorder) -> Finding:
    figures = {"streams": recorder.streams, "limit": recorder.capacity.limit}
    if refuses := recorder.no_room():
        says = f"No further media socket is taken: {refuses}."
        do = "ACS is told 1013 and dials again; start another ingest process."
        return Finding("admission", Level.CRITICAL, says, do, figures)
    return Finding("admission", Level.OK, "Media sockets are taken.", "", figures)


def _journal(recorder: Recorder) -> Finding:
    health = recorder.journals.health()
    figures = {
        "pending_bytes": health.pending_bytes,
        "write_lag_seconds": round(health.write_lag, 3),
        "dropped_records": health.dropped_records,
    }
    for error in health.errors:
        says = f"Journals cannot be written: {error}."
        do = "Mend that disk: audio waits in memory, and then is lost."
        return Finding("journal", Level.CRITICAL, says, do, figures)
    return Finding("journal", Level.OK, "Journals can be written.", "", figures)


def _disk(recorder: Recorder) -> Finding:
    capacity = recorder.capacity
    figures = {"free_bytes": capacity.free_bytes, "days": capacity.disk_days}
    low = 4 * settings.MIN_FREE_MB * 1_000_000
    if 0 < capacity.free_bytes < low:
        says = f"Only {capacity.free_bytes // 1_000_000} MB are free for journals."
        do = "Free disk space, or see why journals are not made into recordings."
        return Finding("disk", Level.WARNING, says, do, figures)
    return Finding("disk", Level.OK, "There is room for journals.", "", figures)


def _database(recorder: Recorder) -> Finding:
    if recorder.archive.error:
        says = f"The database does not take rows: {recorder.archive.error}."
        do = "Audio is recorded meanwhile; rows catch up once it is back."
        return Finding("database", Level.WARNING, says, do)
    return Finding("database", Level.OK, "The database takes rows.")


def _redis(recorder: Recorder) -> Finding:
    if recorder.live.error:
        says = "Redis does not answer: nobody sees this process live."
        do = "Audio is recorded meanwhile; check REDIS_URL and the Redis server."
        return Finding("redis", Level.WARNING, says, do)
    return Finding("redis", Level.OK, "Redis answers.")
