"""A call whose audio tells when it was said: a tone that changes every 100 ms.

Alice speaks the tones, Bob one note all the time; ACS's side in real time, in a process
of its own so that a busy test does not hold it up:

    python -m tests.listen.tones ws://127.0.0.1:8001/media/… [seconds]
"""

import asyncio
import base64
import json
import math
import sys
import time
from array import array
from datetime import UTC, datetime, timedelta

import aiohttp

from tests.streaming.wire import ALICE, BOB, PACKET_US, RATE, metadata

STEP_MS = 100
STEPS = 150
LOWEST = 400
HZ_PER_STEP = 14
BOB_HZ = 3_000
LOUD = 9_000
SAMPLES = RATE // 50


def step_of(us: int) -> int:
    """Return which tone is spoken at a time since 1970."""
    return us // (STEP_MS * 1000) % STEPS


def hz_of(step: int) -> int:
    return LOWEST + HZ_PER_STEP * step


class Voice:
    """A tone whose phase goes on when its frequency changes: no clicks of our own."""

    def __init__(self) -> None:
        self._phase = 0.0

    def packet(self, hz: float) -> bytes:
        turn = 2 * math.pi * hz / RATE
        pcm = array(
            "h",
            (round(LOUD * math.sin(self._phase + turn * i)) for i in range(SAMPLES)),
        )
        self._phase = (self._phase + turn * SAMPLES) % (2 * math.pi)
        return pcm.tobytes()


def frame(us: int, raw_id: str, pcm: bytes) -> str:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
    audio = {
        "timestamp": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06d}0Z",
        "participantRawID": raw_id,
        "data": base64.b64encode(pcm).decode(),
        "silent": False,
    }
    return json.dumps({"kind": "AudioData", "audioData": audio})


async def speak(url: str, seconds: float) -> None:
    """Dial and speak; dial again when the line breaks, as ACS does."""
    voices = {ALICE: Voice(), BOB: Voice()}
    start = time.time_ns() // 1000 // PACKET_US * PACKET_US
    until = start + round(seconds * 1e6)
    headers = {"x-ms-call-connection-id": "acs-tones"}
    us = start
    async with aiohttp.ClientSession() as client:
        while us < until:
            try:
                async with client.ws_connect(url, headers=headers) as socket:
                    await socket.send_str(metadata())
                    us = time.time_ns() // 1000 // PACKET_US * PACKET_US
                    while us < until and not socket.closed:
                        # A packet is there once its 20 ms have been spoken.
                        await asyncio.sleep((us + PACKET_US) / 1e6 - time.time())
                        tone = voices[ALICE].packet(hz_of(step_of(us)))
                        await socket.send_str(frame(us, ALICE, tone))
                        note = voices[BOB].packet(BOB_HZ)
                        await socket.send_str(frame(us, BOB, note))
                        us += PACKET_US
            except (aiohttp.ClientError, ConnectionError):
                await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(speak(sys.argv[1], float(sys.argv[2])))
