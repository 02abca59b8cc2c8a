"""Live captions: what ingest tells the pages of a call, by way of Redis.

    acsstream:captions:<call>       channel: each caption as it comes, JSON
    acsstream:captions:<call>:last  list: the newest final ones, oldest first, JSON

A caption that is not final is what somebody is saying now. It takes the place of the
one before it of the same speaker, and the next final one of that speaker takes its
place: a page shows at most one for each. A final one is a row, or will be within
seconds, under the same id; told twice it is the same caption, so a page that subscribes
first and reads the list then misses nothing and merges by id.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
from redis.asyncio import Redis

CAPTIONS: Final = "acsstream:captions"
# How many final captions a page that is opened later finds, and for how long.
KEPT: Final = 50
KEPT_SECONDS: Final = 4 * 60 * 60
# Of each caption; more than anybody says in one breath.
LONGEST: Final = 4_000


class Caption(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one participant said or is saying. In no `repr` are words, or who spoke."""

    id: UUID
    # Empty: nobody was named.
    raw_id: str
    # As `TranscriptSegment.Source`.
    source: str
    # Capture time of the first word, µs since 1970.
    start_us: int
    duration_us: int
    text: str
    is_final: bool
    confidence: float | None = None
    sentiment: str = ""
    language: str = ""
    is_cut: bool = False

    def __repr__(self) -> str:
        return f"Caption({self.id}, {len(self.text)} characters)"


encode: Final = msgspec.json.Encoder().encode
_decoder: Final = msgspec.json.Decoder(Caption)


def channel(call_id: UUID | str) -> str:
    """Return the channel on which a call's captions are told."""
    return f"{CAPTIONS}:{call_id}"


def last_key(call_id: UUID | str) -> str:
    """Return the key of the list of a call's newest final captions."""
    return f"{CAPTIONS}:{call_id}:last"


def decode(told: bytes) -> Caption | None:
    """Return a caption; None if another release told something we cannot read."""
    try:
        return _decoder.decode(told)
    except msgspec.DecodeError:
        return None


async def captions_tell(
    client: Redis, call_id: UUID, captions: Sequence[Caption]
) -> None:
    """Tell whoever shows the call, and keep the final ones. Raises RedisError."""
    key = last_key(call_id)
    async with client.pipeline(transaction=False) as pipe:
        final = [encode(caption) for caption in captions if caption.is_final]
        if final:
            # Kept before it is told: who is told and then asks finds it.
            pipe.rpush(key, *final)
            pipe.ltrim(key, -KEPT, -1)
            pipe.expire(key, KEPT_SECONDS)
        for caption in captions:
            pipe.publish(channel(call_id), encode(caption))
        await pipe.execute()


async def captions_last(client: Redis, call_id: UUID) -> list[Caption]:
    """Return a call's newest final captions, oldest first. Raises RedisError."""
    # redis-py types its asynchronous commands as if they might answer at once.
    # redis-py types a command as the synchronous answer or its promise.
    told: list[bytes] = await client.lrange(last_key(call_id), 0, -1)  # type: ignore[misc]
    return [caption for caption in map(decode, told) if caption]
