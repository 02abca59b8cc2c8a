"""The socket to the service: kept up, bounded both ways, and given up in time."""

import asyncio
import json
import time
from base64 import b64encode
from collections import deque
from collections.abc import Coroutine
from typing import Any, Final

from openai.resources.realtime.realtime import AsyncRealtimeConnection
from websockets.exceptions import ConnectionClosed

from calls.audio.pcm import SLOT_US
from streaming.handlers.realtime.conversation import (
    PADDING_MS,
    SETTINGS_EVENT,
    Conversation,
)
from streaming.handlers.realtime.errors import ServiceError
from streaming.handlers.realtime.events import Message
from streaming.handlers.realtime.mixing import Slot
from streaming.handlers.realtime.options import RealtimeOptions
from streaming.handlers.realtime.resampling import SERVICE_RATE, Resampler
from streaming.handlers.realtime.service import Service, backoff

# What the caller says while there is no service: five seconds of it are kept.
MAX_AUDIO: Final = 250
MAX_MESSAGES: Final = 1000
WATCH_SECONDS: Final = 0.25
# A session that lasted so long ended for reasons of its own: they end after an hour.
LONG_SESSION: Final = 600.0
LONGEST_WAIT: Final = 30.0
PCM: Final = {"type": "audio/pcm", "rate": SERVICE_RATE}


class Outbox:
    """What the service is to be told; the oldest audio gives way."""

    def __init__(self) -> None:
        self.dropped = 0
        self._messages: deque[Message] = deque()
        self._audio: deque[Slot] = deque()
        self._is_filled = asyncio.Event()

    def put(self, message: Message) -> None:
        """Tell something, before all audio that waits."""
        self._messages.append(message)
        self._is_filled.set()

    @property
    def is_full(self) -> bool:
        """Say whether the service does not take what it is told."""
        return len(self._messages) > MAX_MESSAGES

    def put_audio(self, slot: Slot) -> None:
        """Let 20 ms be heard."""
        if len(self._audio) >= MAX_AUDIO:
            self._audio.popleft()
            self.dropped += 1
        self._audio.append(slot)
        self._is_filled.set()

    def forget_messages(self) -> None:
        """Drop what was meant for a session that is gone."""
        self._messages.clear()

    async def next(self) -> Message | Slot:
        """Wait for what is to be told next."""
        while not (self._messages or self._audio):
            self._is_filled.clear()
            await self._is_filled.wait()
        return self._messages.popleft() if self._messages else self._audio.popleft()


class Link:
    """Relays a conversation, over as many sessions as it takes."""

    def __init__(
        self,
        service: Service,
        options: RealtimeOptions,
        conversation: Conversation,
        *,
        rate: int,
        tools: list[dict[str, Any]],
    ) -> None:
        self.outbox = Outbox()
        self.spent = 0
        self._service = service
        self._options = options
        self._conversation = conversation
        self._rate = rate
        self._tools = tools

    async def run(self) -> ServiceError:
        """Relay until the service cannot be had any more; return why."""
        while True:
            began = time.monotonic()
            try:
                await self._session()
            except ServiceError as exc:
                trouble = exc
            if time.monotonic() - began > LONG_SESSION:
                self.spent = 0
            self.spent += 1
            if trouble.is_final or self.spent > self._options.reconnects:
                return trouble
            self._conversation.report(f"the service is dialled again: {trouble}")
            wait = backoff(self.spent, self._options.backoff_seconds)
            await asyncio.sleep(max(wait, min(trouble.after, LONGEST_WAIT)))

    async def _session(self) -> None:
        conversation = self._conversation
        async with self._service.connect() as connection:
            self.outbox.forget_messages()
            self.outbox.put(self._settings())
            try:
                conversation.begin_session(self.outbox.put)
                await first_of(
                    self._receive(connection), self._send(connection), self._watch()
                )
            finally:
                conversation.end_session()

    def _settings(self) -> Message:
        options = self._options
        heard: dict[str, Any] = {
            "format": PCM,
            "turn_detection": {
                "type": "server_vad",
                "prefix_padding_ms": PADDING_MS,
                "silence_duration_ms": options.silence_ms,
                "create_response": True,
                "interrupt_response": options.barge_in != "local",
            },
        }
        if options.transcription_model:
            language = {"language": options.language} if options.language else {}
            heard["transcription"] = {"model": options.transcription_model} | language
        session = {
            "type": "realtime",
            "output_modalities": ["audio"],
            "instructions": options.instructions,
            "audio": {
                "input": heard,
                "output": {"format": PCM, "voice": options.voice},
            },
            "tools": self._tools,
            "tool_choice": "auto",
        }
        return {
            "type": "session.update",
            "event_id": SETTINGS_EVENT,
            "session": session,
        }

    async def _receive(self, connection: AsyncRealtimeConnection) -> None:
        while True:
            try:
                message = await connection.recv_bytes()
            except ConnectionClosed as exc:
                code = exc.rcvd.code if exc.rcvd else 1006
                why = f"the service closed the connection ({code})"
                raise ServiceError(why) from None
            self._conversation.take(message)

    async def _send(self, connection: AsyncRealtimeConnection) -> None:
        resampler = Resampler(self._rate, SERVICE_RATE)
        while True:
            what = await self.outbox.next()
            if isinstance(what, Slot):
                self._conversation.clock.sent(what.stamp_us, SLOT_US / 1000)
                pcm = resampler.convert(what.pcm)
                if not pcm:
                    continue
                audio = b64encode(pcm).decode()
                what = {"type": "input_audio_buffer.append", "audio": audio}
            try:
                await connection.send_raw(json.dumps(what))
            except ConnectionClosed:
                # The receiver says why.
                await asyncio.sleep(1)
                raise ServiceError("the service closed the connection") from None

    async def _watch(self) -> None:
        dropped = self.outbox.dropped
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if self.outbox.dropped > dropped:
                dropped = self.outbox.dropped
                self._conversation.report("the service is slower than the caller")
            if self.outbox.is_full:
                raise ServiceError("the service takes nothing any more")
            silent = self._conversation.silent_for()
            if silent > self._options.answer_seconds:
                why = f"the service owes an answer and is silent for {silent:.0f} s"
                raise ServiceError(why)


async def first_of(*work: Coroutine[Any, Any, Any]) -> Any:
    """Return what the first to end returns, or raise what it raises; end the others."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        # In the order of `work`, where several ended in the same turn.
        return next(task for task in tasks if task in done).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
