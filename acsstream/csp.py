"""What a page may load and run: the Content Security Policy of every answer.

`acsstream/headers.py` puts it there, with the other headers. Django 6 has such a
middleware built in; 5.2, which we run on, has none. The day the project moves, this
module becomes its `SECURE_CSP` setting.

The policy is own origin only, but for audio that browsers fetch from the storage itself
(ACSSTREAM_SIGNED_URLS). No script stands in a page, so script-src needs no nonce.
Style sheets are files, too, but for one that the player's waveform makes in its shadow
tree: it carries the page's nonce. `style="…"` is refused everywhere.

`unsafe-eval` is allowed on the pages that load Unfold's Alpine, and on no other: those
of the admin, its login included. Alpine's standard build, the one Unfold ships, makes
functions of the expressions in Unfold's templates (`x-on:click="open = !open"`). The
build that does not cannot read them: they assign, and call `localStorage`.
"""

import secrets
from functools import cached_property
from typing import cast

from django.http import HttpRequest

from calls.storage import signed_origin

HEADER = "Content-Security-Policy"
# What of the machine is none of our business. The microphone is, on one page.
PERMISSIONS = "camera=(), display-capture=(), geolocation=(), microphone={}, usb=()"


class PagePolicy:
    """What the page that answers a request needs beyond own files."""

    evaluates = False
    """Whether it loads Unfold's Alpine, which makes functions of text."""
    speaks = False
    """Whether one can speak into a call on it: it may ask for the microphone."""

    @property
    def permissions(self) -> str:
        """Return the value of the header Permissions-Policy."""
        return PERMISSIONS.format("(self)" if self.speaks else "()")

    @cached_property
    def nonce(self) -> str:
        """Return the word that a style made by a script must carry."""
        return secrets.token_urlsafe(16)

    def __str__(self) -> str:
        """Return the header's value."""
        style = f" 'nonce-{self.nonce}'" if "nonce" in self.__dict__ else ""
        evaluating = " 'unsafe-eval'" if self.evaluates else ""
        return (
            f"default-src 'self'; script-src 'self'{evaluating};"
            f" style-src 'self'{style}; img-src 'self' data:;"
            f" media-src 'self' blob:{_elsewhere()};"
            # 'self' is ws:// and wss:// of this host, too (CSP 3, 6.7.2.8).
            " connect-src 'self'; object-src 'none'; base-uri 'none';"
            " frame-ancestors 'none'; form-action 'self'"
        )


def _elsewhere() -> str:
    """Return where audio may come from beside us: the storage, if it is to."""
    origin = signed_origin()
    return f" {origin}" if origin else ""


def page_policy(request: HttpRequest) -> PagePolicy:
    """Return the policy of the page that is being made, to ask it for more."""
    policy = getattr(request, "page_policy", None)
    if policy is None:
        # A request that passed no middleware, as some tests make them.
        policy = PagePolicy()
        request.page_policy = policy  # type: ignore[attr-defined] # ours, set here only
    return cast(PagePolicy, policy)
