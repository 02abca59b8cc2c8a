"""One answer of the service: words, audio in deltas, calls of tools, faults."""

import asyncio
import base64
from typing import TYPE_CHECKING, Any, Final

from emulator.realtime.items import Item
from emulator.realtime.plan import Turn
from emulator.realtime.voice import RATE, WORD_MS, milliseconds, spoken

if TYPE_CHECKING:
    from emulator.realtime.session import Session

WORD_BYTES: Final = RATE * WORD_MS // 1000 * 2
FAILURES: Final = {
    "error": ("server_error", "The server had an error while processing the request"),
    "rate_limit": ("rate_limit_exceeded", "Rate limit reached"),
}


class Answer:
    """A response, from `response.created` to `response.done`."""

    def __init__(self, session: "Session", turn: Turn, heard: Item | None) -> None:
        self.id = session.new_id("resp")
        self._session = session
        self._turn = turn
        self._heard = heard
        self._output: list[Item] = []
        self._is_over = False
        self._faults_left = [turn.fault] if turn.fault else []

    async def run(self) -> None:
        """Say what the turn says, at its pace."""
        session, turn = self._session, self._turn
        if self._heard is not None:
            await self._transcribe(self._heard)
        if turn.fault == "silent" and not turn.fault_ms:
            session.is_mute = True
        await session.say("response.created", response=self._shown("in_progress"))
        await session.say("rate_limits.updated", rate_limits=self._limits())
        await asyncio.sleep(turn.first_ms / 1000)
        if turn.say and not self._is_over:
            await self._speak(turn.say)
        if turn.tool and not self._is_over:
            await self._call(turn.tool, turn.arguments)
        await self._fail_if_due(turn.fault_ms)
        await self._end("completed")

    async def _transcribe(self, heard: Item) -> None:
        spoke = self._session.speech[-1]
        length = spoke["end_ms"] - spoke["start_ms"]
        heard.text = self._turn.hears or f"The caller spoke for {length} milliseconds."
        kind = "conversation.item.input_audio_transcription"
        place: dict[str, Any] = {"item_id": heard.id, "content_index": 0}
        await self._session.say(f"{kind}.delta", delta=heard.text, **place)
        await self._session.say(
            f"{kind}.completed",
            transcript=heard.text,
            usage={"type": "duration", "seconds": length / 1000},
            **place,
        )

    def _limits(self) -> list[dict[str, Any]]:
        limited = self._turn.fault == "rate_limit"
        remaining = 0 if limited else 40_000
        return [
            {
                "name": "tokens",
                "limit": 40_000,
                "remaining": remaining,
                "reset_seconds": 0.2 if limited else 0.0,
            }
        ]

    async def _speak(self, text: str) -> None:
        item = Item(self._session.new_id("item"), "message", "assistant")
        whole = spoken(text)
        item.whole_ms = milliseconds(whole)
        await self._begin(item)
        place = {**self._place(item), "content_index": 0}
        part = {"type": "audio", "transcript": ""}
        await self._session.say("response.content_part.added", part=part, **place)
        for number, word in enumerate(text.split()):
            await self._fail_if_due(milliseconds(item.audio))
            if self._is_over:
                return
            delta = f" {word}" if number else word
            kind = "response.output_audio_transcript.delta"
            item.text += delta
            item.said += delta
            await self._session.say(kind, delta=delta, **place)
            await self._audio(item, whole[number * WORD_BYTES :][:WORD_BYTES], place)
        if not self._is_over:
            await self._whole(item, place)

    async def _audio(self, item: Item, pcm: bytes, place: dict[str, Any]) -> None:
        if not item.audio and self._turn.claim_speech_ms:
            self._session.spawn(self._claim_later())
        item.audio += pcm
        delta = base64.b64encode(pcm).decode()
        await self._session.say("response.output_audio.delta", delta=delta, **place)
        await asyncio.sleep(WORD_MS / 1000 / self._turn.pace)

    async def _claim_later(self) -> None:
        await asyncio.sleep(self._turn.claim_speech_ms / 1000)
        await self._session.claim_speech(0)

    async def _whole(self, item: Item, place: dict[str, Any]) -> None:
        item.status = "completed"
        say = self._session.say
        await say("response.output_audio.done", **place)
        kind = "response.output_audio_transcript.done"
        await say(kind, transcript=item.text, **place)
        part = {"type": "audio", "transcript": item.text}
        await say("response.content_part.done", part=part, **place)
        await say(
            "response.output_item.done",
            item=item.wire(),
            **self._place(item, whole=True),
        )
        await say("conversation.item.done", item=item.wire())

    async def _call(self, name: str, arguments: str) -> None:
        new = self._session.new_id
        item = Item(new("item"), "function_call", name=name, call_id=new("call"))
        await self._begin(item)
        item.text, item.status = arguments, "completed"
        say, place = self._session.say, self._place(item)
        kind = "response.function_call_arguments"
        await say(f"{kind}.delta", delta=arguments, call_id=item.call_id, **place)
        await say(
            f"{kind}.done",
            arguments=arguments,
            name=name,
            call_id=item.call_id,
            **place,
        )
        await say(
            "response.output_item.done",
            item=item.wire(),
            **self._place(item, whole=True),
        )

    async def _begin(self, item: Item) -> None:
        self._output.append(item)
        await self._session.say(
            "response.output_item.added",
            item=item.wire(),
            **self._place(item, whole=True),
        )
        await self._session.add(item)

    def _place(self, item: Item, *, whole: bool = False) -> dict[str, Any]:
        """Return where in the answer an item is; named unless it is sent whole."""
        place = {"response_id": self.id, "output_index": self._output.index(item)}
        return place if whole else {**place, "item_id": item.id}

    async def _fail_if_due(self, sent_ms: int) -> None:
        """Let the turn's fault happen, once, when so much audio was sent."""
        if self._is_over or not self._faults_left or sent_ms < self._turn.fault_ms:
            return
        fault = self._faults_left.pop()
        if fault == "disconnect":
            self._is_over = True
            self._session.drop()
        elif fault == "silent":
            self._session.is_mute = True
        elif fault == "malformed":
            for text in ("{", "[]", '{"type": 7}', '{"type":"response.done"}'):
                await self._session.say_raw(text)
            broken = {"item_id": None, "delta": "%%%", "response_id": self.id}
            await self._session.say("response.output_audio.delta", **broken)
            await self._session.say("response.of_tomorrow", response_id=self.id)
        else:
            await self._end("failed", fault)

    async def cancel(self, reason: str) -> None:
        """End early. What is still on its way in the socket arrives before the end."""
        for item in self._output:
            if item.status == "in_progress":
                item.status = "incomplete"
        await self._end("cancelled", reason)

    async def _end(self, status: str, why: str = "") -> None:
        if self._is_over:
            return
        self._is_over = True
        self._session.answer = None
        await self._session.say("response.done", response=self._shown(status, why))

    def _shown(self, status: str, why: str = "") -> dict[str, Any]:
        details: dict[str, Any] | None = None
        if status == "cancelled":
            details = {"type": status, "reason": why}
        elif status == "failed":
            code, message = FAILURES[why]
            error = {"type": "server_error", "code": code, "message": message}
            details = {"type": status, "error": error}
        return {
            "id": self.id,
            "object": "realtime.response",
            "status": status,
            "status_details": details,
            "output": [item.wire() for item in self._output],
        }
