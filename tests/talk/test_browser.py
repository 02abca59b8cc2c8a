"""Push-to-talk in a real browser: what its microphone hears is heard in the call.

The microphone is Chromium's own fake, which hears a file. What it hears goes through
the console, Redis and ingest to the play-out queue of the emulator.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.alarms.test_process import database
from tests.console.signing import signed_in
from tests.console.test_shell_browser import ASK_AXE as ASK
from tests.console.test_shell_browser import AXE, RULES
from tests.e2e.terminal import QUIET
from tests.listen.stack import Stack, stack
from tests.talk.microphone import flags

pytestmark = pytest.mark.browser

SOON = 60_000
TRIES = 5
BAR_MS = 250
MEASURED = bool(os.environ.get("ACSSTREAM_TEST_TALK"))
# 60 s is as long as one may speak.
BURSTS = 75 if MEASURED else 5
ASK_AXE = ASK.replace("axe.run(document,", "axe.run('#talk',")
EAR = (Path(__file__).parent / "ear.js").read_text()
SLOW = (
    "The connection to the console broke: you are no longer heard.",
    "The network is too slow: you are no longer heard.",
)
ON_AIR = "Everyone in the call hears you."
FREE = "Nobody hears you. Hold the button or Space to speak"
FILL = """
import django
django.setup()
from django.contrib.auth.models import Group, User
ada = User.objects.create_user("ada", password="secret", is_staff=True)
ada.groups.add(Group.objects.get(name="operator"))
"""
# Who may not even see the call is sent away from its page.
TAKE = """
update auth_user_groups
set group_id = (select id from auth_group where name = 'viewer')
where user_id = (select id from auth_user where username = 'ada')
"""
# Pressed again, it would open anew what the page has ended itself.
LET_GO = "button => button.ariaPressed === 'true' && button.click()"


class Scene:
    """A call that hears us, and what it heard."""

    def __init__(self, running: Stack) -> None:
        self.running = running
        self.kept: dict[str, Any] = {}
        self.heard_file = running.folder / "heard"
        url = running.house.url(running.call_id)
        words = ["-m", "tests.talk.far", url, str(self.heard_file), "900"]
        running._begin("far.log", *words)

    @property
    def heard(self) -> list[tuple[float, float]]:
        """Return each 20 ms that was heard: when, and when it was loud, -1 if never."""
        lines = self.heard_file.read_text().splitlines()
        return [(float(at), float(after)) for at, after in map(str.split, lines)]

    def bursts(self) -> list[float]:
        """Return when each burst began to be heard, in ms since 1970."""
        found: list[float] = []
        loud_at = 0.0
        for at, after in self.heard:
            if after >= 0:
                if at - loud_at > 250:
                    found.append(at + after)
                loud_at = at
        return found

    def is_quiet(self) -> bool:
        """Say whether the end of all that was said is noted."""
        return len(self.noted()) % 2 == 0

    def noted(self) -> list[dict[str, Any]]:
        return self.running.house.rows(
            "SELECT action, actor, details FROM calls_auditentry"
            " WHERE action LIKE 'speaking%' ORDER BY id"
        )


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with stack(tmp_path_factory.mktemp("talk")) as running:
        running.run(FILL)
        yield Scene(running)


@pytest.fixture(scope="module")
def browser(
    chromium_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    heard = tmp_path_factory.mktemp("microphone") / "microphone.wav"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(chromium_path), args=[*QUIET, *flags(heard)]
        )
        yield browser
        browser.close()


def call_page(
    browser: Browser, scene: Scene, who: str = "root", *, allowed: bool = True
) -> Page:
    """Return the page of the call, of somebody whose browser gives its microphone."""
    running = scene.running
    if who not in scene.kept:
        scene.kept[who] = signed_in(browser, running.url, who)
    context = browser.new_context(
        storage_state=scene.kept[who],
        viewport={"width": 1440, "height": 1000},
        permissions=["microphone"] if allowed else [],
    )
    page = context.new_page()
    page.set_default_timeout(SOON)
    page.add_init_script(EAR)
    page.goto(f"{running.url}/admin/calls/call/{running.call_id}/change/")
    expect(status(page)).to_contain_text(FREE, timeout=SOON)
    return page


@pytest.fixture
def page(browser: Browser, scene: Scene) -> Iterator[Page]:
    """The call's page; no error may be in its console."""
    page = call_page(browser, scene)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda said: faults.append(said.text) if said.type == "error" else None,
    )
    yield page
    page.context.close()
    assert faults == []


def talk(page: Page) -> Locator:
    return page.locator("#talk")


def status(page: Page) -> Locator:
    return talk(page).locator("[data-part=status]")


def latch(page: Page) -> Locator:
    return talk(page).get_by_role("button", name="Speak without holding")


def opened(page: Page) -> None:
    expect(status(page)).to_have_text(ON_AIR, timeout=SOON)


def speaks(page: Page, down: Callable[[], None], up: Callable[[], None]) -> None:
    """Press until one is heard: a page that stood still is taken for one that left."""
    for _ in range(TRIES):
        expect(talk(page)).to_have_attribute("data-can", "true", timeout=SOON)
        down()
        until(page, lambda: status(page).inner_text() == ON_AIR or is_lost(page))
        if not is_lost(page):
            return
        up()
        closed(page)
    raise AssertionError(status(page).inner_text())


def is_lost(page: Page) -> bool:
    """Say whether a press ended since a page or a server was too slow."""
    return status(page).inner_text() in SLOW


def closed(page: Page) -> None:
    expect(talk(page)).to_have_attribute("data-phase", "idle", timeout=SOON)


def until(page: Page, claim: Callable[[], bool]) -> None:
    """Wait while the page goes on, until a claim is true."""
    deadline = time.monotonic() + 3 * BURSTS + SOON / 1000
    while not claim():
        assert time.monotonic() < deadline, "it did not come true"
        page.wait_for_timeout(50)


def bursts_of(page: Page) -> list[float]:
    found: list[float] = page.evaluate("bursts")
    return found


def test_what_the_microphone_hears_is_heard_in_the_call_while_space_is_held(
    page: Page, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    assert page.evaluate("microphones") == 0
    until(page, scene.is_quiet)

    speaks(page, lambda: page.keyboard.down(" "), lambda: page.keyboard.up(" "))
    before = len(scene.noted()) - 1
    first = len(bursts_of(page))
    until(page, lambda: len(bursts_of(page)) >= first + BURSTS)
    page.keyboard.up(" ")
    closed(page)
    outcome = talk(page).locator("[data-part=heard]")
    expect(outcome).to_contain_text("You were heard:", timeout=SOON)

    # So long the page says that it was heard. That nothing is heard afterwards, and
    # what of it is kept, is seen on a whole installation: tests/e2e.
    said, heard = bursts_of(page)[first + 1 : -2], scene.bursts()
    assert heard

    def seconds_told() -> float:
        return float(outcome.inner_text().split()[3])

    until(page, lambda: abs(seconds_told() - len(scene.heard) * 0.02) < 0.1)
    assert page.evaluate("microphones") == 1
    began, ended = scene.noted()[before:]
    assert (began["actor"], ended["actor"]) == ("root", "root")
    if MEASURED:
        late = sorted(latencies(said, heard))
        tell(capsys, late)
        assert statistics.median(late) <= BAR_MS


def latencies(said: list[float], heard: list[float]) -> list[float]:
    """Return how long after it was said each burst was heard, in ms.

    No two pauses of a round are the same: only at one lag do most of them fit.
    """

    def off(at: float, lag: float) -> float:
        return min((one - at - lag for one in heard), key=abs)

    fits = {
        lag: sum(abs(off(at, lag)) < 25 for at in said) for lag in range(0, 1_500, 10)
    }
    lag = max(fits, key=lambda one: fits[one])
    offs = [off(at, lag) for at in said]
    return [lag + one for one in offs if abs(one) < 200]


def tell(capsys: pytest.CaptureFixture[str], late: list[float]) -> None:
    with capsys.disabled():
        sys.stdout.write(
            f"\nheard {statistics.median(late):.0f} ms after the browser captured it"
            f" (95 % within {late[int(0.95 * (len(late) - 1))]:.0f} ms, {len(late)}"
            " bursts)\n"
        )


def test_a_second_press_opens_at_once_and_the_microphone_only_once(page: Page) -> None:
    for _ in range(2):
        speaks(page, lambda: page.keyboard.down(" "), lambda: page.keyboard.up(" "))
        page.keyboard.up(" ")
        closed(page)

    assert page.evaluate("microphones") == 1
    expect(talk(page)).to_contain_text("Microphone on; nobody hears you")


# The browser asks for leave until `give()`; `late` are the timers of half a minute.
ASKING = """
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  const leave = new Promise((given) => { window.give = given; });
  navigator.mediaDevices.getUserMedia = (wanted) => leave.then(() => ask(wanted));
  const [begin, end] = [window.setTimeout, window.clearTimeout];
  window.late = new Map();
  window.setTimeout = (act, ms, ...more) => {
    const timer = begin(act, ms, ...more);
    if (ms === 30_000) late.set(timer, act);
    return timer;
  };
  window.clearTimeout = (timer) => { late.delete(timer); end(timer); };
"""


def test_two_quick_presses_while_the_browser_asks_are_one_that_stays(
    page: Page,
) -> None:
    page.evaluate(ASKING)
    page.keyboard.down(" ")
    page.keyboard.up(" ")
    page.keyboard.down(" ")
    page.evaluate("give()")
    opened(page)

    page.evaluate("late.forEach((act) => act())")

    expect(talk(page)).to_have_attribute("data-microphone", "on")
    expect(status(page)).to_have_text(ON_AIR)
    page.keyboard.up(" ")
    closed(page)


def test_space_belongs_to_a_field_and_to_a_button_first(page: Page) -> None:
    note = page.locator("#call textarea").first
    note.click()
    page.keyboard.type("to be called back")
    assert note.input_value() == "to be called back"

    page.locator("#listen").get_by_role("button", name="Listen", exact=True).focus()
    page.keyboard.press(" ")
    expect(page.locator("#listen")).not_to_have_attribute("data-state", "idle")

    assert page.evaluate("microphones") == 0
    page.locator("#listen").get_by_role("button", name="Stop listening").click()


STOPS = {
    "Escape": "",
    "another window": "window.dispatchEvent(new Event('blur'))",
    "a hidden page": """
      Object.defineProperty(document, "hidden", { configurable: true, value: true });
      document.dispatchEvent(new Event("visibilitychange"));
      delete document.hidden;
    """,
    "a lost socket": "sockets.find((one) => one.url.includes('/ws/talk/')).close()",
}


def test_whatever_ends_it_ends_it_and_the_switch_is_worked_by_keyboard(
    page: Page, scene: Scene
) -> None:
    for how, script in STOPS.items():
        speaks(page, lambda: latch(page).press("Enter"), lambda: None)
        assert latch(page).get_attribute("aria-pressed") == "true" or is_lost(page)

        if script:
            page.evaluate(script)
        else:
            page.keyboard.press(how)

        closed(page)
        expect(latch(page)).to_have_attribute("aria-pressed", "false")
    until(page, scene.is_quiet)


def test_axe_finds_nothing_while_one_is_heard(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    speaks(page, latch(page).click, lambda: None)

    for theme in ("light", "dark"):
        page.evaluate(f"document.documentElement.classList.toggle('{theme}', true)")
        assert page.evaluate(ASK_AXE, {"runOnly": RULES}) == [], theme


def test_says_why_when_the_microphone_is_denied(browser: Browser, scene: Scene) -> None:
    page = call_page(browser, scene, allowed=False)
    until(page, scene.is_quiet)
    before = scene.noted()

    page.keyboard.down(" ")
    expect(status(page)).to_contain_text("The microphone is denied", timeout=SOON)

    assert talk(page).get_attribute("data-phase") == "idle"
    assert scene.noted() == before
    page.context.close()


def test_the_second_is_told_who_speaks_and_may_when_that_is_over(
    browser: Browser, page: Page, scene: Scene
) -> None:
    other = call_page(browser, scene, "ada")
    speaks(page, latch(page).click, lambda: None)

    expect(status(other)).to_have_text(
        "root is speaking. One person speaks at a time.", timeout=SOON
    )
    expect(other.locator("#talker")).to_contain_text("root is speaking into this call")
    other.keyboard.down(" ")
    assert other.evaluate("microphones") == 0
    other.keyboard.up(" ")
    latch(page).evaluate(LET_GO)
    expect(status(other)).to_contain_text(FREE, timeout=SOON)
    speaks(other, latch(other).click, lambda: None)
    other.context.close()


def test_who_may_speak_no_more_falls_silent_while_they_speak(
    browser: Browser, scene: Scene
) -> None:
    page = call_page(browser, scene, "ada")
    speaks(page, latch(page).click, lambda: None)

    # By hand: an installation that boots would take the browser's processor.
    with database(scene.running.house) as taken:
        assert taken.execute(TAKE).rowcount == 1

    expect(status(page)).to_contain_text("You may no longer speak", timeout=SOON)
    closed(page)
    expect(talk(page)).to_have_attribute("data-microphone", "off")
    assert "forbidden" in scene.noted()[-1]["details"]
    page.context.close()
