"""The browser's resampler, run by Node.js, measured beside soxr."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soxr

Samples = npt.NDArray[np.float32]
PAIRS = [(48_000, 16_000), (48_000, 24_000), (44_100, 16_000), (44_100, 24_000)]
# `make talk` runs an hour.
SECONDS = 3_600 if os.environ.get("ACSSTREAM_TEST_TALK") else 30
PROGRAM = Path(__file__).parent / "resample.mjs"


def resampled(samples: Samples, rate: int, to: int) -> Samples:
    node = shutil.which("node")
    assert node, "node comes with npm, which `make setup` needs"
    done = subprocess.run(
        [node, "--no-warnings", str(PROGRAM), str(rate), str(to)],
        input=samples.astype("<f4").tobytes(),
        capture_output=True,
        check=True,
    )
    return np.frombuffer(done.stdout, "<f4")


def tone(hz: float, rate: int, seconds: float = 1.0) -> Samples:
    at = np.arange(round(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * hz * at)).astype(np.float32)


def levels_db(tones: list[float], rate: int, to: int) -> dict[float, float]:
    """Return how loud each tone comes out, in its middle, beside how loud it was."""
    found = resampled(np.concatenate([tone(hz, rate) for hz in tones]), rate, to)
    middles = np.split(found, len(tones))
    heard = [middle[to // 4 : -to // 4].astype(np.float64) for middle in middles]
    whole = 0.5 / np.sqrt(2)
    return {
        hz: float(20 * np.log10(np.sqrt(np.mean(one**2)) / whole))
        for hz, one in zip(tones, heard, strict=True)
    }


@pytest.mark.parametrize(("rate", "to"), [*PAIRS, (96_000, 16_000), (16_000, 24_000)])
def test_a_tone_within_the_band_comes_through_as_it_is(rate: int, to: int) -> None:
    narrow = min(rate, to)
    tones = [share * narrow for share in (0.01, 0.1, 0.25, 0.4, 7 / 16)]

    found = levels_db(tones, rate, to)

    assert max(map(abs, found.values())) < 0.1, found


@pytest.mark.parametrize(("rate", "to"), PAIRS)
def test_what_the_call_cannot_carry_is_60_db_down_at_least(rate: int, to: int) -> None:
    # Just above half of the call's rate is hardest; more comes back in the middle.
    tones = [to / 2 + 50, to * 0.6, to * 0.75, rate / 2 - 100]

    found = levels_db([hz for hz in tones if hz < rate / 2], rate, to)

    assert max(found.values()) < -60, found


@pytest.mark.parametrize(("rate", "to"), PAIRS)
def test_speech_comes_out_as_soxr_makes_it(rate: int, to: int) -> None:
    rng = np.random.default_rng(7)
    narrow = soxr.resample(rng.normal(0, 0.1, to), to * 7 / 8, rate, "VHQ")
    speech = (narrow[:rate] * np.hanning(rate)).astype(np.float32)

    ours = resampled(speech, rate, to)
    theirs = soxr.resample(speech, rate, to, "VHQ")

    assert apart_db(ours, theirs, to) < -60


def apart_db(ours: Samples, theirs: Samples, rate: int) -> float:
    """Return what is left when one is taken from the other, where they fit best.

    Ours comes later by half of the filter, which is no whole number of samples.
    """
    size = min(len(ours), len(theirs)) // 2 * 2
    one, two = np.fft.rfft(ours[:size]), np.fft.rfft(theirs[:size])
    low = slice(1, int(size * 0.4))
    turn = np.unwrap(np.angle(one[low] * np.conj(two[low])))
    delay = np.polyfit(2 * np.pi * np.arange(1, low.stop) / size, -turn, 1)[0]
    moved = np.fft.irfft(two * np.exp(-2j * np.pi * np.arange(len(two)) / size * delay))
    middle = slice(rate // 10, size - rate // 10)
    left = (ours[:size] - moved)[middle]
    return float(20 * np.log10(np.std(left) / np.std(moved[middle])))


def test_nothing_drifts() -> None:
    rate, to = 44_100, 16_000
    clicks = np.zeros(rate * SECONDS, np.float32)
    clicks[:: 10 * rate] = 1.0

    found = resampled(clicks, rate, to)

    assert len(found) == to * SECONDS
    tops = [
        int(np.argmax(np.abs(found[at : at + to]))) + at
        for at in range(0, to * SECONDS, 10 * to)
    ]
    assert set(np.diff(tops)) == {10 * to}
