"""When somebody begins to speak: real speech, noise, clicks, and anything at all."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.handlers.speech import SpeechDetector, SpeechOptions, level_dbfs

SPEECH = Path(__file__).parents[2] / "emulator" / "audio"
VOICES = ("1-caller.flac", "2-agent.flac")
RATE = 24_000
FRAME = RATE // 50
MS = 20
Samples = npt.NDArray[np.int16]


def voice(name: str) -> Samples:
    samples, rate = soundfile.read(SPEECH / name, dtype="int16")
    assert rate == RATE
    return np.asarray(samples, np.int16)


def noise(seconds: float, dbfs: float, *, is_pink: bool = False) -> Samples:
    """Return white noise, or what rumbles as rooms do, at a level."""
    count = int(seconds * RATE)
    # As long as an FFT is quick with.
    long = 1 << count.bit_length()
    spectrum = np.fft.rfft(np.random.default_rng(7).standard_normal(long))
    if is_pink:
        spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    wave = np.fft.irfft(spectrum, long)[:count]
    level = 32_768 * 10 ** (dbfs / 20)
    return np.asarray(wave / wave.std() * level, np.int16)


def frames(samples: Samples) -> list[bytes]:
    whole = len(samples) // FRAME * FRAME
    return [samples[at : at + FRAME].tobytes() for at in range(0, whole, FRAME)]


def starts(samples: Samples, detector: SpeechDetector | None = None) -> list[int]:
    """Return after how many ms of audio speech was heard to begin."""
    detector = detector or SpeechDetector(RATE)
    heard = [detector.take(frame) for frame in frames(samples)]
    return [(number + 1) * MS for number, is_start in enumerate(heard) if is_start]


def onsets(samples: Samples) -> list[int]:
    """Return when speech begins in a recording without any noise: in ms.

    That is after 300 ms without it, where three frames are loud.
    """
    loud = [level_dbfs(frame) > -45 for frame in frames(samples)]
    return [
        at * MS
        for at in range(15, len(loud) - 2)
        if all(loud[at : at + 3]) and not any(loud[at - 15 : at])
    ]


@pytest.mark.parametrize("name", VOICES)
def test_hears_every_beginning_within_80_ms(name: str) -> None:
    speech = voice(name)
    begun, heard = onsets(speech), starts(speech)

    assert len(begun) >= 10
    for onset in begun:
        assert any(onset < at <= onset + 80 for at in heard), onset


@pytest.mark.parametrize("name", VOICES)
@pytest.mark.parametrize("is_pink", [False, True])
def test_hears_them_on_a_noisy_line_within_120_ms(name: str, *, is_pink: bool) -> None:
    speech = voice(name)
    mixed = speech + noise(len(speech) / RATE, -50, is_pink=is_pink)[: len(speech)]
    heard = starts(mixed)

    for onset in onsets(speech):
        assert any(onset < at <= onset + 120 for at in heard), onset


@pytest.mark.parametrize("dbfs", [-60, -45, -35, -25])
@pytest.mark.parametrize("is_pink", [False, True])
def test_a_minute_of_noise_is_not_speech(dbfs: float, *, is_pink: bool) -> None:
    assert starts(noise(60, dbfs, is_pink=is_pink)) == []


def test_noise_that_sets_in_starts_once_and_is_then_known() -> None:
    line = np.concatenate([noise(5, -70), noise(30, -35)])

    assert len(starts(line)) == 1


@settings(max_examples=40)
@given(st.integers(1, FRAME), st.integers(0, FRAME), st.integers(20, 60))
def test_a_click_of_20_ms_is_not_speech(length: int, offset: int, apart: int) -> None:
    line = noise(4, -65)
    for at in range(FRAME * 10, len(line) - 2 * FRAME, FRAME * apart):
        line[at + offset : at + offset + length] = 20_000 * (-1) ** np.arange(length)

    assert starts(line) == []


@settings(max_examples=60)
@given(st.lists(st.integers(-96, 0), min_size=1, max_size=400))
def test_never_starts_twice_without_a_pause_between(levels: list[int]) -> None:
    tone = np.sin(np.arange(FRAME) * 0.3)
    line = np.concatenate([tone * 32_767 * 10 ** (level / 20) for level in levels])
    heard = starts(line.astype(np.int16))

    for before, after in pairwise(heard):
        # Quiet for 300 ms, and loud for 60 again.
        assert after - before >= 360
    assert all(at >= 60 for at in heard)


@pytest.mark.parametrize(
    "speech",
    [[], {"loudness": 3}, {"margin_db": "9"}, {"onset_ms": True}],
)
def test_refuses_options_that_make_no_sense(speech: object) -> None:
    with pytest.raises(ValueError, match="speech"):
        SpeechOptions.of({"speech": speech})


def test_takes_thresholds_of_a_profile() -> None:
    options = SpeechOptions.of({"speech": {"onset_ms": 200}})
    line = np.concatenate([noise(1, -70), noise(0.14, -20), noise(1, -70)])

    assert len(starts(line)) == 1
    assert starts(line, SpeechDetector(RATE, options)) == []
