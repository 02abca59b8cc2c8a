"""A small app that ACS could talk to: it takes everything down and judges nothing."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

FRAME = timedelta(milliseconds=20)


@dataclass
class Received:
    """One media socket as the app saw it."""

    headers: dict[str, str]
    messages: list[dict[str, Any]] = field(default_factory=list)
    raw: list[str | bytes] = field(default_factory=list)
    close_code: int | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)
    socket: web.WebSocketResponse | None = None

    @property
    def audio(self) -> list[dict[str, Any]]:
        return [each["audioData"] for each in self.of_kind("AudioData")]

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [each for each in self.messages if each.get("kind") == kind]


class App:
    """Event Grid end point, callback end point and media end point, on one port."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.callbacks: list[dict[str, Any]] = []
        self.callback_requests: list[tuple[dict[str, str], bytes]] = []
        self.sockets: list[Received] = []
        self.callback_status: Callable[[], int] = lambda: 200
        self.media_status = 101
        self.validation: str | None = None
        self.drop_sockets = False
        self.stall: asyncio.Event | None = None
        self.is_stalled = asyncio.Event()
        self._news = asyncio.Condition()
        self.port = 0
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/events", self._event)
        app.router.add_post("/callbacks", self._callback)
        app.router.add_get("/media", self._media)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    @property
    def media_url(self) -> str:
        return self.url.replace("http", "ws", 1) + "/media"

    async def _event(self, request: web.Request) -> web.Response:
        [event] = await request.json()
        await self._take(self.events, event)
        if request.headers["aeg-event-type"] == "SubscriptionValidation":
            code = self.validation or event["data"]["validationCode"]
            return web.json_response({"validationResponse": code})
        return web.Response()

    async def _callback(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.callback_requests.append((dict(request.headers), body))
        status = self.callback_status()
        if status == 200:
            for event in json.loads(body):
                await self._take(self.callbacks, event)
        return web.Response(status=status)

    async def _media(self, request: web.Request) -> web.StreamResponse:
        if self.media_status != 101:
            return web.Response(status=self.media_status)
        socket = web.WebSocketResponse(max_msg_size=0)
        received = Received(dict(request.headers), socket=socket)
        await socket.prepare(request)
        await self._take(self.sockets, received)
        async for message in socket:
            if self.stall is not None:
                self.is_stalled.set()
                await self.stall.wait()
            received.raw.append(message.data)
            await self._take_message(received, message)
        received.close_code = socket.close_code
        received.over.set()
        return socket

    async def _take_message(
        self, received: Received, message: aiohttp.WSMessage
    ) -> None:
        try:
            parsed = json.loads(message.data)
        except ValueError:
            return
        await self._take(received.messages, parsed)
        if self.drop_sockets and received.socket is not None:
            await received.socket.close(code=1011)

    async def _take(self, where: list[Any], item: Any) -> None:
        where.append(item)
        async with self._news:
            self._news.notify_all()

    async def until(self, happened: Callable[[], Any]) -> None:
        """Wait until something is true; it is looked at after everything received."""
        async with asyncio.timeout(60), self._news:
            await self._news.wait_for(lambda: bool(happened()))

    async def callback(self, kind: str, count: int = 1) -> dict[str, Any]:
        """Return the data of a callback, once it has arrived `count` times."""
        await self.until(lambda: len(self.callbacks_of(kind)) >= count)
        return self.callbacks_of(kind)[count - 1]

    def callbacks_of(self, kind: str) -> list[dict[str, Any]]:
        name = f"Microsoft.Communication.{kind}"
        return [each["data"] for each in self.callbacks if each["type"] == name]

    def kinds(self) -> list[str]:
        return [each["type"].rpartition(".")[2] for each in self.callbacks]


def timeline_hash(
    packets: list[dict[str, Any]], frame_bytes: int
) -> tuple[str, int, int]:
    """Return SHA-256 of the PCM on the timeline, its slots and the packets used.

    Written from the definition and without the emulator's code: from the first packet
    to the last by time stamp, zeros where nothing or silence was received.
    """
    moments = [datetime.fromisoformat(each["timestamp"]) for each in packets]
    first = min(moments)
    slots = round((max(moments) - first) / FRAME) + 1
    pcm = bytearray(slots * frame_bytes)
    for moment, packet in zip(moments, packets, strict=True):
        if packet.get("silent"):
            continue
        slot, off_grid = divmod(moment - first, FRAME)
        assert not off_grid
        data = base64.b64decode(packet["data"], validate=True)
        assert len(data) == frame_bytes
        pcm[slot * frame_bytes : (slot + 1) * frame_bytes] = data
    return hashlib.sha256(pcm).hexdigest(), slots, len(packets)
