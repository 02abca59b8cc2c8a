"""Make the README's pictures: run the demo, and photograph the console.

    python -m scripts.screenshots [--to docs/images]

Needs the development requirements and Chromium. Every figure on them is real.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.e2e.terminal import QUIET, ROOT, demo_on_terminal

CALLS, SECONDS = "6", "40"


def main() -> int:
    """Write dashboard.png, dashboard-dark.png, call.png and archive.png."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "images")
    folder: Path = parser.parse_args().to
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.stderr.write("No Chromium here: apt-get install chromium\n")
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as data,
        demo_on_terminal(
            Path(data) / "demo", "--calls", CALLS, "--seconds", SECONDS
        ) as demo,
        sync_playwright() as playwright,
    ):
        console, (name, password) = demo.console(), demo.operator()
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{console}/admin/")
        page.fill("input[name=username]", name)
        page.fill("input[name=password]", password)
        page.click("button[type=submit]")
        page.locator("#live tbody tr").nth(5).wait_for()
        # By then the fourth call streams, the fifth is stopped or back again.
        page.wait_for_timeout(19_000)
        _both(page, folder, "dashboard")
        demo.await_line(r"(OK|FAILED): ", 120)
        page.goto(f"{console}/admin/calls/call/")
        page.wait_for_timeout(1_000)
        _both(page, folder, "archive")
        page.goto(f"{console}/admin/")
        ended = page.locator("#ended tbody tr", has_text="Finished")
        ended.last.locator("a").first.click()
        page.locator("#player.ready").wait_for()
        page.wait_for_timeout(2_000)
        _both(page, folder, "call", full_page=True)
        browser.close()
    return 0


def _both(page: Page, folder: Path, name: str, *, full_page: bool = False) -> None:
    page.screenshot(path=folder / f"{name}.png", full_page=full_page)
    page.evaluate("document.documentElement.classList.add('dark')")
    page.wait_for_timeout(300)
    page.screenshot(path=folder / f"{name}-dark.png", full_page=full_page)
    page.evaluate("document.documentElement.classList.remove('dark')")


if __name__ == "__main__":
    sys.exit(main())
