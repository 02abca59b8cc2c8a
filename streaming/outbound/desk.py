"""Does what web and workers ask for: prompts, stops, and what somebody says live.

One per ingest process; it acts on the calls that have a socket here. What is asked for
a moment after the socket closed is held until ACS dials anew: if it dials another
process, that one acts, and says so to those who hold it, too. What becomes of each is
told by rows, see `calls.live.speaking`.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from calls.drafts import UtteranceDraft
from calls.live.ingest import redis_async
from calls.live.speaking import (
    SPEAK,
    PlayPrompt,
    Spoken,
    StopAudio,
    Taken,
    Talk,
    speak_async,
    spoken_decoder,
)
from streaming.call_audio import CallAudio
from streaming.outbound.items import Item, ItemKind, ItemState
from streaming.outbound.prompts import PromptError, prompt_pcm
from streaming.outbound.speaker import NO_SOCKET_SECONDS, Speaker
from streaming.outbound.talking import Talking
from streaming.outbound.voice import SpeechNews
from streaming.subscribing import take_messages
from streaming.tasks import tasks_end

log = logging.getLogger(__name__)

# Orders that are remembered, so that none is carried out twice.
MAX_ORDERS = 10_000
NO_VOICE = "the call's streaming is one-way: nothing can be said into it"
NO_METADATA = "the call's audio has not begun"


class SpeakingDesk:
    """What an ingest process does for those who speak. It belongs to one event loop."""

    def __init__(self, calls: Mapping[UUID, CallAudio], news: SpeechNews) -> None:
        self.error: str | None = None
        self._calls = calls
        self._speech_news = news
        self._talking = Talking()
        # Orders that came here, and those that somebody has begun.
        self._known: OrderedDict[str, None] = OrderedDict()
        self._taken: OrderedDict[str, None] = OrderedDict()
        self._redis: Redis | None = None
        self._task: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to hear what is to be said."""
        self._redis = redis_async()
        self._task = asyncio.create_task(
            take_messages(self._redis, SPEAK, take=self._take, note=self._note),
            name="speak",
        )

    async def stop(self) -> None:
        """Fall silent in all calls: the process ends."""
        await tasks_end(*self._tasks, self._task)
        self._talking.end()
        for call in self._calls.values():
            if call.speaker is not None:
                call.speaker.end("the ingest process ended")
        if self._redis is not None:
            with suppress(RedisError, OSError):
                await self._redis.aclose()

    def _take(self, message: bytes) -> None:
        try:
            spoken: Spoken = spoken_decoder.decode(message)
            call = self._calls.get(UUID(spoken.call))
        except (msgspec.MsgspecError, ValueError):
            # Another release's, perhaps.
            log.warning("what is to be said is not understood")
            return
        if isinstance(spoken, Taken):
            _is_new(spoken.command, self._taken)
            return
        if call is None or not _is_ours(call):
            return
        if isinstance(spoken, Talk):
            self._talk(call, spoken)
        elif _is_new(spoken.command, self._known):
            self._order(call, spoken)

    def _order(self, call: CallAudio, order: PlayPrompt | StopAudio) -> None:
        """Do what was ordered, now or once the call has a socket here."""
        until = time.monotonic() + NO_SOCKET_SECONDS
        act = partial(self._act, order=order, until=until)
        if call.sessions:
            act(call)
        else:
            call.held.append(act)

    def _act(
        self, call: CallAudio, order: PlayPrompt | StopAudio, until: float
    ) -> None:
        if time.monotonic() > until:
            # Whoever waits for it is told by its command, which timed out.
            return
        if not _is_new(order.command, self._taken):
            # ACS dialled another process first, and now this one again.
            return
        self._begin(self._tell_taken(order))
        match order:
            case PlayPrompt():
                self._play(call, order)
            case StopAudio():
                self._stop(call, order)

    async def _tell_taken(self, order: PlayPrompt | StopAudio) -> None:
        if self._redis is not None:
            # Without Redis no order comes, here or elsewhere.
            with suppress(RedisError, OSError):
                taken = Taken(call=order.call, command=order.command)
                await speak_async(self._redis, taken)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Prompts.

    def _play(self, call: CallAudio, order: PlayPrompt) -> None:
        speaker = call.speaker
        if speaker is None:
            self._refuse(call, order)
            return
        if order.interrupts:
            speaker.stop("a prompt took its place")
        # In its place at once: what is asked for later comes later, and a stop that
        # comes while its audio is read stops it.
        item = speaker.begin(
            kind=ItemKind.PROMPT,
            name=order.name,
            prompt=_uuid(order.prompt),
            command=_uuid(order.command),
        )
        self._begin(self._read(call, speaker, item, order))

    async def _read(
        self, call: CallAudio, speaker: Speaker, item: Item, order: PlayPrompt
    ) -> None:
        try:
            pcm = await prompt_pcm(order.audio, speaker.rate)
        except PromptError as exc:
            log.error("call %s: prompt %s: %s", call.call_id, order.prompt, exc)
            speaker.fail(item, str(exc))
            return
        taken = speaker.write(item, pcm)
        if taken < len(pcm) and not item.is_over:
            speaker.fail(item, "half an hour waits to be said in the call already")
        speaker.finish(item)

    def _refuse(self, call: CallAudio, order: PlayPrompt) -> None:
        """Write down an utterance that nobody could hear."""
        reason = NO_METADATA if call.may_speak else NO_VOICE
        command = _uuid(order.command)
        said = UtteranceDraft(
            id=uuid4(),
            call_id=call.call_id,
            kind=ItemKind.PROMPT.value,
            state=ItemState.FAILED.value,
            name=order.name,
            queued_at=datetime.now(UTC),
            prompt_id=_uuid(order.prompt),
            command_id=command,
            reason=reason,
        )
        self._speech_news.utterances[said.id] = said
        words = f"Nothing of it was heard: {reason}."
        self._speech_news.outcome(command, call.call_id, is_done=False, words=words)
        call.has_news()

    # Stops.

    def _stop(self, call: CallAudio, order: StopAudio) -> None:
        why = f"stopped by {order.name}"
        cut = call.speaker.stop(why) if call.speaker else []
        words = "Nothing was being said."
        if cut and call.speaker:
            rate = call.speaker.rate
            words = "; ".join(
                f"{item.name} was cut after {item.played * 1000 // rate} ms"
                if item.played
                else f"{item.name} was not begun"
                for item in cut
            )
        self._speech_news.outcome(
            _uuid(order.command), call.call_id, is_done=True, words=words
        )
        call.has_news()

    # Somebody at the console.

    def _talk(self, call: CallAudio, talk: Talk) -> None:
        utterance = _uuid(talk.utterance)
        if call.speaker is None or utterance is None:
            return
        # Nobody begins without a socket: another process may have it.
        if call.sessions or self._talking.has(utterance):
            self._talking.take(call.speaker, utterance, talk)

    def _note(self, error: str | None) -> None:
        if error and not self.error:
            log.warning("nobody can speak, recording goes on: %s", error)
        if self.error and not error:
            log.info("speaking is possible again")
        self.error = error


def _is_ours(call: CallAudio) -> bool:
    """Say whether a call has a socket here, or may get one again at any moment."""
    if call.sessions:
        return True
    left = call.left_at
    return left is not None and time.monotonic() - left < NO_SOCKET_SECONDS


def _is_new(command: str, among: OrderedDict[str, None]) -> bool:
    """Remember an order; say whether it was not known among those."""
    if command in among:
        return False
    among[command] = None
    if len(among) > MAX_ORDERS:
        among.popitem(last=False)
    return True


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
