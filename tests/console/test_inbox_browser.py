"""The problem inbox in a real browser: worked through by keyboard, fresh by itself."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.console.glimpses import look_for, seen
from tests.console.test_browser import (
    PATIENCE,
    Console,
    browser,
    console,
    lose_answer,
)

__all__ = ["browser", "console"]

pytestmark = pytest.mark.browser

# Nothing is left of the test before; worst first, the rows are b, a, c, d, e.
FILL = """
import json
from datetime import timedelta
from django.contrib.auth.models import User
from django.utils import timezone
from calls.models import Alarm, AlarmKind, Call, Severity
from tests.factories import AlarmFactory, ParticipantFactory, member_of
Alarm.objects.all().delete()
if not User.objects.filter(username="mei.tanaka").exists():
    mei = member_of("operator")
    mei.username = "mei.tanaka"
    mei.save()
call = Call.objects.get(pk="{live}")
call.origin_us = 1_764_000_000_000_000
call.save()
def alarm(key, severity, minutes, **more):
    return AlarmFactory(key=key, severity=severity, words=f"Alarm {{key}}.",
                        opened_at=timezone.now() - timedelta(minutes=minutes), **more)
alarm("a", Severity.CRITICAL, 9)
alarm("b", Severity.CRITICAL, 3, call=call, raw_id="{raw_id}", kind=AlarmKind.ONE_WAY,
      at_us=1_764_000_083_400_000)
alarm("c", Severity.WARNING, 5, call=call, kind=AlarmKind.GAPS)
alarm("d", Severity.NOTICE, 5, kind=AlarmKind.CLIPPING)
alarm("e", Severity.NOTICE, 5, of_node=True, cleared_at=timezone.now())
"""
OPEN_ONE = """
from calls.models import AlarmKind, Severity
from tests.factories import AlarmFactory
AlarmFactory(key="new", severity=Severity.CRITICAL, words="Alarm new.")
"""
CLOSE_ONE = """
from django.contrib.auth.models import User
from calls.alarms.handling import Close, alarm_handle
from calls.models import Alarm
mei = User.objects.get(username="mei.tanaka")
alarm_handle(Alarm.objects.get(key="{key}").pk, Close("customer side"), by=mei)
"""
TOLD = """
import json
from calls.audit.words import sentence
from calls.models import Alarm, AuditEntry
print(json.dumps({
    "log": [sentence(one) for one in AuditEntry.objects.filter(
        action="alarm_changed").order_by("pk")],
    "states": dict(Alarm.objects.values_list("key", "state")),
}))
"""


@pytest.fixture
def page(browser: Browser, console: Console) -> Iterator[Page]:
    """A page with the superuser logged in and five alarms; any complaint fails it."""
    console.run(FILL.format(**console.facts))
    faults: list[str] = []
    context = browser.new_context(
        storage_state=console.kept(browser), viewport={"width": 1440, "height": 900}
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1_000)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda said: faults.append(said.text) if said.type == "error" else None,
    )
    page.goto(f"{console.url}/admin/inbox/")
    expect(rows(page)).to_have_count(5)
    yield page
    context.close()
    # What is refused or cut off is told to the reader; the browser writes it down, too.
    meant = ("status of 409", "net::ERR_FAILED")
    assert [one for one in faults if not any(part in one for part in meant)] == []


def rows(page: Page) -> Locator:
    return page.locator("#inbox-rows tr:not([aria-hidden])")


def row(page: Page, key: str) -> Locator:
    return rows(page).filter(has_text=f"Alarm {key}.")


def keys_of(page: Page) -> str:
    """Return the alarms that are shown, in their order: "baced"."""
    words = rows(page).locator(".inbox-what span").all_inner_texts()
    return "".join(one.removeprefix("Alarm ")[0] for one in words)


def current(page: Page) -> str:
    """Return the alarm whose row has the focus; empty if no row has it."""
    text = page.evaluate(
        "document.activeElement.closest('tr')?.querySelector('.inbox-what span')"
        "?.textContent ?? ''"
    )
    return str(text).removeprefix("Alarm ").removesuffix(".")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def stored(console: Console) -> Any:
    return json.loads(console.run(TOLD).splitlines()[-1])


def test_is_worked_through_by_keyboard(page: Page, console: Console) -> None:
    before = len(stored(console)["log"])
    assert keys_of(page) == "bacde"
    assert current(page) == "b"
    badge = page.locator("[data-badge=alarms]")
    expect(badge).to_contain_text("5")
    expect(badge).to_have_attribute("data-tone", "bad")

    # Acknowledge: the row stays, the sidebar counts one less.
    press(page, "a")
    expect(row(page, "b").locator(".state")).to_contain_text("Acknowledged")
    expect(badge).to_contain_text("4")
    press(page, "j")
    assert current(page) == "a"

    # Assign: oneself is first; typed, it is somebody else.
    press(page, "e")
    people = page.locator("#inbox-people [role=option]")
    expect(people.first).to_have_text("root (me)")
    page.keyboard.type("tana")
    expect(people).to_have_count(1)
    press(page, "Enter")
    expect(row(page, "a").locator(".state")).to_contain_text("→ mei.tanaka")
    assert current(page) == "a"

    # Close: what has gone leaves the place to the next.
    press(page, "c")
    expect(page.locator("#inbox-dialog")).to_contain_text("Close this problem")
    press(page, "5", "Enter")
    expect(page.locator("#inbox-dialog [role=alert]")).to_contain_text("Say why")
    page.keyboard.type("unplugged")
    press(page, "Enter")
    expect(row(page, "a")).to_have_count(0)
    assert keys_of(page) == "bcde"
    assert current(page) == "c"

    # Undo is one key.
    press(page, "u")
    expect(row(page, "a")).to_have_count(1)
    assert keys_of(page) == "bacde"
    assert current(page) == "c"

    found = stored(console)
    assert found["states"]["a"] == "open"
    assert found["log"][before:] == [
        "acknowledged the alarm “One-way audio: Alarm b.”",
        "assigned the alarm “Dead air: Alarm a.” to mei.tanaka",
        "closed the alarm “Dead air: Alarm a.”, because: unplugged",
        "reopened the alarm “Dead air: Alarm a.”",
    ]

    # Enter leads to the moment.
    press(page, "k", "k", "Enter")
    page.wait_for_url(f"**/calls/call/{console.facts['live']}/change/?t=83.4")
    alarms = page.locator("#call-alarms")
    expect(alarms.locator("tbody tr")).to_have_count(2)
    alarms.get_by_role("button", name="Acknowledge").click()
    expect(alarms.locator("tbody tr[data-state=acknowledged]")).to_have_count(2)


def test_does_one_thing_to_many(page: Page, console: Console) -> None:
    press(page, "x", "j", "j", "j", "x")
    bar = page.locator("#inbox-bulk")
    expect(bar).to_contain_text("2 chosen")
    press(page, "a")
    expect(row(page, "b").locator(".state")).to_contain_text("Acknowledged")
    expect(row(page, "d").locator(".state")).to_contain_text("Acknowledged")
    expect(page.locator("#inbox-toasts")).to_contain_text("2 acknowledged.")
    expect(row(page, "a").locator(".state")).to_contain_text("Open")

    # All of one call, and none.
    press(page, "Escape")
    expect(bar).to_be_hidden()
    press(page, "k", "Shift+X")
    assert current(page) == "c"
    expect(bar).to_contain_text("2 chosen")
    press(page, "c", "4", "Enter")
    expect(rows(page)).to_have_count(3)
    assert keys_of(page) == "ade"
    states = stored(console)["states"]
    assert [states[key] for key in "bcade"] == [
        "closed",
        "closed",
        "open",
        "acknowledged",
        "open",
    ]


def test_does_not_say_of_a_lost_answer_what_became_of_it(page: Page) -> None:
    page.route("**/alarms/bulk", lose_answer)
    press(page, "x", "j", "x", "a")

    said = page.locator("#inbox-toasts")
    expect(said).to_contain_text("It may have been done")
    # At once: what is told goes by itself.
    assert "left alone" not in said.inner_text()
    # It had been done.
    expect(row(page, "a").locator(".state")).to_contain_text("Acknowledged")


def test_lives_and_keeps_the_focus_and_the_choice(page: Page, console: Console) -> None:
    press(page, "j", "x", "j")
    assert current(page) == "c"
    fresh, gone = "#inbox-rows tr.fresh", "#inbox-rows tr.gone"
    look_for(page, fresh)
    look_for(page, gone)
    console.run(OPEN_ONE)
    expect(row(page, "new")).to_have_count(1)
    seen(page, fresh, "Alarm new.")
    assert keys_of(page) == "nbacde"
    assert current(page) == "c"
    expect(row(page, "a").locator("[type=checkbox]")).to_be_checked()

    # Closed by somebody else: told, faded, and the place is kept.
    console.run(CLOSE_ONE.format(key="c"))
    seen(page, gone, "Closed by mei.tanaka: customer side")
    expect(page.locator(gone)).to_have_count(0)
    assert keys_of(page) == "nbade"
    assert current(page) == "d"

    # Too late: said, and nothing else happens.
    with page.expect_event("requestfailed", lambda one: "inbox.json" in one.url):
        # From here on none is under way: each look waits for the one before it.
        page.route("**/alarms/inbox.json*", lambda route: route.abort())
    console.run(CLOSE_ONE.format(key="d"))
    press(page, "Escape", "a")
    said = "mei.tanaka closed it first: customer side"
    expect(page.locator("#inbox-toasts")).to_contain_text(said)

    # Who cannot look says how old the picture is.
    expect(page.locator("#inbox-banner")).to_contain_text("cannot be reached")
    page.unroute("**/alarms/inbox.json*")
    expect(page.locator("#inbox-banner")).to_be_hidden()
    expect(rows(page)).to_have_count(4)


def test_filters_are_in_the_address(page: Page, console: Console) -> None:
    chip = page.locator("[data-filter=severity][data-value='1']")
    expect(chip).to_have_text("Notice2")
    chip.focus()
    press(page, "Space")
    expect(rows(page)).to_have_count(2)
    assert page.url.endswith("?severity=1")
    assert page.evaluate("document.activeElement.dataset.value") == "1"
    press(page, "/")
    page.keyboard.type("clipping")
    expect(rows(page)).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?severity=1&q=clipping$"))

    page.reload()
    expect(rows(page)).to_have_count(1)
    assert keys_of(page) == "d"
    expect(chip).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#inbox-search")).to_have_value("clipping")
    press(page, "/")
    page.keyboard.type(" nowhere")
    expect(page.locator("#inbox-empty h2")).to_have_text("Nothing matches")
    page.get_by_role("button", name="Show everything").click()
    expect(rows(page)).to_have_count(5)
    assert page.url.endswith("/admin/inbox/")
    page.locator(".inbox-more").first.click()
    expect(rows(page)).to_have_count(2)
    expect(page.locator("#inbox-call")).to_contain_text("Only <img src=x onerror")
    assert page.locator("#inbox img").count() == 0


def test_the_counts_are_live_on_every_page(page: Page, console: Console) -> None:
    page.goto(f"{console.url}/admin/calls/streamcommand/")
    badge = page.locator("[data-badge=alarms]")
    expect(badge).to_contain_text("5")
    page.evaluate("window.stays = true")
    console.run(OPEN_ONE)
    expect(badge).to_contain_text("6")
    assert page.evaluate("window.stays")


def test_says_that_nothing_needs_anybody_and_which_keys_there_are(
    page: Page, console: Console
) -> None:
    press(page, "?")
    expect(page.locator("#inbox-dialog")).to_contain_text("acknowledge")
    press(page, "Escape")
    expect(page.locator("#inbox-dialog")).to_have_count(0)
    page.locator("#inbox-choose-all").check()
    press(page, "c", "1", "Enter")
    expect(page.locator("#inbox-empty h2")).to_have_text("Nothing needs you.")
    expect(page.locator("#inbox-empty p")).to_contain_text("Last problem closed")
    expect(page.locator("[data-badge=alarms]")).to_be_hidden()
