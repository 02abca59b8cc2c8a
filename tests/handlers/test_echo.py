"""The handler `echo`, on the bench."""

import numpy as np
import pytest

from streaming.handlers.bench import Bench
from streaming.handlers.echo import Echo
from streaming.protocol import MIXED
from tests.streaming.wire import ALICE, BOB, SAMPLES, voice

STALL = 100


def speech(count: int) -> bytes:
    return b"".join(voice(number) for number in range(count))


async def test_says_what_it_hears_sample_for_sample() -> None:
    async with Bench(Echo({})) as bench:
        await bench.hear(speech(100))
        bench.pass_time(100)

    assert bytes(bench.heard) == speech(100)
    assert not bench.trouble


async def test_says_at_once_what_two_say_at_the_same_time() -> None:
    alice, bob = speech(50), speech(80)[30 * 2 * SAMPLES :]
    async with Bench(Echo({})) as bench:
        for start in range(0, len(alice), 2 * SAMPLES):
            bench.put(alice[start : start + 2 * SAMPLES], ALICE)
            bench.put(bob[start : start + 2 * SAMPLES], BOB)
            await bench.settled()
            bench.pass_time()
        bench.pass_time(100)

    both = np.frombuffer(alice, "<i2") + np.frombuffer(bob, "<i2")
    heard = np.frombuffer(bench.heard, "<i2")
    # The first packet of all came before anybody knew of Bob.
    assert np.array_equal(heard[2 * SAMPLES :], both[SAMPLES:])


async def test_does_not_howl_where_its_own_voice_is_in_what_it_hears() -> None:
    loudest = []
    async with Bench(Echo({})) as bench:
        for number in range(200):
            said = np.frombuffer(voice(number) if number < 25 else bytes(640), "<i2")
            # Mixed audio, with what was heard of us six packets ago in it.
            back = bytes(bench.heard)[-6 * 640 :][:640] if number > 6 else b""
            own = np.frombuffer(back.ljust(640, b"\0"), "<i2")
            together = np.clip(said.astype(int) + own, -32_768, 32_767)
            loudest.append(int(np.abs(together).max()))
            await bench.hear(together.astype("<i2").tobytes(), MIXED)

    assert loudest[30] > 1_000
    assert max(loudest[190:]) == 0


async def test_catches_up_after_a_stall() -> None:
    async with Bench(Echo({})) as bench:
        await bench.hear(speech(10))
        for number in range(STALL):
            bench.put(voice(number))
        await bench.settled()
        bench.pass_time(1_000)
        before = len(bench.heard)
        await bench.hear(voice(7))
        bench.pass_time(40)

    assert before <= 2 * SAMPLES * (10 + 12)
    assert bytes(bench.heard[-2 * SAMPLES :]) == voice(7)


async def test_gives_way_to_others_in_silence() -> None:
    async with Bench(Echo({})) as bench:
        await bench.hear(speech(10))
        assert not bench.items[0].is_over
        await bench.silence(1_000)

    assert [item.is_over for item in bench.items] == [True]


@pytest.mark.parametrize("gain", [1, True, "loud", None])
def test_refuses_to_be_louder_than_what_it_hears(gain: object) -> None:
    with pytest.raises(ValueError, match="gain_db"):
        Echo({"gain_db": gain})
