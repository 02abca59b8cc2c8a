"""A running emulator, a mailbox for what it posts, and a sink for its audio.

The emulator is a process of its own. What it posts is kept by a real HTTP server and
handed to Django in the test's own thread, byte for byte, when the test asks for it: so
a test says itself when a callback arrives, and in which order.
"""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import Request, urlopen

from django.test import Client
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

PATIENCE = 60.0
SPEED = "5"


@dataclass(frozen=True)
class Letter:
    """One request the emulator made."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def events(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = json.loads(self.body)
        return listed

    def deliver(self) -> int:
        """Hand it to Django; return the status of the answer."""
        status: int = post(self).status_code
        return status


def post(letter: Letter) -> Any:
    kind = letter.headers.get("Content-Type", "")
    headers = {
        name: value
        for name, value in letter.headers.items()
        if name in ("Authorization", "aeg-event-type")
    }
    return Client().post(
        letter.path, data=letter.body, content_type=kind, headers=headers
    )


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[str]:
    """Run an HTTP server in a thread and yield its URL."""
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def mailbox(letters: "queue.Queue[Letter]") -> ThreadingHTTPServer:
    class Mailbox(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            letter = Letter(self.path, dict(self.headers), self.rfile.read(length))
            answer = b""
            if b"SubscriptionValidationEvent" in letter.body:
                # The one request whose answer matters, and no test's own: Django
                # would keep it in the database, from this thread.
                code = letter.events[0]["data"]["validationCode"]
                answer = json.dumps({"validationResponse": code}).encode()
            else:
                letters.put(letter)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return ThreadingHTTPServer(("127.0.0.1", 0), Mailbox)


@contextmanager
def sink() -> Iterator[str]:
    """Accept media sockets and throw away what they carry; yield the ws:// URL."""

    def swallow(socket: ServerConnection) -> None:
        try:
            for _ in socket:
                pass
        except ConnectionClosed:
            pass

    with serve(swallow, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


class Bench:
    """What a test needs to play ACS."""

    def __init__(self, facts: dict[str, Any], public: str, media: str) -> None:
        self.url: str = facts["url"]
        self.access_key: str = facts["access_key"]
        self.resource_id: str = facts["resource_id"]
        self.public_url = public
        self.media_url = media
        self.letters: queue.Queue[Letter] = queue.Queue()

    def get(self, path: str) -> Any:
        """Ask the emulator's control API."""
        return self._fetch(Request(f"{self.url}/emulator/{path}"))  # noqa: S310 http

    def tell(self, path: str, **body: Any) -> Any:
        """Post to the emulator's control API."""
        data = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        url = f"{self.url}/emulator/{path}"
        return self._fetch(Request(url, data, headers))  # noqa: S310 http

    def clear_faults(self) -> None:
        """Let no REST request go wrong any more."""
        url = f"{self.url}/emulator/faults/rest"
        self._fetch(Request(url, method="DELETE"))  # noqa: S310 http

    def put(self, path: str, **body: Any) -> Any:
        """Put to the emulator's control API."""
        data = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        url = f"{self.url}/emulator/{path}"
        request = Request(url, data, headers, method="PUT")  # noqa: S310 http
        return self._fetch(request)

    def _fetch(self, request: Request) -> Any:
        with urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 http
            return json.load(answer)

    def ring(self, **plan: Any) -> Any:
        return self.tell("calls", **plan)

    def fail_rest(self, operation: str, status: int, **more: Any) -> None:
        self.tell("faults/rest", operation=operation, status=status, **more)

    def next_letter(self) -> Letter:
        return self.letters.get(timeout=PATIENCE)

    def deliver_until(self, kind: str) -> None:
        """Deliver what comes, up to and with the first event of that type."""
        while True:
            letter = self.next_letter()
            assert letter.deliver() == 200, letter.path
            kinds = [
                each.get("type", each.get("eventType", "")) for each in letter.events
            ]
            if f"Microsoft.Communication.{kind}" in kinds:
                return

    def wait_for(self, path: str, ready: Callable[[Any], bool]) -> Any:
        """Ask the control API until the answer is as wanted."""
        pause = threading.Event()
        for _ in range(int(PATIENCE / 0.05)):
            found = self.get(path)
            if ready(found):
                return found
            pause.wait(0.05)
        raise AssertionError(f"{path} never became what the test waits for")


@contextmanager
def running_bench(eventgrid_query: str) -> Iterator[Bench]:
    """Run mailbox, sink and emulator for as long as the context lasts."""
    with ExitStack() as stack:
        letters: queue.Queue[Letter] = queue.Queue()
        public = stack.enter_context(serving(mailbox(letters)))
        media = stack.enter_context(sink())
        hook = f"{public}/webhooks/eventgrid{eventgrid_query}"
        facts = stack.enter_context(emulator("--eventgrid-url", hook))
        bench = Bench(facts, public, media)
        bench.letters = letters
        yield bench


@contextmanager
def emulator(*options: str) -> Iterator[dict[str, Any]]:
    """Run `python -m emulator` on a free port; yield what its first line says."""
    command = [sys.executable, "-m", "emulator", "--json", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--speed", SPEED, "--log-level", "WARNING", *options],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
