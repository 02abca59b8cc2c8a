"""The handler `prompt`, on the bench."""

from typing import Any

import pytest

from streaming.handlers.bench import Bench
from streaming.handlers.prompt import PromptPlayer
from tests.streaming.wire import voice

GREETING = b"".join(voice(number) for number in range(25))


def bench(**options: Any) -> Bench:
    handler = PromptPlayer({"prompt": "Greeting"} | options)
    return Bench(handler, prompts={"Greeting": GREETING})


async def test_plays_its_prompt_once() -> None:
    async with bench() as call:
        await call.silence(10_000)

    assert bytes(call.heard) == GREETING
    assert [item.name for item in call.items] == ["Greeting"]


@pytest.mark.parametrize(("repeat", "times"), [(0, 1), (2, 3), (True, 7)])
async def test_plays_it_again_as_often_as_it_is_told(
    repeat: int | bool, times: int
) -> None:
    async with bench(repeat=repeat, pause_seconds=1) as call:
        await call.silence(10_000)

    assert bytes(call.heard) == GREETING * times


async def test_a_prompt_that_is_not_there_is_told_by_its_name() -> None:
    async with bench(prompt="Farewell") as call:
        await call.silence(100)

    assert "there is no prompt “Farewell”" in call.trouble
    assert call.notes[-1]["what"] == "failed"


async def test_where_nothing_can_be_said_that_is_told() -> None:
    handler = PromptPlayer({"prompt": "Greeting"})
    async with Bench(handler, prompts={"Greeting": GREETING}, is_one_way=True) as call:
        await call.silence(100)

        assert "the profile does not let audio be sent" in call.trouble


@pytest.mark.parametrize(
    "options",
    [
        {"prompt": ""},
        {"prompt": 3},
        {"repeat": -1},
        {"repeat": "often"},
        {"pause_seconds": 0},
        {"pause_seconds": "long"},
    ],
)
def test_refuses_options_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        PromptPlayer({"prompt": "Greeting"} | options)
