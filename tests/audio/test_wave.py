"""The growing waveform, against one drawn sample by sample."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from calls.audio.pcm import encode
from calls.audio.placement import Placement, Verdict
from calls.audio.wave import REMEMBERED, UNKNOWN, Wave

RATE = 16_000
SAMPLES = 320
TENTH = RATE // 10


def placed(start: int | None, samples: int, silent: bool = False) -> Placement[None]:
    verdict = Verdict.ON_TIME if start is not None else Verdict.DUPLICATE
    return Placement(None, start, samples, silent, verdict)


def loud(level: int, samples: int = SAMPLES) -> bytes:
    return encode(np.full(samples, level, np.int16))


def spoken(wave: Wave, start: int, level: int, samples: int = SAMPLES) -> None:
    wave.take(loud(level, samples), [placed(start, samples)])


def settled(wave: Wave, end: int) -> list[int]:
    wave.settle(end)
    return list(wave.data)


def test_is_the_loudest_sample_of_each_tenth_of_a_second() -> None:
    wave = Wave(RATE)
    for number in range(10):
        spoken(wave, number * SAMPLES, 128 * (number + 1))

    assert settled(wave, 10 * SAMPLES) == [5, 10]


def test_draws_a_whisper_and_stays_below_the_mark_of_the_unknown() -> None:
    wave = Wave(RATE)
    spoken(wave, 0, -1)
    spoken(wave, TENTH, -32_768)
    spoken(wave, 2 * TENTH, 32_767)

    assert settled(wave, 2 * TENTH + SAMPLES) == [1, 254, 254]


def test_is_nothing_where_silence_was_flagged_or_nothing_came() -> None:
    wave = Wave(RATE)
    wave.take(loud(9_000), [placed(0, SAMPLES, silent=True)])
    spoken(wave, 3 * TENTH, 256)

    assert settled(wave, 5 * TENTH) == [0, 0, 0, 2, 0]


def test_lets_a_late_packet_fill_its_place() -> None:
    wave = Wave(RATE)
    spoken(wave, 5 * TENTH, 256)
    settled(wave, 6 * TENTH)
    seen = wave.rev
    spoken(wave, 2 * TENTH, 512)

    assert settled(wave, 6 * TENTH) == [0, 0, 4, 0, 0, 2]
    assert wave.changed_since(seen) == 2


def test_draws_no_packet_that_is_not_on_the_track() -> None:
    wave = Wave(RATE)
    wave.take(loud(9_000), [placed(None, SAMPLES)])
    wave.take(b"", [placed(0, 0)])

    assert settled(wave, 0) == []


def test_waits_with_packets_whose_place_is_not_decided() -> None:
    wave = Wave(RATE)
    wave.take(loud(256), [])
    wave.take(loud(512), [])
    assert settled(wave, 0) == []

    # The place of the third decides about those before it: one of them is doubtful.
    wave.take(
        loud(768),
        [placed(0, SAMPLES), placed(None, SAMPLES), placed(TENTH, SAMPLES)],
    )
    spoken(wave, 2 * TENTH, 1_024)

    assert settled(wave, 2 * TENTH + SAMPLES) == [2, 6, 8]


def test_knows_nothing_of_what_another_process_received() -> None:
    wave = Wave(RATE, known_from=3 * TENTH)
    spoken(wave, 3 * TENTH, 256)
    # Late, from before this process had the call.
    spoken(wave, TENTH, 128)

    assert settled(wave, 4 * TENTH) == [UNKNOWN, 1, UNKNOWN, 2]
    assert wave.changed_since(0) == 0


def test_does_not_keep_audio_for_ever_when_nobody_asks() -> None:
    wave = Wave(RATE)
    for number in range(600):
        spoken(wave, number * SAMPLES, 128)

    assert len(wave._starts) < 250
    assert settled(wave, 600 * SAMPLES) == [1] * 120


def test_tells_what_changed_since_somebody_looked() -> None:
    wave = Wave(RATE)
    spoken(wave, 0, 128)
    settled(wave, TENTH)
    first = wave.rev
    settled(wave, TENTH)
    assert (wave.rev, wave.changed_since(first), wave.changes) == (first, 1, [0])
    spoken(wave, TENTH, 128)
    settled(wave, 2 * TENTH)

    assert wave.changed_since(first) == 1
    assert wave.changed_since(wave.rev + 1) == 0
    for number in range(2, 3 + REMEMBERED):
        settled(wave, (number + 1) * TENTH)
    assert wave.changed_since(first) == 0


STRETCHES = st.lists(
    st.tuples(
        st.integers(0, 300),  # where, in packets of five milliseconds
        st.sampled_from([1, 4, 4, 4, 9]),  # how long, in the same
        st.integers(-32_768, 32_767),
        st.booleans(),
        st.booleans(),  # whether somebody looks after it
    ),
    max_size=40,
)


@given(STRETCHES, st.sampled_from([8_000, 11_025, 16_000, 24_000]))
def test_is_what_one_would_draw_sample_by_sample(
    stretches: list[tuple[int, int, int, bool, bool]], rate: int
) -> None:
    wave = Wave(rate)
    unit = rate // 200
    model: dict[int, int] = {}
    end = 0
    for at, units, level, silent, looks in stretches:
        start, samples = at * unit, units * unit
        end = max(end, start + samples)
        wave.take(loud(level, samples), [placed(start, samples, silent)])
        for sample in range(start, start + samples) if not silent else ():
            slot = sample * 10 // rate
            model[slot] = max(model.get(slot, 0), min(-(-abs(level) // 128), 254))
        if looks:
            wave.settle(end)

    slots = -(-end * 10 // rate)
    assert settled(wave, end) == [model.get(slot, 0) for slot in range(slots)]
