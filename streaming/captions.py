"""Live captions of one call for the pages that show it: kept as they come from Redis.

Nothing is asked of the database. What is kept is bounded: the newest final captions,
and for each speaker what they are saying now.
"""

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

from redis.asyncio import Redis

from calls.transcripts.wire import KEPT, Caption, captions_last, channel, decode
from streaming.subscribing import take_messages
from streaming.tasks import tasks_end

# Guesses come several times a second; nobody reads faster than this.
TELL_SECONDS = 0.25
# People who speak at once, many times over.
MOST_SPEAKERS = 100


class CaptionFeed:
    """Takes a call's captions from when it is begun. `changed()`: there are new ones.

    Each caption has a number; who knows those up to one asks for what came `since`.
    """

    def __init__(self, client: Redis, call_id: UUID, changed: Callable[[], None]):
        self.number = 0
        self._client, self._call_id, self._changed = client, call_id, changed
        self._final: dict[UUID, tuple[int, Caption]] = {}
        self._guesses: dict[str, tuple[int, Caption]] = {}
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Begin to take captions, once."""
        if self._task is None:
            messages = take_messages(
                self._client,
                channel(self._call_id),
                take=self._take_message,
                note=self._note,
                subscribed=self._catch_up,
            )
            self._task = asyncio.create_task(messages, name="captions")

    async def close(self) -> None:
        """End it."""
        if self._timer:
            self._timer.cancel()
        await tasks_end(self._task)

    def since(self, number: int) -> Sequence[Caption]:
        """Return what came after that number, in the order in which it came."""
        known = [*self._final.values(), *self._guesses.values()]
        fresh = sorted(
            (one for one in known if one[0] > number), key=lambda one: one[0]
        )
        return [caption for _, caption in fresh]

    async def _catch_up(self) -> None:
        for caption in await captions_last(self._client, self._call_id):
            self._take(caption)

    def _take_message(self, message: bytes) -> None:
        if caption := decode(message):
            self._take(caption)

    def _note(self, error: str | None) -> None:
        """Say nothing: the page says that Redis is gone, and the list has the rest."""

    def _take(self, caption: Caption) -> None:
        known = self._final.get(caption.id)
        if known and (known[1] == caption or not caption.is_final):
            # Told twice, or a guess that came after what it guessed.
            return
        self.number += 1
        if caption.is_final:
            self._guesses.pop(caption.raw_id, None)
            self._final[caption.id] = self.number, caption
            if len(self._final) > KEPT:
                del self._final[next(iter(self._final))]
        else:
            self._guesses[caption.raw_id] = self.number, caption
            if len(self._guesses) > MOST_SPEAKERS:
                del self._guesses[next(iter(self._guesses))]
        self._tell_soon()

    def _tell_soon(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(TELL_SECONDS, self._tell)

    def _tell(self) -> None:
        self._timer = None
        self._changed()
