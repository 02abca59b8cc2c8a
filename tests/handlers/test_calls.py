"""Handlers in a real ingest process, named by profiles, over real sockets."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import numpy as np
import soundfile

from tests.streaming.conftest import build, client, migrated
from tests.streaming.house import House, eventually
from tests.streaming.wire import ALICE, audio, metadata, voice

__all__ = ["build", "client", "migrated"]

SILENT = 40
FRAME = 640
PATIENCE = 60.0
GREETING = b"".join(voice(number) for number in range(100, 125))

SETUP = """
import json, sys
from django.utils import timezone
from calls.models import Call, Prompt, StreamingProfile
for id, handler, options in json.loads({plans!r}):
    profile = StreamingProfile.objects.create(
        name=id, bidirectional=True, handler=handler, handler_options=options)
    Call.objects.create(
        id=id, connection_id=id, rang_at=timezone.now(), profile=profile,
        state="connected", desired_streaming=True, connected_at=timezone.now())
Prompt.objects.create(
    name="Greeting", audio_16k="greeting.flac", audio_24k="", duration_ms=500,
    level_dbfs=-20, sha256_16k="", sha256_24k="")
"""


def prepare(house: House, **handlers: dict[str, Any]) -> dict[str, UUID]:
    """Give a house one call for each handler, and a prompt; return their keys."""
    calls = {name: uuid4() for name in handlers}
    plans = [
        (str(calls[name]), name.replace("__", "."), options)
        for name, options in handlers.items()
    ]
    folder: Path = house.folder / "recordings"
    folder.mkdir()
    samples = np.frombuffer(GREETING, "<i2")
    soundfile.write(folder / "greeting.flac", samples, 16_000, "PCM_16")
    done = house.manage("shell", "-c", SETUP.format(plans=json.dumps(plans)))
    assert done.returncode == 0, done.stderr
    return calls


async def talk(ws: aiohttp.ClientWebSocketResponse, count: int) -> None:
    """Speak as ACS sends it, in time, and be silent for a while."""
    await ws.send_str(metadata())
    for number in range(count + SILENT):
        await ws.send_str(audio(number, ALICE, silent=number >= count))
        await asyncio.sleep(0.02)


async def said(ws: aiohttp.ClientWebSocketResponse) -> AsyncIterator[bytes]:
    """Yield the audio that comes over a socket."""
    async for message in ws:
        frame = json.loads(message.data)
        assert frame["Kind"] == "AudioData"
        yield base64.b64decode(frame["AudioData"]["Data"])


async def hears(ws: aiohttp.ClientWebSocketResponse, pcm: bytes) -> None:
    """Wait until something has come over a socket, and nothing else before it."""
    heard = b""
    async with asyncio.timeout(PATIENCE):
        async for frame in said(ws):
            heard += frame
            assert pcm.startswith(heard)
            if heard == pcm:
                return


async def echoes(ws: aiohttp.ClientWebSocketResponse, pcm: bytes) -> None:
    """Wait until an echo falls silent: nothing but what was said, in its order.

    An echo that came to lie behind leaves audio out, as it does on a busy machine; that
    it leaves out nothing else is what its own tests are about.
    """
    waiting = iter([pcm[at : at + FRAME] for at in range(0, len(pcm), FRAME)])
    count = 0
    async with asyncio.timeout(PATIENCE):
        async for frame in said(ws):
            assert frame in waiting
            if not any(frame):
                break
            count += 1
    assert count > 10


async def test_calls_have_the_handlers_their_profiles_name(
    build: Callable[..., House], client: aiohttp.ClientSession
) -> None:
    house = build()
    crashes = "tests__handlers__characters__Crashes"
    calls = prepare(
        house,
        echo={},
        prompt={"prompt": "Greeting"},
        nothing__at__all={},
        **{crashes: {}},
    )
    house.start()
    sockets = {name: await house.dial(client, call) for name, call in calls.items()}
    # An echo gives way after 400 ms of silence, which it says as well.
    speech = b"".join(voice(number) for number in range(100)) + bytes(20 * FRAME)

    await asyncio.gather(
        *(talk(ws, 100) for ws in sockets.values()),
        echoes(sockets["echo"], speech),
        hears(sockets["prompt"], GREETING),
    )
    alarms = await eventually(
        lambda: len(found := house.rows("select * from calls_alarm")) == 2 and found
    )
    for ws in sockets.values():
        await ws.close()

    words = {UUID(alarm["call_id"]): alarm["words"] for alarm in alarms}
    assert "RuntimeError in on_audio" in words[calls[crashes]]
    assert "“nothing.at” cannot be imported" in words[calls["nothing__at__all"]]
    query = "select packets from calls_connection where packets = 140"
    await eventually(lambda: len(house.rows(query)) == 4)
    query = (
        "select distinct name, kind, prompt_id is not null as counts"
        " from calls_utterance where state = 'played'"
    )
    played = await eventually(lambda: len(found := house.rows(query)) == 2 and found)
    assert {tuple(one.values()) for one in played} == {
        ("echo", "handler", 0),
        ("Greeting", "handler", 1),
    }
    assert "4711" not in house.log.read_text()
