"""The local service: it is as strict as the real one, and tells what it was told."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from emulator.realtime.plan import Turn
from emulator.realtime.server import RealtimeServer
from emulator.realtime.voice import spoken, tone_hz
from tests.realtime.conftest import KEY, PATIENCE

SESSION = {"type": "realtime"}


class Client:
    """A socket to the service, as bare as can be."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.heard: list[dict[str, Any]] = []

    async def tell(self, kind: str, **members: Any) -> None:
        await self._socket.send_str(json.dumps({"type": kind, **members}))

    async def until(self, kind: str) -> dict[str, Any]:
        """Read until an event of this kind; return it."""
        async with asyncio.timeout(PATIENCE):
            while True:
                event: dict[str, Any] = await self._socket.receive_json()
                self.heard.append(event)
                if event["type"] == kind:
                    return event


@pytest.fixture
async def bare(service: RealtimeServer) -> AsyncIterator[Client]:
    headers = {"api-key": KEY}
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(
            f"{service.url}/openai/v1/realtime?model=m", headers=headers
        ) as socket,
    ):
        yield Client(socket)


async def test_an_answer_comes_in_the_order_of_the_protocol(
    service: RealtimeServer, bare: Client
) -> None:
    service.plan.turns = [Turn(say="Hello")]

    await bare.tell("session.update", session=SESSION)
    await bare.tell("response.create")
    await bare.until("response.done")

    assert [event["type"] for event in bare.heard] == [
        "session.created",
        "session.updated",
        "response.created",
        "rate_limits.updated",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"type": "response.cancel"}, "response_cancel_not_active"),
        ({"type": "session.update", "session": {}}, "missing_parameter"),
        ({"type": "no.such.event"}, "invalid_value"),
        ({"type": "input_audio_buffer.append", "audio": "%"}, "invalid_value"),
        (
            {
                "type": "conversation.item.truncate",
                "item_id": "item_of_nobody",
                "content_index": 0,
                "audio_end_ms": 0,
            },
            "unsupported_content_type",
        ),
    ],
)
async def test_what_the_real_service_refuses_is_refused(
    bare: Client, event: dict[str, Any], code: str
) -> None:
    members = {name: value for name, value in event.items() if name != "type"}
    await bare.tell(event["type"], event_id="mine", **members)

    error = (await bare.until("error"))["error"]

    assert (error["code"], error["event_id"]) == (code, "mine")


async def test_nothing_is_truncated_beyond_what_was_sent(
    service: RealtimeServer, bare: Client
) -> None:
    service.plan.turns = [Turn(say="Hello")]
    await bare.tell("response.create")
    item_id = (await bare.until("response.output_audio.done"))["item_id"]

    place = {"item_id": item_id, "content_index": 0}
    await bare.tell("conversation.item.truncate", audio_end_ms=301, **place)
    error = (await bare.until("error"))["error"]
    await bare.tell("conversation.item.truncate", audio_end_ms=300, **place)
    await bare.until("conversation.item.truncated")

    assert error["message"] == "Audio content of 300ms is already shorter than 301ms"
    [session] = service.report()["sessions"]
    assert session["truncations"] == [{**place, "audio_end_ms": 300}]


def test_each_word_has_a_tone_that_tells_it_from_others() -> None:
    words = ["yes", "no", "goodbye", "hello"]

    assert len({tone_hz(word) for word in words}) == len(words)
    assert spoken("yes no") == spoken("yes") + spoken("no")


def test_the_command_tells_where_it_listens_and_refuses_what_is_no_plan(
    tmp_path: Any,
) -> None:
    command = [sys.executable, "-m", "emulator.realtime", "--json"]
    (tmp_path / "plan").write_text('{"turns": [{"fault": "boredom"}]}')

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        facts = json.loads(running.stdout.readline())
        running.terminate()
    refused = subprocess.run(
        [*command, "--plan", str(tmp_path / "plan")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert facts["api"] == f"{facts['url']}/v1"
    assert running.returncode == 0
    assert refused.returncode == 2
    assert "fault: none of" in refused.stderr
