"""A call's page in a real browser while the call runs, ends, and is archived.

The console receives the media itself: what the test says over a socket is recorded by
the real recorder, told through a real Redis, and drawn.
"""

import json
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.console.signing import signed_in as browser_signed_in
from tests.console.speaking import Line, SpeakingConsole, speaking_console
from tests.console.test_browser import FLAGS, PATIENCE

pytestmark = pytest.mark.browser

ADA, BOB = "4:+12065550100", "8:acs:resource_bob"
SOON = PATIENCE * 1_000

FILL = """
import json
from django.contrib.auth.models import Group, User
from calls.doors.capability import call_secret
from tests.factories import CallFactory, ParticipantFactory
User.objects.create_superuser("root", password="secret")
auditor = User.objects.create_user("auditor", password="secret", is_staff=True)
auditor.groups.add(Group.objects.get(name="auditor"))
calls = []
for number in range(3):
    call = CallFactory(live=True)
    ParticipantFactory(call=call, raw_id="4:+12065550100", display_name="Ada Okafor")
    ParticipantFactory(call=call, raw_id="8:acs:resource_bob", display_name="Bob")
    calls.append([str(call.pk), call_secret(call.pk)])
print(json.dumps(calls))
"""
END = """
from django.utils import timezone
from calls.models import Call
Call.objects.filter(pk="{call}").update(
    state="ended", ended_at=timezone.now(), streaming_state="stopped",
    archive_state="pending",
)
"""
FINISH = """
from uuid import UUID
from calls.finishing import call_finish
call_finish(UUID("{call}"))
"""
# Of what colour the canvas is where a moment of a lane is drawn: r, g, b, how opaque.
COLOUR = """([lane, share]) => {
  const canvas = document.querySelectorAll("#live-lanes .row canvas")[lane];
  const [x, wide] = [Math.round(share * canvas.width) - 4, 8];
  const { data } = canvas.getContext("2d").getImageData(x, 0, wide, canvas.height);
  const sum = [0, 0, 0, 0];
  for (let at = 0; at < data.length; at += 1) sum[at % 4] += data[at];
  return sum.map((one) => one / (data.length / 4));
}"""


@dataclass
class Scene:
    """The console, and the calls in it."""

    console: SpeakingConsole
    calls: list[tuple[str, str]]

    def url(self, number: int) -> str:
        return f"{self.console.url}/admin/calls/call/{self.calls[number][0]}/change/"

    def line(self, number: int) -> Line:
        return self.console.line(self.calls[number][1])

    def run(self, code: str, number: int) -> None:
        self.console.run(code.format(call=self.calls[number][0]))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with speaking_console(tmp_path_factory.mktemp("speaking")) as console:
        calls = json.loads(console.run(FILL).splitlines()[-1])
        yield Scene(console, calls)


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
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
    page.on("dialog", lambda dialog: faults.append(f"a dialog: {dialog.message}"))
    yield page
    context.close()
    assert faults == []


def drawn(page: Page, lane: int, seconds: float) -> None:
    """Wait until so much of a lane is drawn."""
    canvas = page.locator("#live-lanes .row canvas").nth(lane)
    expect(canvas).to_have_attribute("data-drawn", f"{seconds:.1f}", timeout=SOON)


def colour(page: Page, lane: int, at: float) -> list[float]:
    """Return the mean colour of a lane where `at` seconds of one minute is drawn."""
    found: list[float] = page.evaluate(COLOUR, [lane, at / 60])
    return found


def test_lanes_grow_with_the_call_and_tell_gaps_from_silence(
    page: Page, scene: Scene
) -> None:
    page.goto(scene.url(0))
    expect(page.locator("#live-lanes .empty")).to_contain_text("Nobody has been heard")
    line = scene.line(0)
    line.speak(ADA, 0, 4)
    line.speak(BOB, 0, 4, loud=0)
    drawn(page, 0, 4)
    expect(page.locator("#call-feed")).to_have_text("live")
    expect(page.locator("#live-lanes .row b")).to_have_text(["Ada Okafor", "Bob"])
    # The whole call would move on as time goes by.
    page.locator(".zooms button", has_text="1 min").click()
    untouched = colour(page, 0, 7)[3]
    loud, silent = colour(page, 0, 2), colour(page, 1, 2)

    # Two seconds of Ada are lost.
    line.speak(ADA, 6, 9)
    line.speak(BOB, 4, 9, loud=0)
    drawn(page, 0, 9)
    drawn(page, 1, 9)

    # Somebody who speaks fills the lane, silence is a thin line, nothing is nothing.
    assert untouched == 0
    assert loud[3] > 10 * silent[3] > 0
    gap = colour(page, 0, 5)
    assert gap[0] > gap[2] + 20, "the gap is red"
    assert colour(page, 0, 8)[2] > colour(page, 0, 8)[0], "speech is blue"

    # The figures are those of this second.
    row = page.locator("#people tr[data-track]", has_text="Ada Okafor")
    expect(row.locator("[data-now=packets]")).to_have_text("350", timeout=SOON)
    expect(row.locator("[data-now=gaps]")).to_have_text("1 · 2.0 s")
    expect(page.locator("[data-now=completeness]").first).to_have_text("88.9 %")
    lane = page.get_by_role("img", name=re.compile("Ada Okafor: 0:09 of audio"))
    expect(lane).to_have_attribute("aria-label", re.compile("1 gap of 2.0 s together"))


def test_a_moment_is_told_by_keyboard_and_noted(
    page: Page, scene: Scene, browser: Browser
) -> None:
    page.goto(scene.url(0))
    drawn(page, 0, 9)
    box = page.locator("#live-lanes .box")
    box.focus()
    page.keyboard.press("Home")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    where = page.locator("#live-lanes .where")
    expect(where).to_have_text("0:05 · Ada Okafor: missing · Bob: silent")
    page.locator(".zooms button", has_text="1 min").click()
    expect(where).to_contain_text("0:05")

    auditor = browser_signed_in(browser, scene.console.url, "auditor")
    other = browser.new_context(storage_state=auditor)
    theirs = other.new_page()
    theirs.set_default_timeout(SOON)
    theirs.goto(scene.url(0))
    expect(theirs.locator("#review .write")).to_have_count(0)

    page.fill("#note-text", "She was cut off here.")
    page.check("#review [name=about]")
    page.keyboard.press("Tab")
    page.locator("#note-text").press("Control+Enter")
    note = page.locator("#review .notes li")
    expect(note).to_contain_text("She was cut off here.")
    expect(note.locator("a")).to_have_attribute("href", re.compile(r"\?t=5$"))
    expect(page.locator("#note-text")).to_have_value("")

    # Others see it by themselves, in the list and on the ruler.
    expect(theirs.locator("#review .notes li")).to_contain_text("cut off", timeout=SOON)
    mark = theirs.locator(".marks button[data-kind=note]")
    expect(mark).to_have_attribute("aria-label", re.compile("root: She was"))
    other.close()


def test_tags_rating_and_follow_up_by_keyboard(page: Page, scene: Scene) -> None:
    page.goto(scene.url(0))
    page.fill("#tag-name", "Billing, urgent")
    page.keyboard.press("Enter")
    tags = page.locator("#review .tags li")
    expect(tags).to_have_count(2)
    page.get_by_role("button", name="Take the tag urgent off").press("Enter")
    expect(tags).to_have_count(1)
    expect(page.locator("#tag-name")).to_be_focused()

    page.get_by_role("radio", name="1 of 5").focus()
    page.keyboard.press("Space")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#review [role=status]")).to_have_text("Rated 4 of 5.")
    page.get_by_role("checkbox", name="Needs a follow-up").check()
    page.locator("#review [name=assignee]").select_option("auditor")
    follow = page.locator("#call [data-review=follow-up]")
    expect(follow).to_have_text("follow-up: auditor")

    page.reload()
    expect(page.get_by_role("radio", name="4 of 5")).to_be_checked()
    expect(tags).to_have_text(["billingclose"])
    expect(follow).to_have_text("follow-up: auditor")


def test_says_how_old_the_picture_is_when_redis_hangs(page: Page, scene: Scene) -> None:
    page.goto(scene.url(2))
    scene.line(2).speak(ADA, 0, 2)
    drawn(page, 0, 2)
    expect(page.locator("#call-feed")).to_have_text("live", timeout=SOON)
    with redis.Redis.from_url(scene.console.redis_url) as client:
        server = client.info("server")["process_id"]
    banner = page.locator("#call-fault")
    os.kill(server, signal.SIGSTOP)
    try:
        expect(banner).to_contain_text("recording is not affected", timeout=SOON)
        expect(page.locator("#call-feed")).to_have_text("not live")
    finally:
        os.kill(server, signal.SIGCONT)
    expect(banner).to_be_hidden(timeout=SOON)
    expect(page.locator("#call-feed")).to_have_text("live")


def test_becomes_the_archived_page_and_keeps_what_is_typed(
    page: Page, scene: Scene
) -> None:
    page.goto(scene.url(1))
    line = scene.line(1)
    line.speak(ADA, 0, 3)
    line.speak(BOB, 0, 3)
    drawn(page, 1, 3)
    page.fill("#note-text", "half a thought")
    someone = page.locator("#people a.console-who").first
    someone.focus()
    scene.console.end(line)
    scene.run(END, 1)
    expect(page.locator(".console-control")).to_have_count(0, timeout=SOON)
    # The table is another without its buttons; who had the focus has it.
    expect(page.locator("#people td.orders")).to_have_count(0)
    expect(someone).to_be_focused()
    expect(page.locator("#recordings")).to_contain_text("recordings are being made")
    scene.run(FINISH, 1)

    expect(page.locator("#player.ready")).to_be_visible(timeout=SOON)
    expect(page.locator("#live-lanes")).to_have_count(0)
    expect(page.locator("#note-text")).to_have_value("half a thought")
    # The player works: nobody had to load the page again.
    page.locator("#player").get_by_role("button", name="Play", exact=True).click()
    expect(page.locator("#player .time b")).not_to_have_text("0:00")
