"""A real ingest process: `manage.py ingest` on a port of its own, to be mistreated."""

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen
from uuid import UUID

import aiohttp
from django.conf import settings

from calls.doors.capability import call_secret
from demo.ports import free_port

ROOT = Path(settings.BASE_DIR)
PATIENCE = 60.0
# Ingest answers such a question on its own loop, which nothing may hold up for long.
ANSWERS = 20.0
# Nothing listens there.
NOWHERE = "redis://127.0.0.1:9/0"
# uvicorn ends in good order and then dies of the signal it was sent.
ENDED = (0, -signal.SIGTERM)


class House:
    """One data folder and the ingest processes that live in it, one after the other."""

    def __init__(self, folder: Path, database: Path, **env: str) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.database = folder / "acsstream.sqlite3"
        shutil.copy(database, self.database)
        self.port = free_port()
        self.env = environment(folder) | env
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self.command = ["manage.py", "ingest"]

    @property
    def journals(self) -> list[Path]:
        return sorted((self.folder / "journals").glob("*.journal"))

    def start(self) -> "House":
        """Start an ingest process and wait until it listens."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.command, "--port", str(self.port)],
                cwd=ROOT,
                env=self.env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)
        return self

    def _answers(self) -> bool:
        try:
            return self.get("/healthz")[0] == 200
        except OSError:
            return False

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        try:
            with urlopen(
                f"http://127.0.0.1:{self.port}{path}", None, ANSWERS
            ) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, json.load(error)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End the process; return its exit status."""
        self.tell(how)
        return self.ended()

    def tell(self, how: signal.Signals) -> None:
        """Send the process a signal."""
        assert self.process is not None
        self.process.send_signal(how)

    def ended(self) -> int:
        """Wait until the process has ended; return its exit status."""
        assert self.process is not None
        status = self.process.wait(PATIENCE)
        self.process = None
        return status

    def kill(self) -> None:
        """Kill the process where it stands."""
        self.end(signal.SIGKILL)

    def close(self) -> None:
        if self.process is not None:
            self.end()

    def manage(
        self, *words: str, env: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=self.env | dict(env or {}),
            capture_output=True,
            text=True,
            check=False,
        )

    def recover(self) -> list[dict[str, Any]]:
        done = self.manage("recover", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        connection = sqlite3.connect(self.database, timeout=PATIENCE)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(query, values)]
        finally:
            connection.close()

    def url(self, call_id: UUID | str) -> str:
        secret = call_secret(call_id) if isinstance(call_id, UUID) else call_id
        return f"ws://127.0.0.1:{self.port}/media/{secret}"

    async def dial(
        self,
        client: aiohttp.ClientSession,
        call_id: UUID | str,
        **headers: str,
    ) -> aiohttp.ClientWebSocketResponse:
        """Open a media socket as ACS does."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await client.ws_connect(
            self.url(call_id), headers=named, max_msg_size=0, autoping=True
        )


def environment(folder: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("ACSSTREAM_")
    }
    return kept | {
        "DJANGO_SETTINGS_MODULE": "acsstream.settings",
        "ACSSTREAM_DATA_DIR": str(folder),
        "DATABASE_URL": f"sqlite://{folder / 'acsstream.sqlite3'}",
        "SECRET_KEY": settings.SECRET_KEY,
        "REDIS_URL": NOWHERE,
        "ACSSTREAM_MEDIA_AUTH": "off",
        "ACSSTREAM_ACS_ENDPOINT": "http://127.0.0.1:9",
        "ACSSTREAM_ACS_ACCESS_KEY": "dGVzdHM=",
        "ACSSTREAM_ACS_RESOURCE_ID": "7d0c7a1e-0d3c-4a37-8a7c-1f0b7d0c9b55",
        "ACSSTREAM_PUBLIC_URL": "http://127.0.0.1:9",
        "ACSSTREAM_MEDIA_URL": "ws://127.0.0.1:9",
        "ACSSTREAM_COGNITIVE_ENDPOINT": "https://cognitive.example.com",
        "ACSSTREAM_EVENTGRID_SECRET": "tests only",
        "ACSSTREAM_NODE": "test-node",
        # Many of a test's attempts fail on purpose.
        "ACSSTREAM_SOURCE_FAILURES": "0",
    }


async def eventually(claim: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Return what `claim` returns once that is true; a busy machine may take long."""
    deadline = time.monotonic() + patience
    while True:
        found = claim()
        if found:
            return found
        assert time.monotonic() < deadline, "it did not come true"
        await asyncio.sleep(0.02)


async def closing(ws: aiohttp.ClientWebSocketResponse) -> int | None:
    """Wait until the server closes a socket; return its code."""
    async with asyncio.timeout(PATIENCE):
        while not ws.closed:
            await ws.receive()
    return ws.close_code
