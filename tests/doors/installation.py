"""One ingest process and one web process that share a database, behind a proxy."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import UUID

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from benchmarks.fuzz_seen import Watched
from calls.doors.capability import call_secret
from demo.ports import free_port
from tests.doors.keys import RESOURCE, KeyServer
from tests.streaming.house import ENDED, ROOT, House

PATIENCE = 60.0
FAILURES = 12
UNASKED = 16
MAKE_CALLS = """
import json
from datetime import timedelta
from django.utils import timezone
from calls.models import Call, CallState
def made(number, **fields):
    return Call.objects.create(
        connection_id=f"connection {number}", correlation_id=f"correlation {number}",
        state=CallState.CONNECTED, **fields)
calls = [str(made(number).id) for number in range(8)]
ended = made(8, ended_at=timezone.now() - timedelta(hours=3), end_code=200)
Call.objects.filter(pk=ended.pk).update(state=CallState.ENDED)
print(json.dumps([*calls, str(ended.id)]))
"""


class Installation:
    """Both processes, and what a machine can do at their doors."""

    def __init__(
        self, house: House, web_port: int, web: Watched, calls: list[UUID]
    ) -> None:
        self.house = house
        self.web_port = web_port
        self.web = web
        self.calls = calls
        self._sources = 0

    @property
    def ingest(self) -> Watched:
        """Return the ingest process, to be watched."""
        assert self.house.process is not None
        return Watched(self.house.process.pid, self.house.log)

    def new_source(self) -> str:
        """Return an address that has failed at nothing yet."""
        self._sources += 1
        return f"10.1.{self._sources // 250}.{self._sources % 250 + 1}"

    def dial(self, door: str, secret: str, headers: dict[str, str]) -> tuple[int, str]:
        """Dial a socket; return the status of the answer, and its Retry-After."""
        url = f"ws://127.0.0.1:{self.house.port}/{door}/{secret}"
        try:
            with connect(url, additional_headers=headers, open_timeout=PATIENCE):
                return 101, ""
        except InvalidStatus as refused:
            answer = refused.response
            return answer.status_code, answer.headers.get("Retry-After", "")

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        """Post to a webhook; return the status of the answer, and its Retry-After."""
        url = f"http://127.0.0.1:{self.web_port}/webhooks/{path}"
        try:
            with urlopen(Request(url, body, headers), timeout=PATIENCE) as answer:
                return answer.status, ""
        except HTTPError as error:
            with error:
                return error.code, error.headers.get("Retry-After", "")

    def knock(
        self,
        door: str,
        secret: str,
        token: str,
        *,
        number: int = 0,
        source: str = "",
    ) -> tuple[int, str]:
        """Come to a door with a secret, a token and the ids of call `number`."""
        headers = {"X-Forwarded-For": source or self.new_source()}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if door == "callback":
            return self.post(f"calls/{secret}", callback(number), headers)
        headers["x-ms-call-connection-id"] = f"connection {number}"
        headers["x-ms-call-correlation-id"] = f"correlation {number}"
        return self.dial(door, secret, headers)

    def kept(self, call_id: UUID) -> int:
        """Return what is kept of a call: its callbacks and its sockets."""
        [row] = self.house.rows(
            "select (select count(*) from calls_callevent where call_id = ?1)"
            " + (select count(*) from calls_connection where call_id = ?1) as kept",
            call_id.hex,
        )
        return int(row["kept"])


def callback(number: int, event_id: str = "") -> bytes:
    """Return the body of a callback on call `number`."""
    ids = {"callConnectionId": f"connection {number}"}
    event = {
        "id": event_id or f"event {time.monotonic_ns()}",
        "type": "Microsoft.Communication.CallConnected",
        "specversion": "1.0",
        "time": "2026-05-06T16:31:49Z",
        "data": ids,
    }
    return json.dumps([event]).encode()


@contextmanager
def installation(
    folder: Path, migrated: Path, keys: KeyServer
) -> Iterator[Installation]:
    """Run both processes; no log of theirs may show a secret or a traceback."""
    web_port = free_port()
    house = House(
        folder,
        migrated,
        ACSSTREAM_MEDIA_AUTH="required",
        ACSSTREAM_CALLBACK_AUTH="required",
        ACSSTREAM_ACS_RESOURCE_ID=RESOURCE,
        ACSSTREAM_ACS_OPENID_URL=keys.discovery_url,
        ACSSTREAM_TRUSTED_PROXIES="127.0.0.1",
        ACSSTREAM_SOURCE_FAILURES=str(FAILURES),
        ACSSTREAM_SOURCE_HANDSHAKES=str(UNASKED),
    )
    made = house.manage("shell", "--verbosity", "0", "-c", MAKE_CALLS)
    assert made.returncode == 0, made.stderr
    calls = [UUID(each) for each in json.loads(made.stdout.splitlines()[-1])]
    web_log = folder / "web.log"
    with web_log.open("ab") as log:
        daphne = ["-m", "daphne", "-v", "0", "-p", str(web_port)]
        web = subprocess.Popen(
            [sys.executable, *daphne, "acsstream.asgi:application"],
            cwd=ROOT,
            env=house.env,
            stdout=log,
            stderr=log,
        )
    try:
        house.start()
        _wait_for(web_port, web, web_log)
        yield Installation(house, web_port, Watched(web.pid, web_log), calls)
    finally:
        web.terminate()
        web.wait(PATIENCE)
        assert house.end() in ENDED
    said = house.log.read_text() + web_log.read_text()
    assert "Traceback" not in said
    assert "Bearer" not in said
    for call_id in calls:
        assert call_secret(call_id) not in said


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
