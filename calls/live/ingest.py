"""What ingest processes say about themselves, read from Redis.

Each process writes `acsstream:live:<process>` once a second and keeps its name in the
sorted set `acsstream:live`, scored by when it last wrote, by Redis's clock: recorders
and readers may be on machines whose clocks differ. `streaming.live` writes; the
dashboard and /metrics read.
"""

import logging
from collections.abc import Collection, Iterable, Sequence
from typing import NotRequired, TypedDict, cast

import msgspec
import redis
import redis.asyncio
from django.conf import settings
from django.db import transaction
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from calls.live.redis_clock import redis_now, redis_now_async
from calls.load import LiveLoad
from streaming.protocol import US

LIVE_KEY = "acsstream:live"
POKE_CHANNEL = "acsstream:changed"
# A process that has been silent for longer is dead.
FRESH_SECONDS = 10
# A page or a scrape must not hang on a Redis that has gone.
TIMEOUT_SECONDS = 1
# One more try, at once, for a connection that a restarted Redis has forgotten. The
# client's own three, with pauses, would stop the dashboard for seconds.
RETRIES = 1

log = logging.getLogger(__name__)


class LiveTrack(TypedDict):
    """One participant of a live call, from the process that receives it."""

    raw_id: str
    packets: int
    silent_packets: int
    silence_ratio: float | None
    talk_ms: int
    ms: int
    rms_dbfs: float | None
    peak_dbfs: float | None
    gap_count: int
    gap_ms: int
    late: int
    duplicates: int
    jitter_ms: float
    last_packet_at: float
    is_talking: bool


class LiveSpeaking(TypedDict):
    """What is being said into a call by us: the item that is heard now."""

    # Of the prompt, the user or the handler.
    name: str
    kind: str
    played_ms: int
    # Of all that waits, this item's rest included.
    queued_ms: int


class LiveAlarm(TypedDict):
    """An alarm of a live call that lasts; empty `raw_id`: of the whole call."""

    kind: str
    raw_id: str
    severity: int
    words: str
    # When it was raised, seconds since 1970, and when it began by capture time.
    since: float
    at_us: int | None


class LiveHandler(TypedDict):
    """What hears a live call and speaks into it, and how it fares."""

    name: str
    state: str
    frames: int
    dropped: int
    # The longest time for which it kept the loop to itself.
    longest_ms: int
    # What is wrong with it now, in words.
    trouble: str


class LiveCall(TypedDict):
    """One live call, as one process sees it."""

    call_id: str
    connections: int
    sample_rate: int
    mixed: bool
    packets: int
    malformed: int
    unknown: int
    last_packet_at: float | None
    completeness: float | None
    overtalk_ms: int
    tracks: list[LiveTrack]
    # A process of an older release does not say.
    alarms: NotRequired[list[LiveAlarm]]
    # None: we may speak and are silent. Absent: nothing can be said into this call.
    speaking: NotRequired[LiveSpeaking | None]
    underruns: NotRequired[int]
    handler: NotRequired[LiveHandler | None]


class LiveJournal(TypedDict):
    """How far the disk is behind."""

    pending_bytes: int
    error: str | None


class LiveBacklog(TypedDict):
    """What waits in a node's journal folder to be made into recordings."""

    waiting: int
    size: int
    # Seconds since 1970; None: nothing waits.
    oldest_at: float | None


class LiveTotals(TypedDict):
    """What a process has counted since it started. None of these ever falls."""

    sockets: int
    packets: int
    gaps: int
    gap_ms: int
    late: int
    duplicates: int
    malformed: int
    unknown: int
    dropped_records: int
    handler_dropped: int
    underruns: int
    # By reason.
    refused: dict[str, int]


class LiveProcess(TypedDict):
    """One ingest process, at one moment."""

    process: str
    node: str
    pid: int
    # By its own clock, as all times in it.
    at: float
    # Seconds since it was written, by Redis's clock: who reads it adds this.
    age: NotRequired[float]
    streams: int
    packets_per_second: float
    refused: int
    journal: LiveJournal
    database: str | None
    # A process of an older release does not say.
    load: NotRequired[LiveLoad]
    started_at: NotRequired[float]
    totals: NotRequired[LiveTotals]
    backlog: NotRequired[LiveBacklog]
    # It has been told to end and lets its sockets finish.
    draining: NotRequired[bool]
    calls: list[LiveCall]


def callers_of(call: LiveCall) -> list[LiveTrack]:
    """Return the tracks of a live call but for what we said ourselves."""
    return [track for track in call["tracks"] if track["raw_id"] != US]


def redis_sync() -> redis.Redis:
    """Return a client for one use; close it."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), RETRIES),
    )


def redis_async() -> redis.asyncio.Redis:
    """Return an asynchronous client; close it in the loop that used it."""
    return redis.asyncio.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=AsyncRetry(NoBackoff(), RETRIES),
    )


def board_poke() -> None:
    """Tell whoever shows live calls that something changed, once that is committed.

    A hint that may be lost: without it, they look once a second.
    """
    transaction.on_commit(_poke, robust=True)


def _poke() -> None:
    try:
        with redis_sync() as client:
            client.publish(POKE_CHANNEL, b"")
    except (redis.RedisError, OSError):
        log.debug("nobody is told of a change: Redis does not answer")


def live_processes() -> list[LiveProcess]:
    """Return what every living process last said. Raises `redis.RedisError`."""
    with redis_sync() as client:
        now = redis_now(client)
        ages = _ages(client.zrange(LIVE_KEY, 0, -1, withscores=True), now)
        return parsed(client.mget(keys_of(ages)), ages.values()) if ages else []


async def live_processes_async(client: redis.asyncio.Redis) -> list[LiveProcess]:
    """Return the same, without a thread."""
    now = await redis_now_async(client)
    ages = _ages(await client.zrange(LIVE_KEY, 0, -1, withscores=True), now)
    return parsed(await client.mget(keys_of(ages)), ages.values()) if ages else []


def _ages(scored: Sequence[tuple[bytes, float]], now: float) -> dict[bytes, float]:
    """Return how long ago each process wrote that is not dead."""
    ages = {name: max(now - at, 0.0) for name, at in scored}
    return {name: age for name, age in ages.items() if age <= FRESH_SECONDS}


def keys_of(names: Iterable[bytes]) -> list[str]:
    """Return the keys under which processes of these names write."""
    return [f"{LIVE_KEY}:{name.decode()}" for name in names]


def parsed(
    values: Sequence[bytes | None], ages: Collection[float]
) -> list[LiveProcess]:
    """Return the snapshots; one that expired in between is left out."""
    found = []
    for value, age in zip(values, ages, strict=True):
        if value:
            process = cast(LiveProcess, msgspec.json.decode(value))
            process["age"] = age
            found.append(process)
    return found
