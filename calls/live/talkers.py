"""Who has the word in which live call: one person of the console at a time.

A key in Redis for each call says who. It is gone a few seconds after it was renewed
last, so that a web process that dies keeps nobody silent.
"""

from collections.abc import Awaitable
from typing import Any, Final, TypedDict, cast
from uuid import UUID

import msgspec
import redis.asyncio

from calls.live.ingest import redis_sync

LEASE_SECONDS: Final = 5.0

# Take the word or keep it; answer who else has it. One step: two may ask at once.
_TAKE: Final = """
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return held end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false
"""
_LEAVE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return false
"""


class Talker(TypedDict):
    """Somebody who has the word. `since`: seconds since 1970 UTC."""

    utterance: str
    user: str
    since: float


async def word_take(
    client: redis.asyncio.Redis, call_id: UUID, talker: Talker
) -> Talker | None:
    """Take the word in a call, or keep it; return who has it instead, if anybody.

    Raises `redis.RedisError`.
    """
    milliseconds = round(LEASE_SECONDS * 1000)
    asked = client.eval(_TAKE, 1, _key(call_id), _packed(talker), str(milliseconds))
    held = await cast(Awaitable[bytes | None], asked)
    return _read(held)


async def word_leave(
    client: redis.asyncio.Redis, call_id: UUID, talker: Talker
) -> None:
    """Let others have the word, unless they have it already.

    Raises `redis.RedisError`.
    """
    asked = client.eval(_LEAVE, 1, _key(call_id), _packed(talker))
    await cast(Awaitable[Any], asked)


async def talker_async(client: redis.asyncio.Redis, call_id: UUID) -> Talker | None:
    """Return who has the word in a call. Raises `redis.RedisError`."""
    return _read(await client.get(_key(call_id)))


def talker(call_id: UUID) -> Talker | None:
    """Return the same, for code that is not asynchronous."""
    with redis_sync() as client:
        return _read(cast("bytes | None", client.get(_key(call_id))))


def _key(call_id: UUID) -> str:
    return f"acsstream:talker:{call_id}"


def _packed(talker: Talker) -> bytes:
    return msgspec.json.encode(talker)


def _read(held: bytes | None) -> Talker | None:
    return msgspec.json.decode(held, type=Talker) if held else None
