"""What stands before Azurite: it lets requests through, holds one, or refuses them."""

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

# What a service says of an account that has no room; Azurite itself has no quota.
CODE = "InsufficientStorage"
FULL = f'<?xml version="1.0"?><Error><Code>{CODE}</Code></Error>'.encode()
HOPS = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


class Door:
    """An HTTP relay to a port. `sent` counts the bytes of bodies that came back."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.sent = 0
        self.is_full = False
        # Blocks that still pass before one is held; None: none is.
        self._before_hold: int | None = None
        self._lock = threading.Lock()
        self.holding = threading.Event()
        self._let_go = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Passage)
        self._server.daemon_threads = True
        cast(Any, self._server).door = self
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def hold(self, after: int) -> None:
        """Keep the block that comes after so many, unanswered."""
        self.holding.clear()
        self._let_go.clear()
        self._before_hold = after

    def let_go(self) -> None:
        """Drop the line of the block that was held; others pass."""
        self._before_hold = None
        self._let_go.set()

    def passes(self, method: str, path: str) -> bool:
        """Say whether a request goes through; a held one waits here and does not."""
        if method != "PUT" or "comp=block" not in path or ".flac" not in path:
            return True
        with self._lock:
            if self._before_hold is None:
                return True
            self._before_hold -= 1
            if self._before_hold >= 0:
                return True
        self.holding.set()
        self._let_go.wait()
        return False

    def close(self) -> None:
        self._let_go.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Passage(BaseHTTPRequestHandler):
    """One connection through the door."""

    protocol_version = "HTTP/1.1"

    def _pass(self) -> None:
        door: Door = cast(Any, self.server).door
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if door.is_full and self.command == "PUT":
            self._answer(507, [("x-ms-error-code", CODE)], FULL)
        elif door.passes(self.command, self.path):
            try:
                self._forward(door, content)
            except OSError:
                # Nobody is behind the door.
                self.close_connection = True
        else:
            self.close_connection = True

    # The names that BaseHTTPRequestHandler looks for.
    do_GET = do_PUT = do_HEAD = do_DELETE = _pass  # noqa: N815

    def _forward(self, door: Door, content: bytes) -> None:
        behind = http.client.HTTPConnection("127.0.0.1", door.target, timeout=30)
        try:
            behind.request(self.command, self.path, content, dict(self.headers))
            answer = behind.getresponse()
            body = answer.read()
        finally:
            behind.close()
        door.sent += len(body)
        headers = [each for each in answer.getheaders() if each[0].lower() not in HOPS]
        size = answer.getheader("Content-Length") if self.command == "HEAD" else None
        self._answer(answer.status, headers, body, size)

    def _answer(
        self,
        status: int,
        headers: list[tuple[str, str]],
        body: bytes,
        size: str | None = None,
    ) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", size or str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
