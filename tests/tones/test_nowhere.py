"""The whole of a call that masks, with real processes: no key in any byte they kept.

An ingest process that is killed, a Redis that is listened in to, a SQLite that a
second process writes callbacks to, and the recovery after all of its rows are gone.
"""

import asyncio
import gzip
import json
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp
import pytest

from tests.streaming.house import House, eventually
from tests.streaming.wire import audio, dtmf, metadata
from tests.tones.test_masking import HIDDEN, assert_no_key, told

CALL = """
from calls.models import Call, CallState, StreamingProfile
profile = StreamingProfile.objects.create(name="Cards", masks_tones=True)
print(Call.objects.create(state="connected", profile=profile).pk)
"""
# As the web process takes them, while ingest writes: two processes, one SQLite.
POST = """
import json
from uuid import UUID
from calls.models import Call
from tests.control.wire import post_callback
call = Call(pk=UUID({call!r}))
for event in json.loads({events!r}):
    assert post_callback(call, event).status_code == 200
"""
EVERYTHING = ("seven", "asterisk", "8", "#", "seven")


class Ear:
    """Hears every command that reaches a Redis."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._socket = socket.create_connection((where.hostname, where.port))
        self._socket.sendall(b"MONITOR\r\n")
        assert self._socket.recv(5) == b"+OK\r\n"
        self._socket.setblocking(False)
        self._said = b""

    def heard(self) -> bytes:
        """Return all that was said since this began to listen."""
        while True:
            try:
                self._said += self._socket.recv(1 << 20)
            except BlockingIOError:
                return self._said

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def ear(redis_url: str) -> Iterator[Ear]:
    ear = Ear(redis_url)
    yield ear
    ear.close()


def kept(house: House) -> bytes:
    """Return every byte in the house: journals, database, recordings, logs."""
    files = [path for path in house.folder.rglob("*") if path.is_file()]
    return b"\n".join(
        gzip.decompress(path.read_bytes())
        if path.suffix == ".gz"
        else path.read_bytes()
        for path in files
    )


def tones(house: House) -> list[tuple[str, str]]:
    found = house.rows("select tone, source from calls_tone order by at_us")
    return [(row["tone"], row["source"]) for row in found]


async def test_a_masked_key_is_in_no_byte(
    build: Callable[..., House],
    client: aiohttp.ClientSession,
    migrated: Path,
    redis_url: str,
    ear: Ear,
) -> None:
    house = build(
        "house",
        REDIS_URL=redis_url,
        ACSSTREAM_MEDIA_AUTH="log_only",
        ACSSTREAM_CALLBACK_AUTH="off",
        ALLOWED_HOSTS="testserver",
        LOG_LEVEL="DEBUG",
    ).start()
    call = manage(house, CALL)
    ws = await house.dial(client, UUID(call))
    await ws.send_str(metadata())
    await ws.send_str(audio(0))
    for tone in EVERYTHING:
        await ws.send_str(dtmf(tone))
    for frame in HIDDEN:
        await ws.send_str(frame)
    events = [told(tone, number) for number, tone in enumerate(EVERYTHING[:3], 1)]
    at = datetime.now(UTC) + timedelta(seconds=1)
    stamped = json.dumps([event | {"time": at.isoformat()} for event in events])
    await asyncio.to_thread(manage, house, POST.format(call=call, events=stamped))
    await eventually(lambda: len(tones(house)) == len(EVERYTHING))
    await eventually(lambda: call.encode() in ear.heard())
    house.end(signal.SIGKILL)
    assert {tone for tone, _ in tones(house)} == {"x"}
    assert [source for _, source in tones(house)].count("both") == 3
    assert house.journals
    assert_no_key(kept(house) + ear.heard())

    # All rows are lost: journals tell again what they know.
    for path in house.folder.glob("acsstream.sqlite3*"):
        path.unlink()
    shutil.copy(migrated, house.database)
    house.recover()

    assert tones(house) == [("x", "media")] * len(EVERYTHING)
    assert b"DtmfData" in kept(house)
    assert_no_key(kept(house))
    await ws.close()


def manage(house: House, code: str) -> str:
    done: subprocess.CompletedProcess[str] = house.manage(
        "shell", "-v", "0", "-c", code
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
