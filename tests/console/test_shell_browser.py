"""Every page in a real browser: no fault, no policy broken, nothing axe finds."""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    Response,
    ViewportSize,
    expect,
    sync_playwright,
)

from demo.ports import free_port
from demo.redis import redis_server
from tests.console.standing import PATIENT
from tests.console.test_browser import FLAGS, PATIENCE, ROOT, wait_for

pytestmark = pytest.mark.browser

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Of dark pages only the colours are others.
COLOURS = ["color-contrast", "link-in-text-block"]
WIDTHS = (1440, 1024, 820)
# So high that no bar at the window's edge covers anything.
HIGH: ViewportSize = {"width": 1440, "height": 4000}
# What kind of page an address leads to; what it is else is one of a kind.
KINDS = {
    "lists": r"/admin/(auth|calls)/[a-z]+/(\?|$)",
    "rows": r"/change/$",
    "forms": r"/(add|delete)/$",
}
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  violations.push(`${event.violatedDirective} refuses ${event.blockedURI}`));
"""
# Preloading, axe would put style sheets into the page, and the policy refuses them.
ASK_AXE = """
async (run) => {
  const asked = { resultTypes: ["violations"], preload: false, ...run };
  const { violations } = await axe.run(document, asked);
  return violations.flatMap((rule) => rule.nodes.map((node) =>
    `${rule.id}: ${node.target.join(" ")}: ${node.failureSummary.split("\\n")[1]}`));
}
"""
# What stands out of the page sideways: the outermost of it.
TOO_WIDE = """
() => {
  const page = document.documentElement;
  const room = page.clientWidth;
  if (page.scrollWidth <= room) return "";
  const out = [...document.querySelectorAll("body *")]
    .find((one) => one.getBoundingClientRect().right > room + 1);
  return `${page.scrollWidth} px wide: ${out?.outerHTML.slice(0, 120)}`;
}
"""


@dataclass
class Site:
    """A running console, DEBUG off."""

    url: str
    environment: dict[str, str]
    empty: list[str] = field(default_factory=list)
    """The addresses of its pages while there is nothing to show."""

    def pages(self, how: str) -> list[str]:
        """Fill it ("empty", "filled") and return the addresses of its pages."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.console.site_filled", how],
            env=self.environment,
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout.split()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with redis_server(folder) as redis_url, contextlib.ExitStack() as stack:
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.console.site_settings",
            "ACSSTREAM_DATA_DIR": str(folder),
            "DATABASE_URL": f"sqlite:///{folder / 'site.sqlite3'}",
            "REDIS_URL": redis_url,
            "PYTHONPATH": str(ROOT),
        }
        port = free_port()
        log = stack.enter_context((folder / "daphne.log").open("wb"))
        daphne = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "daphne",
                *PATIENT,
                "-p",
                str(port),
                "acsstream.asgi:application",
            ],
            env=environment,
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
        stack.callback(daphne.wait, PATIENCE)
        stack.callback(daphne.terminate)
        made = Site(f"http://127.0.0.1:{port}", environment)
        made.empty = made.pages("empty")
        wait_for(f"{made.url}/healthz")
        yield made


@pytest.fixture(scope="module")
def browser(chromium_path: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(chromium_path), args=list(FLAGS)
        )
        yield browser
        browser.close()


@dataclass
class Crawl:
    """Visits pages and collects what is wrong with them."""

    page: Page
    url: str
    at: str = ""
    status: int = 200
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE * 1_000)
        self.page.add_init_script(WATCH)
        self.page.add_init_script(path=AXE)
        self.page.on("pageerror", lambda error: self.fault(f"error: {error}"))
        self.page.on("console", self.told)
        self.page.on("response", self.answered)
        self.page.on("requestfailed", self.failed)

    def fault(self, words: str) -> None:
        if (told := f"{self.at} {words}") not in self.faults:
            self.faults.append(told)

    def told(self, message: ConsoleMessage) -> None:
        """Take note of an error in the browser's console."""
        expected = f"status of {self.status}" in message.text
        if message.type == "error" and not expected:
            self.fault(f"console: {message.text}")

    def failed(self, request: Request) -> None:
        """Take note of what could not be loaded; leaving a page aborts what it asks."""
        if request.failure != "net::ERR_ABORTED":
            self.fault(f"{request.url}: {request.failure}")

    def answered(self, response: Response) -> None:
        if response.status >= 400 and response.status != self.status:
            self.fault(f"{response.url} was answered {response.status}")

    def login(self, name: str) -> None:
        self.page.goto(f"{self.url}/admin/login/")
        self.page.fill("[name=username]", name)
        self.page.fill("[name=password]", "secret")
        self.page.click("#login-form button[type=submit]")
        self.page.wait_for_url("**/admin/")

    def visit(self, address: str, status: int = 200) -> None:
        """Look at a page light and dark, wide and narrow."""
        self.at, self.status = address, status
        answer = self.page.goto(f"{self.url}{address}")
        assert answer is not None
        assert answer.status == status, address
        self.look()

    def look(self) -> None:
        """Look at the page as it is now, and leave the window high."""
        self.page.wait_for_function("!document.querySelector('html[x-cloak]')")
        self.page.set_viewport_size(HIGH)
        self.axe("light", {"runOnly": RULES})
        self.page.evaluate("document.documentElement.classList.add('dark')")
        self.axe("dark", {"runOnly": {"type": "rule", "values": COLOURS}})
        for width in WIDTHS:
            self.page.set_viewport_size({"width": width, "height": 900})
            if wide := self.page.evaluate(TOO_WIDE):
                self.fault(f"at {width}: {wide}")
        self.page.set_viewport_size(HIGH)
        self.page.evaluate("document.documentElement.classList.remove('dark')")
        for violation in self.page.evaluate("window.violations"):
            self.fault(violation)

    def axe(self, theme: str, run: dict[str, object]) -> None:
        for found in self.page.evaluate(ASK_AXE, run):
            self.fault(f"({theme}) {found}")


@contextlib.contextmanager
def crawling(browser: Browser, site: Site) -> Iterator[Crawl]:
    # Without motion nothing is between two colours when it is looked at.
    context = browser.new_context(viewport=HIGH, reduced_motion="reduce")
    yield Crawl(context.new_page(), site.url)
    context.close()


@pytest.fixture
def crawl(browser: Browser, site: Site) -> Iterator[Crawl]:
    with crawling(browser, site) as crawl:
        yield crawl


@pytest.fixture(scope="module")
def of_root(browser: Browser, site: Site) -> Iterator[Crawl]:
    with crawling(browser, site) as crawl:
        crawl.login("root")
        yield crawl


@pytest.fixture
def root(of_root: Crawl) -> Crawl:
    """The crawl of the superuser: one browser for many tests, each with own faults."""
    of_root.faults.clear()
    return of_root


@pytest.fixture(scope="module")
def filled(site: Site) -> list[str]:
    """Fill the site; return the addresses of its pages."""
    return site.pages("filled")


def kind_of(address: str) -> str:
    found = (kind for kind, form in KINDS.items() if re.search(form, address))
    return next(found, "others")


def visit(crawl: Crawl, addresses: list[str], kind: str) -> None:
    """Find nothing wrong with any page of a kind."""
    pages = [address for address in addresses if kind_of(address) == kind]
    for address in pages:
        crawl.visit(address)
    assert pages
    assert not crawl.faults, "\n".join(crawl.faults)


@pytest.mark.parametrize("kind", [*KINDS, "others"])
def test_pages_without_anything_to_show_are_sound(
    root: Crawl, site: Site, kind: str
) -> None:
    visit(root, site.empty, kind)


@pytest.mark.parametrize("kind", [*KINDS, "others"])
def test_pages_with_everything_on_them_are_sound(
    root: Crawl, filled: list[str], kind: str
) -> None:
    visit(root, filled, kind)


def test_menus_open_by_keyboard_and_are_sound(crawl: Crawl) -> None:
    crawl.login("root")
    page = crawl.page

    # The first key press leads past the navigation.
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to content")
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()

    page.locator("[aria-controls=user-menu]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#user-menu")).to_be_visible()
    crawl.look()
    page.get_by_role("button", name="UTC", exact=True).press("Enter")
    page.wait_for_function("document.cookie.includes('zone=utc:')")
    expect(page.locator("#user-menu")).to_be_hidden()

    page.set_viewport_size({"width": 820, "height": 1100})
    expect(page.locator("#nav-sidebar")).to_be_hidden()
    page.get_by_role("button", name="Navigation", exact=True).press("Enter")
    expect(page.locator("#nav-sidebar")).to_be_visible()
    page.get_by_role("button", name="Close navigation").press("Enter")
    expect(page.locator("#nav-sidebar")).to_be_hidden()
    assert not crawl.faults, "\n".join(crawl.faults)


def test_shows_times_in_the_browser_s_zone_from_the_first_page_on(
    browser: Browser, site: Site
) -> None:
    context = browser.new_context(timezone_id="Asia/Kolkata")
    crawl = Crawl(context.new_page(), site.url)
    crawl.login("root")
    assert crawl.page.locator("meta[name=zone]").get_attribute("content") == (
        "Asia/Kolkata"
    )
    # Who comes with a session and no cookie gets it by one load more.
    context.clear_cookies(name="zone")
    crawl.page.goto(f"{site.url}/admin/calls/call/")
    expect(crawl.page.locator("meta[name=zone]")).to_have_attribute(
        "content", "Asia/Kolkata"
    )
    context.close()


def test_pages_that_refuse_are_sound(crawl: Crawl) -> None:
    crawl.visit("/admin/login/")
    crawl.login("nobody")
    for address, status in (
        ("/admin/", 200),
        ("/admin/calls/call/", 403),
        ("/nowhere/", 404),
        ("/admin/nowhere/", 404),
        ("/broken/", 500),
    ):
        crawl.visit(address, status)
    assert not crawl.faults, "\n".join(crawl.faults)
