"""What we say to ACS."""

import json

import pytest

from streaming.protocol import (
    AudioData,
    Unknown,
    decode,
    encode_audio,
    encode_stop_audio,
)


def test_audio_is_written_as_documented() -> None:
    assert (
        encode_audio(b"\x01\x00\x02\x00")
        == '{"Kind":"AudioData","AudioData":{"Data":"AQACAA=="},"StopAudio":null}'
    )


def test_stop_audio_is_written_as_documented() -> None:
    assert encode_stop_audio() == '{"Kind":"StopAudio","AudioData":null,"StopAudio":{}}'


def test_both_are_json() -> None:
    assert json.loads(encode_audio(bytes(640)))["StopAudio"] is None
    assert json.loads(encode_stop_audio())["StopAudio"] == {}


def test_we_read_what_we_write() -> None:
    assert decode(encode_audio(b"\x01\x00")) == AudioData(b"\x01\x00")
    assert decode(encode_stop_audio()) == Unknown("StopAudio")


def test_refuses_half_a_sample() -> None:
    with pytest.raises(ValueError, match="3 bytes"):
        encode_audio(b"\0\0\0")
