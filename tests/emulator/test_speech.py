"""Speech: the built-in conversation, files of one's own, rates, mixing, silence."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from emulator.speech import AudioError, Speech, load


def test_the_built_in_conversation_is_long_quiet_at_times_and_never_clips(
    speech: Speech,
) -> None:
    caller, agent = speech.voices(24_000, 0)

    assert speech.seconds >= 40
    assert caller.frames == agent.frames >= 2000
    for voice in (caller, agent):
        assert 0.2 < sum(voice.silent) / voice.frames < 0.9
    parts = (speech.part(0, again=0), speech.part(1, again=0))
    mixed = np.frombuffer(speech.mixed(24_000, 0, parts).pcm, dtype="<i2")
    assert 10_000 < np.abs(mixed.astype(int)).max() < 32_767


@pytest.mark.parametrize("rate", [16_000, 24_000])
def test_silence_stays_digital_silence_at_every_rate(speech: Speech, rate: int) -> None:
    for voice in speech.voices(rate, 0):
        silent = [
            voice.frame(position) == bytes(voice.frame_bytes)
            for position in range(voice.frames)
        ]
        assert silent == [bool(flag) for flag in voice.silent]
        assert voice.frame_bytes == rate // 25


def test_a_mix_is_the_saturated_sum() -> None:
    loud = np.full(320, 0.75, dtype=np.float32)
    low = np.full(320, -0.25, dtype=np.float32)
    speech = Speech([(loud, 16_000), (loud, 16_000), (low, 16_000)])

    def first(*parties: int) -> int:
        parts = tuple((party, 0) for party in parties)
        pcm = speech.mixed(16_000, 0, parts).pcm
        return int(np.frombuffer(pcm, dtype="<i2")[0])

    assert first(0, 1) == 32_767
    assert first(0, 2) == round(0.75 * 32767) - round(0.25 * 32767)
    assert first() == 0


def test_silence_can_have_a_threshold() -> None:
    quiet = np.full(640, 10 / 32767, dtype=np.float32)
    speech = Speech([(quiet, 16_000)])

    assert speech.voices(16_000, 9)[0].silent == b"\0\0"
    assert speech.voices(16_000, 10)[0].silent == b"\1\1"


def test_files_are_parties_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name, level in (("b.flac", 2000), ("a.wav", 1000)):
        samples = np.full(48_000, level, dtype=np.int16)
        soundfile.write(tmp_path / name, samples, 48_000)
    (tmp_path / "notes.txt").write_text("not spoken")

    voices = load(tmp_path).voices(16_000, 0)

    middles = [np.frombuffer(voice.frame(25), dtype="<i2")[160] for voice in voices]
    assert [round(float(each), -1) for each in middles] == [1000, 2000]
    assert [voice.frames for voice in voices] == [50, 50]


def test_one_stereo_file_is_two_parties_and_several_are_mixed_down(
    tmp_path: Path,
) -> None:
    stereo = np.stack([np.full(1600, 1000), np.full(1600, 3000)], axis=1)
    soundfile.write(tmp_path / "a.wav", stereo.astype(np.int16), 16_000)
    assert load(tmp_path).parties == 2

    soundfile.write(tmp_path / "b.wav", stereo.astype(np.int16), 16_000)
    speech = load(tmp_path)
    assert speech.parties == 2
    pcm = np.frombuffer(speech.voices(16_000, 0)[0].pcm, dtype="<i2")
    assert abs(int(pcm[0]) - 2000) <= 1


def test_shorter_parties_are_silent_at_the_end(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.full(330, 500, dtype=np.int16), 16_000)
    soundfile.write(tmp_path / "b.wav", np.full(3200, 500, dtype=np.int16), 16_000)

    short, long = load(tmp_path).voices(16_000, 0)

    assert short.frames == long.frames == 10
    assert short.silent == b"\0\0" + b"\1" * 8


def test_what_is_not_a_number_is_silence(tmp_path: Path) -> None:
    samples = np.full(320, np.nan, dtype=np.float32)
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")

    assert load(tmp_path).voices(16_000, 0)[0].silent == b"\1"


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(0, dtype=np.int16), 16_000)

    with pytest.raises(AudioError, match=r"a\.wav: no audio in it"):
        load(tmp_path)
