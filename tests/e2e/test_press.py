"""How long it takes from a button to the confirmed state, as the browser sees it.

The bar: 1.5 s for 95 of 100 presses on the demo. The figure depends on what else the
machine does, so the suite prints it and fails only for what is far beyond any mood of a
machine; `make press` runs this alone, with more presses, and holds it to the bar.
"""

import os
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.e2e.terminal import QUIET, Demo, demo_on_terminal

FEW = 6
PRESSES = int(os.environ.get("ACSSTREAM_TEST_PRESSES", FEW))
BAR = 1.5
# Seconds after which something is broken, not slow.
BROKEN = 15.0

PRESS = """
([label, wanted]) => new Promise((resolve, reject) => {
  const row = document.querySelector("#live tbody tr");
  const button = [...row.querySelectorAll("button")]
    .find((one) => one.textContent.includes(label));
  if (!button || button.disabled) return reject(new Error(`no button ${label}`));
  const began = performance.now();
  const look = () => {
    const chip = row.querySelector(".streaming .console-chip").textContent.trim();
    if (!wanted.includes(chip)) return;
    watch.disconnect();
    resolve(performance.now() - began);
  };
  const watch = new MutationObserver(look);
  watch.observe(row, { subtree: true, childList: true, characterData: true });
  button.click();
})
"""
STEPS = (("Stop", ["Stopped"]), ("Start", ["Connecting", "Streaming"]))


@pytest.fixture
def page(tmp_path: Path, chromium_path: Path) -> Iterator[Page]:
    """Run the demo with two calls, and return the dashboard in a browser."""
    folder = tmp_path / "data"
    options = ("--calls", "2", "--seconds", str(60 + 5 * PRESSES))
    with demo_on_terminal(folder, *options) as demo, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(chromium_path), args=QUIET
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(60_000)
        sign_in(page, demo)
        yield page
        browser.close()


def sign_in(page: Page, demo: Demo) -> None:
    name, password = demo.operator()
    page.goto(f"{demo.console()}/admin/")
    page.fill("input[name=username]", name)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")


@pytest.mark.browser
def test_a_press_is_confirmed_while_one_looks(
    page: Page, capsys: pytest.CaptureFixture[str]
) -> None:
    row = page.locator("#live tbody tr").first
    expect(row).to_contain_text("Streaming", timeout=60_000)
    took = []
    for number in range(PRESSES):
        label, wanted = STEPS[number % 2]
        button = row.get_by_role("button", name=label, exact=False).first
        expect(button).to_be_enabled(timeout=60_000)
        took.append(page.evaluate(PRESS, [label, wanted]) / 1000)

    p95 = sorted(took)[max(round(0.95 * len(took)) - 1, 0)]
    told = (
        f"{len(took)} presses, to confirmed: median {statistics.median(took):.2f} s,"
        f" p95 {p95:.2f} s, worst {max(took):.2f} s"
    )
    with capsys.disabled():
        sys.stdout.write(f"\n{told}\n")
    assert p95 < (BAR if PRESSES > FEW else BROKEN), told
