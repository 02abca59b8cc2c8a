"""What is found of this machine's clock, beside Redis's.

What is told through Redis is judged by Redis's clock, whatever machines' own say. Rows
are stamped by machines, and minutes between those do harm: docs/deployment.md.
"""

import time

import redis
from django.utils.translation import gettext as _

from calls import formats
from calls.health.findings import Finding, Level
from calls.live.ingest import redis_sync
from calls.live.redis_clock import redis_now, seconds_ahead

MOST_SECONDS = 2.0


def check_clock() -> Finding:
    """Compare this machine's clock with Redis's."""
    try:
        with redis_sync() as client:
            asked, told, answered = time.time(), redis_now(client), time.time()
    except (redis.RedisError, OSError):
        says = _("Redis does not answer, so nothing shows it.")
        return Finding("clock", Level.WARNING, says)
    return clock_finding(seconds_ahead(asked, told, answered))


def clock_finding(ahead: float) -> Finding:
    """Say what it means that our clock is `ahead` of Redis's by so many seconds."""
    figures = {"ahead_seconds": round(ahead, 1)}
    if abs(ahead) <= MOST_SECONDS:
        says = _("This machine's clock and Redis's agree.")
        return Finding("clock", Level.OK, says, "", figures)
    says = (
        _("This machine's clock is %(seconds)s ahead of Redis's.")
        if ahead > 0
        else _("This machine's clock is %(seconds)s behind Redis's.")
    ) % {"seconds": formats.brief(abs(ahead))}
    do = _("Have all machines take their time from NTP; docs/deployment.md says why.")
    return Finding("clock", Level.WARNING, says, do, figures)
