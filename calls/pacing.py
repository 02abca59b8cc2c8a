"""Turns: how many requests a second all workers together may make to ACS.

Kept in Redis, as the moment at which the next request may go: each taker moves it on
by what it takes. A taker who has to wait is told for how long and needs not ask again.
Without Redis there is no broker either, and nobody to pace: everything goes at once.
"""

import logging
import time

import redis
from django.conf import settings

from calls.live.ingest import redis_sync

KEY = "acsstream:acs:turn"
# So many seconds' worth may go at once after a pause: within any second there are no
# more than a tenth above the rate.
BURST_SECONDS = 0.1
# Longer than this is a line, not another question.
PATIENCE_SECONDS = 0.5
# Returns how long to wait, in milliseconds. Times are Redis's own: workers' clocks may
# differ.
TAKE = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local turn = tonumber(redis.call('GET', KEYS[1]) or '0')
turn = math.max(turn, now - tonumber(ARGV[2]))
redis.call('SET', KEYS[1], turn + tonumber(ARGV[1]), 'PX', 600000)
return math.max(0, math.floor(turn - now))
"""
HOLD = """
local t = redis.call('TIME')
local till = t[1] * 1000 + math.floor(t[2] / 1000) + tonumber(ARGV[1])
local turn = tonumber(redis.call('GET', KEYS[1]) or '0')
redis.call('SET', KEYS[1], math.max(turn, till), 'PX', 600000)
"""

log = logging.getLogger(__name__)


def turn_take(cost: int) -> float:
    """Take the next turn for `cost` requests; return the seconds to wait for it."""
    rate = settings.ACS_RATE
    if not rate:
        return 0.0
    return _run(TAKE, 1000 * cost / rate, 1000 * BURST_SECONDS) / 1000


def turn_wait(cost: int) -> bool:
    """Wait for the next turn. False if orders stand in line: they go first.

    For questions that can be asked later. The turn is taken all the same; who gives up
    should ask nothing more for a while.
    """
    seconds = turn_take(cost)
    if seconds > PATIENCE_SECONDS:
        return False
    time.sleep(seconds)
    return True


def hold(seconds: float) -> None:
    """Let nobody begin a request for some seconds: ACS said it gets too many."""
    if settings.ACS_RATE:
        _run(HOLD, 1000 * seconds)


def _run(script: str, *numbers: float) -> float:
    try:
        with redis_sync() as client:
            return float(client.eval(script, 1, KEY, *numbers) or 0)
    except (redis.RedisError, OSError) as exc:
        # Said by the broker, which is the same Redis, loudly enough.
        log.debug("requests to ACS are not paced: %s", type(exc).__name__)
        return 0.0
