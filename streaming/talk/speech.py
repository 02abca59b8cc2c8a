"""One press from the word that is taken to the word that is given back.

Nothing is said that was not noted before, and by nobody who has not the word.
"""

import asyncio
import contextlib
import logging
import time
from typing import Final

import redis
from channels.db import database_sync_to_async
from django.core.exceptions import ObjectDoesNotExist

from calls.database import DATABASE_AWAY
from calls.live.speaking import Spoken, StopAudio, speak_async
from calls.live.talkers import Talker, word_leave, word_take
from streaming.talk.press import Press
from streaming.talk.rights import TalkRights

log = logging.getLogger(__name__)

# A browser that says nothing for so long, while the button is held, is gone.
SILENT_SECONDS: Final = 1.5


class Speech:
    """Somebody who speaks. Every method but `give` says why no more is heard."""

    def __init__(
        self, client: redis.asyncio.Redis, rights: TalkRights, press: Press
    ) -> None:
        self.press = press
        # Who had the word when it was asked for.
        self.other: Talker | None = None
        # Why nothing more is heard of it; empty: it is.
        self.fault = ""
        self._is_noted = False
        self._redis = client
        self._rights = rights
        self._is_over = False
        # What is said on two connections of one pool may overtake one another: the end
        # what was said before it, and a word that is kept the one that is given back.
        self._order = asyncio.Lock()
        self._talker: Talker = {
            "utterance": str(press.utterance),
            "user": press.user,
            "since": time.time(),
        }

    async def begin(self) -> str:
        """Take the word, note it, and open the utterance."""
        if why := await self.keep():
            return why
        self._is_noted = True
        try:
            await database_sync_to_async(self._rights.note_press)(self.press)
        except DATABASE_AWAY:
            self._is_noted = False
            call_id = self.press.call_id
            log.exception("call %s: nobody speaks: it cannot be noted", call_id)
            await self._leave()
            return "not_noted"
        if self.press.interrupts:
            await self._say(self._silence())
        # Its place in the queue, and whether any recorder hears at all.
        await self._say(self.press.opening())
        if self.fault:
            await self.end(self.fault)
        return self.fault

    async def keep(self) -> str:
        """Keep the word, or take it."""
        async with self._order:
            if self._is_over:
                return ""
            try:
                other = await word_take(self._redis, self.press.call_id, self._talker)
            except (redis.RedisError, OSError):
                return "redis"
        self.other = other
        return "taken" if other else ""

    async def give(self, message: bytes) -> None:
        """Say 20 ms. Raises `FrameError`."""
        talk = self.press.take(message, time.monotonic())
        if talk is not None and not self.fault:
            await self._say(talk)

    @property
    def is_silent(self) -> bool:
        """Say whether nothing has come for longer than a slow network takes."""
        return time.monotonic() - self.press.heard_at > SILENT_SECONDS

    async def end(self, why: str) -> None:
        """End the utterance, give the word back, and note how long it was."""
        self._is_over = True
        if self._is_noted:
            await self._say(self.press.last(), is_end=True)
        await self._leave()
        if self._is_noted:
            await self._note_end(why)

    async def _note_end(self, why: str) -> None:
        try:
            await database_sync_to_async(self._rights.note_release)(self.press, why)
        except (*DATABASE_AWAY, ObjectDoesNotExist):
            log.exception(
                "call %s: the end of speaking is not noted", self.press.call_id
            )

    async def _leave(self) -> None:
        async with self._order:
            with contextlib.suppress(redis.RedisError, OSError):
                await word_leave(self._redis, self.press.call_id, self._talker)

    async def _say(self, spoken: Spoken, *, is_end: bool = False) -> None:
        try:
            async with self._order:
                if self._is_over and not is_end:
                    return
                if not await speak_async(self._redis, spoken):
                    self.fault = "no_recorder"
        except (redis.RedisError, OSError):
            self.fault = "redis"

    def _silence(self) -> StopAudio:
        return StopAudio(
            call=str(self.press.call_id),
            command=str(self.press.utterance),
            name=self.press.user,
        )
