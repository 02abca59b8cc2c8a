"""`python -m emulator` as a program: first line, options, exit codes, signals."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import aiohttp
import numpy as np
import pytest
import soundfile
from azure.communication.callautomation import MediaStreamingOptions
from azure.communication.callautomation.aio import CallAutomationClient
from azure.core.credentials import AzureKeyCredential

from emulator.__main__ import main, parser
from emulator.faults import Faults
from emulator.options import DEVELOPMENT_KEY, Behaviour, Settings
from tests.emulator.app import App

ROOT = Path(__file__).parents[2]
README = (ROOT / "emulator" / "README.md").read_text()


@contextmanager
def emulator(*options: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "emulator", *options],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.fixture
def fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Return what runs it, here, with options that cannot work: what it says of them.

    A process for each would take longer than all the rest.
    """

    def went_on(*_: object) -> None:
        raise AssertionError("it went on")

    def fails(*options: str, **environment: str) -> str:
        monkeypatch.setattr("emulator.__main__.Emulator", went_on)
        monkeypatch.setattr(sys, "argv", ["emulator", *options])
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert main() == 2
        output, error = capsys.readouterr()
        assert output == ""
        return error

    return fails


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_says_where_it_listens_and_stops_when_told(number: signal.Signals) -> None:
    with emulator("--port", "0") as process:
        line = first_line(process)
        process.send_signal(number)
        _, error = process.communicate(timeout=60)

    assert re.fullmatch(r"emulator: listening on http://127\.0\.0\.1:\d+\n", line)
    assert process.returncode == 0
    assert "Traceback" not in error


def test_takes_options_from_the_environment() -> None:
    with emulator("--json", "--speed", "3", ACSEMU_PORT="0", ACSEMU_SPEED="2") as it:
        facts = json.loads(first_line(it))
        with urlopen(facts["url"] + "/emulator/health", timeout=60) as response:  # noqa: S310 - our own URL
            health = json.load(response)

    assert facts["access_key"] == DEVELOPMENT_KEY
    assert facts["pid"] == it.pid
    # The command line comes before the environment.
    assert health["speed"] == facts["speed"] == 3


async def test_says_goodbye_to_calls_when_it_stops() -> None:
    async with App() as app:
        with emulator("--port", "0", "--json", "--strict") as process:
            facts = json.loads(first_line(process))
            await answer(facts, app)
            await app.until(lambda: app.sockets and app.sockets[0].audio)
            assert app.sockets[0].socket is not None
            await app.sockets[0].socket.send_str("not JSON")
            while not await lint(facts):
                pass

            process.terminate()
            await app.callback("CallDisconnected")
            await app.sockets[0].over.wait()
            _, error = process.communicate(timeout=60)

    assert app.sockets[0].close_code == 1001
    assert process.returncode == 3
    assert "malformed" in error


async def lint(facts: Any) -> int:
    """Return how many messages the emulator found wrong."""
    url = facts["url"] + "/emulator/health"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return int((await response.json())["lint"])


async def answer(facts: Any, app: App) -> None:
    """Ring a call and answer it."""
    credential = AzureKeyCredential(facts["access_key"])
    media = MediaStreamingOptions(
        transport_url=app.media_url,
        transport_type="websocket",
        content_type="audio",
        audio_channel_type="mixed",
        start_media_streaming=True,
    )
    async with (
        aiohttp.ClientSession() as session,
        CallAutomationClient(facts["url"], credential) as client,
    ):
        async with session.post(facts["url"] + "/emulator/calls", json={}) as rung:
            context = (await rung.json())["incoming_call_context"]
        await client.answer_call(context, app.url + "/callbacks", media_streaming=media)


def test_refuses_a_folder_without_audio(
    tmp_path: Path, fails: Callable[..., str]
) -> None:
    assert "no .wav or .flac file" in fails("--audio", str(tmp_path))
    assert "not a folder" in fails("--audio", str(tmp_path / "absent"))

    (tmp_path / "a.wav").write_text("this is not audio")
    error = fails("--audio", str(tmp_path))
    assert "a.wav: not an audio file that can be read" in error


def test_refuses_values_an_option_does_not_take(fails: Callable[..., str]) -> None:
    assert "on_stop: 'explode' is none of" in fails("--on-stop", "explode")
    assert "port: 'http' is not int" in fails("--port", "http")
    assert "access key is not base64" in fails("--access-key", "%%%")
    assert "speed: must be more than 0" in fails("--speed", "0")
    assert "log_level: must be one of" in fails("--log-level", "LOUD")
    assert "strict: 'perhaps'" in fails(ACSEMU_STRICT="perhaps")


def test_refuses_a_port_that_is_taken() -> None:
    with emulator("--port", "0", "--json") as process:
        port = json.loads(first_line(process))["url"].rpartition(":")[2]
        with emulator("--port", port) as late:
            output, error = late.communicate(timeout=60)
    assert (late.returncode, output) == (2, "")
    assert error.startswith("emulator: cannot listen: ")
    assert error.count("\n") == 1


def test_help_and_readme_name_every_option() -> None:
    help_text = parser().format_help()
    for each in (*fields(Settings), *fields(Behaviour)):
        assert f"--{each.name.replace('_', '-')} " in help_text
    for each in (*fields(Settings), *fields(Behaviour), *fields(Faults)):
        assert re.search(rf"^\| `{each.name}` \|", README, re.M), each.name


async def test_speaks_any_audio_it_is_given(tmp_path: Path) -> None:
    tone = np.full(44_100, 1000, dtype=np.int16)
    soundfile.write(tmp_path / "only.wav", np.stack([tone, tone * 2], axis=1), 44_100)

    async with App() as app:
        with emulator("--port", "0", "--json", "--audio", str(tmp_path)) as process:
            await answer(json.loads(first_line(process)), app)
            await app.until(lambda: app.sockets and len(app.sockets[0].audio) > 3)
            process.terminate()
            # It waits until its last word is taken; so must we.
            await app.callback("CallDisconnected")
            await app.sockets[0].over.wait()
            process.communicate(timeout=60)
