"""Every prompt is as loud as the others, and none of them clips."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.prompts.levelling import (
    CEILING_DBFS,
    MOST_LIMITING_DB,
    TARGET_DBFS,
    gain_db,
    levelled,
    loudness,
    to_16_bits,
)
from tests.prompts.sounds import Sound, tone, voice

RATE = 24_000
CEILING = 10 ** (CEILING_DBFS / 20)


def level(sound: Sound) -> float:
    found = loudness(sound, RATE).active_dbfs
    assert found is not None
    return found


def brought(sound: Sound) -> Sound:
    return levelled(sound, RATE, gain_db(loudness(sound, RATE)))


@given(gain=st.floats(-25, 12))
def test_brings_a_voice_within_half_a_decibel_of_the_target_however_loud_it_was(
    gain: float,
) -> None:
    said = voice(2.0) * np.float32(10 ** (gain / 20))

    heard = brought(said)

    assert abs(level(heard) - TARGET_DBFS) < 0.5


def test_measures_the_level_of_a_sine_as_its_rms() -> None:
    assert level(tone(rate=RATE, loud=1.0)) == pytest.approx(-3.01, abs=0.01)


def test_pauses_do_not_make_a_voice_quieter() -> None:
    said = voice()
    pause = np.random.default_rng(1).normal(0, 0.0005, 20 * RATE).astype(np.float32)

    slow = np.concatenate((said, pause, said))

    assert level(slow) == pytest.approx(level(said), abs=0.1)


def test_finds_no_level_in_what_nobody_hears() -> None:
    hiss = np.random.default_rng(1).normal(0, 0.001, RATE).astype(np.float32)
    assert loudness(hiss, RATE).active_dbfs is None
    assert loudness(np.zeros(RATE, np.float32), RATE).active_dbfs is None


@given(seed=st.integers(0, 1000), sharp=st.floats(1, 30), clicks=st.integers(0, 40))
def test_never_exceeds_the_ceiling(seed: int, sharp: float, clicks: int) -> None:
    random = np.random.default_rng(seed)
    said = random.normal(0, 0.05, RATE).astype(np.float32)
    said[random.integers(0, RATE, clicks)] *= np.float32(sharp)

    heard = brought(said)

    assert len(heard) == len(said)
    assert np.abs(heard).max() <= CEILING * 1.00001


def test_what_has_sharp_peaks_stays_quiet_rather_than_squashed() -> None:
    said = tone(rate=RATE, loud=0.01)
    said[::2_000] = 0.9

    gain = gain_db(loudness(said, RATE))

    peak = loudness(said, RATE).peak_dbfs
    assert peak + gain == pytest.approx(CEILING_DBFS + MOST_LIMITING_DB)


def test_a_peak_changes_only_what_is_beside_it() -> None:
    said = tone(rate=RATE, loud=0.2)
    loud = said.copy()
    loud[RATE // 2] = 1.5

    heard = levelled(loud, RATE, 0.0)

    beside = int(0.011 * RATE)
    before, after = slice(0, RATE // 2 - beside), slice(RATE // 2 + beside, None)
    assert np.array_equal(heard[before], said[before])
    assert np.array_equal(heard[after], said[after])


def test_dither_keeps_what_is_fainter_than_one_step() -> None:
    faint = tone(2.0, rate=RATE, loud=0.4 / 32_768)

    heard = to_16_bits(faint).astype(np.float64)

    assert not np.rint(faint * 32_768).any(), "rounding alone would lose it"
    likeness = heard @ faint / (faint @ faint) / 32_768
    assert likeness == pytest.approx(1, abs=0.1)


def test_the_same_sound_gives_the_same_samples() -> None:
    said = voice(2.0)
    assert np.array_equal(to_16_bits(said), to_16_bits(said))
