"""ACS's side of one call: a caller in real time, and what the call hears."""

import asyncio
import base64
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp

from calls import identity
from tests.streaming.house import House

CALLER = "4:+12065550100"
FRAME_SECONDS = 0.02
FRAME = 640

MAKE_CALL = """
from calls.models import Call, StreamingProfile
profile, _ = StreamingProfile.objects.get_or_create(
    name="assistant",
    defaults={{
        "bidirectional": True, "handler": "realtime", "handler_options": {options}
    }},
)
Call.objects.create(
    id="{call}", connection_id="{connection}", profile=profile, state="connected"
)
"""


def relayed_call(house: House, connection: str, options: dict[str, Any]) -> None:
    """Put a call into a house's database whose profile has it relayed."""
    call = identity.call_id(connection)
    script = MAKE_CALL.format(options=options, call=call, connection=connection)
    done = house.manage("shell", "--no-imports", "-c", script)
    assert done.returncode == 0, done.stderr


@dataclass
class Acs:
    """A media socket of 16 kHz, unmixed. `say` is what the caller says next."""

    socket: aiohttp.ClientWebSocketResponse
    say: bytes = b""
    # What came to be played, when each frame came, and when we were told to be silent.
    audio: bytearray = field(default_factory=bytearray)
    arrivals: list[float] = field(default_factory=list)
    stopped: list[float] = field(default_factory=list)
    spoke: list[float] = field(default_factory=list)

    async def run(self) -> None:
        """Stream until cancelled."""
        metadata = {
            "subscriptionId": "7e3a1c52-2c0e-4b0a-9a53-0b1f2f7c8d11",
            "encoding": "PCM",
            "sampleRate": 16_000,
            "channels": 1,
            "length": FRAME,
        }
        await self._send("AudioMetadata", "audioMetadata", metadata)
        await asyncio.gather(self._speak(), self._hear())

    async def _send(self, kind: str, member: str, body: dict[str, Any]) -> None:
        await self.socket.send_str(json.dumps({"kind": kind, member: body}))

    async def _speak(self) -> None:
        due = time.monotonic()
        while True:
            pcm, self.say = self.say[:FRAME], self.say[FRAME:]
            if pcm:
                self.spoke.append(time.monotonic())
            body = {
                "timestamp": datetime.now(UTC).isoformat(),
                "participantRawID": CALLER,
                "data": base64.b64encode(pcm or bytes(FRAME)).decode(),
                "silent": not pcm,
            }
            await self._send("AudioData", "audioData", body)
            due += FRAME_SECONDS
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _hear(self) -> None:
        async for message in self.socket:
            now, told = time.monotonic(), json.loads(message.data)
            if told["Kind"] == "StopAudio":
                self.stopped.append(now)
            elif told["Kind"] == "AudioData":
                self.audio += base64.b64decode(told["AudioData"]["Data"])
                self.arrivals.append(now)

    @property
    def heard_ms(self) -> int:
        """Return how much audio came."""
        return len(self.audio) // 32

    def played_ms(self, when: float) -> float:
        """Return how much a queue that plays in real time had played at a moment."""
        end = 0.0
        played = 0.0
        for arrival in self.arrivals:
            begin = max(end, arrival)
            end = begin + FRAME_SECONDS
            played += max(0.0, min(FRAME_SECONDS, when - begin))
        return played * 1000
