"""A call of the emulator, set up by Microsoft's SDK, its sockets to real ingest."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from azure.communication.callautomation import (
    AudioFormat,
    MediaStreamingAudioChannelType,
    MediaStreamingContentType,
    MediaStreamingOptions,
    StreamingTransportType,
    TranscriptionOptions,
)
from azure.communication.callautomation.aio import CallAutomationClient
from azure.core.credentials import AzureKeyCredential

from emulator.options import Behaviour, Settings
from emulator.server import Emulator
from emulator.speech import Speech, load
from tests.emulator.app import App
from tests.emulator.conftest import Bench
from tests.streaming.house import House, eventually
from tests.streaming.wire import microseconds

# The agent's line "You are welcome. Goodbye." begins 1 s later, "Goodbye." 3 s later.
OFFSET = 51.2


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """An emulator whose clock is the wall's: arrivals and captures must agree."""
    settings = Settings.parse({"port": 0, "speed": 1.0})
    speech: Speech = load(None)
    async with (
        App() as app,
        Emulator(settings, Behaviour(), speech) as running,
        aiohttp.ClientSession() as session,
        CallAutomationClient(
            running.url, AzureKeyCredential(settings.access_key), retry_total=0
        ) as client,
    ):
        yield Bench(running, app, session, client)


async def answer(bench: Bench, house: House, **plan: Any) -> Any:
    call = await bench.ring(script={"offset": OFFSET}, **plan)
    url = house.url(uuid4())
    await bench.client.answer_call(
        call["incoming_call_context"],
        bench.app.url + "/callbacks",
        media_streaming=MediaStreamingOptions(
            transport_url=url,
            transport_type=StreamingTransportType.WEBSOCKET,
            content_type=MediaStreamingContentType.AUDIO,
            audio_channel_type=MediaStreamingAudioChannelType.UNMIXED,
            start_media_streaming=True,
            audio_format=AudioFormat.PCM16_K_MONO,
        ),
        transcription=TranscriptionOptions(
            transport_url=url.replace("/media/", "/transcription/"),
            transport_type=StreamingTransportType.WEBSOCKET,
            locale="en-US",
            start_transcription=True,
            enable_intermediate_results=True,
        ),
        cognitive_services_endpoint="https://cognitive.example.com",
    )
    return call


async def test_each_piece_is_one_row_where_it_was_said_whatever_the_socket_does(
    bench: Bench, build: Callable[..., House]
) -> None:
    house = build("house").start()
    call = await answer(
        bench,
        house,
        options={"transcript_offsets": "inverted", "redial_delay": 0.2},
        faults={
            "transcript_drop_after": 3.3,
            "transcript_retells": 2,
            "transcript_enums": "upper",
            "transcript_malformed": 2,
        },
    )

    rows = await eventually(
        lambda: (
            (
                found := house.rows(
                    "select * from calls_transcriptsegment order by start_us"
                )
            )[1:]
            and found
        )
    )
    await bench.post(f"/emulator/calls/{call['id']}/hangup")
    report = (await bench.report(call))["transcription"]

    pieces = report["pieces"][: len(rows)]
    assert [(row["raw_id"], row["text"], row["start_us"]) for row in rows] == [
        (
            piece["raw_id"],
            piece["text"],
            microseconds(datetime.fromisoformat(piece["captured_at"])),
        )
        for piece in pieces
    ]
    words = json.loads(rows[0]["words"])
    assert words[:2] == [["you", 0, 219_000], ["are", 220_000, 219_000]]
    assert 0.75 <= rows[0]["confidence"] <= 0.95
    sockets = house.rows("select * from calls_connection where kind = 'transcription'")
    assert len(sockets) >= 2
    assert sum(socket["malformed"] for socket in sockets) >= 1
    assert {socket["ended"] for socket in report["sockets"]} >= {"abrupt"}
