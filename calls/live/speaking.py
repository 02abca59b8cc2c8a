"""What is said to ingest so that something is heard in a call.

Published on one channel to every ingest process, packed by msgpack; whichever has the
call's socket acts. What becomes of it is told by rows (`Utterance`), never by an answer
here: Redis may lose a message, and then nothing was heard and nothing is claimed.
"""

from typing import Final, TypeAlias

import msgspec
from redis.asyncio import Redis

from calls.live.ingest import redis_sync

SPEAK: Final = "acsstream:speak"


class PlayPrompt(msgspec.Struct, tag="play", frozen=True, kw_only=True):
    """Play a prompt. `command` is the order's key: said twice, it is played once."""

    call: str
    command: str
    prompt: str
    name: str
    # Names in storage of its audio, by sample rate.
    audio: dict[int, str]
    # What is being said is stopped first; otherwise it waits for its turn.
    interrupts: bool = False


class StopAudio(msgspec.Struct, tag="stop", frozen=True, kw_only=True):
    """Be silent at once: what waits is dropped, also what ACS has queued."""

    call: str
    command: str
    name: str


class Talk(msgspec.Struct, tag="talk", frozen=True, kw_only=True):
    """What somebody at the console says, in order of `number`.

    `pcm` is 16-bit mono at `rate`, the call's own; `is_last` ends the utterance.
    """

    call: str
    utterance: str
    name: str
    number: int
    rate: int
    pcm: bytes
    is_last: bool = False


class Taken(msgspec.Struct, tag="taken", frozen=True, kw_only=True):
    """An ingest process has begun what was ordered: whoever holds it lets it go."""

    call: str
    command: str


Spoken: TypeAlias = PlayPrompt | StopAudio | Talk | Taken

encode = msgspec.msgpack.Encoder().encode
spoken_decoder: msgspec.msgpack.Decoder[Spoken] = msgspec.msgpack.Decoder(Spoken)


def speak(spoken: Spoken) -> int:
    """Tell every ingest process; return how many heard it. Raises RedisError."""
    with redis_sync() as client:
        return int(client.publish(SPEAK, encode(spoken)))


async def speak_async(client: Redis, spoken: Spoken) -> int:
    """Do as `speak` does. Raises RedisError."""
    return int(await client.publish(SPEAK, encode(spoken)))
