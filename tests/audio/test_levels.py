"""Levels in dBFS, in any portions."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.audio.levels import FLOOR_DBFS, Level, LevelMeter, measure
from calls.audio.pcm import Samples, encode

BLOCKS = st.lists(st.lists(st.integers(-32768, 32767), max_size=50), max_size=8)


def sine(amplitude: float, samples: int = 16_000) -> Samples:
    angle = np.arange(samples) * 2 * np.pi * 400 / 16_000
    return np.round(amplitude * np.sin(angle)).astype(np.int16)


def test_a_full_scale_square_wave_reads_0_dbfs() -> None:
    assert measure(np.array([-32768] * 100, np.int16)) == Level(0.0, 0.0, 100)


def test_a_full_scale_sine_reads_minus_3_dbfs() -> None:
    level = measure(sine(32_767))

    assert level.rms_dbfs == pytest.approx(-3.01, abs=0.01)
    assert level.peak_dbfs == pytest.approx(0.0, abs=0.001)
    assert level.clipped == 400


def test_half_the_amplitude_is_6_db_less() -> None:
    assert measure(sine(16_384)).rms_dbfs == pytest.approx(-9.03, abs=0.01)


def test_silence_and_nothing_read_the_floor() -> None:
    assert measure(np.zeros(10, np.int16)) == Level(FLOOR_DBFS, FLOOR_DBFS, 0)
    assert LevelMeter().take() == Level(FLOOR_DBFS, FLOOR_DBFS, 0)


def test_nothing_reads_below_the_floor() -> None:
    whisper = np.zeros(1_000_000, np.int16)
    whisper[0] = 1

    level = measure(whisper)

    assert level.rms_dbfs == FLOOR_DBFS
    assert level.peak_dbfs == pytest.approx(-90.31, abs=0.01)


def test_take_is_about_the_block_and_total_about_the_track() -> None:
    meter = LevelMeter()

    meter.add(encode(sine(32_767)))
    loud = meter.take()
    meter.add(memoryview(encode(sine(1_000))))
    quiet = meter.take()

    assert loud.rms_dbfs == pytest.approx(-3.01, abs=0.01)
    assert quiet.rms_dbfs == pytest.approx(
        20 * math.log10(1_000 / 32_768) - 3.01, abs=0.01
    )
    assert meter.total.rms_dbfs == pytest.approx(-6.02, abs=0.01)
    assert meter.total.clipped == loud.clipped


def test_half_a_sample_is_refused() -> None:
    meter = LevelMeter()
    meter.add(b"\x01")

    with pytest.raises(ValueError, match="multiple"):
        meter.take()


def test_long_tracks_are_summed_exactly() -> None:
    # More than 2 ** 22 samples: two blocks, whose sums must join.
    level = measure(np.full(2**22 + 1_000, -16_384, np.int16))

    assert level.rms_dbfs == level.peak_dbfs == pytest.approx(-6.0206, abs=1e-4)


@given(BLOCKS, st.integers(0, 8))
def test_portions_and_restarts_do_not_matter(
    blocks: list[list[int]], restart: int
) -> None:
    meter = LevelMeter()

    for index, block in enumerate(blocks):
        if index == restart:
            meter = LevelMeter.restore(json.loads(json.dumps(meter.state())))
        meter.add(encode(np.array(block, np.int16)))
        if index % 3 == 2:
            meter.take()

    whole = np.array([sample for block in blocks for sample in block], np.int16)
    assert meter.total == measure(whole)


def test_thousands_of_packets_do_not_wait_for_take() -> None:
    meter = LevelMeter()

    for _ in range(1_000):
        meter.add(encode(sine(32_767, 320)))

    assert meter.take() == measure(sine(32_767, 320))._replace(clipped=8_000)
