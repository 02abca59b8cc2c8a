"""What listening needs, for real: Redis, an ingest process, a web process, a call."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen
from uuid import UUID

from demo.ports import free_port
from demo.redis import redis_server
from tests import seed
from tests.console.standing import PATIENT
from tests.streaming.house import PATIENCE, ROOT, House

FILL = """
import json
import django
django.setup()
from django.contrib.auth.models import Group, User
from tests.factories import CallFactory, ParticipantFactory
from tests.streaming.wire import ALICE, BOB
User.objects.create_superuser("root", password="secret")
call = CallFactory(
    live=True, origin_us=None, completeness=None, connection_id="acs-tones"
)
ParticipantFactory(call=call, raw_id=ALICE, display_name="Ada Okafor")
ParticipantFactory(call=call, raw_id=BOB, display_name="Bob Tanaka")
print(json.dumps({"call": str(call.pk)}))
"""


class Stack:
    """A running console with one call that somebody streams."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.folder = folder
        self.redis_url = redis_url
        database = folder / "migrated.sqlite3"
        seed.migrated_copy(database)
        self.house = House(folder / "house", database, REDIS_URL=redis_url, DEBUG="1")
        filled = f"sqlite:///{self.house.database}"
        self.house.env |= {"DATABASE_URL": filled, "PYTHONPATH": str(ROOT)}
        facts = json.loads(self.run(FILL).splitlines()[-1])
        self.call_id = UUID(facts["call"])
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._stack = contextlib.ExitStack()

    def run(self, code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=self.house.env,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> None:
        self.house.start()
        self.start_web()

    def start_web(self) -> None:
        web = ["daphne", *PATIENT, "-p", str(self.port), "acsstream.asgi:application"]
        self.web = self._begin("web.log", "-m", *web)
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert time.monotonic() < deadline, (self.folder / "web.log").read_text()
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self.url}/healthz", timeout=5):  # noqa: S310 http://
                return True
        except OSError:
            return False

    def speak(self, seconds: float) -> "subprocess.Popen[bytes]":
        """Have the call streamed by tones."""
        url = self.house.url(self.call_id)
        return self._begin("tones.log", "-m", "tests.listen.tones", url, str(seconds))

    def _begin(self, log: str, *words: str) -> "subprocess.Popen[bytes]":
        out = self._stack.enter_context((self.folder / log).open("ab"))
        process = subprocess.Popen(
            [sys.executable, *words],
            env=self.house.env,
            cwd=ROOT,
            stdout=out,
            stderr=out,
        )
        self._stack.callback(end, process)
        return process

    def close(self) -> None:
        self._stack.close()
        self.house.close()


def end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        os.kill(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def stack(folder: Path) -> Iterator[Stack]:
    with redis_server(folder) as redis_url:
        running = Stack(folder, redis_url)
        try:
            running.start()
            yield running
        finally:
            running.close()
