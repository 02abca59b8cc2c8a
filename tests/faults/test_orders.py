"""A worker is killed between sending an order and hearing what became of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from demo.ports import free_port
from tests.control.bench import emulator
from tests.faults.places import Crew, Redis
from tests.streaming.house import PATIENCE, House, eventually

GUEST = "8:acs:r_guest"
EXTRA = "8:acs:r_extra"
# Longer than the worker lives, shorter than its request's time limit.
ANSWER_SECONDS = 6

PLACE = """
from calls.control import command_ask
from calls.models import Call, CommandKind, StreamingProfile
profile = StreamingProfile.objects.create(name="Quiet", start_at_answer=False)
whom = {{"target": "{guest}"}}
for _ in range({count}):
    call = Call.objects.create(direction="outbound", profile=profile)
    command_ask(call=call, kind=CommandKind.PLACE_CALL, arguments=whom)
    print(call.pk)
"""
ASK = """
import json
from calls.control import command_ask
from calls.models import Call
for call, kind, arguments in json.loads({orders!r}):
    print(command_ask(call=Call(pk=call), kind=kind, arguments=arguments).pk)
"""
# Operation of the emulator, kind of ours, arguments. Some ACS knows again by their id,
# some it does not.
ORDERS = [
    ("startMediaStreaming", "start_streaming", {}),
    ("addParticipant", "add_participant", {"target": EXTRA}),
    ("hold", "hold", {"participant": GUEST}),
    ("hangUp", "leave", {}),
]


class Acs:
    """A running emulator's control API."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = Request(f"{self.url}/emulator/{path}", data, headers)  # noqa: S310
        with urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 our own
            return json.load(answer)

    def report(self, connection_id: str) -> Any:
        calls = self.ask("calls")
        listed = calls["calls"] if isinstance(calls, dict) else calls
        [found] = [
            self.ask(f"calls/{one['id']}")
            for one in listed
            if one["call_connection_id"] == connection_id
        ]
        return found

    def effects(self, connection_id: str, operation: str) -> int:
        done = self.report(connection_id)["effects"]
        return sum(each["operation"] == operation for each in done)


@pytest.fixture
def acs() -> Iterator[tuple[Acs, dict[str, Any]]]:
    with emulator("--speed", "1") as facts:
        yield Acs(facts["url"]), facts


@pytest.fixture
def house(
    build: Any, tmp_path: Path, acs: tuple[Acs, dict[str, Any]]
) -> Iterator[House]:
    """A house whose webhooks nobody reaches: evidence is what ACS says when asked."""
    redis = Redis(tmp_path).start()
    _, facts = acs
    port = free_port()
    house: House = build(
        REDIS_URL=redis.url,
        ACSSTREAM_ACS_ENDPOINT=facts["url"],
        ACSSTREAM_ACS_ACCESS_KEY=facts["access_key"],
        ACSSTREAM_ACS_RESOURCE_ID=facts["resource_id"],
        ACSSTREAM_PUBLIC_URL=f"http://127.0.0.1:{port}",
        ACSSTREAM_MEDIA_URL=f"ws://127.0.0.1:{port}",
    )
    house.start()
    house.env["ACSSTREAM_MEDIA_URL"] = f"ws://127.0.0.1:{house.port}"
    yield house
    redis.kill()


@pytest.fixture
def crew(house: House) -> Iterator[Crew]:
    crew = Crew(house)
    yield crew
    crew.close()


def shell(house: House, code: str) -> list[str]:
    done = house.manage("shell", "--verbosity", "0", "-c", code)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


async def test_a_killed_workers_orders_are_carried_out_once(
    house: House, crew: Crew, acs: tuple[Acs, dict[str, Any]]
) -> None:
    emulated, _ = acs
    crew.beat()
    crew.worker("first")
    crew.worker("other")
    placed = shell(house, PLACE.format(count=len(ORDERS), guest=GUEST))
    await eventually(lambda: connections(house, placed))
    ids = connections(house, placed)
    # No callback tells who is there: a reconciling beat finds out.
    await eventually(lambda: len(house.rows("select 1 from calls_participant")) == 4)
    for call, (operation, _, _) in zip(placed, ORDERS, strict=True):
        fault = {"operation": operation, "delay": ANSWER_SECONDS, "call": ids[call]}
        emulated.ask("faults/rest", fault)
    orders = [
        (call, kind, arguments)
        for call, (_, kind, arguments) in zip(placed, ORDERS, strict=True)
    ]
    commands = shell(house, ASK.format(orders=json.dumps(orders)))

    # Carried out over there, and not answered yet.
    def once() -> bool:
        return all(
            emulated.effects(ids[call], operation) == 1
            for call, (operation, _, _) in zip(placed, ORDERS, strict=True)
        )

    await eventually(once)
    crew.kill("first")
    crew.kill("other")
    # On a busy machine the first may have been answered before the last was sent.
    assert None in answered(house, commands)
    assert "sent" in states(house, commands)

    crew.worker("second")
    await eventually(lambda: all(one == "confirmed" for one in states(house, commands)))

    assert once()
    assert len(emulated.report(ids[placed[0]])["sockets"]) == 1, "no double start"


def connections(house: House, calls: list[str]) -> dict[str, str]:
    """Return ACS's ids of calls, once all are connected."""
    rows = house.rows("select id, connection_id, state from calls_call")
    ready = [row for row in rows if row["state"] == "connected"]
    if len(ready) < len(calls):
        return {}
    names = {call.replace("-", ""): call for call in calls}
    return {
        names[str(row["id"]).replace("-", "")]: row["connection_id"] for row in ready
    }


def states(house: House, commands: list[str]) -> list[str]:
    return [row["state"] for row in asked(house, commands)]


def answered(house: House, commands: list[str]) -> list[str | None]:
    return [row["accepted_at"] for row in asked(house, commands)]


def asked(house: House, commands: list[str]) -> list[dict[str, Any]]:
    """Return the rows of commands, in the order in which they were asked."""
    rows = house.rows("select * from calls_streamcommand order by asked_at")
    ids = {one.replace("-", "") for one in commands}
    return [row for row in rows if str(row["id"]).replace("-", "") in ids]
