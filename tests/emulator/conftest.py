"""An emulator, an app for it to talk to, and Microsoft's SDK between the two."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from azure.communication.callautomation import (
    AudioFormat,
    MediaStreamingAudioChannelType,
    MediaStreamingContentType,
    MediaStreamingOptions,
    StreamingTransportType,
)
from azure.communication.callautomation.aio import CallAutomationClient
from azure.core.credentials import AzureKeyCredential

from emulator.options import Behaviour, Settings
from emulator.server import Emulator
from emulator.speech import Speech, load
from tests.emulator.app import App

SPEED = 10.0


@pytest.fixture(scope="session")
def speech() -> Speech:
    return load(None)


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with App() as running:
        yield running


class Bench:
    """One emulator with its control API and an SDK client that talks to it."""

    def __init__(self, emulator: Emulator, app: App, session: Any, client: Any) -> None:
        self.emulator = emulator
        self.app = app
        self.session: aiohttp.ClientSession = session
        self.client: CallAutomationClient = client

    async def get(self, path: str) -> Any:
        async with self.session.get(self.emulator.url + path) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def post(self, path: str, **body: Any) -> Any:
        url = self.emulator.url + path
        async with self.session.post(url, json=body) as response:
            assert response.status in (200, 201), await response.text()
            return await response.json()

    async def ring(self, **plan: Any) -> Any:
        return await self.post("/emulator/calls", **plan)

    async def report(self, call: Any) -> Any:
        return await self.get(f"/emulator/calls/{call['id']}")

    async def answer(self, call: Any, **media: Any) -> Any:
        """Answer a ringing call through the SDK; return what the SDK returns."""
        return await self.client.answer_call(
            call["incoming_call_context"],
            self.app.url + "/callbacks",
            operation_context="answered",
            media_streaming=self.media(**media),
        )

    def media(
        self,
        *,
        channels: str = "unmixed",
        rate: int = 16_000,
        start: bool = True,
        **more: Any,
    ) -> MediaStreamingOptions:
        formats = {
            16_000: AudioFormat.PCM16_K_MONO,
            24_000: AudioFormat.PCM24_K_MONO,
        }
        return MediaStreamingOptions(
            transport_url=self.app.media_url,
            transport_type=StreamingTransportType.WEBSOCKET,
            content_type=MediaStreamingContentType.AUDIO,
            audio_channel_type=MediaStreamingAudioChannelType(channels),
            start_media_streaming=start,
            audio_format=formats[rate],
            **more,
        )

    async def finished(self, call: Any) -> Any:
        """Wait for the end of a call; return its report."""
        connection_id = call["call_connection_id"]
        await self.app.until(
            lambda: any(
                each["callConnectionId"] == connection_id
                for each in self.app.callbacks_of("CallDisconnected")
            )
        )
        for socket in self.app.sockets:
            if socket.headers["x-ms-call-connection-id"] == connection_id:
                await socket.over.wait()
        return await self.report(call)


MakeBench = Callable[..., Awaitable[Bench]]


@pytest.fixture
async def make_bench(app: App, speech: Speech) -> AsyncIterator[MakeBench]:
    async with AsyncExitStack() as stack:

        async def make(**options: Any) -> Bench:
            own = {name: options.pop(name) for name in list(options) if name in _OWN}
            settings = Settings.parse({"port": 0, "speed": SPEED, **own})
            # A busy machine must not make a test drop packets.
            behaviour = Behaviour.parse({"backlog_seconds": 3600, **options})
            running = await stack.enter_async_context(
                Emulator(settings, behaviour, speech)
            )
            session = await stack.enter_async_context(aiohttp.ClientSession())
            credential = AzureKeyCredential(settings.access_key)
            client = CallAutomationClient(running.url, credential, retry_total=0)
            await stack.enter_async_context(client)
            return Bench(running, app, session, client)

        yield make


_OWN = set(Settings.__dataclass_fields__)


@pytest.fixture
async def bench(make_bench: MakeBench) -> Bench:
    return await make_bench()
