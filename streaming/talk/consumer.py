"""The socket of somebody who may speak into a live call: `/ws/talk/<call>`.

`streaming.talk.wire` says what a browser says and is told.

Who speaks is noted in the audit log before any audio leaves; if it cannot be noted,
nobody speaks. One person speaks at a time. Rights are looked at again while they do.
"""

import asyncio
import contextlib
import logging
import time
from functools import partial
from typing import Any, Final

import msgspec
import redis
from channels.db import database_sync_to_async
from django.conf import settings
from redis.asyncio import Redis

from calls.database import DATABASE_AWAY
from calls.live.ingest import redis_async
from calls.live.talkers import Talker, talker_async
from calls.models import Utterance
from streaming.browser_socket import MAX_MESSAGE, BrowserConsumer, Ping
from streaming.close_codes import ENDED, FORBIDDEN
from streaming.talk.press import FRAMES_PER_SECOND, FrameError, Press
from streaming.talk.rights import MAY_INTERRUPT, TalkNow, TalkRights, outcome_of
from streaming.talk.speech import Speech
from streaming.talk.wire import Pressed, Released, refusal, said_decoder
from streaming.tasks import tasks_end, to_the_end
from streaming.viewing import Recheck

log = logging.getLogger(__name__)

# While somebody speaks: do they still have the word and the right?
KEEP_SECONDS = 1.0
# While nobody does: who speaks, and can one?
LOOK_SECONDS = 1.0
LOOKS_PER_CHECK = 5
FOLLOW_SECONDS = 0.25
# Nothing was told of an utterance for so long after its end: nobody will tell.
UNKNOWN_SECONDS = 20.0
# Something else may be said before it.
LONGEST_SECONDS = 600.0
# Why nobody is heard any more though they hold the button: ingest ended it.
WHY_OVER: Final[dict[str, str]] = {
    Utterance.State.PLAYED: "lost",
    Utterance.State.STOPPED: "stopped",
    Utterance.State.FAILED: "failed",
}


class TalkConsumer(BrowserConsumer):
    """One browser that may speak into one call."""

    rights: TalkRights
    speech: Speech | None = None
    # What ends an utterance, which nothing may interrupt.
    ending: "asyncio.Task[None] | None" = None
    talker: Talker | None = None
    redis: Redis | None = None

    async def connect(self) -> None:
        """Accept who may speak; refuse others before the handshake is done."""
        self.rights = TalkRights(self.scope["session"], self.user_key, self.address)
        self.user, now = await self.ready()
        if self.user is None or now is None:
            await self.close()
            return
        await self.accept()
        self.redis = redis_async()
        if await self.is_over(self.user, now):
            return
        await self.tell_state("facts", self.user, now)
        self.begin_task("talk-watch", self.keep_watch)

    async def ready(self) -> tuple[Any, TalkNow | None]:
        """Return the user if they may speak now, and what the call is like."""
        return await database_sync_to_async(self.rights.ready)(self.call_id)

    @to_the_end
    async def let_go(self) -> None:
        """Be silent, give the word back and end, once."""
        speech, self.speech = self.speech, None
        client, self.redis = self.redis, None
        await tasks_end(*self.tasks)
        if self.ending:
            await self.ending
        if speech:
            await speech.end("lost")
        if client:
            with contextlib.suppress(redis.RedisError, OSError):
                await client.aclose()

    # What the browser says.

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None
    ) -> None:
        """Do what a browser asks; answer what is no message with an error."""
        try:
            if bytes_data is not None:
                await self.give(bytes_data)
                return
            if text_data is None or len(text_data) > MAX_MESSAGE:
                raise FrameError
            said = said_decoder.decode(text_data)
        except (msgspec.MsgspecError, FrameError):
            await self.fault()
            return
        match said:
            case Pressed():
                await self.press(said)
            case Released(press):
                if self.speech and self.speech.press.number == press:
                    await self.release("released")
            case Ping(at):
                await self.pong(at)

    async def press(self, said: Pressed) -> None:
        """Let somebody speak, or say why not."""
        client = self.redis
        if client is None or self.speech or not 0 <= said.press < 2**16:
            await self.fault()
            return
        why, talker = await self.begin(said, client)
        if why:
            told = {"type": "refused", "press": said.press, "why": why}
            await self.tell(told | {"user": talker["user"] if talker else None})

    async def begin(self, said: Pressed, client: Redis) -> tuple[str, Talker | None]:
        """Begin to speak; return why not, and who else does."""
        try:
            user, now = await self.ready()
        except DATABASE_AWAY:
            log.exception("call %s: nobody speaks: nobody can be asked", self.call_id)
            return "not_noted", None
        if now is None or await self.is_over(user, now):
            return "", None
        if why := refusal(said, user, now):
            await self.tell_state("state", user, now)
            return why, None
        press = Press(
            call_id=self.call_id,
            user=user.get_username(),
            number=said.press,
            rate=said.rate,
            began=time.monotonic(),
            interrupts=said.interrupts,
        )
        # Before it begins: whatever happens then, `let_go` ends it.
        speech = self.speech = Speech(client, self.rights, press)
        if why := await speech.begin():
            self.speech = None
            return why, speech.other
        # Its page says something once it is told: how long we took is not its silence.
        press.heard_at = time.monotonic()
        await self.tell({"type": "open", "press": said.press})
        self.begin_task("talk-hold", partial(self.hold, speech))
        self.begin_task("talk-follow", partial(self.follow, press))
        return "", None

    async def give(self, message: bytes) -> None:
        """Say 20 ms into the call. Raises `FrameError`."""
        speech = self.speech
        if speech is None:
            # What was on its way when the word was taken away.
            return
        dropped = speech.press.dropped
        await speech.give(message)
        if speech.press.dropped and not dropped:
            await self.tell({"type": "dropped", "press": speech.press.number})
        if speech.fault:
            await self.release(speech.fault)
        elif speech.press.frames >= settings.TALK_SECONDS * FRAMES_PER_SECOND:
            await self.release("too_long")

    async def release(self, why: str) -> None:
        """End what somebody says, once, and tell them why."""
        speech, self.speech = self.speech, None
        if speech is None:
            return
        self.ending = asyncio.create_task(speech.end(why), name="talk-end")
        await asyncio.shield(self.ending)
        press = speech.press
        told = {"type": "closed", "press": press.number, "why": why}
        await self.tell(told | {"seconds": press.seconds, "dropped": press.dropped})

    # Beside the socket.

    async def hold(self, speech: Speech) -> None:
        """Keep the word while somebody speaks, and end it when they may no longer."""
        while self.speech is speech:
            await asyncio.sleep(KEEP_SECONDS)
            why = "lost" if speech.is_silent else await speech.keep()
            why = why or await self.check()
            if why and self.speech is speech:
                await self.release(why)

    async def check(self) -> str:
        """Return why the call hears no more; close who may speak no more."""
        try:
            user, now = await self.ready()
        except DATABASE_AWAY:
            # It was noted that they speak, and it ends soon by itself.
            log.exception("call %s: who speaks cannot be checked", self.call_id)
            return ""
        is_over = await self.is_over(user, now)
        return "" if is_over or now is None else now.why

    async def follow(self, press: Press) -> None:
        """Tell what becomes of an utterance, until nothing more will."""
        told, ended = None, None
        until = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < until:
            await asyncio.sleep(FOLLOW_SECONDS)
            is_held = self.speech is not None and self.speech.press is press
            ended = None if is_held else ended or time.monotonic()
            with contextlib.suppress(*DATABASE_AWAY):
                outcome = await database_sync_to_async(outcome_of)(press.utterance)
                if outcome and outcome != told:
                    told = outcome
                    await self.tell_heard(press, outcome.state, outcome)
                if outcome and outcome.state in WHY_OVER:
                    if self.speech is not None and self.speech.press is press:
                        await self.release(WHY_OVER[outcome.state])
                    return
            if told is None and ended and time.monotonic() > ended + UNKNOWN_SECONDS:
                break
        await self.tell_heard(press, "unknown", told)

    async def keep_watch(self) -> None:
        """Now and then: who speaks, does the call hear, may the user still?"""
        looks, recheck = 0, Recheck()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            looks += 1
            if looks % LOOKS_PER_CHECK and not recheck.is_due():
                await self.tell_talker()
                continue
            try:
                user, now = await self.ready()
            except DATABASE_AWAY:
                log.exception("call %s: a speaker cannot be checked", self.call_id)
                continue
            if await self.is_over(user, now) or now is None:
                return
            await self.tell_state("state", user, now)

    async def is_over(self, user: Any, now: TalkNow | None) -> bool:
        """Close the socket if nobody can or this user may not speak any more."""
        if user is None:
            await self.release("forbidden")
            await self.close(code=FORBIDDEN)
            return True
        if now is None or not now.is_live:
            await self.release("ended")
            await self.tell({"type": "ended"})
            await self.close(code=ENDED)
            return True
        return False

    # What it is told.

    async def tell_state(self, kind: str, user: Any, now: TalkNow) -> None:
        """Tell whether the call hears, and what the user may."""
        await self.tell(
            {
                "type": kind,
                "why": now.why,
                "streaming_words": now.streaming_words,
                "rate": now.rate,
                "longest": settings.TALK_SECONDS,
                "may_interrupt": user.has_perm(MAY_INTERRUPT),
            }
        )

    async def tell_talker(self) -> None:
        """Tell who has the word, if that has changed."""
        client = self.redis
        if client is None:
            return
        with contextlib.suppress(redis.RedisError, OSError):
            talker = await talker_async(client, self.call_id)
            if talker == self.talker:
                return
            self.talker = talker
            user = talker["user"] if talker else None
            mine = self.speech and str(self.speech.press.utterance)
            is_you = talker is not None and talker["utterance"] == mine
            await self.tell({"type": "talker", "user": user, "you": is_you})

    async def tell_heard(self, press: Press, state: str, outcome: Any) -> None:
        """Tell what became of an utterance."""
        told = {"type": "heard", "press": press.number, "state": state}
        seconds = outcome.played_ms / 1000 if outcome else 0.0
        reason = outcome.reason if outcome else ""
        await self.tell(told | {"seconds": seconds, "reason": reason})
