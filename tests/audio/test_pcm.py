"""PCM: bytes, samples, microseconds, mixing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.audio import pcm


@pytest.mark.parametrize(("rate", "samples"), [(16_000, 320), (24_000, 480)])
def test_a_slot_is_20_ms(rate: int, samples: int) -> None:
    assert pcm.slot_samples(rate) == samples
    assert pcm.samples_to_us(samples, rate) == pcm.SLOT_US == 20_000
    assert pcm.us_to_samples(20_000, rate) == samples


def test_a_rate_without_slots_is_refused() -> None:
    with pytest.raises(ValueError, match="49 samples per second"):
        pcm.slot_samples(49)


def test_reads_and_writes_little_endian() -> None:
    samples = pcm.decode(b"\x01\x00\xff\xff\x00\x80")

    assert samples.tolist() == [1, -1, -32768]
    assert pcm.encode(samples) == b"\x01\x00\xff\xff\x00\x80"
    assert pcm.silence(2) == bytes(4)


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple"):
        pcm.decode(b"\x01\x00\x02")


@given(st.integers(0, 2**40), st.sampled_from([8_000, 16_000, 24_000, 44_100]))
def test_time_and_samples_agree(samples: int, rate: int) -> None:
    assert pcm.us_to_samples(pcm.samples_to_us(samples, rate), rate) == samples


def test_mixes_tracks_of_different_lengths_without_wrapping() -> None:
    loud = np.array([30_000, -30_000, 5], np.int16)
    short = np.array([30_000, -30_000], np.int16)

    assert pcm.mix([loud, short]).tolist() == [32_767, -32_768, 5]
    assert pcm.mix([loud]).tolist() == loud.tolist()
    assert pcm.mix([]).tolist() == []
