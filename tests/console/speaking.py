"""A console that receives media itself, and a line over which a test speaks."""

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from demo.ports import free_port
from demo.redis import redis_server
from tests import seed
from tests.console.standing import PATIENT, Run, standing
from tests.console.test_browser import ROOT, wait_for
from tests.streaming.wire import SAMPLES, audio, metadata

PATIENCE = 60


class Line:
    """One media socket of a call, as ACS holds it. Speaks as fast as it can."""

    def __init__(self, base: str, secret: str) -> None:
        self.start = datetime.now(UTC)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._do(self._dial(base.replace("http", "ws"), secret))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def _dial(self, base: str, secret: str) -> None:
        self._client = aiohttp.ClientSession()
        self._ws = await self._client.ws_connect(f"{base}/media/{secret}")
        await self._ws.send_str(metadata())

    def speak(
        self, raw_id: str, first: float, last: float, *, loud: int = 9_000
    ) -> None:
        """Send what somebody says between two seconds; `loud` 0 is flagged silence."""
        self._do(self._speak(raw_id, round(first * 50), round(last * 50), loud))

    async def _speak(self, raw_id: str, first: int, last: int, loud: int) -> None:
        noise = np.random.default_rng(first).integers(-loud, loud + 1, SAMPLES)
        pcm = noise.astype("<i2").tobytes()
        for number in range(first, last):
            await self._ws.send_str(
                audio(number, raw_id, pcm=pcm, silent=not loud, start=self.start)
            )

    def heard(self) -> dict[str, Any]:
        """Return the next message that is said to us."""
        coming = asyncio.run_coroutine_threadsafe(self._ws.receive_json(), self._loop)
        message: dict[str, Any] = coming.result(PATIENCE)
        return message

    def hang_up(self) -> None:
        """Close the socket in good order."""
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    async def _end(self) -> None:
        await self._ws.close()
        await self._client.close()


@dataclass
class SpeakingConsole:
    """A running console whose process receives media too, and its Redis."""

    url: str
    redis_url: str
    environment: dict[str, str]
    run: Run
    """Runs Python where the console's rows and recordings are."""
    lines: list[Line] = field(default_factory=list)

    def line(self, secret: str) -> Line:
        """Open a media socket of the call with this secret."""
        line = Line(self.url, secret)
        self.lines.append(line)
        return line

    def end(self, line: Line) -> None:
        """Close a line that was opened."""
        self.lines.remove(line)
        line.hang_up()


@contextmanager
def speaking_console(folder: Path) -> Iterator[SpeakingConsole]:
    """Run a console with its data in `folder`; end it, and all lines."""
    with redis_server(folder) as redis_url, contextlib.ExitStack() as stack:
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "acsstream.settings",
            "ACSSTREAM_DATA_DIR": str(folder),
            "ACSSTREAM_MEDIA_AUTH": "off",
            "DATABASE_URL": f"sqlite:///{folder / 'console.sqlite3'}",
            "REDIS_URL": redis_url,
            "DEBUG": "1",
            "PYTHONPATH": str(ROOT),
        }
        seed.migrated_copy(folder / "console.sqlite3")
        port = free_port()
        log = stack.enter_context((folder / "daphne.log").open("wb"))
        words = [
            "-m",
            "daphne",
            *PATIENT,
            "-p",
            str(port),
            "acsstream.asgi:application",
        ]
        daphne = subprocess.Popen(
            [sys.executable, *words], env=environment, cwd=ROOT, stdout=log, stderr=log
        )
        stack.callback(daphne.wait, PATIENCE)
        stack.callback(daphne.terminate)
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/healthz")
        run = stack.enter_context(standing(environment))
        console = SpeakingConsole(url, redis_url, environment, run)
        try:
            yield console
        finally:
            for line in list(console.lines):
                console.end(line)
