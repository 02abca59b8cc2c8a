"""Transcripts in a real browser: captions, search, the player, files."""

import asyncio
import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import redis.asyncio
from playwright.sync_api import Browser, Page, expect, sync_playwright

from calls.transcripts.wire import Caption, captions_tell, channel
from tests.console.signing import signed_in as browser_signed_in
from tests.console.speaking import SpeakingConsole, speaking_console
from tests.console.test_browser import FLAGS, PATIENCE
from tests.streaming.house import eventually

pytestmark = pytest.mark.browser

SOON = PATIENCE * 1_000
ADA = "4:+12065550100"
# Half a minute of noise; a piece each second, of three words of 300 ms.
FILL = """
import json
import numpy as np
from django.contrib.auth.models import User
from calls.doors.capability import call_secret
from calls.models import StreamingProfile
from tests.console.conftest import stored_recording
from tests.factories import CallFactory, ParticipantFactory
from tests.factories import SegmentFactory, TrackFactory
User.objects.create_superuser("root", password="secret")
live = CallFactory(
    live=True, transcription_state="running", desired_transcription=True,
    origin_us=1_764_000_000_000_000,
)
ParticipantFactory(call=live, raw_id="4:+12065550100", display_name="Ada Okafor")
over = CallFactory(ended=True, has_transcript=True, from_raw_id="4:+12065550100")
ada = TrackFactory(
    call=over, participant__raw_id=over.from_raw_id,
    participant__display_name="Ada Okafor",
)
noise = np.random.default_rng(5).integers(-9000, 9000, 30 * 16000)
stored_recording(noise.astype(np.int16), call=over, track=ada)
for number in range(30):
    text = f"Word {number} <b>said</b>."
    if number == 20:
        text = "Want a refund."
    SegmentFactory(
        call=over, text=text, start_us=over.origin_us + number * 1_000_000,
        words=[[word.lower().strip("."), at * 300_000, 300_000]
               for at, word in enumerate(text.split())],
        is_cut=number == 3, sentiment="negative" if number == 4 else "",
        confidence=0.4 if number == 5 else 0.9,
    )
untold = CallFactory(live=True)
failed = CallFactory(ended=True, transcription_state="failed")
said = CallFactory(live=True, has_transcript=True, origin_us=live.origin_us)
for number in range(2):
    start_us = said.origin_us + number * 1_000_000
    SegmentFactory(call=said, text="Hello.", start_us=start_us)
profile = StreamingProfile.objects.create(
    name="Writes", handler="tests.handlers.characters.Writes"
)
heard = CallFactory(live=True, profile=profile)
ParticipantFactory(call=heard, raw_id="4:+12065550100", display_name="Ada Okafor")
calls = {"live": live, "over": over, "untold": untold, "failed": failed, "said": said}
facts = {name: str(call.pk) for name, call in calls.items()}
print(json.dumps(facts | {"heard": [str(heard.pk), call_secret(heard.pk)]}))
"""
FINISH = """
from calls.models import Call
Call.objects.filter(pk="{}").update(state="ended", archive_state="finished")
"""


@dataclass
class Scene:
    """The console, a call that runs, and one that is over.

    `untold` runs and is not transcribed, `failed` could not be, `said` runs and was.
    `heard` has a handler that writes down what it hears; with the secret of its media.
    """

    console: SpeakingConsole
    live: str
    over: str
    untold: str
    failed: str
    said: str
    heard: tuple[str, str]

    def url(self, call: str) -> str:
        return f"{self.console.url}/admin/calls/call/{call}/change/"

    def finish(self, call: str) -> None:
        """End a call, with nothing left to be made of it."""
        self.console.run(FINISH.format(call))

    def tell(self, *texts: str, final: bool = True) -> None:
        """Say something in the call that runs, as ingest tells it, to who hears it."""

        async def told() -> None:
            # Nobody is told a guess who comes after it.
            with redis.Redis.from_url(self.console.redis_url) as asked:
                name = channel(self.live)
                await eventually(
                    lambda: cast(Any, asked.pubsub_numsub(name))[0][1], PATIENCE
                )
            async with redis.asyncio.Redis.from_url(self.console.redis_url) as client:
                await captions_tell(client, uuid.UUID(self.live), captions)

        captions = [
            Caption(
                id=uuid.uuid4(),
                raw_id=ADA,
                source="acs",
                start_us=1_764_000_000_000_000 + number * 1_000_000,
                duration_us=900_000,
                text=text,
                is_final=final,
            )
            for number, text in enumerate(texts)
        ]
        # Playwright has the event loop of this thread.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, told()).result(2 * PATIENCE)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with speaking_console(tmp_path_factory.mktemp("transcripts")) as console:
        facts = json.loads(console.run(FILL).splitlines()[-1])
        yield Scene(console, **facts)


@pytest.fixture(scope="module")
def browser(chromium_path: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(chromium_path), args=list(FLAGS)
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def signed_in(browser: Browser, scene: Scene) -> Any:
    """Sign in once."""
    return browser_signed_in(browser, scene.console.url)


@pytest.fixture
def page(browser: Browser, signed_in: Any) -> Iterator[Page]:
    """A page with the superuser logged in; a script error fails the test."""
    faults: list[str] = []
    context = browser.new_context(
        storage_state=signed_in, viewport={"width": 1440, "height": 1000}
    )
    page = context.new_page()
    page.set_default_timeout(SOON)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda one: faults.extend([one.text] * (one.type == "error")))
    yield page
    context.close()
    assert faults == []


def open_over(page: Page, scene: Scene, query: str = "") -> None:
    page.goto(f"{scene.url(scene.over)}{query}")
    page.wait_for_selector("#player.ready")
    page.wait_for_selector("#transcript.ready")


def position(page: Page) -> float:
    return float(page.locator("#player").get_attribute("data-at") or -1)


def row(page: Page, number: int) -> Any:
    return page.locator("#transcript li").nth(number)


def in_sight(page: Page, number: int) -> None:
    """Wait until a row is where the list shows it."""
    page.wait_for_function(
        """number => {
            const box = document.querySelector("#transcript .said-words");
            const row = box.querySelectorAll("li")[number]?.getBoundingClientRect();
            if (!row) return false;
            const { top, bottom } = box.getBoundingClientRect();
            return row.top >= top - 1 && row.bottom <= bottom + 1;
        }""",
        arg=number,
    )


def test_captions_appear_as_they_are_said_and_a_reader_is_let_alone(
    page: Page, scene: Scene
) -> None:
    page.goto(scene.url(scene.live))
    expect(page.locator("#transcript .empty")).to_contain_text("Nobody has spoken yet")

    scene.tell("I would like <i>a refund", final=False)
    guess = page.locator("#transcript li.guess")
    expect(guess.locator(".said")).to_have_text("I would like <i>a refund")
    scene.tell("I would like a refund.")
    expect(row(page, 0).locator(".said")).to_have_text("I would like a refund.")
    expect(row(page, 0).locator(".who")).to_have_text("Ada Okafor")
    expect(guess).to_have_count(0)
    expect(page.locator("#transcript [role=log][aria-live=polite]")).to_have_count(1)

    scene.tell(*(f"Piece {number}" for number in range(40)))
    in_sight(page, 40)
    box = page.locator("#transcript .said-words")
    box.hover()
    page.mouse.wheel(0, -3000)
    newest = page.get_by_role("button", name="Jump to newest")
    expect(newest).to_be_visible()
    page.wait_for_function(
        "document.querySelector('#transcript .said-words').scrollTop < 100"
    )
    scene.tell("And the last word")
    expect(page.locator("#transcript li")).to_have_count(42)
    assert box.evaluate("box => box.scrollTop") < 100
    newest.click()
    in_sight(page, 41)

    # Who comes later has it all.
    page.reload()
    expect(page.locator("#transcript li")).to_have_count(42)


def test_a_search_leads_to_the_moment_in_the_player(page: Page, scene: Scene) -> None:
    page.goto(f"{scene.console.url}/admin/calls/call/said/")
    page.fill("#said", '"a refund" -cheque')
    page.keyboard.press("Enter")
    hit = page.locator(".said-list mark")
    expect(hit).to_have_text("a refund")

    hit.click()
    page.wait_for_selector("#player.ready")

    in_sight(page, 20)
    expect(page.locator("#transcript .find input")).to_have_value("a refund")
    expect(page.locator("#transcript .find output")).to_have_text("1 of 1")
    assert position(page) == pytest.approx(20.3)


def test_a_word_that_is_clicked_is_where_the_player_goes(
    page: Page, scene: Scene
) -> None:
    open_over(page, scene)
    third = row(page, 3).locator("[data-word]")
    expect(third).to_have_text(["Word ", "3 ", "<b>said</b>."])
    expect(row(page, 3)).to_contain_text("interrupted")
    expect(row(page, 5)).to_contain_text("unsure")

    third.nth(1).click()

    expect(page.locator("#player")).to_have_attribute("data-at", "3.30")
    expect(row(page, 3)).to_have_attribute("aria-current", "true")
    expect(page.locator("#transcript .now")).to_have_text("3 ")


def test_playing_marks_words_and_keeps_them_in_sight(page: Page, scene: Scene) -> None:
    open_over(page, scene, "?t=27")
    expect(row(page, 27)).to_have_attribute("aria-current", "true")
    in_sight(page, 27)

    page.locator("[data-do=toggle]").first.click()

    # The last one: it is current for as long as anybody looks.
    expect(row(page, 29)).to_have_attribute("aria-current", "true", timeout=SOON)
    expect(row(page, 27)).not_to_have_attribute("aria-current", "true")


def test_the_transcript_is_searched_and_walked_with_the_keyboard(
    page: Page, scene: Scene
) -> None:
    open_over(page, scene)
    output = page.locator("#transcript .find output")

    page.keyboard.press("/")
    page.keyboard.type("word 1")
    expect(output).to_have_text("– of 11")
    page.keyboard.press("Enter")
    expect(output).to_have_text("1 of 11")
    page.keyboard.press("Tab")
    for _ in range(2):
        page.keyboard.press("n")
    page.keyboard.press("N")
    expect(output).to_have_text("2 of 11")
    expect(row(page, 10).locator(".when")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    expect(page.locator("#player")).to_have_attribute("data-at", "11.00")
    painted = page.evaluate("CSS.highlights.get('transcript-hit').size")
    assert painted > 0


def test_transcripts_are_taken_away_as_files(page: Page, scene: Scene) -> None:
    open_over(page, scene)

    with page.expect_download() as found:
        page.get_by_role("link", name="VTT").click()

    text = Path(found.value.path()).read_text()
    assert found.value.suggested_filename.endswith("_transcript.vtt")
    assert "<v Ada Okafor>Word 0 &lt;b&gt;said&lt;/b&gt;." in text


def test_an_untold_call_is_not_called_transcribed(page: Page, scene: Scene) -> None:
    page.goto(scene.url(scene.untold))
    expect(page.locator("#transcript .empty")).to_contain_text("Transcription is off")

    scene.finish(scene.untold)
    expect(page.locator("#transcript")).to_have_count(0, timeout=SOON)

    page.goto(scene.url(scene.failed))
    empty = page.locator("#transcript .empty")
    expect(empty).to_contain_text("Transcription failed")


def test_a_slow_answer_does_not_replace_the_whole_transcript(
    page: Page, scene: Scene
) -> None:
    held: list[Any] = []
    page.route("**/page.json?newest=*", lambda route: held.append(route))
    page.goto(scene.url(scene.said))
    # The page's own socket tells that it is over once it has told that it runs.
    expect(page.locator("#live-lanes")).to_be_visible()

    scene.finish(scene.said)
    expect(page.locator("#transcript li")).to_have_count(2, timeout=SOON)
    [route] = held
    with page.expect_response("**/page.json?newest=*"):
        route.fulfill(json={"segments": [], "older": False})
    page.evaluate("() => new Promise((done) => setTimeout(done))")

    expect(page.locator("#transcript li")).to_have_count(2)


def test_what_a_handler_writes_appears_as_it_is_said(page: Page, scene: Scene) -> None:
    call, secret = scene.heard
    page.goto(scene.url(call))
    empty = page.locator("#transcript .empty")

    line = scene.console.line(secret)
    line.speak(ADA, 0, 0.5, loud=0)
    expect(empty).to_contain_text("What the call's handler writes down appears here")
    line.speak(ADA, 0.5, 1.5)

    expect(row(page, 0).locator(".said")).to_have_text("I want a refund.")
    expect(row(page, 0).locator(".who")).to_have_text("Ada Okafor")
    expect(page.locator("#transcript")).not_to_contain_text("transcription is off")
    scene.console.end(line)
