"""What an ingest process tells of a call whose page is open, through Redis.

Web processes name the calls that are looked at; ingest processes tell of those alone:

    acsstream:watched                   sorted set: call ids, scored by when somebody
                                        last looked
    acsstream:details:<call>            hash: of each process that has it, JSON
    acsstream:wave:<call>:<process>:<n> the waveform of its nth track, a byte for each
                                        100 ms (`calls.audio.wave`)

The JSON is whole each second; waveforms grow in place, so that eight hours of them are
read once and then by the second. Times are seconds since 1970 UTC where they are said
to be times, by Redis's clock, which is the same for all machines; else seconds on the
call's clock, whose zero is its first packet.
"""

import json
from collections.abc import Sequence
from typing import NotRequired, TypedDict, cast
from uuid import UUID

import redis.asyncio

from calls.live.ingest import LiveHandler, LiveTrack
from calls.live.redis_clock import redis_now_async

WATCHED_KEY = "acsstream:watched"
# Who looks says so this often; a call is told of until nobody has for this long.
SAY_EVERY = 3.0
WATCHED_SECONDS = 10.0
# Details go when nobody writes them any more: the call is elsewhere, or nobody looks.
LIFETIME = 30
# What is older than this is not "now".
FRESH_SECONDS = 5.0


class DetailTrack(TypedDict):
    """One participant's track. Levels beside `live`'s are those of the whole track."""

    live: LiveTrack
    rate: int
    origin_us: int
    completeness: float | None
    level_dbfs: float | None
    highest_dbfs: float | None
    clipped: int
    wave: str
    slots: int
    revision: int
    # From which byte the waveform changed in each of its latest revisions.
    changes: list[int]
    # Kind (`g` gap, `x` not asked for), start and length, in seconds on the track.
    holes: list[tuple[str, float, float]]


class CallDetail(TypedDict):
    """One call, as the process that receives it knows it.

    `at` and `last_packet_at` are times; those within `live` are by the process's clock.
    """

    call_id: str
    process: str
    node: str
    at: float
    origin_us: int | None
    # How long the call's clock has run, by the packets and our clock since the last.
    clock: float
    last_packet_at: float | None
    connections: int
    malformed: int
    unknown: int
    completeness: float | None
    overtalk_ms: int
    tracks: list[DetailTrack]
    # A process of an older release does not say.
    handler: NotRequired[LiveHandler | None]


def details_key(call_id: UUID | str) -> str:
    """Return where details of a call are."""
    return f"acsstream:details:{call_id}"


def wave_key(call_id: UUID | str, process_id: UUID | str, number: int) -> str:
    """Return where the waveform of a process's nth track of a call is."""
    return f"acsstream:wave:{call_id}:{process_id}:{number}"


def newest_detail(told: Sequence[bytes], *, now: float) -> CallDetail | None:
    """Return what the process says that has the call now; None if nobody lately has.

    After a redial two may: that which heard a packet last has it.
    """
    found = [cast(CallDetail, json.loads(one)) for one in told]
    fresh = [one for one in found if now - one["at"] < FRESH_SECONDS]
    return max(fresh, key=lambda one: one["last_packet_at"] or 0.0, default=None)


async def watched_say(client: redis.asyncio.Redis, call_id: UUID | str) -> None:
    """Say that somebody looks at a call. Raises `redis.RedisError`."""
    now = await redis_now_async(client)
    async with client.pipeline(transaction=False) as pipe:
        pipe.zadd(WATCHED_KEY, {str(call_id): now})
        pipe.zremrangebyscore(WATCHED_KEY, 0, now - 10 * WATCHED_SECONDS)
        await pipe.execute()
