"""From a file that somebody sends to audio at both rates, or words why not."""

import io
import struct
import sys
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from calls.prompts import preparing
from calls.prompts.decoding import RATES
from calls.prompts.preparing import PromptRefused, prompt_prepare
from tests.prompts.sounds import FORMATS, file_of, tone, voice

# Where a FLAC says how many samples it has (RFC 9639, section 8.2).
TOTAL_AT = 18
# One of each kind, small enough to be bent often.
SMALL = {form: file_of(tone(0.3), form) for form in ("wav", "flac", "mp3", "ogg")}


def prepared(content: bytes) -> dict[int, npt.NDArray[np.int16]]:
    """Return the samples that were made of a file, by rate."""
    found = prompt_prepare([content])
    return {
        rate: soundfile.read(io.BytesIO(flac), dtype="int16")[0]
        for rate, flac in found.flacs.items()
    }


def refusal(content: bytes) -> str:
    with pytest.raises(PromptRefused) as refused:
        prompt_prepare([content])
    return str(refused.value)


def claiming(flac: bytes, samples: int) -> bytes:
    """Return a FLAC that says it has so many samples; 0 is "not known"."""
    content = bytearray(flac)
    [told] = struct.unpack_from(">Q", content, TOTAL_AT)
    struct.pack_into(">Q", content, TOTAL_AT, told >> 36 << 36 | samples)
    return bytes(content)


def hertz_of(samples: npt.NDArray[Any], rate: int) -> float:
    strengths = np.abs(np.fft.rfft(samples))
    return float(np.argmax(strengths) * rate / len(samples))


@pytest.mark.parametrize("form", FORMATS)
def test_makes_both_rates_of_every_format(form: str) -> None:
    made = prepared(file_of(tone(1.0), form))

    for rate in RATES:
        assert len(made[rate]) == pytest.approx(rate, abs=rate // 100)
        assert hertz_of(made[rate], rate) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 192_000])
def test_keeps_the_pitch_and_length_of_every_rate(rate: int) -> None:
    made = prepared(file_of(tone(1.0, rate=rate), rate=rate))

    assert {rate: len(samples) for rate, samples in made.items()} == {
        16_000: 16_000,
        24_000: 24_000,
    }
    assert all(hertz_of(made[one], one) == pytest.approx(440, abs=2) for one in RATES)


def test_a_voice_on_one_side_of_a_stereo_file_is_heard_as_loud_as_others() -> None:
    said = voice(3.0)
    beside = np.stack((said, np.zeros_like(said)), axis=1)

    found = prompt_prepare([file_of(beside, rate=24_000)])

    assert found.figures.format == "WAV, 24 kHz, stereo"
    assert found.figures.level_dbfs == pytest.approx(-20, abs=0.5)


def test_counts_what_it_made_and_says_its_checksum() -> None:
    figures = prompt_prepare([file_of(tone(1.5))]).figures
    again = prompt_prepare([file_of(tone(1.5))]).figures

    assert figures.samples == {16_000: 24_000, 24_000: 36_000}
    assert figures.level_before == pytest.approx(-23, abs=0.1)
    assert figures.sha256 == again.sha256


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no audio in the file"),
        (b"hello " * 1000, "This is no audio file"),
        (b"PK\x03\x04" + bytes(400), "This is no audio file"),
        (file_of(np.zeros(0)), "no audio in the file"),
        (SMALL["wav"][:-2000], "ends too early"),
        (SMALL["flac"][:-2000], "ends too early"),
        (file_of(tone(2.0), "mp3")[:4000], "ends too early"),
        (file_of(tone(2.0), "ogg")[:6000], "ends too early"),
        (file_of(np.zeros(48_000)), "silent throughout"),
        (file_of(tone(1.0, loud=0.001)), "silent throughout"),
        (file_of(tone(1.0, rate=4_000), rate=4_000), "8 to 192 kHz"),
        (file_of(np.zeros((4_000, 9))), "at most 8 channels"),
    ],
)
def test_says_what_is_wrong_and_what_to_do(content: bytes, words: str) -> None:
    assert words in refusal(content)


def test_refuses_kinds_of_audio_that_browsers_and_phones_do_not_make() -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(), 48_000, format="AIFF", subtype="PCM_16")
    assert "Save it as WAV, FLAC, MP3 or Ogg" in refusal(buffer.getvalue())


@pytest.mark.parametrize("claim", [(1 << 36) - 1, 0])
def test_a_small_file_that_is_hours_of_audio_is_too_long(claim: int) -> None:
    hours = file_of(np.zeros(48_000 * 1_000, np.int16), "flac")
    assert len(hours) < 1_000_000

    assert "longer than 180 seconds" in refusal(claiming(hours, claim))


def test_reads_no_more_of_a_file_than_it_may_have(settings: Any) -> None:
    settings.PROMPT_MAX_MB = 1
    taken = []

    def chunks() -> Any:
        for number in range(100):
            taken.append(number)
            yield bytes(1 << 18)

    with pytest.raises(PromptRefused, match="larger than 1 MB"):
        prompt_prepare(chunks())
    assert len(taken) == 5


def test_a_decoder_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "PATIENCE_SECONDS", 0.001)
    assert "damaged" in refusal(SMALL["wav"])


def test_a_decoder_is_told_no_secrets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """The program that runs in the decoder's place writes down what it was given."""
    spy = tmp_path / "python"
    spy.write_text(f"#!/bin/sh\nenv > {tmp_path}/told\n")
    spy.chmod(0o700)
    monkeypatch.setenv("ACSSTREAM_ACS_ACCESS_KEY", "c2VjcmV0")
    monkeypatch.setattr(sys, "executable", str(spy))

    refusal(SMALL["wav"])

    told = (tmp_path / "told").read_text()
    assert "OPENBLAS_NUM_THREADS" in told
    assert "c2VjcmV0" not in told
    assert "SECRET_KEY" not in told


@settings(max_examples=15)
@given(
    form=st.sampled_from(sorted(SMALL)),
    flips=st.lists(st.tuples(st.floats(0, 0.999), st.integers(1, 255)), max_size=20),
    keep=st.floats(0.01, 1),
)
def test_a_damaged_file_is_refused_or_played_and_breaks_nothing(
    form: str, flips: list[tuple[float, int]], keep: float
) -> None:
    content = bytearray(SMALL[form])
    for place, mask in flips:
        content[int(place * len(content))] ^= mask

    made: dict[int, Any] = {}
    with suppress(PromptRefused):
        made = prepared(bytes(content[: int(len(content) * keep)]))

    assert all(len(samples) <= 180 * rate for rate, samples in made.items())
