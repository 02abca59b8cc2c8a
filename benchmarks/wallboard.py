"""The wallboard at 1,000 live calls: what the browser, the wire and the server bear.

    python -m benchmarks.wallboard [--calls 1000] [--seconds 20] [--json]

Daphne, Redis, the database and Chromium are real; the calls are `benchmarks.crowd`'s,
made up and called so. A full screen of compact rows is watched, the most a window of
1920 by 1080 can show. Absolute figures belong to the machine and its mood.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import psutil  # type: ignore[import-untyped,unused-ignore] # no py.typed marker
from playwright.sync_api import Browser, CDPSession, Page, StorageState, sync_playwright

from benchmarks.bar import Promise
from benchmarks.scratch import scratch_house
from benchmarks.servers.house import PATIENCE, ROOT
from benchmarks.table import listed
from demo.ports import free_port
from tests.e2e.terminal import QUIET

LOADS = 5
NAME, PASSWORD = "bench", "only here"
SIZE = {"width": 1920, "height": 1080}
# Before the page's own script: when the first row is there, and how long each message
# keeps the browser, with the layout that follows forced into the same measure.
PROBE = """
window.bench = {updates: [], firstRow: null};
const add = WebSocket.prototype.addEventListener;
WebSocket.prototype.addEventListener = function (kind, listener, ...rest) {
  if (kind !== "message") return add.call(this, kind, listener, ...rest);
  return add.call(this, kind, (event) => {
    const began = performance.now();
    listener(event);
    document.body.getBoundingClientRect();
    window.bench.updates.push(performance.now() - began);
  }, ...rest);
};
new MutationObserver((_, watch) => {
  if (!document.querySelector("#live tbody tr")) return;
  document.body.getBoundingClientRect();
  window.bench.firstRow = performance.now();
  watch.disconnect();
}).observe(document, {childList: true, subtree: true});
"""
LOADED = """
() => Math.max(window.bench.firstRow,
               performance.getEntriesByType("navigation")[0].loadEventEnd)
"""


@dataclass(frozen=True, slots=True)
class House:
    """A console with its crowd."""

    url: str
    pid: int


def main() -> int:
    """Measure, print, and return 1 if a promise was not kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--screenshot", type=Path, help="write a picture of it here")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.stderr.write("No Chromium here: apt-get install chromium\n")
        return 2
    with scratch_house() as environment, ExitStack() as stack:
        house = stack.enter_context(console(environment, options.calls))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        figures = measured(browser, house, options.seconds, options.screenshot)
        browser.close()
    kept = promises(figures)
    if options.json:
        sys.stdout.write(json.dumps({"calls": options.calls} | figures) + "\n")
    else:
        sys.stdout.write(listed(f"wallboard, {options.calls} live calls", figures))
        sys.stdout.writelines(one.line() for one in kept)
    return int(not all(one.is_kept for one in kept))


def promises(figures: Mapping[str, float]) -> list[Promise]:
    """Return what is promised of these figures."""
    return [
        Promise("page load, ms", figures["page load, ms, median"], 1500),
        Promise("an update in the browser, ms, p95", figures["update, ms, p95"], 50),
        Promise("the socket, kB/s", figures["socket, bytes/s"] / 1000, 50),
        Promise(
            "the web process, % of a core", figures["web process, % of a core"], 10
        ),
    ]


@contextmanager
def console(environment: dict[str, str], calls: int) -> Iterator[House]:
    """Run the web process and the crowd; yield where it is."""
    # Nobody is here to type in a second factor.
    alone = {"BENCH_PASSWORD": PASSWORD, "ACSSTREAM_TOTP_ROLES": "none"}
    django = environment | alone
    _run(django, "-m", "django", "collectstatic", "--no-input", "--verbosity", "0")
    _run(django, "-c", SUPERUSER)
    port = free_port()
    with ExitStack() as stack:
        crowd = stack.enter_context(
            _process(django, "-m", "benchmarks.crowd", "--calls", str(calls))
        )
        web = stack.enter_context(
            _process(
                django, "-m", "daphne", "-v", "0", "-p", str(port),
                "acsstream.asgi:application",
            )
        )  # fmt: skip
        if not crowd.stdout or crowd.stdout.readline().strip() != b"ready":
            raise RuntimeError("the crowd did not come")
        url = f"http://127.0.0.1:{port}"
        _await(f"{url}/healthz")
        yield House(url, web.pid)


SUPERUSER = f"""
import django, os
django.setup()
from django.contrib.auth.models import User
User.objects.create_superuser("{NAME}", password=os.environ["BENCH_PASSWORD"])
"""


def _run(environment: dict[str, str], *command: str) -> None:
    subprocess.run(  # noqa: S603 our own programs
        [sys.executable, *command], cwd=ROOT, env=environment, check=True
    )


@contextmanager
def _process(
    environment: dict[str, str], *command: str
) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(  # noqa: S603 our own programs
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _await(url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            urlopen(url, timeout=5).close()  # noqa: S310 our own console
        except (URLError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def measured(
    browser: Browser, house: House, seconds: float, picture: Path | None
) -> dict[str, float]:
    """Return the figures of some loads and of one browser that watches."""
    state = sign_in(browser, house)
    loads = [load_of(browser, house, state) for _ in range(LOADS)]
    page = fresh_page(browser, state)
    sizes: list[int] = []
    page.on(
        "websocket",
        lambda one: one.on("framereceived", lambda frame: sizes.append(_size(frame))),
    )
    page.goto(f"{house.url}/admin/")
    page.locator("#feed-state[data-state=live]").wait_for()
    page.locator("#board-density").click()
    page.wait_for_timeout(3_000)
    figures = watch(page, house, sizes, seconds)
    if picture:
        page.screenshot(path=picture)
    page.context.close()
    return {
        "page load, ms, median": statistics.median(loads),
        "page load, ms, worst": max(loads),
        **figures,
    }


def _size(frame: str | bytes) -> int:
    return len(frame.encode() if isinstance(frame, str) else frame)


def watch(
    page: Page, house: House, sizes: list[int], seconds: float
) -> dict[str, float]:
    """Return what so many seconds of watching cost."""
    web = psutil.Process(house.pid)
    page.evaluate("window.bench.updates.length = 0")
    thread = page.context.new_cdp_session(page)
    # Its own CPU time, which other programs of the machine do not lengthen.
    thread.send("Performance.enable", {"timeDomain": "threadTicks"})
    sizes.clear()
    busy = busy_seconds(thread)
    spent, began = sum(web.cpu_times()[:2]), time.monotonic()
    page.wait_for_timeout(seconds * 1_000)
    took = time.monotonic() - began
    spent = sum(web.cpu_times()[:2]) - spent
    busy = busy_seconds(thread) - busy
    updates: list[float] = page.evaluate("window.bench.updates")
    steps = statistics.quantiles(updates, n=20)
    return {
        "rows in the page": page.locator("#live tbody tr").count(),
        "updates": len(updates),
        "update, ms, p50": statistics.median(updates),
        "update, ms, p95": steps[-1],
        "the page, ms of CPU a second": 1e3 * busy / took,
        "socket, bytes/s": sum(sizes) / took,
        "web process, % of a core": 100 * spent / took,
    }


def busy_seconds(thread: CDPSession) -> float:
    """Return the CPU time of the page's scripts, styles and layout so far."""
    said: dict[str, Any] = thread.send("Performance.getMetrics")
    named = {one["name"]: one["value"] for one in said["metrics"]}
    parts = ("ScriptDuration", "RecalcStyleDuration", "LayoutDuration")
    return float(sum(named[part] for part in parts))


def sign_in(browser: Browser, house: House) -> StorageState:
    """Return what a browser keeps of a session."""
    page = browser.new_page()
    page.goto(f"{house.url}/admin/login/")
    page.fill("[name=username]", NAME)
    page.fill("[name=password]", PASSWORD)
    page.click("#login-form button[type=submit]")
    page.wait_for_url("**/admin/")
    state = page.context.storage_state()
    page.context.close()
    return state


def fresh_page(browser: Browser, state: StorageState) -> Page:
    """Return a page in a browser that has cached nothing."""
    context = browser.new_context(storage_state=state, viewport=SIZE)  # type: ignore[arg-type] # a plain dict
    context.add_init_script(PROBE)
    return context.new_page()


def load_of(browser: Browser, house: House, state: StorageState) -> float:
    """Return how long it takes to the first rows and the page's load event, ms."""
    page = fresh_page(browser, state)
    page.goto(f"{house.url}/admin/")
    page.locator("#live tbody tr").first.wait_for()
    page.wait_for_function("performance.getEntriesByType('navigation')[0].loadEventEnd")
    found: Any = page.evaluate(LOADED)
    page.context.close()
    return float(found)


if __name__ == "__main__":
    sys.exit(main())
