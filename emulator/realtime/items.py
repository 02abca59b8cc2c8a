"""What a conversation consists of, and what is reported of it."""

import hashlib
from dataclasses import dataclass, field
from typing import Any, Literal

from emulator.realtime.voice import milliseconds


@dataclass(slots=True)
class Item:
    """A message, a call of a tool or its output."""

    id: str
    kind: Literal["message", "function_call", "function_call_output"]
    role: str = ""
    text: str = ""
    # All that was said of it, also when it was truncated afterwards.
    said: str = ""
    name: str = ""
    call_id: str = ""
    # What was sent of it: 16-bit PCM at 24 kHz.
    audio: bytearray = field(default_factory=bytearray, repr=False)
    whole_ms: int = 0
    truncated_ms: int | None = None
    status: str = "in_progress"

    def wire(self) -> dict[str, Any]:
        """Return the item as events carry it."""
        shown: dict[str, Any] = {
            "id": self.id,
            "object": "realtime.item",
            "type": self.kind,
            "status": self.status,
        }
        if self.kind == "message":
            part = {"assistant": "output_audio", "user": "input_audio"}.get(self.role)
            content = [{"type": part, "transcript": self.text}] if self.text else []
            return shown | {"role": self.role, "content": content}
        if self.kind == "function_call":
            return shown | {
                "name": self.name,
                "call_id": self.call_id,
                "arguments": self.text,
            }
        return shown | {"call_id": self.call_id, "output": self.text}

    def report(self) -> dict[str, Any]:
        """Return what tests want to know of it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "role": self.role,
            "text": self.text,
            "said": self.said,
            "name": self.name,
            "call_id": self.call_id,
            "audio_ms": milliseconds(self.audio),
            "whole_ms": self.whole_ms,
            "sha256": hashlib.sha256(self.audio).hexdigest() if self.audio else "",
            "truncated_ms": self.truncated_ms,
            "status": self.status,
        }
