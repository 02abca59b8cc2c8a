"""Listening in a real browser: what was said is heard, when, and whose it was."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.e2e.terminal import QUIET
from tests.listen.ears import HOOK, Ears, Lag
from tests.listen.stack import Stack, stack
from tests.listen.tones import BOB_HZ

pytestmark = pytest.mark.browser

SOON = 60_000
# What asking a console that was stopped says, or one that is just being stopped.
STOPPED = ("ERR_CONNECTION", "ERR_EMPTY_RESPONSE")
# On a quiet machine 150 to 300 ms, and 500 is what is promised (`make listen`). Nine
# neighbours on two cores are no quiet machine.
LOOSE_MS = 1_500
BAR_MS = 500
# What the page says of its latency and what is measured may differ by this.
SAME_MS = 150
HELD_TO_THE_BAR = bool(os.environ.get("ACSSTREAM_TEST_LISTEN"))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack(tmp_path_factory.mktemp("listen")) as running:
        running.speak(600)
        yield running


@pytest.fixture(scope="module")
def browser(chromium_path: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(chromium_path), args=QUIET
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, running: Stack) -> Iterator[Page]:
    """A page of somebody who is signed in; no error may be in its console."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(SOON)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda said: faults.append(said.text) if said.type == "error" else None,
    )
    page.add_init_script(HOOK)
    page.goto(f"{running.url}/admin/")
    page.fill("input[name=username]", "root")
    page.fill("input[name=password]", "secret")
    page.click("button[type=submit]")
    page.goto(call_page(running))
    yield page
    assert page.evaluate("window.microphones") == 0
    page.close()
    # Asking a console that was stopped is an error of the network, not of the page.
    assert [fault for fault in faults if not any(map(fault.count, STOPPED))] == []


def call_page(running: Stack, more: str = "") -> str:
    return f"{running.url}/admin/calls/call/{running.call_id}/change/{more}"


def panel(page: Page) -> Locator:
    return page.locator("#listen")


def listen(page: Page) -> Ears:
    """Press the button, and wait until it is live and something is heard."""
    panel(page).get_by_role("button", name="Listen", exact=True).click()
    expect(panel(page)).to_have_attribute("data-state", "listening", timeout=SOON)
    expect(panel(page).locator(".listen-people li")).to_have_count(2, timeout=SOON)
    ears = Ears(page)
    heard(ears)
    return ears


def heard(ears: Ears) -> None:
    """Wait until Alice is heard at the live edge."""
    expect(panel(ears.page)).to_have_attribute("data-edge", "true", timeout=SOON)
    deadline = time.monotonic() + SOON / 1_000
    while not 0 < ears.alice(10).median < LOOSE_MS:
        assert time.monotonic() < deadline, ears.alice(50)


def plays_behind(page: Page) -> None:
    """Wait until what was said before is played, after the seek was asked for."""
    expect(panel(page)).to_have_attribute("data-edge", "false", timeout=SOON)
    behind = panel(page).locator("[data-part=behind]")
    expect(behind).to_contain_text("behind live", timeout=SOON)


def again(ears: Ears) -> Lag:
    """Wait until enough of Alice is heard to measure how long ago she said it."""
    deadline = time.monotonic() + SOON / 1_000
    while (lag := ears.alice(50)).heard <= 20:
        assert time.monotonic() < deadline, lag
    return lag


def tell(capsys: pytest.CaptureFixture[str], told: str) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{told}\n")


def reading(page: Page, part: str) -> str:
    return panel(page).locator(f"[data-part={part}]").inner_text()


def unbroken(heard: Callable[[int], list[float]], count: int = 20) -> list[float]:
    """Return so many notes in a row; a browser on a busy machine stutters."""
    deadline = time.monotonic() + SOON / 1_000
    while len(notes := heard(count)) < count:
        assert time.monotonic() < deadline, f"{len(notes)} of {count} notes were heard"
    return notes


def measured(ears: Ears) -> tuple[Lag, str]:
    """Return how late Alice is heard and what the page says of it.

    Both change where the machine is busy: once, of one moment, they must agree.
    """
    deadline = time.monotonic() + SOON / 1_000
    while True:
        lag, shown = ears.alice(150), reading(ears.page, "latency")
        is_same = abs(float(shown.split()[0]) - lag.median) < SAME_MS
        if is_same and lag.heard > 100 and lag.median < LOOSE_MS:
            return lag, shown
        assert time.monotonic() < deadline, f"the page says {shown}, and it is {lag}"


def silenced(heard: Callable[[], object]) -> None:
    """Wait until somebody is not heard any more: what is on its way still is."""
    # Both only turn a gain down: nothing is waited for but a busy browser.
    deadline = time.monotonic() + SOON / 1_000
    while heard():
        assert time.monotonic() < deadline


def test_hears_each_participant_and_how_late(
    page: Page, capsys: pytest.CaptureFixture[str]
) -> None:
    ears = listen(page)
    expect(panel(page)).to_contain_text("You are listening. Nobody can hear you.")
    expect(page.locator("#listeners")).to_contain_text("root (you) is listening")

    # What the page says of its latency is what is measured.
    lag, shown = measured(ears)
    tell(
        capsys,
        f"heard {lag.median:.0f} ms after it was said (95 % within {lag.worst:.0f} ms;"
        f" the page says {shown})",
    )
    assert not HELD_TO_THE_BAR or lag.median <= BAR_MS

    notes = unbroken(ears.bob)
    assert all(abs(hz - BOB_HZ) < 3 for hz in notes)

    page.get_by_role("button", name="Mute Bob Tanaka").click()
    silenced(ears.bob)
    assert ears.bob() == []
    again(ears)

    page.get_by_role("button", name="Hear only Bob Tanaka").click()
    silenced(lambda: ears.alice(20).heard)
    assert unbroken(ears.bob)
    assert ears.alice(20).heard == 0

    panel(page).get_by_role("button", name="Stop listening").click()
    expect(panel(page)).to_have_attribute("data-state", "idle")
    expect(page.locator("#listeners")).to_be_hidden(timeout=SOON)


def test_a_second_press_begins_nothing(page: Page) -> None:
    # The sound card takes a moment; a session begun twice could be ended only once.
    sockets: list[str] = []
    page.on("websocket", lambda one: sockets.append(one.url))

    page.keyboard.press("l")
    page.keyboard.press("l")
    expect(panel(page)).to_have_attribute("data-state", "listening", timeout=SOON)
    panel(page).get_by_role("button", name="Stop listening").click()
    expect(panel(page)).to_have_attribute("data-state", "idle", timeout=SOON)

    assert sum("/ws/listen/" in url for url in sockets) == 1


def test_goes_back_ten_seconds_and_to_live_again(
    page: Page, capsys: pytest.CaptureFixture[str]
) -> None:
    ears = listen(page)
    page.wait_for_function(
        "document.querySelector('[data-part=bar]').ariaValueMax > 12"
    )

    # Ten seconds before what was heard when it was pressed, and the time to get there,
    # of which a machine that is busy may take too much.
    deadline = time.monotonic() + SOON / 1_000
    while True:
        panel(page).get_by_role("button", name="Back 10 seconds").click()
        plays_behind(page)
        expect(panel(page).locator("[data-part=behind]")).to_contain_text("0:1")
        lag = ears.alice()
        if lag.heard > 60 and 10_000 < lag.median < 10_000 + 2 * LOOSE_MS:
            break
        assert time.monotonic() < deadline, lag
        panel(page).get_by_role("button", name="Jump to live").click()
        heard(ears)
    tell(capsys, f"10 s back: heard {lag.median:.0f} ms after it was said")

    panel(page).get_by_role("button", name="Jump to live").click()
    heard(ears)


def test_catches_up_at_the_same_pitch_and_then_goes_on_live(page: Page) -> None:
    ears = listen(page)
    bar = page.get_by_role("slider", name="Where in the call you listen")
    bar.focus()
    page.keyboard.press("ArrowLeft")
    plays_behind(page)
    first = again(ears)
    page.get_by_role("button", name="1.5×").click()

    # 1.5 times as fast, and still the same note.
    notes = unbroken(ears.bob, 40)
    while panel(page).get_attribute("data-edge") == "true":
        # It had caught up before so many were heard in a row.
        bar.press("ArrowLeft")
        plays_behind(page)
        first = again(ears)
        page.get_by_role("button", name="1.5×").click()
        notes = unbroken(ears.bob, 40)
    assert all(abs(hz - BOB_HZ) < 15 for hz in notes), notes
    deadline = time.monotonic() + SOON / 1_000
    while again(ears).median > first.median - 500:
        assert time.monotonic() < deadline, ears.alice(50)
    expect(panel(page)).to_have_attribute("data-edge", "true", timeout=SOON)
    heard(ears)
    expect(page.get_by_role("button", name="1×", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )


def test_offers_the_moment_of_the_address_and_plays_nothing_by_itself(
    page: Page, running: Stack
) -> None:
    page.goto(call_page(running, "?t=2.5#listen"))

    button = panel(page).get_by_role("button", name="Listen from 0:02")
    expect(button).to_be_visible()
    expect(button).to_be_focused()
    assert page.evaluate("window.ears === undefined")

    button.click()
    expect(panel(page).locator("[data-part=now]")).to_have_text("0:03", timeout=SOON)
    expect(panel(page)).to_have_attribute("data-edge", "false")
    page.keyboard.press("l")
    expect(panel(page)).to_have_attribute("data-state", "idle")


def test_hears_on_after_the_recorder_was_killed_and_back_to_before(
    page: Page, running: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    ears = listen(page)
    house = running.house
    killed_at = time.time()
    house.end(signal.SIGKILL)
    house.start()

    heard(ears)
    tell(capsys, f"heard again {time.time() - killed_at:.1f} s after the kill")
    bar = page.get_by_role("slider", name="Where in the call you listen")
    behind = time.time() - killed_at + 4
    bar.focus()
    for _ in range(round(behind / 5)):
        page.keyboard.press("ArrowLeft")
    plays_behind(page)
    again(ears)
    panel(page).get_by_role("button", name="Jump to live").click()
    heard(ears)


def test_dials_again_when_the_console_was_restarted(page: Page, running: Stack) -> None:
    ears = listen(page)
    os.kill(running.web.pid, signal.SIGTERM)
    running.web.wait(60)
    expect(panel(page)).to_have_attribute("data-state", "starting", timeout=SOON)
    running.start_web()
    expect(panel(page)).to_have_attribute("data-state", "listening", timeout=SOON)
    heard(ears)


NUMBERS = (Path(__file__).parent / "numbers.js").read_text()


def test_the_numbers_of_mixing_stretching_and_the_cushion(page: Page) -> None:
    found = page.evaluate(NUMBERS)

    # A tone at 16 kHz comes out at 48 kHz as that tone: what is beside it is noise.
    assert found["resampled"] < -60
    # Blocks that follow one another leave no click where they meet.
    assert found["border"] < -60
    for speed, stretched in found["stretched"].items():
        assert abs(stretched["hz"] - 200) < 2, (speed, stretched)
        assert abs(stretched["speed"] - float(speed)) < 0.02
        assert stretched["noise"] < -25
    # Nothing is cut where the speed changes.
    assert found["step"] < 0.05
    # The cushion grows when audio came late, which is counted, and else it shrinks.
    assert found["late"]["underruns"] == 1
    assert found["late"]["grown"] > found["late"]["first"]
    assert found["calm"]["cushion"] < 0.125
    assert found["calm"]["underruns"] == 0
    # A pause of the call is no underrun.
    assert found["pause"] == {"underruns": 0, "holes": 1, "following": True}
    # Older generations are not heard.
    assert found["stale"] is None
