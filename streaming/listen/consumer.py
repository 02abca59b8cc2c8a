"""The socket of somebody who listens to a live call: `/ws/listen/<call>`.

The browser says, as JSON:

    {"type": "start", "at": 12.3 | null, "generation": 1}   begin; null is the live edge
    {"type": "seek", "at": 12.3 | null, "generation": 2}    go elsewhere
    {"type": "at", "at": 12.3, "messages": 40}              what is played, what came
    {"type": "ping", "at": 123.4}                           answered with our clock

`at` is seconds on the call's clock. It is told, as JSON: `facts`, `track`, `live`,
`state`, `listeners`, `missed`, `error`, `pong`, `ended`; and audio as frames, which
`streaming.listen.track` describes. Nothing it says can do harm: what is not understood
is answered with an error.

Who listens is noted in the audit log before any audio leaves, and seen by others. If it
cannot be noted, nobody listens.
"""

import asyncio
import contextlib
import logging
import time
from typing import TypeAlias
from uuid import uuid4

import msgspec
import redis
from channels.db import database_sync_to_async

from calls.database import DATABASE_AWAY
from calls.formats import party
from calls.live.ingest import redis_async
from calls.live.listeners import (
    Listener,
    listener_leave,
    listener_tell,
    listeners_async,
)
from streaming.browser_socket import MAX_MESSAGE, BrowserConsumer, Ping
from streaming.close_codes import ENDED, FORBIDDEN, NOT_NOTED
from streaming.listen.feed import CallFeed, feed_join, feed_leave
from streaming.listen.line import Line, Message
from streaming.listen.rights import ListenedCall, Rights, listened_call, names_of
from streaming.tasks import tasks_end, to_the_end
from streaming.viewing import Recheck

log = logging.getLogger(__name__)

TELL_SECONDS = 5.0
# At first more often: what is wrong is said at once.
FIRST_TELL_SECONDS = 1.0
# Seeks closer together than this wait: each makes ingest read.
SEEK_SECONDS = 0.1
# Nobody needs to be told of a call later than this many seconds.
LONGEST = 7 * 24 * 3600.0


class Start(msgspec.Struct, tag="start", forbid_unknown_fields=True):
    """Begin to listen."""

    at: float | None
    generation: int


class Seek(msgspec.Struct, tag="seek", forbid_unknown_fields=True):
    """Listen elsewhere."""

    at: float | None
    generation: int


class At(msgspec.Struct, tag="at", forbid_unknown_fields=True):
    """What is played now, and how many audio messages have come."""

    at: float
    messages: int


Said: TypeAlias = Start | Seek | At | Ping
said_decoder: msgspec.json.Decoder[Said] = msgspec.json.Decoder(Said)


class ListenConsumer(BrowserConsumer):
    """One browser that listens to one call."""

    rights: Rights
    line: Line | None = None
    feed: CallFeed | None = None
    # When they began to listen, seconds since 1970.
    since: float | None = None

    async def connect(self) -> None:
        """Accept who may listen; refuse others before the handshake is done."""
        self.rights = Rights(self.scope["session"], self.user_key, self.address)
        self.user = await database_sync_to_async(self.rights.user)()
        now = await database_sync_to_async(listened_call)(self.call_id)
        if self.user is None or now is None:
            await self.close()
            return
        await self.accept()
        if not now.is_live:
            await self.tell({"type": "ended"})
            await self.close(code=ENDED)
            return
        self.listen_id = str(uuid4())
        self.redis = redis_async()
        self.line = Line(self.give, now.origin_us)
        self.feed = feed_join(self.call_id, self, self.line.take)
        await self.tell({"type": "facts", **self.state(now)})
        self.begin_task("a watch over a listener", self.keep_watch)

    @to_the_end
    async def let_go(self) -> None:
        """Leave the call, once: others see it, and the audit log has it."""
        line, self.line = self.line, None
        feed, self.feed = self.feed, None
        if line:
            # First what others must know of, whatever else takes long.
            await line.close()
            await self.note_end(line)
        await tasks_end(*self.tasks)
        if feed:
            await feed_leave(feed, self)
        if line:
            with contextlib.suppress(redis.RedisError, OSError):
                await listener_leave(self.redis, self.listen_id)
            with contextlib.suppress(redis.RedisError, OSError):
                await self.redis.aclose()

    async def note_end(self, line: Line) -> None:
        """Note how long somebody listened, if they did."""
        since, self.since = self.since, None
        if since is None:
            return
        seconds, heard = time.time() - since, line.heard_us / 1e6
        note_ended = database_sync_to_async(self.rights.note_ended)
        try:
            await note_ended(self.call_id, self.listen_id, seconds, heard)
        except DATABASE_AWAY:
            log.exception("call %s: the end of listening is not noted", self.call_id)

    # What the browser says.

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None
    ) -> None:
        """Do what a browser asks; answer what is no message with an error."""
        try:
            if text_data is None or len(text_data) > MAX_MESSAGE:
                raise ValueError("no message")
            said = said_decoder.decode(text_data)
        except (msgspec.MsgspecError, ValueError):
            await self.fault()
            return
        match said:
            case Start(at, generation) | Seek(at, generation):
                await self.go(at, generation)
            case At(at, messages):
                if self.line:
                    self.line.played(_us(at), messages)
            case Ping(at):
                await self.pong(at)

    async def go(self, at: float | None, generation: int) -> None:
        """Begin to listen, or go elsewhere."""
        if not 0 <= generation < 2**32 or self.line is None or self.feed is None:
            await self.fault()
            return
        if self.since is None and not await self.noted():
            return
        await self.line.begin(self.feed, None if at is None else _us(at), generation)
        await asyncio.sleep(SEEK_SECONDS)

    async def noted(self) -> bool:
        """Note that somebody is about to listen: no note, no audio."""
        try:
            note_started = database_sync_to_async(self.rights.note_started)
            await note_started(self.call_id, self.listen_id)
        except DATABASE_AWAY:
            log.exception("call %s: nobody listens: it cannot be noted", self.call_id)
            await self.tell({"type": "error", "error": "not_noted"})
            await self.close(code=NOT_NOTED)
            return False
        self.since = time.time()
        await self.tell_others()
        return True

    # What it is told.

    async def give(self, given: bytes | Message) -> None:
        """Send what the line has for the browser."""
        if isinstance(given, bytes):
            await self.send(bytes_data=given)
            return
        if given["type"] == "track":
            track = given["track"] | {"name": await self.name(given["track"]["raw_id"])}
            given = given | {"track": track}
        await self.tell(given)

    async def name(self, raw_id: str) -> str:
        """Return what to call a participant."""
        names: dict[str, str] = {}
        with contextlib.suppress(*DATABASE_AWAY):
            names = await database_sync_to_async(names_of)(self.call_id)
        return names.get(raw_id) or party(raw_id) or raw_id

    def state(self, now: ListenedCall) -> Message:
        """Return how the call and the way to it are at this moment."""
        line, feed = self.line, self.feed
        origin_us = line.origin_us if line else None
        edge_us = line.edge_us if line else None
        is_told = feed is not None and feed.told_at is not None
        quiet = time.monotonic() - (feed.told_at or 0.0) if feed and is_told else None
        return {
            "origin": None if origin_us is None else origin_us / 1e6,
            "edge": None
            if origin_us is None or edge_us is None
            else (edge_us - origin_us) / 1e6,
            "streaming": now.streaming,
            "streaming_words": now.streaming_words,
            "redis": feed.error if feed else None,
            "quiet": quiet,
        }

    async def tell_others(self) -> None:
        """Let others see who listens, and this browser who else does."""
        if self.since is None:
            return
        listener: Listener = {
            "call_id": str(self.call_id),
            "listen_id": self.listen_id,
            "user": self.user.get_username(),
            "since": self.since,
            "seen": time.time(),
        }
        with contextlib.suppress(redis.RedisError, OSError):
            await listener_tell(self.redis, listener)
            found = (await listeners_async(self.redis)).get(str(self.call_id), [])
            users = [one["user"] for one in found]
            await self.tell({"type": "listeners", "users": users})

    async def keep_watch(self) -> None:
        """Now and then: does the call go on, may the user still listen, who does?"""
        opened, recheck = time.monotonic(), Recheck()
        while True:
            is_new = time.monotonic() - opened < TELL_SECONDS
            await asyncio.sleep(FIRST_TELL_SECONDS if is_new else TELL_SECONDS)
            await self.tell_others()
            try:
                code = await self.look(recheck=recheck.is_due())
            except DATABASE_AWAY:
                # Who listens goes on listening; the next look is soon.
                log.exception("call %s: a listener cannot be checked", self.call_id)
                continue
            if code:
                await self.close(code=code)
                return

    async def look(self, *, recheck: bool) -> int | None:
        """Tell how the call is; return the code to close with, if it is to be closed.

        Raises what a database raises that is away.
        """
        if recheck and await database_sync_to_async(self.rights.user)() is None:
            return FORBIDDEN
        now = await database_sync_to_async(listened_call)(self.call_id)
        if now is None or not now.is_live:
            await self.tell({"type": "ended"})
            return ENDED
        await self.tell({"type": "state", **self.state(now)})
        return None


def _us(seconds: float) -> int:
    return round(min(max(seconds, -1.0), LONGEST) * 1e6)
