"""The service's events, as far as we read them, and ours.

One structure for all of them: members that an event does not have are empty. What is
not an event of the service is `None`; nothing here raises because of what came.
"""

import binascii
from base64 import b64decode
from typing import Any

import msgspec

Message = dict[str, Any]


class Trouble(msgspec.Struct, frozen=True):
    """An error as the service tells it. Its message may quote anything: not read."""

    type: str | None = None
    code: str | None = None
    event_id: str | None = None

    @property
    def name(self) -> str:
        """Return what is said of it: a short code."""
        return (self.code or self.type or "unknown")[:60]


class Details(msgspec.Struct, frozen=True):
    """Why a response ended as it did."""

    reason: str | None = None
    error: Trouble | None = None


class OutputItem(msgspec.Struct, frozen=True):
    """A thing in the conversation: a message or a call of a tool."""

    id: str | None = None
    type: str | None = None
    name: str | None = None
    call_id: str | None = None
    arguments: str | None = None


class Response(msgspec.Struct, frozen=True):
    """An answer of the model."""

    id: str
    status: str | None = None
    status_details: Details | None = None


class RateLimit(msgspec.Struct, frozen=True):
    """What may still be asked of the service."""

    remaining: float | None = None
    reset_seconds: float | None = None


class Event(msgspec.Struct, frozen=True):
    """What the service tells us."""

    type: str
    item_id: str = ""
    response_id: str = ""
    delta: str = ""
    transcript: str = ""
    audio_start_ms: int = 0
    audio_end_ms: int = 0
    error: Trouble | None = None
    item: OutputItem | None = None
    response: Response | None = None
    rate_limits: list[RateLimit] = []

    def audio(self) -> bytes:
        """Return the PCM of a piece of audio; empty if it is none."""
        try:
            pcm = b64decode(self.delta, validate=True)
        except (binascii.Error, ValueError):
            return b""
        return pcm[: len(pcm) // 2 * 2]


_decoder = msgspec.json.Decoder(Event)


def read(text: bytes | str) -> Event | None:
    """Return an event, or None if this is none."""
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def truncate(item_id: str, end_ms: int) -> Message:
    """Tell how much of an answer was heard."""
    return {
        "type": "conversation.item.truncate",
        "item_id": item_id,
        "content_index": 0,
        "audio_end_ms": end_ms,
    }


def cancel(response_id: str) -> Message:
    """Have the model answer no further."""
    return {"type": "response.cancel", "response_id": response_id}


def respond(instructions: str = "") -> Message:
    """Have the model answer."""
    told: Message = {"response": {"instructions": instructions}} if instructions else {}
    return {"type": "response.create"} | told


def output(call_id: str, text: str) -> Message:
    """Tell what a tool returned."""
    item = {"type": "function_call_output", "call_id": call_id, "output": text}
    return {"type": "conversation.item.create", "item": item}


def message(role: str, text: str) -> Message:
    """Tell what was said before."""
    kind = "output_text" if role == "assistant" else "input_text"
    content = [{"type": kind, "text": text}]
    item = {"type": "message", "role": role, "content": content}
    return {"type": "conversation.item.create", "item": item}
