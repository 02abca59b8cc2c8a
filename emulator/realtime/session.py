"""One socket of the service: what the app tells it, and how the service behaves."""

import asyncio
import base64
import hashlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from emulator.realtime.answer import Answer
from emulator.realtime.hearing import Heard, Hearing
from emulator.realtime.items import Item
from emulator.realtime.plan import Plan
from emulator.realtime.voice import RATE, milliseconds

Send = Callable[[str], Awaitable[None]]
PCM = {"type": "audio/pcm", "rate": RATE}


class RefusedError(Exception):
    """What the app told cannot be done: becomes an `error` event."""

    def __init__(self, message: str, code: str = "invalid_value") -> None:
        super().__init__(message)
        self.code = code


class Session:
    """A conversation over one socket. `send` sends text; `drop` ends the socket."""

    def __init__(
        self, number: int, model: str, plan: Plan, send: Send, drop: Callable[[], None]
    ) -> None:
        self.id = f"sess_{number}"
        self.model = model
        self.plan = plan
        self.drop = drop
        self.settings: dict[str, Any] = {}
        self.items: dict[str, Item] = {}
        self.counts: Counter[str] = Counter()
        self.errors: list[str] = []
        # What single answers were to be like.
        self.instructions: list[str] = []
        self.truncations: list[dict[str, Any]] = []
        self.speech: list[dict[str, int]] = []
        self.answer: Answer | None = None
        self.is_mute = False
        self._send = send
        self._hearing = Hearing()
        self._input_sha = hashlib.sha256()
        self._input_bytes = 0
        self._speaking_item = ""
        self._ids = 0
        self._tasks: set[asyncio.Task[None]] = set()

    # What the service says.

    def new_id(self, prefix: str) -> str:
        """Return an identity that no other thing of this session has."""
        self._ids += 1
        return f"{prefix}_{self.id[5:]}_{self._ids}"

    async def say(self, kind: str, **members: Any) -> None:
        """Send an event."""
        if not self.is_mute:
            event = {"type": kind, "event_id": self.new_id("event"), **members}
            await self._send(json.dumps(event))

    async def say_raw(self, text: str) -> None:
        """Send text that is no event."""
        await self._send(text)

    async def open(self) -> None:
        """Greet the app."""
        await self.say("session.created", session=self._shown())

    def _shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "realtime.session",
            "type": "realtime",
            "model": self.model,
            **self.settings,
        }

    async def close(self) -> None:
        """End what runs."""
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # What the app says.

    async def take(self, text: str) -> None:
        """Act on one message."""
        try:
            event = json.loads(text)
            kind = event["type"]
        except (ValueError, RecursionError, TypeError, KeyError):
            self.counts["malformed"] += 1
            await self._refuse(None, RefusedError("not an event"))
            return
        self.counts[kind] += 1
        act = self._acts().get(kind)
        try:
            if act is None:
                raise RefusedError(f"there is no event {kind!r}")
            await act(event)
        except RefusedError as exc:
            await self._refuse(event.get("event_id"), exc)
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            await self._refuse(event.get("event_id"), RefusedError(repr(exc)))

    def _acts(self) -> dict[str, Callable[[dict[str, Any]], Awaitable[None]]]:
        return {
            "session.update": self._update,
            "input_audio_buffer.append": self._append,
            "conversation.item.create": self._create,
            "conversation.item.truncate": self._truncate,
            "response.create": self._respond,
            "response.cancel": self._cancel,
        }

    async def _refuse(self, event_id: str | None, exc: RefusedError) -> None:
        self.errors.append(str(exc))
        error = {
            "type": "invalid_request_error",
            "code": exc.code,
            "message": str(exc),
            "param": None,
            "event_id": event_id,
        }
        await self.say("error", error=error)

    async def _update(self, event: dict[str, Any]) -> None:
        wanted = event["session"]
        if wanted.get("type") != "realtime":
            raise RefusedError("session.type: must be realtime", "missing_parameter")
        audio = wanted.get("audio", {})
        for side in ("input", "output"):
            if audio.get(side, {}).get("format", PCM) != PCM:
                raise RefusedError(f"session.audio.{side}.format: must be {PCM}")
        detection = audio.get("input", {}).get("turn_detection") or {}
        self._hearing.padding_ms = detection.get("prefix_padding_ms", 300)
        self._hearing.silence_ms = detection.get("silence_duration_ms", 500)
        self.settings = wanted
        await self.say("session.updated", session=self._shown())

    def _detection(self) -> dict[str, Any]:
        heard = self.settings.get("audio", {}).get("input", {})
        return heard.get("turn_detection") or {}

    async def _append(self, event: dict[str, Any]) -> None:
        pcm = base64.b64decode(event["audio"], validate=True)
        if len(pcm) % 2:
            raise RefusedError("audio: not whole samples")
        self._input_sha.update(pcm)
        self._input_bytes += len(pcm)
        for heard in self._hearing.hear(pcm):
            await self._hear(heard)

    async def _hear(self, heard: Heard) -> None:
        if heard.what == "started":
            await self.claim_speech(heard.at_ms)
            return
        self.speech[-1]["end_ms"] = heard.at_ms
        item_id = self._speaking_item
        stopped = "input_audio_buffer.speech_stopped"
        await self.say(stopped, audio_end_ms=heard.at_ms, item_id=item_id)
        await self.say(
            "input_audio_buffer.committed", item_id=item_id, previous_item_id=None
        )
        item = Item(item_id, "message", "user", status="completed")
        await self.add(item)
        await self.say("conversation.item.done", item=item.wire())
        if self._detection().get("create_response", True) and self.answer is None:
            self.begin_answer(item)

    async def claim_speech(self, at_ms: int) -> None:
        """Say that the caller speaks, and be silent for it."""
        self.speech.append({"start_ms": at_ms, "end_ms": 0})
        self._speaking_item = self.new_id("item")
        await self.say(
            "input_audio_buffer.speech_started",
            audio_start_ms=at_ms,
            item_id=self._speaking_item,
        )
        if self.answer and self._detection().get("interrupt_response", True):
            await self.answer.cancel("turn_detected")

    async def add(self, item: Item) -> None:
        """Take an item into the conversation."""
        self.items[item.id] = item
        await self.say(
            "conversation.item.added", item=item.wire(), previous_item_id=None
        )

    async def _create(self, event: dict[str, Any]) -> None:
        wanted = event["item"]
        item_id = wanted.get("id") or self.new_id("item")
        item = Item(item_id, wanted["type"], status="completed")
        if item.kind == "function_call_output":
            calls = {each.call_id for each in self.items.values() if each.name}
            if wanted["call_id"] not in calls:
                raise RefusedError("call_id: nothing of that name was called")
            item.call_id, item.text = wanted["call_id"], wanted["output"]
        elif item.kind == "message":
            item.role = wanted["role"]
            part = {"assistant": "output_text"}.get(item.role, "input_text")
            if any(each["type"] != part for each in wanted["content"]):
                raise RefusedError(f"content: only {part} is possible here")
            item.text = " ".join(each["text"] for each in wanted["content"])
        else:
            raise RefusedError(f"item.type: {item.kind} is not possible")
        await self.add(item)
        await self.say("conversation.item.done", item=item.wire())

    async def _truncate(self, event: dict[str, Any]) -> None:
        item = self.items.get(event["item_id"])
        if item is None or not item.audio:
            message = "Only model output audio messages can be truncated"
            raise RefusedError(message, "unsupported_content_type")
        end_ms, whole_ms = event["audio_end_ms"], milliseconds(item.audio)
        if end_ms > whole_ms:
            message = (
                f"Audio content of {whole_ms}ms is already shorter than {end_ms}ms"
            )
            raise RefusedError(message)
        item.truncated_ms, item.text = end_ms, ""
        told = {"item_id": item.id, "content_index": 0, "audio_end_ms": end_ms}
        self.truncations.append(told)
        await self.say("conversation.item.truncated", **told)

    async def _respond(self, event: dict[str, Any]) -> None:
        if self.answer is not None:
            raise RefusedError(
                "Conversation already has an active response",
                "conversation_already_has_active_response",
            )
        told = event.get("response") or {}
        if told.get("instructions"):
            self.instructions.append(told["instructions"])
        self.begin_answer(None)

    async def _cancel(self, _event: dict[str, Any]) -> None:
        if self.answer is None:
            message = "Cancellation failed: no active response found"
            raise RefusedError(message, "response_cancel_not_active")
        await self.answer.cancel("client_cancelled")

    # Answers.

    def begin_answer(self, heard: Item | None) -> None:
        """Answer as the plan says, after what was heard."""
        self.answer = Answer(self, self.plan.next_turn(), heard)
        self.spawn(self.answer.run())

    def spawn(self, work: Any) -> None:
        """Do something meanwhile, until the socket closes."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def report(self) -> dict[str, Any]:
        """Return what was told and said."""
        return {
            "id": self.id,
            "model": self.model,
            "settings": self.settings,
            "input_ms": self._input_bytes * 1000 // (RATE * 2),
            "input_sha256": self._input_sha.hexdigest(),
            "told": dict(self.counts),
            "errors": self.errors,
            "instructions": self.instructions,
            "speech": self.speech,
            "truncations": self.truncations,
            "items": [item.report() for item in self.items.values()],
        }
