"""What the emulator cannot show of `calls.acs`: it forgives, and it is always ACS."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from calls.acs import Acs, AcsRefused
from tests.control.bench import serving

KEY = b"any key"
TRUE = b'{"error":{"code":"Seen","message":"true"}}'
FALSE = b'{"error":{"code":"Seen","message":"false"}}'


class Verifier(BaseHTTPRequestHandler):
    """Says whether a request is signed for the Host it names.

    The emulator accepts a slash behind it too; the service is not known to.
    """

    def do_GET(self) -> None:
        names = ("x-ms-date", "Host", "x-ms-content-sha256")
        values = ";".join(self.headers[name] for name in names)
        text = f"GET\n{self.path}\n{values}".encode()
        digest = hmac.new(KEY, text, hashlib.sha256).digest()
        expected = f"Signature={base64.b64encode(digest).decode()}"
        is_true = self.headers["Authorization"].endswith(expected)
        body = TRUE if is_true else FALSE
        self.send_response(409)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class SomeoneElse(BaseHTTPRequestHandler):
    """A web server that is not ACS."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def endpoint(request: pytest.FixtureRequest) -> Iterator[str]:
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), request.param)) as url:
        yield url


@pytest.mark.parametrize("endpoint", [Verifier], indirect=True)
@pytest.mark.parametrize("end", ["", "/"])
def test_signs_the_host_it_asks(endpoint: str, end: str) -> None:
    acs = Acs(endpoint + end, base64.b64encode(KEY).decode())

    with pytest.raises(AcsRefused) as refused:
        acs.properties("any")

    assert str(refused.value) == "ACS refused (409 Seen): true"


@pytest.mark.parametrize("endpoint", [SomeoneElse], indirect=True)
def test_a_stranger_cannot_say_that_a_call_is_gone(endpoint: str) -> None:
    with pytest.raises(AcsRefused) as refused:
        Acs(endpoint, "").properties("any")

    assert refused.value.code == 404
    assert not refused.value.is_call_gone
