"""Waveforms: lowest and highest sample of each bucket, and their stored forms."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.audio.pcm import Samples
from calls.audio.peaks import PeakBuilder, Peaks

SAMPLES = st.lists(st.integers(-32768, 32767), max_size=200)


def build(samples: list[int], rate: int = 800, per_second: int = 100) -> Peaks:
    builder = PeakBuilder(rate, per_second)
    builder.add(np.array(samples, np.int16))
    return builder.finish()


def extremes(samples: list[int], size: int) -> list[list[int]]:
    starts = range(0, len(samples), size)
    return [[min(samples[i : i + size]), max(samples[i : i + size])] for i in starts]


@given(SAMPLES, st.lists(st.integers(0, 200), max_size=5))
def test_each_pixel_is_its_lowest_and_highest_sample(
    samples: list[int], cuts: list[int]
) -> None:
    builder = PeakBuilder(800, 100)
    array = np.array(samples, np.int16)

    for portion in np.split(array, sorted(min(cut, len(samples)) for cut in cuts)):
        builder.add(portion)

    assert builder.finish().pairs.tolist() == extremes(samples, 8)


@given(SAMPLES, st.integers(1, 40))
def test_a_zoom_keeps_every_extreme(samples: list[int], pixels: int) -> None:
    zoomed = build(samples).resample(pixels)

    assert len(zoomed) <= pixels
    assert zoomed.samples_per_pixel % 8 == 0
    assert zoomed.pairs.tolist() == extremes(samples, zoomed.samples_per_pixel)


def test_a_zoom_needs_a_pixel() -> None:
    with pytest.raises(ValueError, match="0 pixels"):
        build([1]).resample(0)


def test_finishing_early_does_not_end_the_waveform() -> None:
    builder = PeakBuilder(800)
    builder.add(np.array([1, 2, 3], np.int16))
    assert builder.finish().pairs.tolist() == [[1, 3]]

    builder.add(np.array([4, 5, 6, 7, 8, 9], np.int16))

    assert builder.finish().pairs.tolist() == [[1, 8], [9, 9]]


def test_a_waiting_rest_does_not_keep_the_whole_block() -> None:
    builder = PeakBuilder(800)
    block: Samples = np.zeros(803, np.int16)

    builder.add(block)
    block[-1] = 99

    assert builder.finish().pairs[-1].tolist() == [0, 0]


def test_json_is_what_audiowaveform_writes() -> None:
    stored = json.loads(
        json.dumps(build([-32768, 32767, 0, 0, 0, 0, 0, 0, 5]).to_json())
    )

    assert stored == {
        "version": 2,
        "channels": 1,
        "sample_rate": 800,
        "samples_per_pixel": 8,
        "bits": 8,
        "length": 2,
        "data": [-128, 127, 0, 1],
    }


def test_a_whisper_is_drawn_and_silence_is_flat() -> None:
    assert build([-1] * 4 + [1] * 4 + [0] * 8).to_json()["data"] == [-1, 1, 0, 0]


def test_16_bits_are_exact() -> None:
    peaks = build([-300, 300])

    assert peaks.to_json(bits=16)["data"] == [-300, 300]
    assert Peaks.from_bytes(peaks.to_bytes()).pairs.tolist() == [[-300, 300]]


@given(SAMPLES)
def test_the_binary_form_says_what_the_json_says(samples: list[int]) -> None:
    peaks = build(samples)

    eight = Peaks.from_bytes(peaks.to_bytes(bits=8))
    sixteen = Peaks.from_bytes(peaks.to_bytes(bits=16))

    assert sixteen.to_json(bits=16) == peaks.to_json(bits=16)
    assert eight.to_json() == peaks.to_json()


def test_the_header_is_audiowaveforms() -> None:
    stored = build([1] * 9).to_bytes(bits=8)

    header = np.frombuffer(stored, "<i4", 6).tolist()
    assert header == [2, 1, 800, 8, 2, 1]
    assert len(stored) == 24 + 4


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (b"\x02\x00\x00\x00", "without its header"),
        (build([1]).to_bytes()[:-1], "1 pixels in 27 bytes"),
        (b"\x01" + build([1]).to_bytes()[1:], "version 1"),
    ],
)
def test_refuses_what_is_no_waveform(stored: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Peaks.from_bytes(stored)


@pytest.mark.parametrize("per_second", [0, 3])
def test_pixels_must_divide_the_rate(per_second: int) -> None:
    with pytest.raises(ValueError, match="do not divide 800"):
        PeakBuilder(800, per_second)
