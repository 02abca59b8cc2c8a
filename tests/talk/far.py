"""ACS's end of a call that is spoken into: it speaks, and notes what it hears.

A process of its own, so that a busy test does not hold it up:

    python -m tests.talk.far ws://127.0.0.1:8001/media/… HEARD SECONDS

What comes goes through the emulator's play-out queue. Each 20 ms that is played is a
line of HEARD: when, in ms since 1970, and after how many ms it is loud, -1 if never.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import TextIO

import aiohttp
import numpy as np

from emulator.outbound import OutboundAudio
from tests.listen.tones import Voice, frame
from tests.streaming.wire import ALICE, PACKET_US, RATE, metadata

FRAME_SECONDS = 0.02
FRAME_BYTES = RATE // 50 * 2
# Of 32768: what is not a pause.
LOUD = 1_500


class Far:
    """One call's far end."""

    def __init__(self, heard: TextIO) -> None:
        self._file = heard
        self._began = time.time()
        self._queue = OutboundAudio(FRAME_BYTES, enabled=True, keep=0)
        self._slot = 0

    def take(self, text: str) -> None:
        self._queue.take(text, time.time() - self._began, limit=1 << 20)

    def play(self) -> None:
        now = int((time.time() - self._began) / FRAME_SECONDS)
        for slot in range(self._slot, now):
            pcm = self._queue.played_in(slot)
            if pcm is not None:
                self._note(slot, pcm)
        self._slot = now

    def _note(self, slot: int, pcm: bytes) -> None:
        loud = np.abs(np.frombuffer(pcm, "<i2").astype(int)) > LOUD
        after = np.argmax(loud) * 1000 / RATE if loud.any() else -1
        at = (self._began + slot * FRAME_SECONDS) * 1000
        self._file.write(f"{at:.0f} {after:.0f}\n")
        self._file.flush()


async def hear(socket: aiohttp.ClientWebSocketResponse, far: Far) -> None:
    async for message in socket:
        if message.type is aiohttp.WSMsgType.TEXT:
            far.take(message.data)


async def run(url: str, heard: Path, seconds: float) -> None:
    headers = {"x-ms-call-connection-id": "acs-tones"}
    voice = Voice()
    with heard.open("w") as file:
        far = Far(file)
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(url, headers=headers) as socket,
        ):
            await socket.send_str(metadata())
            hearing = asyncio.create_task(hear(socket, far))
            us = time.time_ns() // 1000 // PACKET_US * PACKET_US
            until = us + round(seconds * 1e6)
            while us < until and not socket.closed:
                await asyncio.sleep((us + PACKET_US) / 1e6 - time.time())
                await socket.send_str(frame(us, ALICE, voice.packet(440)))
                far.play()
                us += PACKET_US
            hearing.cancel()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
