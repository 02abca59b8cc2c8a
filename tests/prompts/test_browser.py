"""Prompts in a real browser: sent, heard, played into a call and stopped.

The console receives the call's media itself, and a real worker carries out its orders.
"""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.console.speaking import SpeakingConsole, speaking_console
from tests.console.test_browser import FLAGS, PATIENCE, ROOT
from tests.prompts.sounds import file_of, tone

pytestmark = pytest.mark.browser

SOON = PATIENCE * 1_000

FILL = """
import json
from django.contrib.auth.models import User
from calls.doors.capability import call_secret
from tests.factories import CallFactory, ParticipantFactory, ProfileFactory
from tests.prompts.sounds import prompt_made
User.objects.create_superuser("root", password="secret")
prompt_made("Long notice", seconds=60)
profile = ProfileFactory(bidirectional=True)
call = CallFactory(live=True, profile=profile)
ParticipantFactory(call=call, raw_id="4:+12065550100", display_name="Ada Okafor")
print(json.dumps([str(call.pk), call_secret(call.pk)]))
"""


@dataclass
class Scene:
    """The console, and the call in it."""

    console: SpeakingConsole
    call: str
    secret: str


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("prompts")
    with speaking_console(folder) as console, worker(console, folder):
        call, secret = json.loads(console.run(FILL).splitlines()[-1])
        yield Scene(console, call, secret)


@contextlib.contextmanager
def worker(console: SpeakingConsole, folder: Path) -> Iterator[None]:
    """Run what sends orders, while the test lasts."""
    words = ["-m", "celery", "-A", "acsstream", "worker", "-P", "solo"]
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *words],
            env=console.environment,
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(PATIENCE)


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(chromium_path), args=list(FLAGS)
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, scene: Scene) -> Iterator[Page]:
    """A page with the superuser logged in; a script error fails the test."""
    faults: list[str] = []
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(SOON)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{scene.console.url}/admin/login/")
    page.fill("[name=username]", "root")
    page.fill("[name=password]", "secret")
    page.click("#login-form button[type=submit]")
    page.wait_for_url("**/admin/")
    yield page
    context.close()
    assert faults == []


def send(page: Page, scene: Scene, name: str, content: bytes) -> None:
    page.goto(f"{scene.console.url}/admin/calls/prompt/add/")
    page.fill("[name=name]", name)
    file: Any = {"name": f"{name}.wav", "mimeType": "audio/wav", "buffer": content}
    page.set_input_files("input[type=file][name=file]", file)
    page.click("button[name=_continue]")


def test_what_was_sent_is_heard_on_its_page(page: Page, scene: Scene) -> None:
    send(page, scene, "Welcome", file_of(tone(3.0)))

    expect(page.get_by_role("img", name="Waveform of Welcome")).to_be_visible()
    player = page.get_by_label("Hear “Welcome” here, not in a call")
    page.wait_for_function("document.querySelector('audio').readyState >= 1")
    assert player.evaluate("audio => audio.duration") == pytest.approx(3, abs=0.01)

    player.evaluate("audio => audio.play()")
    page.wait_for_function("document.querySelector('audio').currentTime > 0.2")


def test_says_what_is_wrong_with_a_file_and_keeps_what_was_typed(
    page: Page, scene: Scene
) -> None:
    send(page, scene, "No audio", b"%PDF-1.7 nothing to hear")

    expect(page.get_by_text("This is no audio file.")).to_be_visible()
    expect(page.locator("[name=name]")).to_have_value("No audio")


def test_plays_into_a_call_until_it_is_told_to_be_silent(
    page: Page, scene: Scene
) -> None:
    line = scene.console.line(scene.secret)
    line.speak("4:+12065550100", 0, 1)
    page.goto(f"{scene.console.url}/admin/calls/call/{scene.call}/change/")
    page.click("[data-order=play_prompt]")
    page.select_option("#order-dialog select", label="Long notice")
    page.click("#order-dialog button.primary")

    assert line.heard()["Kind"] == "AudioData"
    outcome = page.locator("#order-outcome")
    expect(outcome).to_contain_text("Play a prompt into the call: confirmed")
    speaking = page.locator("[data-now=speaking]")
    expect(speaking).to_contain_text("We say: Long notice")

    page.click("[data-order=stop_audio]")
    while line.heard()["Kind"] != "StopAudio":
        pass
    expect(outcome).to_contain_text("Stop what we play into the call: confirmed")
    expect(speaking).to_have_text("")
    stopped = page.locator(".console-moment", has_text="Prompt “Long notice”: stopped")
    expect(stopped).to_contain_text("stopped by root")
