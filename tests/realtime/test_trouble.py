"""Services that fail: what is tried again, what is told, and when it is given up."""

import asyncio
import logging
import time
from typing import Any

import pytest

from emulator.realtime.plan import Turn
from emulator.realtime.server import RealtimeServer
from streaming.handlers.bench import Bench
from streaming.handlers.realtime import Realtime
from streaming.handlers.realtime.service import Service, backoff
from tests.realtime.conftest import KEY, PATIENCE, Call, eventually, played, said_whole
from tests.realtime.sounds import speech

GIVE_UP: dict[str, Any] = {
    "give_up_prompt": "sorry",
    "give_up_then": "hang_up",
    "reconnects": 2,
}


def sessions(service: RealtimeServer) -> list[dict[str, Any]]:
    return service.report()["sessions"]  # type: ignore[no-any-return]


def texts(session: dict[str, Any], role: str) -> list[str]:
    return [item["text"] for item in session["items"] if item["role"] == role]


async def ask(bench: Bench) -> None:
    """Let the caller ask something, as the service hears it."""
    await bench.silence(300)
    await bench.hear(speech(600))
    await bench.silence(700)


async def given_up(bench: Bench) -> None:
    """Let time pass until the call is told to end, not much faster than it does."""
    async with asyncio.timeout(PATIENCE):
        while not bench.orders:
            await bench.silence(40)
            await asyncio.sleep(0.01)


async def test_a_service_lost_in_mid_answer_is_dialled_again_and_told_what_was_said(
    service: RealtimeServer, call: Call
) -> None:
    service.plan.turns = [
        Turn(
            hears="Where are you?", say="In the High", fault="disconnect", fault_ms=600
        ),
        Turn(say="Street."),
    ]

    async with call() as bench:
        await ask(bench)
        await said_whole(bench, 2)
        await played(bench)

    first, second = sessions(service)
    assert second["settings"] == first["settings"]
    assert texts(second, "user") == ["Where are you?"]
    assert second["told"]["response.create"] == 1
    parts = sorted(bench.transcripts.values(), key=lambda one: one.start_us)
    assert [(one.text, one.is_cut) for one in parts[1:]] == [
        ("In the", True),
        ("Street.", False),
    ]


async def test_a_service_that_owes_an_answer_and_is_silent_is_dialled_again(
    service: RealtimeServer, call: Call
) -> None:
    service.plan.turns = [Turn(fault="silent"), Turn(say="Here I am.")]

    async with call(answer_seconds=2) as bench:
        await ask(bench)
        await said_whole(bench)
        trouble = bench.trouble

    assert len(sessions(service)) == 2
    assert "silent" in trouble


async def test_a_greeting_that_was_lost_is_said_by_the_next_session(
    service: RealtimeServer, call: Call
) -> None:
    service.plan.turns = [Turn(fault="disconnect"), Turn(say="Hello.")]

    async with call(greeting="Hello") as bench:
        await said_whole(bench)

    _, second = sessions(service)
    assert second["instructions"] == ["Greet the caller. Say: Hello"]


async def test_a_caller_who_says_nothing_makes_no_service_silent(
    service: RealtimeServer, call: Call
) -> None:
    service.plan.turns = [Turn(say="Hello.")]

    async with call(greeting="Hello", answer_seconds=2) as bench:
        await said_whole(bench)
        await played(bench)
        # Longer than an answer may take.
        until = time.monotonic() + 3
        while time.monotonic() < until:
            await bench.silence(100)
            await asyncio.sleep(0.05)

    [session] = sessions(service)
    assert session["input_ms"] > 0


async def test_refused_connections_are_tried_again_until_the_budget_is_spent(
    service: RealtimeServer, call: Call
) -> None:
    service.plan.refuse = [503, 429, 500, 503]

    async with call(**GIVE_UP) as bench:
        await given_up(bench)

    assert service.refused == [503, 429, 500]
    assert sessions(service) == []


async def test_giving_up_plays_the_prompt_to_its_end_and_then_hangs_up(
    service: RealtimeServer, call: Call
) -> None:
    service.plan.refuse = [503] * 3

    async with call(**GIVE_UP) as bench:
        await given_up(bench)
        trouble = bench.trouble

    assert [item.name for item in bench.items] == ["sorry"]
    assert bench.items[0].is_over
    assert len(bench.heard) == len(bench.items[0].waiting) + 16_000 // 5 * 2
    assert [order.kind for order in bench.orders] == ["hang_up"]
    assert "HTTP 503" in trouble


async def test_a_key_that_is_refused_is_not_tried_again(
    service: RealtimeServer, call: Call, settings: Any
) -> None:
    settings.REALTIME_KEY = "sk-of-somebody-else"
    wanted = {"give_up_then": "transfer", "give_up_target": "8:acs:desk"}

    async with Bench(Realtime(wanted)) as bench:
        await given_up(bench)

    assert service.refused == [401]
    [order] = bench.orders
    assert (order.kind, order.arguments) == ("transfer", {"target": "8:acs:desk"})


async def test_an_answer_that_fails_is_given_again(
    service: RealtimeServer, call: Call
) -> None:
    service.plan.turns = [
        Turn(fault="error"),
        Turn(fault="rate_limit"),
        Turn(say="At last."),
    ]

    async with call() as bench:
        await ask(bench)
        await said_whole(bench)
        await played(bench)

    [session] = sessions(service)
    assert session["told"]["response.create"] == 2
    assert "At last." in {one.text for one in bench.transcripts.values()}


async def test_answers_that_go_on_failing_end_the_conversation(
    service: RealtimeServer, call: Call
) -> None:
    service.plan.turns = [Turn(fault="error")] * 9

    async with call(**GIVE_UP) as bench:
        await ask(bench)
        await given_up(bench)

    assert len(sessions(service)) == 1
    assert [order.kind for order in bench.orders] == ["hang_up"]


async def test_a_conversation_ends_when_its_time_is_over(
    service: RealtimeServer, call: Call
) -> None:
    service.plan.turns = [Turn(say="Hello")]

    async with call(greeting="Hello", max_seconds=3, **GIVE_UP) as bench:
        await said_whole(bench)
        await given_up(bench)
        trouble = bench.trouble

    assert [item.name for item in bench.items] == ["realtime", "sorry"]
    assert trouble == ""


async def test_a_hang_up_of_the_model_is_not_lost_with_the_service(
    service: RealtimeServer, call: Call
) -> None:
    service.plan.turns = [
        Turn(tool="hang_up"),
        Turn(say="Goodbye and thank you", fault="disconnect", fault_ms=400),
    ]

    async with call(tools=["hang_up"], reconnects=0) as bench:
        await ask(bench)
        await given_up(bench)

    [order] = bench.orders
    assert (order.kind, order.why) == ("hang_up", "The assistant ended the call.")


async def test_a_transfer_that_waits_to_be_heard_comes_before_giving_up(
    service: RealtimeServer, call: Call
) -> None:
    wanted = Turn(say="One moment please", tool="transfer", arguments='{"to": "desk"}')
    service.plan.turns = [wanted]
    options = {**GIVE_UP, "tools": ["transfer"], "transfers": {"desk": "8:acs:desk"}}

    async with call(**options | {"reconnects": 0}) as bench:
        await ask(bench)
        await said_whole(bench)
        service.sessions[0].drop()
        await eventually(lambda: "the conversation ended" in bench.trouble)
        await given_up(bench)
        await played(bench)

    assert [order.kind for order in bench.orders] == ["transfer"]
    assert [item.name for item in bench.items] == ["realtime"]


async def test_what_the_caller_says_while_the_service_is_away_is_not_lost(
    service: RealtimeServer, call: Call
) -> None:
    service.plan.refuse = [503]
    service.plan.turns = [Turn(hears="Is anybody there?", say="Yes.")]

    async with call(backoff_seconds=0.5) as bench:
        await ask(bench)
        await said_whole(bench)

    assert texts(sessions(service)[0], "user") == ["Is anybody there?"]


async def test_neither_key_nor_words_reach_a_log_a_repr_or_a_report(
    service: RealtimeServer, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    service.plan.turns = [
        Turn(hears="My secret is xylophone", say="Your secret is xylophone"),
        Turn(fault="disconnect"),
    ]

    with caplog.at_level(logging.DEBUG):
        async with call(**GIVE_UP) as bench:
            await ask(bench)
            await said_whole(bench)
            await ask(bench)
            await eventually(lambda: len(sessions(service)) == 2)
            told = [bench.trouble, repr(bench.notes), repr(Service.configured())]

    everything = "\n".join([caplog.text, *told])
    assert KEY not in everything
    assert "xylophone" not in everything
    assert len(bench.transcripts) >= 2


def test_a_key_comes_from_a_file_as_other_secrets_do(tmp_path: Any) -> None:
    from acsstream.env import Env

    (tmp_path / "key").write_text("sk-of-a-file\n")
    source = {"ACSSTREAM_REALTIME_KEY_FILE": str(tmp_path / "key")}

    assert Env(source).text("ACSSTREAM_REALTIME_KEY", purpose="") == "sk-of-a-file"


@pytest.mark.parametrize(
    "options",
    [
        {"no_such_option": 1},
        {"barge_in": "never"},
        {"give_up_then": "transfer"},
        {"participants": "nobody"},
        {"reconnects": -1},
        {"reconnects": True},
        {"instructions": 5},
        {"tools": ["no.such.module"]},
        {"tools": ["json.dumps"]},
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(
    call: Call, options: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=next(iter(options)).partition("_then")[0]):
        call(**options)


def test_no_key_is_an_error_of_the_installation(settings: Any) -> None:
    settings.REALTIME_KEY = ""

    with pytest.raises(ValueError, match="ACSSTREAM_REALTIME_KEY"):
        Realtime({})


def test_each_wait_is_longer_than_the_one_before_and_bounded() -> None:
    waits = [backoff(attempt, 0.5) for attempt in range(1, 30)]

    assert all(0 < wait <= 8 for wait in waits)
    assert waits[0] <= 0.5 <= waits[2]
    assert len(set(waits)) == len(waits)
