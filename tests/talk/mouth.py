"""A browser that speaks, and what ingest hears of it: real sockets, a real Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.test import Client

from acsstream.asgi import application
from calls.live.ingest import redis_async
from calls.live.speaking import SPEAK, Spoken, StopAudio, Talk, spoken_decoder
from streaming.talk.press import HEADER, VERSION
from tests.listen.test_socket import Listener
from tests.streaming.house import PATIENCE, eventually

RATE = 16_000
SAMPLES = RATE // 50


def pcm(number: int) -> bytes:
    """Return 20 ms that say which 20 ms they are."""
    return number.to_bytes(2, "little") * SAMPLES


def frame(number: int, press: int = 1) -> bytes:
    return HEADER.pack(VERSION, 0, press, number) + pcm(number)


def socket(
    call_id: object, client: Client | None, origin: bytes = b"http://localhost"
) -> WebsocketCommunicator:
    headers = [(b"host", b"localhost"), (b"origin", origin)]
    if client:
        cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
        headers.append((b"cookie", f"sessionid={cookie}".encode()))
    return WebsocketCommunicator(application, f"/ws/talk/{call_id}", headers)


class Mouth(Listener):
    """A browser's end of the socket."""

    async def press(self, press: int = 1, **more: Any) -> None:
        await self.say(**{"type": "press", "press": press, "rate": RATE} | more)

    async def open(self, press: int = 1, **more: Any) -> None:
        """Press, and wait until one is heard."""
        await self.press(press, **more)
        await self.until(lambda: self.of("open") or self.of("refused"))
        assert not self.of("refused"), self.of("refused")

    async def speak(self, first: int, count: int, press: int = 1) -> None:
        for number in range(first, first + count):
            await self.ws.send_to(bytes_data=frame(number, press))

    async def release(self, press: int = 1) -> None:
        await self.say(type="release", press=press)
        await self.until(lambda: self.of("closed"))

    async def refused(self, press: int = 1, **more: Any) -> tuple[str, str | None]:
        """Press, and return why nothing is opened, and who speaks instead."""
        await self.press(press, **more)
        await self.until(lambda: self.of("refused"))
        told = self.of("refused")[-1]
        return told["why"], told["user"]


@asynccontextmanager
async def mouth(call_id: object, client: Client) -> AsyncIterator[Mouth]:
    ws = socket(call_id, client)
    accepted, _ = await ws.connect(timeout=PATIENCE)
    assert accepted
    one = Mouth(ws)
    try:
        await one.until(lambda: one.of("facts") or one.code)
        yield one
    finally:
        await ws.disconnect(timeout=PATIENCE)


class Ingest:
    """What every ingest process hears, in order."""

    def __init__(self) -> None:
        self.heard: list[Spoken] = []

    @property
    def talks(self) -> list[Talk]:
        return [one for one in self.heard if isinstance(one, Talk)]

    @property
    def stops(self) -> list[StopAudio]:
        return [one for one in self.heard if isinstance(one, StopAudio)]

    @property
    def said(self) -> bytes:
        return b"".join(one.pcm for one in self.talks)

    async def ended(self) -> None:
        """Wait until an utterance has ended."""
        await eventually(lambda: self.talks and self.talks[-1].is_last)


@asynccontextmanager
async def ingest() -> AsyncIterator[Ingest]:
    one = Ingest()
    client = redis_async()
    async with client.pubsub(ignore_subscribe_messages=True) as pubsub:
        await pubsub.subscribe(SPEAK)

        async def hear() -> None:
            while True:
                message = await pubsub.get_message(timeout=None)
                if message:
                    one.heard.append(spoken_decoder.decode(message["data"]))

        task = asyncio.create_task(hear())
        try:
            yield one
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    await client.aclose()
