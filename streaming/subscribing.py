"""Messages of Redis channels, for as long as somebody wants them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

# A Redis that went is tried again so often.
RETRY_SECONDS = 1.0


async def take_messages(
    client: Redis,
    *channels: str,
    take: Callable[[bytes], None],
    note: Callable[[str | None], None],
    subscribed: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Give `take` every message of some channels, until this is cancelled.

    `note` is told in words what is wrong with Redis, and None once it is well. What is
    published meanwhile is lost; `subscribed` is awaited each time the channels have
    been subscribed to, and may read what is kept of it: nothing falls in between.
    """
    while True:
        messages: PubSub = client.pubsub(ignore_subscribe_messages=True)
        try:
            await messages.subscribe(*channels)
            note(None)
            if subscribed is not None:
                await subscribed()
            while True:
                message = await messages.get_message(timeout=RETRY_SECONDS)
                if message:
                    take(message["data"])
        except (RedisError, OSError) as exc:
            note(f"{type(exc).__name__}: {exc}")
            await asyncio.sleep(RETRY_SECONDS)
        except Exception:
            # A process edge: whatever is wrong, the next one is listened to.
            log.exception("a message of %s could not be taken", ", ".join(channels))
            await asyncio.sleep(RETRY_SECONDS)
        finally:
            with suppress(RedisError, OSError):
                await messages.aclose()  # type: ignore[no-untyped-call] # redis-py
