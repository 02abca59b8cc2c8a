"""Signing in, once for all tests of a module."""

from typing import Any

from playwright.sync_api import Browser

SOON = 60_000


def signed_in(browser: Browser, url: str, name: str = "root") -> Any:
    """Sign in; return the cookies, as the state of another context.

    What pages keep is not among it: each test begins with nothing.
    """
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(SOON)
    page.goto(f"{url}/admin/login/")
    page.fill("[name=username]", name)
    page.fill("[name=password]", "secret")
    page.click("#login-form button[type=submit]")
    page.wait_for_url("**/admin/")
    cookies = context.cookies()
    context.close()
    return {"cookies": cookies, "origins": []}
