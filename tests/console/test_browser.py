"""The pages in a real browser, served by a real Daphne with a real Redis."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import redis
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from demo.ports import free_port
from demo.redis import redis_server
from tests.console.signing import signed_in
from tests.console.standing import PATIENT, Run, standing

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
PATIENCE = 60
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)
# Runs in a process of its own, because the console's database is not the tests' one.
FILL = """
import json
import numpy as np
from django.contrib.auth.models import User
from tests.seed import migrate
migrate()
from tests.factories import CallFactory, TrackFactory
from tests.console.conftest import stored_recording
User.objects.create_superuser("root", password="secret")
live = CallFactory(live=True, caller_name="<img src=x onerror=alert(1)>")
track = TrackFactory(call=live, participant__display_name="Ada Okafor", is_final=False)
talk = CallFactory(live=True, caller_name="Mei Tanaka")
over = CallFactory(ended=True, from_raw_id="4:+12065550100")
for seconds, mix in ((6, True), (4, False), (5, False)):
    noise = np.random.default_rng(seconds).integers(-9000, 9000, seconds * 16000)
    found = {"call": over, "track": None if mix else TrackFactory(call=over)}
    offset = 0 if mix else (6 - seconds) * 1_000_000
    stored_recording(
        noise.astype(np.int16), origin_us=over.origin_us + offset, **found
    )
print(json.dumps({"live": str(live.pk), "over": str(over.pk),
                  "talk": str(talk.pk),
                  "raw_id": track.participant.raw_id}))
"""

SETTLE = """
from calls.control import command_settle
from calls.models import StreamCommand
command = StreamCommand.objects.open().latest("asked_at")
assert command_settle(command.pk, **{fields})
"""


@dataclass
class Console:
    """A running console: where it is, what is in it, and its Redis.

    `run` runs Python in an environment like the console's own.
    """

    url: str
    facts: dict[str, str]
    redis_url: str
    pid: int
    run: Run
    _kept: Any = None

    def kept(self, browser: Browser) -> Any:
        """Return what a browser keeps in which the superuser has signed in."""
        self._kept = self._kept or signed_in(browser, self.url)
        return self._kept

    def settle(self, **fields: str) -> None:
        """End the command that is open, as evidence would."""
        self.run(SETTLE.format(fields=fields))

    def hear(self) -> None:
        """Write what an ingest process would, good for a while."""
        call = {
            "call_id": self.facts["live"],
            "connections": 1,
            "sample_rate": 16_000,
            "mixed": False,
            "packets": 500,
            "malformed": 0,
            "unknown": 0,
            "last_packet_at": time.time(),
            "completeness": 1.0,
            "overtalk_ms": 0,
            "tracks": [
                {
                    "raw_id": self.facts["raw_id"],
                    "packets": 500,
                    "silent_packets": 125,
                    "silence_ratio": 0.25,
                    "talk_ms": 7_500,
                    "ms": 10_000,
                    "rms_dbfs": -24.0,
                    "peak_dbfs": -6.0,
                    "gap_count": 0,
                    "gap_ms": 0,
                    "late": 0,
                    "duplicates": 0,
                    "jitter_ms": 1.0,
                    "last_packet_at": time.time(),
                    "is_talking": True,
                }
            ],
        }
        process = {
            "process": "p1",
            "node": "n1",
            "pid": 1,
            "at": time.time(),
            "streams": 7,
            "packets_per_second": 50.0,
            "refused": 0,
            "journal": {"pending_bytes": 0, "error": None},
            "calls": [call],
        }
        with redis.Redis.from_url(self.redis_url) as client:
            client.set("acsstream:live:p1", json.dumps(process))
            client.zadd("acsstream:live", {"p1": time.time() + 3_600})


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("console")
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
        facts = json.loads(run(FILL).splitlines()[-1])
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
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/healthz")
        yield Console(url, facts, redis_url, daphne.pid, run)


def run(code: str, environment: dict[str, str]) -> str:
    """Run Python in the console's own environment; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def wait_for(url: str) -> None:
    """Wait until the console answers."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            urlopen(url, timeout=5).close()  # noqa: S310 our own console
        except (URLError, OSError):
            assert time.monotonic() < deadline, "the console did not start"
            time.sleep(0.1)
        else:
            return


@pytest.fixture(scope="module")
def browser(chromium_path: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(chromium_path), args=list(FLAGS)
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, console: Console) -> Iterator[Page]:
    """A page with the superuser logged in; a script error fails the test."""
    faults: list[str] = []
    context = browser.new_context(
        storage_state=console.kept(browser), viewport={"width": 1600, "height": 1000}
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1_000)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: faults.append(f"a dialog: {dialog.message}"))
    yield page
    context.close()
    assert faults == []


def lose_answer(route: Route) -> None:
    """Let a request arrive; its answer never comes."""
    route.fetch()
    route.abort()


def test_shows_live_calls_and_says_when_it_is_blind(
    page: Page, console: Console
) -> None:
    console.hear()
    page.goto(f"{console.url}/admin/")
    expect(page.locator("#feed-state")).to_have_text("live", timeout=PATIENCE * 1_000)
    expect(page.locator("#live tbody tr")).to_have_count(2)
    row = page.locator("#live tbody tr", has_text="Ada Okafor")
    # The hostile name is there to be read, and nothing else.
    expect(row).to_contain_text("<img src=x onerror=alert(1)>")
    expect(row).to_contain_text("Ada Okafor")
    expect(row).to_contain_text("25.0 %")
    assert page.locator("#dashboard img").count() == 0

    # The row that has the focus is still the same a few pictures later.
    row.focus()
    first = row.locator("td").nth(2).inner_text()
    expect(row.locator("td").nth(2)).not_to_have_text(first)
    assert page.evaluate("document.activeElement.matches('#live tr')")

    # Nothing closes the socket: only the silence tells.
    os.kill(console.pid, signal.SIGSTOP)
    try:
        expect(page.locator("#feed-banner")).to_contain_text(
            "Live feed down for", timeout=PATIENCE * 1_000
        )
        expect(page.locator("#feed-state")).to_have_text("not live")
    finally:
        os.kill(console.pid, signal.SIGCONT)
    expect(page.locator("#feed-banner")).to_be_hidden(timeout=PATIENCE * 1_000)
    expect(page.locator("#feed-state")).to_have_text("live")


def test_preflight_fills_its_lines_and_asks_again(page: Page, console: Console) -> None:
    page.goto(f"{console.url}/admin/preflight/")
    # No ingest runs here.
    line = page.locator("[data-name=media-path]")
    expect(line).to_have_attribute("data-status", "red")
    expect(line.locator(".sentence")).to_contain_text("cannot be dialled")
    expect(line.locator(".advice")).to_contain_text("Check that ingest runs")
    expect(line.locator(".took")).to_have_text(re.compile(r"^\d+ ms$|^\d+\.\d s$"))
    expect(page.locator("[data-name=redis]")).to_have_attribute("data-status", "green")
    expect(page.locator("#verdict")).to_contain_text("red")
    expect(page.locator("[data-status=checking]")).to_have_count(0)

    # A console that has gone is told, line by line; when it is back, so is the truth.
    page.route("**/admin/preflight/*/", lambda route: route.abort())
    page.click("#again")
    expect(page.locator("[data-name=redis]")).to_contain_text("did not answer")
    page.unroute("**/admin/preflight/*/")
    expect(page.locator("#again")).to_be_enabled()
    page.click("#again")
    expect(page.locator("[data-name=redis]")).to_have_attribute("data-status", "green")


def test_orders_from_a_row_and_tells_what_became_of_it(
    page: Page, console: Console
) -> None:
    console.hear()
    page.goto(f"{console.url}/admin/")
    row = page.locator("#live tbody tr", has_text="Ada Okafor")
    row.get_by_title("Stop streaming").click()
    expect(page.locator("#toasts")).to_contain_text("Stop streaming: queued")
    expect(row).to_contain_text("Stop streaming: queued")
    row.get_by_title("Hang up for everyone").click()
    dialog = page.locator("#order-dialog")
    expect(dialog).to_contain_text("ends for all participants")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(row).not_to_contain_text("Hang up for everyone:")


def test_an_order_whose_answer_is_lost_may_have_been_given(
    page: Page, console: Console
) -> None:
    console.hear()
    page.goto(f"{console.url}/admin/")
    page.route("**/commands/hang_up", lose_answer)
    row = page.locator("#live tbody tr", has_text="Ada Okafor")
    row.get_by_title("Hang up for everyone").click()
    dialog = page.locator("#order-dialog")
    dialog.get_by_role("button", name="Hang up for everyone").click()
    expect(dialog.get_by_role("alert")).to_contain_text("may have been given")

    # It had been given.
    page.keyboard.press("Escape")
    expect(row).to_contain_text("Hang up for everyone: queued")
    console.settle(state="failed", words="ACS does not know the call.")


def test_plays_the_mix_and_the_tracks_in_step(page: Page, console: Console) -> None:
    page.goto(f"{console.url}/admin/calls/call/{console.facts['over']}/change/")
    playing = "() => [...document.querySelectorAll('.lane audio')].map(a => !a.paused)"
    at = "() => [...document.querySelectorAll('.lane audio')].map(a => a.currentTime)"
    page.keyboard.press("Space")
    page.wait_for_function(f"({at})()[0] > 0.5")
    assert page.evaluate(playing) == [True, False, False]
    # There are six seconds only, and all of this is to happen within them.
    page.click("[data-speed='0.5']")
    page.click("[data-do=all]")
    page.wait_for_function(f"({at})()[1] > 0.5 && ({at})()[2] > 0.5")
    assert page.evaluate(playing)[0] is False
    by_length = {"0:04": 2.0, "0:05": 1.0}
    lengths = page.locator(".lane .hear .console-dim").all_inner_texts()[1:]
    first, second = (by_length[length] for length in lengths)
    # A browser that gets no processor puts them in step again when it has one.
    page.wait_for_function(
        f"Math.abs(({at})()[1] + {first} - ({at})()[2] - {second}) < 0.2"
    )
    page.keyboard.press("Space")
    assert page.evaluate(playing) == [False, False, False]
    page.click("[data-speed='2']")
    page.keyboard.press("Space")
    # To the end, once, and there it stays.
    expect(page.locator(".console-transport .time b")).to_have_text(
        "0:06", timeout=PATIENCE * 1_000
    )
    page.wait_for_function(f"!({playing})().includes(true)")


def test_pauses_and_resumes_a_call_by_keyboard_and_tells_the_outcome(
    page: Page, console: Console
) -> None:
    page.goto(f"{console.url}/admin/calls/call/{console.facts['talk']}/change/")
    outcome = page.locator("#order-outcome")
    pause = page.locator("[data-order=pause]")

    # Refused: the dialog stays, and says why.
    pause.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("#order-dialog")
    expect(dialog.locator("input")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog.locator("[role=alert]")).to_contain_text("Say why")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(dialog.locator("input")).to_have_value("card number")
    page.keyboard.press("Enter")

    expect(dialog).to_have_count(0)
    expect(outcome).to_have_text("Pause recording: asked …")
    expect(pause).to_have_attribute("aria-busy", "true")
    assert page.evaluate("document.activeElement.dataset.order") == "pause"
    expect(page.locator(".console-banner.paused")).to_contain_text(
        "Paused: card number"
    )
    console.settle(state="confirmed", words="Audio ceased.")
    expect(outcome).to_have_text("Pause recording: confirmed. Audio ceased.")
    expect(pause).not_to_have_attribute("aria-busy", "true")

    # What makes no sense says so, instead of doing it.
    pause.press("Enter")
    expect(outcome).to_contain_text("Recording is paused already.")
    page.locator("[data-order=resume]").press("Enter")
    expect(outcome).to_have_text("Resume recording: asked …")
    console.settle(state="failed", words="ACS did not want to.")
    expect(outcome).to_have_text("Resume recording: failed. ACS did not want to.")
    expect(outcome).to_have_attribute("data-tone", "bad")


def test_offers_the_rest_in_a_row_s_menu(page: Page, console: Console) -> None:
    page.goto(f"{console.url}/admin/")
    row = page.locator("#live tbody tr", has_text="Mei Tanaka")
    row.get_by_title("More orders").click()
    menu = page.locator(".console-menu")
    expect(menu).to_contain_text("The call is not being transcribed.")
    page.keyboard.press("Escape")
    expect(menu).to_have_count(0)
    row.get_by_title("More orders").click()
    menu.get_by_text("Leave the call").click()
    expect(page.locator("#order-dialog")).to_contain_text("cannot be undone")
    page.keyboard.press("Enter")  # on Cancel
    expect(page.locator("#order-dialog")).to_have_count(0)
    expect(row).not_to_contain_text("Leave the call:")
