"""What a page shows for seconds only: the page notes it, however late a test looks."""

from playwright.sync_api import Page

_LOOK = """
selector => {
  const seen = new Set();
  (window.glimpses ??= {})[selector] = seen;
  const note = () => {
    for (const one of document.querySelectorAll(selector)) seen.add(one.textContent);
  };
  const how = { attributes: true, characterData: true, childList: true, subtree: true };
  new MutationObserver(note).observe(document.body, how);
}
"""
_SEEN = "([where, text]) => [...glimpses[where]].some((one) => one.includes(text))"


def look_for(page: Page, selector: str) -> None:
    """Have the page note from now on what texts such elements have."""
    page.evaluate(_LOOK, selector)


def seen(page: Page, selector: str, text: str) -> None:
    """Wait until such an element with this text was there."""
    page.wait_for_function(_SEEN, arg=[selector, text])
