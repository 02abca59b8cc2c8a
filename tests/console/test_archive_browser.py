"""The archive in a real browser: filter, save a view, choose columns, download."""

import hashlib
import json
import re
import zipfile

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.test_browser import Console, browser, console, page

__all__ = ["browser", "console", "page"]

pytestmark = pytest.mark.browser


@pytest.fixture
def archive(page: Page, console: Console) -> Page:
    """The list of all calls; what the browser complains of fails the test."""
    page.goto(f"{console.url}/admin/calls/call/?view=all")
    expect(page.locator("#result_list")).to_be_visible()
    return page


def test_finds_keeps_and_downloads_calls(
    archive: Page, console: Console, browser: Browser
) -> None:
    page, complaints = archive, list[str]()
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type == "error" else None,
    )
    rows = page.locator("#result_list tbody tr")
    expect(rows).to_have_count(3)

    # A date preset, and by keyboard a filter of the panel.
    page.get_by_role("link", name="Last 7 days", exact=True).click()
    expect(page).to_have_url(re.compile(r"\?when=7$"))
    page.get_by_role("button", name="Filters").click()
    panel = page.locator("#archive-filters")
    panel.get_by_label("Live or over").select_option("no")
    panel.get_by_label("From or to").fill("206 555 0100")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("+1 206 555 0100")
    # Nothing that is empty is in an address that somebody shares.
    assert page.url.partition("?")[2].count("&") == 2
    expect(page.locator(".archive-chips")).to_contain_text("3 filters, clear all")

    # Columns, then the view that keeps all of it.
    page.locator("#archive-columns summary").click()
    page.get_by_label("Streaming", exact=True).last.check()
    page.locator("#archive-columns").get_by_label("Rating").uncheck()
    page.get_by_role("button", name="Show these").click()
    head = page.locator("#result_list thead")
    expect(head).to_contain_text("Streaming")
    expect(head).not_to_contain_text("Rating")
    expect(rows).to_have_count(1)
    page.locator("#archive-save summary").click()
    page.get_by_label("Name").fill("Seattle this week")
    page.get_by_label("Share it with everybody").check()
    page.keyboard.press("Enter")
    expect(page.locator(".archive-views [aria-current]")).to_contain_text(
        "Seattle this week"
    )
    page.locator("#archive-columns summary").click()
    page.get_by_role("button", name="Usual ones").click()
    page.locator(".archive-views").get_by_text("All calls").click()
    expect(rows).to_have_count(3)
    # The list before this one may have had three rows, too.
    expect(head).to_contain_text("Rating")
    page.locator(".archive-views").get_by_text("Seattle this week").click()
    expect(head).to_contain_text("Streaming")
    expect(rows).to_have_count(1)

    # What is downloaded is what is stored.
    rows.get_by_role("checkbox").check()
    expect(page.locator(".action-counter")).to_have_text("1 of 1 selected")
    page.locator("[name=action]").select_option("export")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("heading", name="Download recordings")).to_be_visible()
    page.get_by_label("Both").check()
    with page.expect_download() as started:
        page.get_by_role("button", name="Download").click()
    with zipfile.ZipFile(started.value.path()) as zipped:
        assert zipped.testzip() is None
        [facts] = [name for name in zipped.namelist() if name.endswith("call.json")]
        told = json.loads(zipped.read(facts))
        assert told["id"] == console.facts["over"]
        audio = [
            hashlib.sha256(zipped.read(name)).hexdigest()
            for name in zipped.namelist()
            if name.endswith(".flac")
        ]
        assert sorted(audio) == sorted(one["flac_sha256"] for one in told["recordings"])
        assert len(audio) == 3
    assert complaints == []


def test_menus_close_as_menus_do(archive: Page) -> None:
    page = archive
    menu = page.locator("#archive-columns")
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(menu.get_by_role("button", name="Show these")).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu.get_by_role("button", name="Show these")).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#searchbar")).to_be_focused()
    page.keyboard.type("zzz")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="No call matches")).to_be_visible()
