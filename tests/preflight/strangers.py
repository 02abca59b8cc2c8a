"""Servers that answer, and are not ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import time
from typing import Any

from tests.control.bench import serving


@contextmanager
def answering(
    status: int, body: bytes = b"hello", *, ahead: float = 0, dated: bool = True
) -> Iterator[str]:
    """Yield the URL of a server that gives one answer to everything.

    Its clock is `ahead` seconds ahead of ours.
    """

    class Stranger(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response_only(status)
            if dated:
                self.send_header("Date", formatdate(time() + ahead, usegmt=True))
            if 300 <= status < 400:
                self.send_header("Location", "https://elsewhere.example.com/")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Stranger)) as url:
        yield url
