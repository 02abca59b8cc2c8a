"""`make fuzz`: hostile frames and webhook bodies at real processes; nothing may break.

    python -m benchmarks.fuzz --frames 1000000 --bodies 100000

Authentication is `required`: secrets and tokens are true, what they bring is not. No
process may die, grow or log a fault of ours, no body may be answered with 5xx, and a
true stream is taken afterwards. Prints JSON; the exit code says
whether all of that holds.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks.fuzz_bodies import Target, fuzz_bodies
from benchmarks.fuzz_frames import fuzz_frames, true_stream
from benchmarks.fuzz_seen import Seen, Watched
from benchmarks.machine import facts
from benchmarks.scratch import scratch_house
from benchmarks.servers.house import PATIENCE, ROOT
from demo.ports import free_port
from emulator.tokens import SOCKET_LIFETIME, TokenIssuer, discovery

CALLS = 2000
EVENTGRID = "/webhooks/eventgrid?secret=benchmarks%20only"
MAKE_CALLS = f"""
import json
from calls.doors.capability import call_secret
from calls.models import Call, CallState
calls = Call.objects.bulk_create(
    Call(connection_id=f"fuzz {{n}}", state=CallState.CONNECTED) for n in range({CALLS})
)
paths = [f"/webhooks/calls/{{call_secret(call.id)}}" for call in calls]
print(json.dumps([[path, call.connection_id] for path, call in zip(paths, calls)]))
"""


def main() -> int:
    """Fuzz both; return 0 if nothing broke."""
    parser = argparse.ArgumentParser(
        prog="make fuzz", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--bodies", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1, help="of what is made")
    options = parser.parse_args()
    seen: list[Seen] = []
    with ExitStack() as stack:
        house = stack.enter_context(scratch_house())
        issuer = TokenIssuer(house["ACSSTREAM_ACS_RESOURCE_ID"])
        url = stack.enter_context(key_server(issuer))
        house |= {
            "ACSSTREAM_MEDIA_AUTH": "required",
            "ACSSTREAM_CALLBACK_AUTH": "required",
            "ACSSTREAM_ACS_OPENID_URL": f"{url}/discovery",
        }
        # The secrets that are made here are to be theirs.
        os.environ.update(house)
        if options.frames:
            seen.append(_frames(house, issuer, options.frames, options.seed))
        if options.bodies:
            seen.append(_bodies(house, issuer, options.bodies, options.seed))
    faults = [fault for one in seen for fault in one.faults]
    document = {"ok": not faults, "seed": options.seed, "machine": facts()}
    document |= {one.name: one.as_json() for one in seen}
    sys.stdout.write(json.dumps(document, indent=1) + "\n")
    return 1 if faults else 0


def _frames(house: dict[str, str], issuer: TokenIssuer, frames: int, seed: int) -> Seen:
    token, port = _tokens(issuer), free_port()
    command = ("-m", "benchmarks.fuzz_ingest", "--port", str(port))
    with _served(house, port, *command) as ingest:
        seen = fuzz_frames(port, ingest, frames, seed, token)
        if ingest.is_alive():
            seen.faults += true_stream(port, token())
    return seen


def _bodies(house: dict[str, str], issuer: TokenIssuer, bodies: int, seed: int) -> Seen:
    made = subprocess.run(  # noqa: S603 our own program
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", MAKE_CALLS],
        cwd=ROOT,
        env=house,
        check=True,
        capture_output=True,
        text=True,
    )
    targets = [Target(*each) for each in json.loads(made.stdout.splitlines()[-1])]
    port = free_port()
    daphne = ("-m", "daphne", "-v", "0", "-p", str(port), "acsstream.asgi:application")
    with _served(house, port, *daphne) as web:
        return fuzz_bodies(
            port,
            web,
            bodies,
            seed,
            targets,
            eventgrid=EVENTGRID,
            token=_tokens(issuer),
        )


def _tokens(issuer: TokenIssuer) -> Callable[[], str]:
    """Return what gives a true token: one for all, a signature each costs too much."""
    token = issuer.issue(SOCKET_LIFETIME)
    return lambda: token


@contextmanager
def _served(house: dict[str, str], port: int, *command: str) -> Iterator[Watched]:
    """Run one process; wait until it answers."""
    path = Path(house["ACSSTREAM_DATA_DIR"]) / f"{port}.log"
    with path.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 our own program
            [sys.executable, *command],
            cwd=ROOT,
            env=house | {"LOG_LEVEL": "ERROR"},
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(path.read_text(errors="replace")[-2000:])
            time.sleep(0.1)
        yield Watched(process.pid, path)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, TimeoutError, ConnectionError):
        return False


@contextmanager
def key_server(issuer: TokenIssuer) -> Iterator[str]:
    """Serve what verifies the issuer's tokens."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_keys = self.path == "/calling/keys"
            document: Any = issuer.key_set() if is_keys else discovery(url)
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


if __name__ == "__main__":
    sys.exit(main())
