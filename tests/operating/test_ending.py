"""Each process is told to end: what is under way is finished first, and it exits 0."""

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import redis

from calls.doors.capability import call_secret
from calls.journals.reading import is_live
from calls.live.processes import KEY
from tests.faults.places import Crew
from tests.streaming.house import ROOT, House, closing, eventually
from tests.streaming.wire import ALICE, audio, metadata

# A user's session, and a call that a callback may be about.
VISITOR = """
from django.contrib.auth.models import User
from django.test import Client
from calls.models import Call
visitor = Client()
visitor.force_login(User.objects.create_superuser("visitor"))
print(visitor.cookies["sessionid"].value, Call.objects.create().pk)
"""


def lines(log: Path) -> list[dict[str, Any]]:
    """Each line that a process logged as JSON: none is anything else."""
    text = log.read_text()
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


async def test_ingest_lets_calls_end_and_takes_no_more(
    build: Callable[..., House], client: aiohttp.ClientSession
) -> None:
    house = build(ACSSTREAM_DRAIN_SECONDS="300", LOG_FORMAT="json").start()
    call_id = uuid4()
    goes_on = await house.dial(client, call_id)
    await goes_on.send_str(metadata())
    await eventually(lambda: house.get("/healthz")[1]["streams"] == 1)
    assert house.process is not None

    house.process.send_signal(signal.SIGTERM)
    await eventually(lambda: house.get("/readyz")[0] == 503)
    refused = await closing(await house.dial(client, uuid4()))
    told = house.get("/readyz")[1]
    for number in range(50):
        await goes_on.send_str(audio(number, ALICE))
    await goes_on.close()

    status = await asyncio.to_thread(house.process.wait, 60)
    house.process = None
    assert (status, refused) == (0, 1013)
    # Redis is nowhere in this house, and that is no reason to refuse.
    assert (told["critical"], told["warnings"]) == (["admission"], ["redis"])
    assert "has been told to end" in told["checks"]["admission"]["says"]
    [journal] = house.journals
    assert not is_live(journal)
    [done] = house.recover()
    assert done["packets"] == 50
    opened = [one for one in lines(house.log) if "opened" in one["event"]]
    assert [(one["call_id"], one["node"]) for one in opened] == [
        (str(call_id), "test-node")
    ]
    assert {"connection_id", "timestamp", "level", "logger"} <= set(opened[0])


@contextmanager
def web(house: House, redis_url: str) -> Iterator["subprocess.Popen[bytes]"]:
    with house.log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "web", "--port", str(house.port)],
            cwd=ROOT,
            env=house.env | {"DEBUG": "1", "REDIS_URL": redis_url},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_web_answers_what_it_was_asked_and_tells_browsers(
    build: Callable[..., House], client: aiohttp.ClientSession, redis_url: str
) -> None:
    house = build(LOG_FORMAT="json", ACSSTREAM_CALLBACK_AUTH="log_only")
    session, call_id = house.manage("shell", "-c", VISITOR).stdout.split()[-2:]
    at = f"http://127.0.0.1:{house.port}"
    with web(house, redis_url) as process:
        await eventually(lambda: is_up(house, process))
        browser = await client.ws_connect(
            f"{at}/ws/dashboard",
            headers={"Cookie": f"sessionid={session}", "Origin": at},
        )
        await browser.receive()
        # Nobody else can write: what is asked for now has to wait.
        lock = sqlite3.connect(house.database, isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        event = {
            "id": "event-1",
            "source": "calling/callConnections/x",
            "type": "Microsoft.Communication.CallConnected",
            "specversion": "1.0",
            "data": {"callConnectionId": "x"},
        }
        asking = asyncio.create_task(
            client.post(
                f"{at}/webhooks/calls/{call_secret(UUID(call_id))}",
                json=[event],
                headers={"X-Request-ID": "from-the-proxy"},
            )
        )
        await eventually(lambda: "a callback is taken" in house.log.read_text())

        process.terminate()
        code = await closing(browser)
        lock.execute("ROLLBACK")
        answer = await asking

        assert (code, answer.status) == (1001, 200)
        assert await asyncio.to_thread(process.wait, 60) == 0
    assert answer.headers["X-Request-ID"] == "from-the-proxy"
    assert house.rows("select event_id from calls_callevent") == [
        {"event_id": "event-1"}
    ]
    [warned] = [one for one in lines(house.log) if "is taken although" in one["event"]]
    assert warned["request_id"] == "from-the-proxy"
    assert (warned["call_id"], warned["node"]) == (call_id, "test-node")
    assert listed(redis_url, "web") == []


def is_up(house: House, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, house.log.read_text()
    try:
        return house.get("/readyz")[0] == 200
    except OSError:
        return False


def listed(url: str, kind: str) -> list[dict[str, Any]]:
    """What processes of a kind say of themselves."""
    with redis.Redis.from_url(url) as client:
        found = [
            client.get(f"{KEY}:{name.decode()}") for name in client.zrange(KEY, 0, -1)
        ]
    return [note for one in found if one and (note := json.loads(one))["kind"] == kind]


async def test_a_worker_finishes_its_recording_before_it_ends(
    build: Callable[..., House], client: aiohttp.ClientSession, redis_url: str
) -> None:
    folder = "tests.faults.storages.HaltingFileSystemStorage"
    house = build(
        REDIS_URL=redis_url,
        LOG_FORMAT="json",
        ACSSTREAM_FINISH_GRACE="0",
        ACSSTREAM_STORAGE_BACKEND=folder,
    )
    recordings = house.folder / "recordings"
    house.env["ACSSTREAM_STORAGE_OPTIONS"] = json.dumps({"location": str(recordings)})
    call_id = uuid4()
    (house.folder / f"halt-{call_id}").write_text(".flac")
    ws = await house.start().dial(client, call_id)
    await ws.send_str(metadata())
    for number in range(50):
        await ws.send_str(audio(number, ALICE))
    await ws.close()
    await eventually(lambda: house.get("/healthz")[1]["streams"] == 0)
    house.end()
    crew = Crew(house)
    crew.worker()
    crew.beat()

    await eventually(lambda: (house.folder / f"halted-{call_id}").exists(), 60)
    [worker] = await eventually(lambda: listed(redis_url, "worker"))
    assert worker["queues"] == ["acsstream", "recordings.test-node"]
    await eventually(lambda: listed(redis_url, "beat"))
    codes = crew.terminate()
    await eventually(lambda: "Warm shutdown" in crew.log("worker").read_text())
    (house.folder / f"halt-{call_id}").unlink()

    assert await asyncio.to_thread(codes) == {"worker": 0, "beat": 0}
    assert house.journals == []
    assert len(house.rows("select id from calls_recording")) == 1
    assert listed(redis_url, "worker") == listed(redis_url, "beat") == []
    [done] = [one for one in lines(crew.log("worker")) if ": finished" in one["event"]]
    assert (done["call_id"], done["task"]) == (str(call_id), "calls.finish_call")
    assert done["node"] == "test-node"
