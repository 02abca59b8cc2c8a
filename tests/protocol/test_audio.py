"""AudioData and AudioMetadata: spellings, defaults, and what is forgiven."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from streaming.protocol import AudioData, AudioMetadata, DecodeError, decode

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def audio(**members: Any) -> AudioData:
    message = decode(json.dumps({"kind": "AudioData", "audioData": members}))
    assert isinstance(message, AudioData)
    return message


def metadata(**members: Any) -> AudioMetadata:
    payload = {"subscriptionId": "sub-1", "sampleRate": 16_000} | members
    message = decode(json.dumps({"kind": "AudioMetadata", "audioMetadata": payload}))
    assert isinstance(message, AudioMetadata)
    return message


def test_reads_a_packet() -> None:
    frame = (
        '{"kind":"AudioData","audioData":{"timestamp":"2026-03-01T12:00:00.02Z",'
        '"participantRawID":"4:+15551234567","data":"AQACAA==","silent":true}}'
    )

    assert decode(frame) == AudioData(
        data=b"\x01\x00\x02\x00",
        timestamp=datetime(2026, 3, 1, 12, 0, 0, 20_000, tzinfo=UTC),
        participant_raw_id="4:+15551234567",
        silent=True,
    )


@pytest.mark.parametrize("kind", ["AudioData", "audioData", "AUDIODATA", "audiodata"])
def test_kind_may_have_any_case(kind: str) -> None:
    frame = json.dumps({"kind": kind, "audioData": {"data": "AAA="}})

    assert decode(frame) == AudioData(b"\0\0")


@pytest.mark.parametrize("kind", [{}, {"kind": None}])
def test_missing_kind_falls_back_to_the_payload(kind: dict[str, None]) -> None:
    frame = json.dumps({**kind, "later": {}, "audioData": {"data": "AAA="}})

    assert decode(frame) == AudioData(b"\0\0")


def test_kind_wins_over_the_payloads_present() -> None:
    frame = {
        "audioMetadata": {"subscriptionId": "sub-1", "sampleRate": 16_000},
        "audioData": {"data": "AAA="},
        "kind": "AudioData",
    }

    assert decode(json.dumps(frame)) == AudioData(b"\0\0")


@pytest.mark.parametrize("name", ["participantRawID", "participantRawId"])
def test_reads_both_spellings_of_the_participant(name: str) -> None:
    packet = audio(data="AAA=", **{name: "28:bot"})

    assert packet.participant_raw_id == "28:bot"


@pytest.mark.parametrize("other_first", [True, False])
def test_exact_member_wins_over_another_spelling(*, other_first: bool) -> None:
    members = {"participantRawID": "4:+1", "participantRawId": "4:+2"}
    if other_first:
        members = dict(reversed(members.items()))

    assert audio(data="AAA=", **members).participant_raw_id == "4:+1"


def test_null_does_not_hide_another_spelling() -> None:
    packet = audio(data="AAA=", participantRawID=None, participantRawId="4:+2", mark={})

    assert packet.participant_raw_id == "4:+2"


@pytest.mark.parametrize("members", [{}, {"participantRawID": None}, {"silent": None}])
def test_absent_and_null_are_mixed_and_not_silent(members: dict[str, None]) -> None:
    packet = audio(data="AAA=", **members)

    assert packet == AudioData(b"\0\0", None, None, silent=False)


def test_empty_participant_is_the_mixed_stream() -> None:
    assert audio(data="AAA=", participantRawID="").participant_raw_id is None


def test_silent_packet_keeps_its_bytes() -> None:
    assert audio(data="AQA=", silent=True) == AudioData(b"\x01\0", silent=True)


def test_members_may_have_any_case() -> None:
    packet = audio(Data="AAA=", Timestamp="2026-03-01T12:00:00Z", Silent=True)

    assert packet == AudioData(b"\0\0", NOON, None, silent=True)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00:00.0000000Z",
        "2026-03-01T12:00:00+00:00",
        "2026-03-01T13:30:00.000+01:30",
        "2026-03-01T04:00:00-08:00",
    ],
)
def test_timestamps_become_utc(text: str) -> None:
    timestamp = audio(data="", timestamp=text).timestamp

    assert timestamp == NOON
    assert timestamp.tzinfo is UTC


def test_seventh_digit_is_cut_not_rounded() -> None:
    packet = audio(data="", timestamp="2026-03-01T12:00:00.9999999Z")

    assert packet.timestamp == NOON.replace(microsecond=999_999)


@pytest.mark.parametrize(
    "timestamp",
    [
        "",
        "noon",
        "2026-03-01",
        "2026-03-01T12:00:00",
        "2026-13-01T12:00:00Z",
        "2026-03-01\0",
        "0001-01-01T00:00:00+00:00",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        1772366400,
        1.5,
        False,
        ["2026-03-01T12:00:00Z"],
    ],
)
def test_audio_survives_a_timestamp_nobody_can_read(timestamp: object) -> None:
    packet = audio(data="AAA=", timestamp=timestamp)

    assert packet == AudioData(b"\0\0", None, timestamp_unreadable=True)


def test_absent_timestamp_is_not_an_unreadable_one() -> None:
    assert not audio(data="", timestamp=None).timestamp_unreadable


@pytest.mark.parametrize(
    "data",
    [
        "AAA",  # no padding
        "AAA==",  # too much
        "A-_=",  # URL-safe alphabet
        "AA A=",
        "AAA=\n",
        "AA\0=",
        "=AAA",
        "ÄAA=",
        "AA==",  # one byte
        "AAAA",  # three
        None,
        5,
        [],
    ],
)
def test_refuses_data_that_is_not_whole_samples(data: object) -> None:
    with pytest.raises(DecodeError, match="AudioData"):
        audio(data=data)


@pytest.mark.parametrize(
    "members",
    [{"silent": "true"}, {"silent": 1}, {"participantRawID": 4}, {"data": {}}],
)
def test_refuses_members_of_the_wrong_type(members: dict[str, object]) -> None:
    with pytest.raises(DecodeError, match=r"AudioData: Expected .* at `\$\."):
        audio(**({"data": "AAA="} | members))


def test_escaped_base64_is_base64() -> None:
    frame = r'{"kind":"AudioData","audioData":{"data":"\u0041A\/\u003d"}}'

    assert decode(frame) == AudioData(b"\x00\x0f")


def test_nul_in_a_participant_reads_as_replacement_character() -> None:
    assert audio(data="", participantRawID="4:\0").participant_raw_id == "4:\ufffd"
    assert audio(data="", participantRawId="4:\0").participant_raw_id == "4:\ufffd"


def test_refuses_a_participant_no_column_holds() -> None:
    assert audio(data="", participantRawID="8" * 255).participant_raw_id == "8" * 255

    with pytest.raises(DecodeError, match="length <= 255"):
        audio(data="", participantRawID="8" * 256)


def test_reads_metadata() -> None:
    message = metadata(encoding="PCM", channels=1, length=640)

    assert message == AudioMetadata("sub-1", "PCM", 16_000, 1, 640)


@pytest.mark.parametrize("encoding", ["PCM", "Pcm", "pcm"])
def test_encoding_has_one_case(encoding: str) -> None:
    assert metadata(encoding=encoding).encoding == "PCM"


def test_metadata_needs_only_subscription_and_rate() -> None:
    message = metadata(encoding=None, channels=None)

    assert message == AudioMetadata("sub-1", "PCM", 16_000, 1, None)


@pytest.mark.parametrize("length", [None, 0, -640, 100.1, "640", True, [640]])
def test_length_is_only_advice(length: object) -> None:
    assert metadata(length=length).length is None


def test_a_length_that_contradicts_the_rate_is_passed_on() -> None:
    assert metadata(sampleRate=24_000, length=640).length == 640


@pytest.mark.parametrize(
    "members",
    [
        {"sampleRate": 0},
        {"sampleRate": -16_000},
        {"sampleRate": 7_999},
        {"sampleRate": 192_001},
        {"sampleRate": 10**400},
        {"sampleRate": "16000"},
        {"sampleRate": None},
        {"channels": 0},
        {"channels": -1},
        {"channels": 17},
        {"subscriptionId": ""},
        {"subscriptionId": None},
        {"subscriptionId": 7},
        {"encoding": 7},
    ],
)
def test_refuses_metadata_no_stream_can_have(members: dict[str, object]) -> None:
    with pytest.raises(DecodeError, match="AudioMetadata"):
        metadata(**members)


def test_repr_shows_neither_audio_nor_participant() -> None:
    shown = repr(AudioData(b"secret", NOON, "4:+15551234567"))

    assert "6 bytes" in shown
    assert "secret" not in shown
    assert "555" not in shown
