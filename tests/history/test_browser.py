"""The timeline in a real browser: filtered by keyboard, and kept up while it grows."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.test_browser import PATIENCE, Console, browser, console, page

__all__ = ["browser", "console", "page"]

pytestmark = pytest.mark.browser

ORDER = """async ([id, kind]) => {
  const token = document.cookie.match(/csrftoken=([^;]+)/)[1];
  const answer = await fetch(`/calls/${id}/commands/${kind}`,
    { method: "POST", headers: { "X-CSRFToken": token } });
  return answer.status;
}"""


def open_page(page: Page, console: Console, call: str, query: str = "") -> None:
    url = f"{console.url}/admin/calls/call/{console.facts[call]}/change/"
    page.goto(url + query)
    expect(page.locator("#timeline form")).to_be_visible()


def shown(page: Page) -> list[str]:
    """Return what the entries that can be seen tell, in their order."""
    return page.locator(".console-moment:visible b").all_inner_texts()


def test_filters_by_keyboard_and_keeps_the_choice_in_the_address(
    page: Page, console: Console
) -> None:
    open_page(page, console, "over")
    whole = shown(page)
    assert whole[0] == "The call began"

    page.locator("#timeline [value=streaming]").focus()
    page.keyboard.press("Space")
    expect(page).to_have_url(re.compile("kind=call&"))
    assert not any("packet" in each for each in shown(page))

    page.get_by_role("searchbox", name="Search the timeline").fill("mix FINISHED")
    expect(page.locator("#timeline .count")).to_have_text(f"1 of {len(whole)}")
    assert shown(page) == ["Recording finished: Mix, 0:06"]

    page.reload()
    expect(page.locator("#timeline form")).to_be_visible()
    assert shown(page) == ["Recording finished: Mix, 0:06"]
    page.get_by_role("searchbox", name="Search the timeline").fill("nowhere")
    expect(page.locator("#timeline .none")).to_be_visible()


def test_turns_the_list_round(page: Page, console: Console) -> None:
    open_page(page, console, "over")
    oldest_first = shown(page)
    page.locator("#timeline [name=order]").check(force=True)
    assert shown(page) == oldest_first[::-1]
    open_page(page, console, "over", "?order=newest")
    assert shown(page) == oldest_first[::-1]


def test_shows_times_in_the_zone_of_who_looks(
    page: Page,
    console: Console,
    browser: Browser,
) -> None:
    open_page(page, console, "over")
    time = page.locator(".console-moment time").first
    expect(time).to_have_attribute(
        "title", re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC$")
    )
    context = browser.new_context(
        timezone_id="Asia/Kolkata", storage_state=page.context.storage_state()
    )
    there = context.new_page()
    there.set_default_timeout(PATIENCE * 1_000)
    open_page(there, console, "over")
    expect(there.locator("#timeline .zone")).to_contain_text("Asia/")
    here_text, there_text = (
        each.locator(".console-moment time").first.inner_text()
        for each in (page, there)
    )
    context.close()
    # Half an hour off: neither minute nor hour is that of UTC.
    minutes = [int(text.split(":")[1]) for text in (here_text, there_text)]
    assert abs(minutes[0] - minutes[1]) == 30
    assert here_text.split(":")[2] == there_text.split(":")[2]


def test_keeps_up_with_a_live_call_and_leaves_what_is_open_alone(
    page: Page, console: Console
) -> None:
    open_page(page, console, "live")
    first = page.locator(".console-moment", has=page.locator("details")).first
    first.locator("summary").click()
    page.locator("#timeline [value=event]").focus()
    page.keyboard.press("Space")
    page.evaluate("document.querySelector('.console-moment').marked = true")

    assert page.evaluate(ORDER, [console.facts["live"], "stop_streaming"]) == 201

    asked = page.locator(".console-moment", has_text="Stop streaming: asked")
    expect(asked).to_be_visible(timeout=PATIENCE * 1_000)
    expect(asked).to_contain_text("root")
    expect(first.locator("details")).to_have_attribute("open", "")
    expect(page.locator("#timeline [value=event]")).not_to_be_checked()
    expect(page.locator("#timeline [value=event]")).to_be_focused()
    # The same node, not one like it.
    assert page.evaluate("document.querySelector('.console-moment').marked")


def test_asks_nothing_about_a_call_that_is_over(
    page: Page,
    console: Console,
    browser: Browser,
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_page(page, console, "over")
    # Another page that does ask, twice, is how one knows that time has passed.
    context = browser.new_context(storage_state=page.context.storage_state())
    other = context.new_page()
    other.set_default_timeout(PATIENCE * 1_000)
    with other.expect_response("**/timeline/page.json"):
        open_page(other, console, "live")
    with other.expect_response("**/timeline/page.json"):
        pass
    context.close()
    assert not any("page.json" in url for url in asked)
