"""Callbacks that go astray on purpose, each type by itself."""

import json
from collections import Counter
from typing import Any

import pytest

from emulator.kinds import KINDS, PerKind
from emulator.options import Behaviour, OptionError
from tests.emulator.app import App
from tests.emulator.conftest import Bench

USUAL = [
    "CallConnected",
    "ParticipantsUpdated",
    "MediaStreamingStarted",
    "CallDisconnected",
]


async def played(bench: Bench, **options: Any) -> list[list[str]]:
    """Play a short call; return the types of the callbacks, request by request.

    A second of it: to dial its socket takes some of that on a busy machine.
    """
    call = await bench.ring(duration=10, options=options)
    await bench.answer(call)
    while not (await bench.report(call))["finished"]:
        pass
    return posted(bench.app)


def posted(app: App) -> list[list[str]]:
    bodies = [json.loads(body) for _, body in app.callback_requests]
    return [[each["type"].rpartition(".")[2] for each in batch] for batch in bodies]


async def test_all_or_the_first_of_a_type_can_be_lost(bench: Bench) -> None:
    actions = [{"at": 1, "do": "join", "participant": "8:late"}]
    call = await bench.ring(
        duration=2,
        participants=["4:+1", "8:late"],
        actions=actions,
        options={"callbacks_lost": "ParticipantsUpdated:1, CallConnected"},
    )
    await bench.answer(call)
    report = await bench.finished(call)

    assert report["callbacks"]["lost"] == ["CallConnected", "ParticipantsUpdated"]
    assert bench.app.callbacks_of("ParticipantsUpdated")[0]["sequenceNumber"] == 2
    assert bench.app.callbacks_of("CallConnected") == []


async def test_a_late_callback_holds_up_no_other(bench: Bench) -> None:
    kinds = await played(bench, callbacks_late="CallConnected:5")

    assert [each for [each] in kinds] == [
        "ParticipantsUpdated",
        "MediaStreamingStarted",
        "CallConnected",
        "CallDisconnected",
    ]


async def test_the_end_waits_for_late_callbacks(bench: Bench) -> None:
    kinds = await played(bench, callbacks_late="MediaStreamingStarted:40")

    assert kinds[-1] == ["MediaStreamingStarted"]
    assert len(kinds) == 4


async def test_a_type_can_be_delivered_again(bench: Bench) -> None:
    kinds = await played(bench, callbacks_duplicated="CallConnected,*:2")

    counts = Counter(each for [each] in kinds)
    assert counts.pop("CallConnected") == 2
    assert set(counts.values()) == {3}
    ids = {each["id"] for each in bench.app.callbacks}
    assert len(ids) == 4


async def test_a_type_can_let_the_next_go_first(bench: Bench) -> None:
    kinds = await played(bench, callbacks_reordered="CallConnected:2")

    assert [each for [each] in kinds] == [
        "ParticipantsUpdated",
        "MediaStreamingStarted",
        "CallConnected",
        "CallDisconnected",
    ]


async def test_what_lets_others_go_first_comes_when_there_is_none(
    bench: Bench,
) -> None:
    kinds = await played(bench, callbacks_reordered="CallDisconnected")

    assert [each for [each] in kinds] == USUAL


async def test_a_type_can_come_in_one_request_with_the_next(bench: Bench) -> None:
    kinds = await played(bench, callbacks_batched="CallConnected,MediaStreamingStarted")

    assert kinds == [
        ["CallConnected", "ParticipantsUpdated"],
        ["MediaStreamingStarted", "CallDisconnected"],
    ]


async def test_a_batch_goes_to_one_address(bench: Bench) -> None:
    call = await bench.ring(options={"callbacks_batched": "MediaStreamingStarted"})
    await bench.answer(call, start=False)
    await bench.app.callback("CallConnected")
    connection = bench.client.get_call_connection(call["call_connection_id"])

    async with App() as other:
        await connection.start_media_streaming(
            operation_callback_url=other.url + "/callbacks"
        )
        await bench.app.until(lambda: bench.app.sockets and bench.app.sockets[0].audio)
        await connection.hang_up(is_for_everyone=True)
        await other.callback("MediaStreamingStarted")
        assert posted(other) == [["MediaStreamingStarted"]]
    await bench.app.callback("CallDisconnected")


MISTAKES = [
    ("callbacks_lost", "CallConected", "there is no callback CallConected"),
    ("callbacks_late", "CallConnected:soon", "callbacks_late: could not convert"),
    ("callbacks_duplicated", "*:-1", "the number must be more than 0"),
    ("callbacks_late", "*:nan", "the number must be more than 0"),
]


@pytest.mark.parametrize(("name", "text", "words"), MISTAKES)
def test_types_and_numbers_are_checked(name: str, text: str, words: str) -> None:
    with pytest.raises(OptionError, match=words.replace("*", r"\*")):
        Behaviour.parse({name: text})


def test_a_number_is_of_one_type_or_of_any() -> None:
    numbers = PerKind("CallConnected:3,*")

    assert numbers.of(["CallConnected", "CallDisconnected"]) == 3
    assert numbers.of(["CallDisconnected"]) == 1
    assert PerKind("").of(sorted(KINDS)) == 0
