"""An operator's first quarter of an hour, in a real browser on the real system."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.e2e.terminal import QUIET, Demo, demo_on_terminal

CALL_SECONDS = 24
SOON = 60_000


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Run the demo with one call, as on somebody's terminal."""
    folder = tmp_path_factory.mktemp("demo") / "data"
    options = ("--calls", "1", "--seconds", str(CALL_SECONDS))
    with demo_on_terminal(folder, *options) as running:
        yield running


@pytest.fixture(scope="module")
def page(demo: Demo, chromium_path: Path) -> Iterator[Page]:
    """Sign in as the demo says, and return the page with the dashboard."""
    console, (name, password) = demo.console(), demo.operator()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(chromium_path), args=QUIET
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{console}/admin/")
        page.fill("input[name=username]", name)
        page.fill("input[name=password]", password)
        page.click("button[type=submit]")
        yield page
        browser.close()


@pytest.mark.browser
def test_operator_watches_stops_and_plays_a_call(page: Page, demo: Demo) -> None:
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))

    # A call appears by itself, and streams.
    row = page.locator("#live tbody tr").first
    expect(row).to_contain_text("Streaming", timeout=30_000)
    participants = row.locator(".console-track")
    expect(participants).to_have_count(2, timeout=SOON)

    # Stop is pressed, and it stops.
    row.get_by_role("button", name="Stop").click()
    expect(row.locator(".streaming .console-chip")).to_have_text(
        "Stopped", timeout=SOON
    )

    # The call ends, is verified against what was sent, and lies in the archive.
    demo.await_line(r"OK: all 1 calls 100 % complete", CALL_SECONDS + 60)
    ended = page.locator("#ended tbody tr", has_text="Finished").first
    expect(ended).to_be_visible(timeout=SOON)
    ended.locator("a").first.click()

    # Its recording plays: time advances, and the sound that is played is not ahead.
    player = page.locator("#player.ready")
    expect(player).to_be_visible(timeout=SOON)
    player.get_by_role("button", name="Play", exact=True).click()
    expect(player.locator(".time b")).not_to_have_text("0:00", timeout=SOON)
    page.wait_for_function(
        "[...document.querySelectorAll('#player audio')].some(a => a.currentTime > 1)"
    )

    assert faults == []


@pytest.mark.browser
def test_ctrl_c_leaves_nothing_behind(demo: Demo) -> None:
    console = demo.console()

    demo.process.send_signal(signal.SIGINT)

    demo.process.wait(60)
    with socket.socket() as probe:
        probe.settimeout(2)
        taken = probe.connect_ex(("127.0.0.1", urlsplit(console).port or 0))
    assert taken != 0
    assert "All parts have ended" in demo.printed
