"""The wallboard in a real browser, with a thousand calls that nobody makes.

Rows and live figures are those of `benchmarks.crowd`; Daphne, Redis and the database
are real. The figures stay as they are, so that an order is the same twice.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from demo.ports import free_port
from demo.redis import redis_server
from tests.console.glimpses import look_for, seen
from tests.console.signing import signed_in as browser_signed_in
from tests.console.standing import PATIENT, Run, standing
from tests.console.test_browser import PATIENCE, ROOT, browser, wait_for

pytestmark = pytest.mark.browser
__all__ = ["browser"]  # a fixture of the neighbour's

CALLS = 1000
# Below the time after which the suite takes a test for hung.
SLOW = 60_000
FILL = f"""
from django.contrib.auth.models import User
from tests.seed import migrate
migrate()
User.objects.create_superuser("root", password="secret")
from benchmarks.crowd import Crowd
crowd = Crowd({CALLS})
crowd.publish(fresh_for=3600)
crowd.publish_hour()
"""
CHANGE = """
from datetime import timedelta
from django.utils import timezone
from calls.models import Call
{}
"""
# Ahead of its time: new for as long as a busy machine may take to show it.
BEGIN = """
for name in {names}:
    Call.objects.create(
        connection_id=name, caller_name=name, to_raw_id="4:+18005550199",
        state="connected", connected_at=timezone.now() + timedelta(minutes=1),
    )
"""
END = """
Call.objects.filter(caller_name__in={names}).update(
    state="ended", ended_at=timezone.now()
)
"""
# For longer than the quarter of a minute after which a listener is thought gone.
LISTEN = """
import json, time
from calls.live.listeners import LISTENERS_KEY
from calls.live.ingest import redis_sync
from calls.models import Alarm
call = Alarm.objects.filter(kind="dead_air").first().call
with redis_sync() as client:
    for since, user in enumerate(("ada", "mei")):
        listener = dict(
            call_id=str(call.pk), listen_id=user, user=user,
            since=since, seen=time.time() + 3600,
        )
        client.hset(LISTENERS_KEY, user, json.dumps(listener))
print(call.from_raw_id)
"""


@dataclass(frozen=True)
class Wallboard:
    """A running console with its thousand calls."""

    url: str
    pid: int
    run: Run

    def change(self, code: str, **facts: Any) -> str:
        """Change what is in the database, as another process would."""
        return self.run(CHANGE.format(code.format(**facts)))


@pytest.fixture(scope="module")
def wallboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wallboard]:
    folder = tmp_path_factory.mktemp("wallboard")
    with redis_server(folder) as redis_url, contextlib.ExitStack() as stack:
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "acsstream.settings",
            "ACSSTREAM_DATA_DIR": str(folder),
            "DATABASE_URL": f"sqlite:///{folder / 'console.sqlite3'}",
            "REDIS_URL": redis_url,
            "DEBUG": "1",
            "PYTHONPATH": str(ROOT),
        }
        run = stack.enter_context(standing(environment))
        run(FILL)
        port = free_port()
        log = stack.enter_context((folder / "daphne.log").open("wb"))
        command = ["-m", "daphne", *PATIENT, "-p", str(port)]
        daphne = subprocess.Popen(
            [sys.executable, *command, "acsstream.asgi:application"],
            env=environment,
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
        stack.callback(daphne.wait, PATIENCE)
        stack.callback(daphne.terminate)
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/healthz")
        yield Wallboard(url, daphne.pid, run)


@pytest.fixture(scope="module")
def signed_in(wallboard: Wallboard, browser: Browser) -> Any:
    """Sign in once."""
    return browser_signed_in(browser, wallboard.url)


@pytest.fixture
def page(wallboard: Wallboard, browser: Browser, signed_in: Any) -> Iterator[Page]:
    """The live wallboard in a fresh browser; an error in its console fails the test."""
    faults: list[str] = []
    context = browser.new_context(
        storage_state=signed_in, viewport={"width": 1440, "height": 900}
    )
    page = context.new_page()
    page.set_default_timeout(SLOW)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda said: faults.append(said.text) if said.type == "error" else None,
    )
    go(page, wallboard)
    yield page
    context.close()
    assert faults == []


def go(page: Page, wallboard: Wallboard, query: str = "") -> None:
    page.goto(f"{wallboard.url}/admin/{query}")
    expect(page.locator("#feed-state")).to_have_text("live")


def rows(page: Page) -> Locator:
    return page.locator("#live tbody tr")


def names(page: Page) -> list[str]:
    return rows(page).locator(".console-parties").all_inner_texts()


def focused(page: Page) -> int:
    """Return the place of the row with the focus, 1 for the first call; 0: none."""
    index = page.evaluate(
        "document.activeElement.closest('#live tr')?.getAttribute('aria-rowindex')"
    )
    return int(index) - 1 if index else 0


def has_focus(page: Page, place: int) -> None:
    """Wait until the row at a place has the focus, 1 for the first call."""
    row = page.locator("#live tr:focus")
    expect(row).to_have_attribute("aria-rowindex", str(place + 1), timeout=SLOW)


def until(page: Page, is_so: Callable[[], bool]) -> None:
    """Wait until it is so, as long as is patient."""
    deadline = time.monotonic() + SLOW / 1_000
    while not is_so():
        assert time.monotonic() < deadline, "it never was"
        page.wait_for_timeout(50)


# --- a thousand rows --------------------------------------------------------------


def test_a_thousand_calls_are_a_table_of_few_rows(page: Page) -> None:
    expect(page.locator("#live-count")).to_have_text("1\u202f000 calls")
    expect(page.locator("#live")).to_have_attribute("aria-rowcount", str(CALLS + 1))
    assert rows(page).count() <= 60
    first = rows(page).first
    expect(first).to_have_attribute("aria-rowindex", "2")

    page.evaluate("document.getElementById('live-scroll').scrollTop = 1e9")
    last = page.locator(f"#live tbody tr[aria-rowindex='{CALLS + 1}']")
    expect(last).to_be_in_viewport(timeout=SLOW)
    assert rows(page).count() <= 60
    expect(last).to_contain_text("Connected")


def test_all_rows_are_equally_high(page: Page) -> None:
    heights = (
        "[...document.querySelectorAll('#live tbody tr')].map(r => r.offsetHeight)"
    )
    assert len(set(page.evaluate(heights))) == 1
    page.get_by_role("button", name="Compact rows").click()
    expect(page.locator("#live-section")).to_have_attribute("data-density", "compact")
    assert len(set(page.evaluate(heights))) == 1

    page.reload()
    expect(page.locator("#live-section")).to_have_attribute("data-density", "compact")


def test_the_keyboard_goes_where_no_row_is_yet(
    page: Page, wallboard: Wallboard
) -> None:
    for _ in range(45):
        page.keyboard.press("j")
    has_focus(page, 45)
    page.keyboard.press("k")
    has_focus(page, 44)
    expect(page.locator("#live tr:focus")).to_be_in_viewport()
    expect(page.locator("#live tr:focus")).to_have_attribute("aria-current", "true")

    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Next call, call before")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert focused(page) == 44

    page.keyboard.press("Enter")
    page.wait_for_url("**/calls/call/*/change/")


def test_the_keyboard_stays_in_the_table_when_its_row_is_scrolled_away(
    page: Page,
) -> None:
    page.keyboard.press("j")
    has_focus(page, 1)
    page.evaluate("document.getElementById('live-scroll').scrollTop = 20000")
    expect(page.locator("#live-scroll")).to_be_focused(timeout=SLOW)
    page.keyboard.press("j")
    has_focus(page, 2)


# In one go: no row can come between the keys, nor before what is done then.
AT_ONCE = """
keys => {
  for (const key of keys) {
    const pressed = { key, bubbles: true, cancelable: true };
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", pressed));
  }
  const scroll = document.getElementById("live-scroll");
  %s
}
"""


def test_the_keyboard_turns_back_before_rows_have_come(page: Page) -> None:
    beyond = rows(page).count() + 1

    page.evaluate(AT_ONCE % "", ["j"] * beyond + ["k"])
    has_focus(page, beyond - 1)
    page.keyboard.press("j")
    has_focus(page, beyond)


def test_a_row_that_was_gone_to_is_come_to_though_something_scrolls(page: Page) -> None:
    beyond = rows(page).count() + 1

    page.evaluate(AT_ONCE % "scroll.scrollTop = 40000;", ["j"] * beyond)
    has_focus(page, beyond)


def test_a_hand_on_the_wheel_wins(page: Page) -> None:
    beyond = rows(page).count() + 1
    turned = """
      scroll.dispatchEvent(new WheelEvent("wheel", { deltaY: 1 }));
      scroll.scrollTop = 20000;
    """

    page.evaluate(AT_ONCE % turned, ["j"] * beyond)
    shown = page.locator("#live tbody tr[aria-rowindex='360']")
    expect(shown).to_be_in_viewport(timeout=SLOW)
    assert page.evaluate("document.getElementById('live-scroll').scrollTop") == 20000


def test_who_goes_to_search_meanwhile_stays_there(page: Page) -> None:
    beyond = rows(page).count() + 1

    page.evaluate(AT_ONCE % "", ["j"] * beyond + ["/"])
    page.keyboard.type("okafor")
    expect(page).to_have_url(re.compile(r"\?q=okafor$"))
    until(page, lambda: all("Ada Okafor" in one for one in names(page)))
    expect(page.locator("#board-search")).to_be_focused()


# --- order, filter, search --------------------------------------------------------


def test_sorts_by_a_head_and_says_so(page: Page, wallboard: Wallboard) -> None:
    head = page.get_by_role("columnheader", name="Alarms")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    expect(rows(page).first.locator(".board-alarms")).to_have_attribute(
        "data-severity", "3"
    )
    assert page.url.endswith("?sort=-alarms")

    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    expect(rows(page).first.locator(".board-alarms")).to_be_hidden()

    head.get_by_role("button").click()
    expect(head).not_to_have_attribute("aria-sort", re.compile(".*"))
    duration = page.get_by_role("columnheader", name="Duration")
    expect(duration).to_have_attribute("aria-sort", "ascending")

    go(page, wallboard, "?sort=from")
    found = names(page)
    until(page, lambda: names(page) == sorted(names(page), key=by_caller))
    assert found


def by_caller(parties: str) -> str:
    return parties.split("\n")[1].casefold()


def test_a_search_is_a_key_away_and_stays_in_the_address(
    page: Page, wallboard: Wallboard
) -> None:
    page.keyboard.press("/")
    page.keyboard.type("okafor")
    expect(page.locator("#live-count")).to_contain_text("of 1\u202f000")
    expect(page).to_have_url(re.compile(r"\?q=okafor$"))
    until(page, lambda: all("Ada Okafor" in one for one in names(page)))

    page.reload()
    # The page is born with what the address asks for: nothing jumps.
    expect(rows(page).first).to_be_visible()
    assert all("Ada Okafor" in one for one in names(page))
    expect(page.locator("#board-search")).to_have_value("okafor")
    expect(page.locator("#feed-state")).to_have_text("live")

    page.locator("#board-search").fill("206 555 0017")
    until(page, lambda: len(names(page)) == 1)
    assert "+1 206 555 0017" in names(page)[0]

    page.locator("#board-search").fill("nobody is called that")
    expect(page.locator("#live-no-match")).to_be_visible()
    page.get_by_role("button", name="Show all calls").click()
    expect(page.locator("#live-count")).to_have_text("1\u202f000 calls")
    assert page.url.endswith("/admin/")


def test_filters_by_what_staff_look_for(page: Page) -> None:
    tools = page.locator("#board-tools")
    tools.get_by_label("Alarms").select_option("Critical")
    until(page, lambda: len(severities(page)) > 0 and set(severities(page)) == {"3"})
    tools.get_by_label("Node").select_option("synthetic-2")
    until(page, lambda: "node=synthetic-2" in page.url)

    page.locator("#board-clear").click()
    tools.get_by_label("State").select_option("Ringing")
    until(page, lambda: set(states(page)) == {"Ringing"})

    page.locator("#board-clear").click()
    tools.get_by_label("Incomplete").check()
    until(page, lambda: bool(completes(page)) and "100 %" not in completes(page))


def severities(page: Page) -> list[str]:
    found: list[str] = (
        rows(page)
        .locator(".board-alarms")
        .evaluate_all("all => all.map((one) => one.dataset.severity ?? 'none')")
    )
    return found


def states(page: Page) -> list[str]:
    return rows(page).locator(".state .console-chip").all_inner_texts()


def completes(page: Page) -> list[str]:
    return rows(page).locator("td.complete").all_inner_texts()


def test_a_pinned_call_is_on_top_and_stays_so(page: Page, wallboard: Wallboard) -> None:
    row = rows(page).nth(7)
    name = row.locator(".console-parties").inner_text()
    row.get_by_role("button", name="Pin this call to the top").click()
    until(page, lambda: names(page)[0] == name)
    # It took the focus along.
    unpin = rows(page).first.get_by_role("button", name="Unpin this call")
    expect(unpin).to_be_focused()
    go(page, wallboard, "?sort=-duration")
    until(page, lambda: names(page)[0] == name)

    page.get_by_label("Pinned").check()
    until(page, lambda: names(page) == [name])

    rows(page).first.get_by_role("button", name="Unpin this call").click()
    expect(page.locator("#live-no-match")).to_be_visible()


# --- what changes -----------------------------------------------------------------


def test_new_calls_flash_and_ended_ones_go_unless_selected(
    page: Page, wallboard: Wallboard
) -> None:
    fresh, over = "#live tr.fresh", "#live tr[data-over=true]"
    look_for(page, fresh)
    look_for(page, over)
    wallboard.change(BEGIN, names=["Left Alone", "Looked At"])
    looked = page.locator("#live tbody tr", has_text="Looked At")
    alone = page.locator("#live tbody tr", has_text="Left Alone")
    seen(page, fresh, "Looked At")
    expect(rows(page).nth(5)).not_to_have_class(re.compile("fresh"))
    looked.focus()

    wallboard.change(END, names=["Left Alone", "Looked At"])
    seen(page, over, "Left Alone")
    expect(alone).to_have_count(0)
    expect(looked).to_have_attribute("data-over", "true")
    expect(looked.locator(".state")).to_contain_text("Ended")
    expect(looked.get_by_role("button", name="Hang up")).to_have_count(0)

    page.keyboard.press("Escape")
    expect(looked).to_have_count(0)


def test_alarms_and_listeners_are_told_in_words(
    page: Page, wallboard: Wallboard
) -> None:
    number = wallboard.change(LISTEN).strip()
    go(page, wallboard, f"?q={number.removeprefix('4:+')}")
    row = rows(page).first
    alarms = row.get_by_role("link", name="1 alarm, Critical: Dead air")
    expect(alarms).to_have_attribute("title", "Dead air: nobody has spoken for 12 s")
    expect(row.get_by_role("img", name="Listening: ada, mei")).to_contain_text("2")
    listen = row.get_by_role("link", name="Listen")
    expect(listen).to_have_attribute("href", re.compile("/change/#listen$"))


def test_the_last_hour_is_a_line_with_a_name(page: Page) -> None:
    chart = page.get_by_role("img", name="Live calls, last hour")
    label = chart.get_attribute("aria-label") or ""
    assert re.search(
        r"latest [\d\u202f–]+, lowest [\d\u202f]+, highest [\d\u202f]+$", label
    )
    # It was interrupted once: two pieces.
    assert (chart.locator("path").get_attribute("d") or "").count("M") == 2


def test_says_how_old_what_is_shown_is(page: Page, wallboard: Wallboard) -> None:
    os.kill(wallboard.pid, signal.SIGSTOP)
    try:
        banner = page.locator("#feed-banner")
        expect(banner).to_contain_text(re.compile(r"Live feed down for \d+ s"))
        expect(page.locator("#dashboard")).to_have_attribute("data-stale", "true")
    finally:
        os.kill(wallboard.pid, signal.SIGCONT)
    expect(page.locator("#feed-banner")).to_be_hidden()
    expect(page.locator("#feed-state")).to_have_text("live")


def test_a_browser_is_sent_its_screen_alone(page: Page, wallboard: Wallboard) -> None:
    sizes: list[int] = []
    page.on(
        "websocket",
        lambda socket: socket.on(
            "framereceived", lambda frame: sizes.append(len(str(frame)))
        ),
    )
    go(page, wallboard)
    until(page, lambda: len(sizes) >= 3)
    # A thousand rows would be half a megabyte.
    assert max(sizes) < 50_000
    assert json.loads(page.locator("#dashboard-first").inner_text())["total"] == CALLS
