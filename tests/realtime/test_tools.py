"""What the model can do: its tools, and what it is told of them."""

import json
from typing import Any, Literal

import pytest

from emulator.realtime.plan import Turn
from emulator.realtime.server import RealtimeServer
from streaming.handlers.bench import Bench
from streaming.handlers.realtime import Desk
from tests.realtime.conftest import Call, eventually, played, said_whole
from tests.realtime.sounds import speech

HERE = "tests.realtime.test_tools"
PLACES = {"sales": "8:acs:sales", "support": "4:+12065550199"}


async def opening_hours(
    day: Literal["monday", "sunday"], holidays: bool = False
) -> Any:
    """Tell when the shop opens on a day."""
    return {"opens": "never" if day == "sunday" or holidays else "9:00"}


async def broken(desk: Desk, number: int) -> str:
    """Fail, always."""
    raise KeyError(f"the number {number} of {desk.line.call_id}")


def outputs(service: RealtimeServer) -> list[Any]:
    items = service.report()["sessions"][0]["items"]
    found = [item["text"] for item in items if item["kind"] == "function_call_output"]
    return [json.loads(text) if text.startswith("{") else text for text in found]


async def spoken_to(bench: Bench) -> None:
    await bench.hear(speech(400))
    await bench.silence(700)


def test_a_tool_is_described_by_its_types_and_its_docstring(call: Call) -> None:
    from streaming.handlers.realtime.tools import Toolbox

    [schema] = Toolbox([f"{HERE}.opening_hours"]).schemas({})

    assert schema["name"] == "opening_hours"
    assert schema["description"] == "Tell when the shop opens on a day."
    assert schema["parameters"]["required"] == ["day"]
    assert sorted(schema["parameters"]["properties"]["day"]["enum"]) == [
        "monday",
        "sunday",
    ]


async def test_what_a_tool_returns_is_told_to_the_model_which_then_answers(
    service: RealtimeServer, call: Call
) -> None:
    arguments = '{"day": "monday"}'
    service.plan.turns = [
        Turn(tool="opening_hours", arguments=arguments),
        Turn(say="At nine."),
    ]

    async with call(tools=[f"{HERE}.opening_hours"]) as bench:
        await spoken_to(bench)
        await said_whole(bench)

    assert outputs(service) == [{"opens": "9:00"}]
    assert service.report()["sessions"][0]["errors"] == []


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("broken", '{"number": 5}'),
        ("broken", '{"number": "five"}'),
        ("broken", '{"number": 5, "desk": 1}'),
        ("broken", "{"),
        ("no_such_tool", "{}"),
    ],
)
async def test_what_goes_wrong_in_a_tool_is_told_to_the_model_and_ends_nothing(
    service: RealtimeServer, call: Call, tool: str, arguments: str
) -> None:
    service.plan.turns = [Turn(tool=tool, arguments=arguments), Turn(say="Sorry.")]

    async with call(tools=[f"{HERE}.broken"]) as bench:
        await spoken_to(bench)
        await said_whole(bench)
        assert not bench.running.is_over

    [output] = outputs(service)
    assert "error" in output
    assert "the number" not in json.dumps(output)


async def test_the_call_ends_once_the_goodbye_was_heard_and_not_before(
    service: RealtimeServer, call: Call
) -> None:
    service.plan.turns = [Turn(tool="hang_up"), Turn(say="Goodbye and thank you")]

    async with call(tools=["hang_up"]) as bench:
        await spoken_to(bench)
        await said_whole(bench)
        orders_before = [*bench.orders]
        await played(bench)
        await eventually(lambda: bench.orders)

    assert orders_before == []
    assert [order.kind for order in bench.orders] == ["hang_up"]
    assert len(bench.heard) // 32 == 1200


async def test_a_goodbye_said_with_the_tool_is_not_said_twice(
    service: RealtimeServer, call: Call
) -> None:
    service.plan.turns = [Turn(say="Goodbye then", tool="hang_up"), Turn(say="Again")]

    async with call(tools=["hang_up"]) as bench:
        await spoken_to(bench)
        await said_whole(bench)
        await played(bench)
        await eventually(lambda: bench.orders)

    assert len(bench.items) == 1


async def test_a_caller_who_interrupts_the_goodbye_keeps_the_call(
    service: RealtimeServer, call: Call
) -> None:
    service.plan.turns = [
        Turn(tool="hang_up"),
        Turn(say="Goodbye and thank you for your call"),
        Turn(say="Yes?"),
    ]

    async with call(tools=["hang_up"]) as bench:
        await spoken_to(bench)
        await said_whole(bench)
        await bench.silence(400)
        await spoken_to(bench)
        await said_whole(bench, 2)
        await played(bench)

    assert len(bench.stops) == 1
    assert bench.orders == []


async def test_the_model_transfers_to_places_it_was_given_and_to_no_other(
    service: RealtimeServer, call: Call
) -> None:
    service.plan.turns = [
        Turn(tool="transfer", arguments='{"to": "+12065550111"}'),
        Turn(say="One moment", tool="transfer", arguments='{"to": "support"}'),
        Turn(),
    ]

    options = {"transfers": PLACES, "caller_id": "+12065550100"}
    async with call(tools=["transfer"], **options) as bench:
        await spoken_to(bench)
        await said_whole(bench)
        await played(bench)
        await eventually(lambda: len(outputs(service)) == 2)

    [order] = bench.orders
    wanted = {"target": PLACES["support"], "caller_id": "+12065550100"}
    assert (order.kind, order.arguments) == ("transfer", wanted)
    assert "sales" in outputs(service)[0]["error"]
    tool = service.report()["sessions"][0]["settings"]["tools"][0]
    assert tool["parameters"]["properties"]["to"]["enum"] == ["sales", "support"]
