"""A call that talks with the local service: answers, interruptions, words."""

import hashlib

import pytest

from emulator.realtime.plan import Turn
from emulator.realtime.server import RealtimeServer
from emulator.realtime.voice import WORD_MS, spoken
from streaming.handlers.bench import CALLER, START_US
from streaming.protocol import US
from tests.realtime.conftest import Call, eventually, played, said_whole
from tests.realtime.sounds import speech

# Ten seconds at 300 ms a word.
WORDS = [f"w{number:03d}" for number in range(34)]
LONG = Turn(say=" ".join(WORDS))


async def test_an_answer_is_heard_as_the_service_gave_it(
    service: RealtimeServer, call: Call
) -> None:
    service.plan.turns = [Turn(say="Good morning to you")]

    async with call(rate=24_000, greeting="Good morning") as bench:
        await said_whole(bench)
        await played(bench)

    [item] = service.report()["sessions"][0]["items"]
    assert hashlib.sha256(bench.heard).hexdigest() == item["sha256"]
    assert bytes(bench.heard) == spoken("Good morning to you")


async def test_what_the_caller_says_reaches_the_service_and_is_answered(
    service: RealtimeServer, call: Call
) -> None:
    service.plan.turns = [Turn(hears="When do you open?", say="At nine.")]

    async with call() as bench:
        await bench.silence(400)
        await bench.hear(speech(900))
        await bench.silence(800)
        await said_whole(bench)
        await played(bench)

    session = service.report()["sessions"][0]
    assert session["input_ms"] >= 2000
    assert session["errors"] == []
    caller, ours = sorted(bench.transcripts.values(), key=lambda one: one.start_us)
    assert (caller.raw_id, caller.text) == (CALLER, "When do you open?")
    assert abs(caller.start_us - START_US - 400_000) <= 60_000
    assert abs(caller.duration_us - 900_000) <= 80_000
    assert (ours.raw_id, ours.text, ours.is_cut) == (US, "At nine.", False)
    assert ours.duration_us == 2 * WORD_MS * 1000


@pytest.mark.parametrize("barge_in", ["first", "local", "service"])
async def test_a_caller_who_interrupts_at_second_three_silences_a_ten_second_answer(
    service: RealtimeServer, call: Call, barge_in: str
) -> None:
    service.plan.turns = [LONG, Turn()]

    async with call(greeting="Hello", barge_in=barge_in) as bench:
        await said_whole(bench)
        await bench.silence(3000)
        await bench.hear(speech(100))
        if barge_in == "service":
            await eventually(lambda: bench.stops)
        heard_ms = len(bench.heard) // 32
        session = await eventually(lambda: told_of_cut(service))

    # Of what was heard nothing is missing, and of what was not, nothing is claimed.
    assert len(bench.stops) == 1
    assert 3000 <= heard_ms <= 3300
    [cut] = session["truncations"]
    assert abs(cut["audio_end_ms"] - heard_ms) <= 60
    [segment] = bench.transcripts.values()
    assert segment.is_cut
    assert segment.text.split() == WORDS[:10]
    assert session["errors"] == []


def told_of_cut(service: RealtimeServer) -> dict[str, list[dict[str, int]]] | None:
    session = service.report()["sessions"][0]
    return session if session["truncations"] else None


async def test_an_answer_cut_while_it_still_comes_is_cancelled_and_stays_silent(
    service: RealtimeServer, call: Call
) -> None:
    service.plan.turns = [Turn(say=LONG.say, pace=2)]

    async with call(greeting="Hello", barge_in="local") as bench:
        await eventually(lambda: bench.items)
        await bench.silence(300)
        await bench.hear(speech(100))
        heard = len(bench.heard)
        session = await eventually(lambda: told_of_cut(service))
        await eventually(
            lambda: service.report()["sessions"][0]["told"].get("response.cancel")
        )
        await bench.silence(2000)

    assert len(bench.stops) == 1
    assert len(bench.items) == 1
    assert len(bench.heard) == heard
    assert session["errors"] == []


async def test_only_the_item_that_was_cut_is_truncated(
    service: RealtimeServer, call: Call
) -> None:
    service.plan.turns = [Turn(say="One two"), LONG]

    async with call(greeting="Hello") as bench:
        await said_whole(bench)
        await played(bench)
        await bench.hear(speech(600))
        await bench.silence(700)
        await said_whole(bench, 2)
        await bench.silence(900)
        await bench.hear(speech(100))
        await eventually(lambda: told_of_cut(service))

    session = service.report()["sessions"][0]
    first, second = (item for item in session["items"] if item["role"] == "assistant")
    assert first["truncated_ms"] is None
    assert second["truncated_ms"] >= 900


async def test_a_caller_who_speaks_into_silence_stops_and_truncates_nothing(
    service: RealtimeServer, call: Call
) -> None:
    service.plan.turns = [Turn(say="One two"), Turn(say="Three")]

    async with call(greeting="Hello") as bench:
        await said_whole(bench)
        await played(bench)
        await bench.hear(speech(600))
        await bench.silence(700)
        await said_whole(bench, 2)

    assert bench.stops == []
    assert service.report()["sessions"][0]["truncations"] == []


async def test_events_that_are_none_change_nothing(
    service: RealtimeServer, call: Call
) -> None:
    service.plan.turns = [Turn(say="One two three", fault="malformed", fault_ms=300)]

    async with call(greeting="Hello") as bench:
        await said_whole(bench)
        await played(bench)

    [segment] = bench.transcripts.values()
    assert segment.text == "One two three"
    assert len(bench.heard) // 32 == 900
    assert len(service.sessions) == 1


async def test_what_was_said_when_the_call_ends_is_kept_as_far_as_it_was_heard(
    service: RealtimeServer, call: Call
) -> None:
    service.plan.turns = [LONG]

    async with call(greeting="Hello") as bench:
        await said_whole(bench)
        await bench.silence(1500)

    [segment] = bench.transcripts.values()
    assert segment.is_cut
    assert segment.text.split() == WORDS[:5]
