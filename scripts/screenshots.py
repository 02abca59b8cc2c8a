"""Make the pictures of the documentation: run the demo, and photograph the console.

    python -m scripts.screenshots [--only wallboard-10 …] [--to docs/screenshots]

Each picture is taken light and dark. The figures on them are real, but for
wallboard-1000: its calls are made up (benchmarks/wallboard.py), because no laptop
carries the sound of a thousand.
Needs the development requirements and Chromium.
"""

import argparse
import importlib
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, sync_playwright

from tests.e2e.terminal import QUIET, ROOT, Demo, demo_on_terminal

DOCS = ROOT / "docs"
CALLS, SECONDS = "10", "60"
WIDE = {"width": 1440, "height": 900}
CALL_LINK = "a[href*='/calls/call/'][href$='/change/']"
Shot = Callable[[Page, str], bool]


def main() -> int:
    """Write the pictures asked for; return 1 if one could not be taken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--to", type=Path, default=DOCS / "screenshots")
    names = [*WHILE_LIVE, *WHEN_OVER, "wallboard-1000"]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    options = parser.parse_args()
    folder: Path = options.to
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.stderr.write("No Chromium here: apt-get install chromium\n")
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        missed = of_demo(browser, folder, options.only)
        if "wallboard-1000" in options.only:
            of_a_thousand(browser, folder)
        browser.close()
    sys.stderr.writelines(f"{name}: nothing like it on the demo\n" for name in missed)
    return int(bool(missed))


# --- on the demo ------------------------------------------------------------------


def of_demo(browser: Browser, folder: Path, only: list[str]) -> list[str]:
    """Take the demo's pictures; return the names of those that could not be taken."""
    if not {*WHILE_LIVE, *WHEN_OVER} & {*only}:
        return []
    with (
        tempfile.TemporaryDirectory() as data,
        demo_on_terminal(
            Path(data) / "demo", "--calls", CALLS, "--seconds", SECONDS
        ) as demo,
    ):
        page = browser.new_page(viewport=WIDE)  # type: ignore[arg-type] # a plain dict
        console = sign_in(page, demo)
        page.locator("#live tbody tr").nth(int(CALLS) - 2).wait_for()
        # By then most calls stream, one was stopped, and levels have moved.
        page.wait_for_timeout(20_000)
        missed = take_all(page, console, folder, WHILE_LIVE, only)
        demo.await_line(r"(OK|FAILED): ", 240)
        missed += take_all(page, console, folder, WHEN_OVER, only)
        page.close()
    return missed


def sign_in(page: Page, demo: Demo) -> str:
    """Sign in as the demo says, and return the console's address."""
    console, (name, password) = demo.console(), demo.operator()
    page.goto(f"{console}/admin/")
    page.fill("input[name=username]", name)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_url("**/admin/")
    return console


def take_all(
    page: Page, console: str, folder: Path, shots: dict[str, Shot], only: list[str]
) -> list[str]:
    """Take each of `shots` that was asked for; return which could not be taken."""
    missed = []
    for name, show in shots.items():
        if name in only and not (show(page, console) and take(page, folder / name)):
            missed.append(name)
    return missed


def take(page: Page, path: Path) -> bool:
    """Take a page light and dark: calls whole, lists as a window shows them."""
    page.wait_for_timeout(1_500)
    is_whole = path.name.startswith("call-")
    if is_whole:
        # What is out of sight is not drawn (content-visibility).
        height = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": WIDE["width"], "height": height})
        page.wait_for_timeout(1_000)
    page.screenshot(path=path.with_suffix(".png"), full_page=is_whole)
    page.evaluate("document.documentElement.classList.add('dark')")
    page.wait_for_timeout(600)
    page.screenshot(path=path.with_name(f"{path.name}-dark.png"), full_page=is_whole)
    page.evaluate("document.documentElement.classList.remove('dark')")
    page.set_viewport_size(WIDE)  # type: ignore[arg-type] # a plain dict
    return True


def wallboard(page: Page, console: str) -> bool:
    """Show the live calls."""
    page.goto(f"{console}/admin/")
    page.locator("#live tbody tr").first.wait_for()
    return True


def live_call(page: Page, console: str) -> bool:
    """Show a call that runs, one with several participants if there is one."""
    wallboard(page, console)
    several = page.locator(".console-track + .console-track")
    rows = page.locator("#live tbody tr", has_text=re.compile("Streaming"), has=several)
    page.goto(console + link_of(rows.first.locator(CALL_LINK)))
    page.locator("#people, #lanes").first.wait_for()
    # For a waveform to grow.
    page.wait_for_timeout(8_000)
    return True


def captions(page: Page, console: str) -> bool:
    """Show the live call that is transcribed, once somebody has said something."""
    wallboard(page, console)
    row = page.locator("#live tbody tr", has_text="+1 800 555 0109")
    page.goto(console + link_of(row.first.locator(CALL_LINK)))
    page.locator("#transcript [data-what=count]").wait_for()
    page.locator("#transcript .said-words li").nth(1).wait_for(timeout=30_000)
    page.locator("#transcript").scroll_into_view_if_needed()
    return True


def inbox(page: Page, console: str) -> bool:
    """Show the problems, if the console has that page."""
    answer = page.goto(f"{console}/admin/inbox/")
    return answer is not None and answer.ok


def systems(page: Page, console: str) -> bool:
    """Show which processes run where, and what they say of themselves."""
    page.goto(f"{console}/admin/systems/")
    page.locator(".console-systems table").first.wait_for()
    return True


def archive(page: Page, console: str) -> bool:
    """Show the list of calls."""
    page.goto(f"{console}/admin/calls/call/")
    page.locator("#result_list").wait_for()
    return True


def archived_call(page: Page, console: str) -> bool:
    """Show a call of several speakers that is over, with its recordings."""
    return show_call_with(page, console, "#player.ready .lane ~ .lane")


def call_with_gaps(page: Page, console: str) -> bool:
    """Show a call of which something is missing, or was not to be recorded."""
    return show_call_with(page, console, "#player.ready .hole")


def transcript(page: Page, console: str) -> bool:
    """Show what was said in a call, while it is played."""
    if not show_call_with(page, console, "#transcript .said-words li ~ li"):
        return False
    page.locator("#player").scroll_into_view_if_needed()
    page.keyboard.press("Space")
    page.wait_for_timeout(5_000)
    page.keyboard.press("Space")
    page.locator("#transcript").scroll_into_view_if_needed()
    return True


def prompts(page: Page, console: str) -> bool:
    """Show a prompt of the library."""
    page.goto(f"{console}/admin/calls/prompt/")
    page.goto(console + link_of(page.locator("#result_list tbody th a").first))
    return True


def player(page: Page, console: str) -> bool:
    """Show a recording being played, from its beginning on."""
    if not archived_call(page, console):
        return False
    page.locator("#player").scroll_into_view_if_needed()
    page.keyboard.press("Space")
    page.wait_for_timeout(5_000)
    page.keyboard.press("Space")
    return True


def show_call_with(page: Page, console: str, wanted: str) -> bool:
    """Open calls of the archive until one shows what is wanted."""
    archive(page, console)
    links = page.locator(f"#result_list {CALL_LINK}")
    for address in dict.fromkeys(link_of(link) for link in links.all()):
        page.goto(console + address)
        page.wait_for_timeout(2_500)
        if page.locator(wanted).count():
            return True
    return False


def link_of(link: Locator) -> str:
    """Return where a link leads, as a path."""
    address: str = link.first.evaluate("one => new URL(one.href).pathname")
    return address


WHILE_LIVE: dict[str, Shot] = {
    "wallboard-10": wallboard,
    "call-live": live_call,
    "captions": captions,
    "inbox": inbox,
    "systems": systems,
}
WHEN_OVER: dict[str, Shot] = {
    "archive": archive,
    "call-archived": archived_call,
    "call-gaps": call_with_gaps,
    "player": player,
    "transcript": transcript,
    "prompt": prompts,
}


# --- a thousand calls -------------------------------------------------------------


def of_a_thousand(browser: Browser, folder: Path) -> None:
    """Take the wallboard with the crowd of its benchmark."""
    # By name: the benchmark starts a house of its own, which nothing else here needs.
    bench = importlib.import_module("benchmarks.wallboard")
    scratch = importlib.import_module("benchmarks.scratch")
    with (
        scratch.scratch_house() as environment,
        bench.console(environment, 1000) as house,
    ):
        context = browser.new_context(
            storage_state=bench.sign_in(browser, house),
            viewport=WIDE,  # type: ignore[arg-type] # a plain dict
        )
        page = context.new_page()
        wallboard(page, house.url)
        page.wait_for_timeout(5_000)
        take(page, folder / "wallboard-1000")
        context.close()


if __name__ == "__main__":
    sys.exit(main())
