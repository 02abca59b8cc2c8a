"""DtmfData: one tone, many spellings."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from streaming.protocol import TONES, DecodeError, DtmfData, decode


def dtmf(**members: Any) -> DtmfData:
    message = decode(json.dumps({"kind": "DtmfData", "dtmfData": members}))
    assert isinstance(message, DtmfData)
    return message


@pytest.mark.parametrize("tone", sorted(TONES))
def test_literal_tones_stay_as_they_are(tone: str) -> None:
    assert dtmf(data=tone) == DtmfData(tone)


@pytest.mark.parametrize(
    ("spelled", "tone"),
    [
        ("zero", "0"),
        ("one", "1"),
        ("two", "2"),
        ("three", "3"),
        ("four", "4"),
        ("five", "5"),
        ("six", "6"),
        ("seven", "7"),
        ("eight", "8"),
        ("NINE", "9"),
        ("asterisk", "*"),
        ("Star", "*"),
        ("pound", "#"),
        ("hash", "#"),
        ("a", "A"),
        ("b", "B"),
        ("c", "C"),
        ("d", "D"),
        (" 5 ", "5"),
    ],
)
def test_spelled_tones_get_one_form(spelled: str, tone: str) -> None:
    assert dtmf(data=spelled).data == tone
    assert dtmf(tone=spelled).data == tone


@pytest.mark.parametrize("tone", ["flash", "E", "12", " "])
def test_unfamiliar_tone_is_passed_on(tone: str) -> None:
    assert dtmf(data=tone).data == tone


def test_reads_who_and_when() -> None:
    message = dtmf(
        data="1", timestamp="2026-03-01T12:00:00Z", participantRawId="4:+15551234567"
    )

    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert message == DtmfData("1", noon, "4:+15551234567")


def test_tone_survives_a_timestamp_nobody_can_read() -> None:
    assert dtmf(data="1", timestamp=7) == DtmfData("1", timestamp_unreadable=True)


@pytest.mark.parametrize("data", ["", "9" * 33, 3, None, ["3"]])
def test_refuses_what_is_no_tone(data: object) -> None:
    with pytest.raises(DecodeError, match="DtmfData"):
        dtmf(data=data)


def test_repr_shows_no_digit() -> None:
    assert repr(DtmfData("7", None, "4:+9")) == "DtmfData(timestamp=None)"
