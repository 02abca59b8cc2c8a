"""Make the README's pictures: run the demo, and photograph the console.

    python -m scripts.screenshots [--to docs/images] [--dark]

Needs the development requirements and Chromium. Every figure on them is real.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.e2e.terminal import QUIET, ROOT, Demo, demo_on_terminal

CALLS, SECONDS = "6", "40"


def main() -> int:
    """Write dashboard.png and call.png; with --dark, archive and dark ones too."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument(
        "--dark", action="store_true", help="dark pages and archive too"
    )
    options = parser.parse_args()
    folder: Path = options.to
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
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        _photograph(demo, page, folder, dark=options.dark)
        browser.close()
    return 0


def _photograph(demo: Demo, page: Page, folder: Path, *, dark: bool) -> None:
    console, (name, password) = demo.console(), demo.operator()
    page.goto(f"{console}/admin/")
    page.fill("input[name=username]", name)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.locator("#live tbody tr").nth(5).wait_for()
    # By then the fourth call streams, the fifth is stopped or back again.
    page.wait_for_timeout(19_000)
    _take(page, folder / "dashboard.png", dark=dark)
    demo.await_line(r"(OK|FAILED): ", 120)
    if dark:
        page.goto(f"{console}/admin/calls/call/")
        page.wait_for_timeout(1_000)
        _take(page, folder / "archive.png", dark=True)
        page.goto(f"{console}/admin/")
    page.locator("#ended tbody tr", has_text="Finished").last.locator("a").first.click()
    page.locator("#player.ready").wait_for()
    page.wait_for_timeout(2_000)
    _take(page, folder / "call.png", dark=dark)


def _take(page: Page, path: Path, *, dark: bool) -> None:
    is_long = path.stem == "call"
    page.screenshot(path=path, full_page=is_long)
    if dark:
        page.evaluate("document.documentElement.classList.add('dark')")
        page.wait_for_timeout(300)
        page.screenshot(path=path.with_stem(f"{path.stem}-dark"), full_page=is_long)
        page.evaluate("document.documentElement.classList.remove('dark')")


if __name__ == "__main__":
    sys.exit(main())
