"""Keys that callbacks told, on their way to the handlers of this process."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from uuid import UUID

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from calls.live.ingest import redis_async
from calls.live.pressing import KEYS, key_decoder
from streaming.call_audio import CallAudio
from streaming.protocol import MIXED
from streaming.subscribing import take_messages
from streaming.tasks import tasks_end

log = logging.getLogger(__name__)


class KeyDesk:
    """Hands keys that callbacks told to the handlers of calls that are here."""

    def __init__(self, calls: Mapping[UUID, CallAudio]) -> None:
        self.error: str | None = None
        self._calls = calls
        self._redis: Redis | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to hear of keys."""
        self._redis = redis_async()
        self._task = asyncio.create_task(
            take_messages(self._redis, KEYS, take=self._take, note=self._note),
            name="keys",
        )

    async def stop(self) -> None:
        """Hear of no further key: the process ends."""
        await tasks_end(self._task)
        if self._redis is not None:
            with suppress(RedisError, OSError):
                await self._redis.aclose()

    def _take(self, message: bytes) -> None:
        try:
            pressed = key_decoder.decode(message)
            call = self._calls.get(UUID(pressed.call))
        except (msgspec.MsgspecError, ValueError):
            # Another release's, perhaps.
            log.warning("a key that a callback told is not understood")
            return
        if call is None or call.handler is None:
            return
        if call.keys.from_callback(pressed.key, pressed.raw_id, pressed.at_us):
            call.handler.press(pressed.key, pressed.raw_id or MIXED)

    def _note(self, error: str | None) -> None:
        if error and not self.error:
            log.warning("handlers hear no keys of callbacks: %s", error)
        self.error = error
