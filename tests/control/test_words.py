"""Codes in words."""

import re
from pathlib import Path

import pytest
from azure.communication.callautomation import _generated

from calls.words import DETAILS, explain_event, explain_refusal


@pytest.mark.parametrize(
    ("code", "subcode", "detail", "words"),
    [
        (400, 8581, "", "Azure could not reach our media URL: certificate, port or"),
        (500, 8603, "streamConnectionUnsuccessful", "Azure could not open a WebSocket"),
        (None, None, "streamUrlMissing", "The call was answered without a media URL"),
        (200, 7000, "", "The conversation has ended."),
    ],
)
def test_known_codes_are_a_sentence(
    code: int | None, subcode: int | None, detail: str, words: str
) -> None:
    told = explain_event(code=code, subcode=subcode, detail=detail)

    assert told.sentence.startswith(words)


def test_a_failure_comes_with_advice() -> None:
    told = explain_event(code=400, subcode=8581)

    assert "ACSSTREAM_MEDIA_URL" in told.advice
    assert str(told) == f"{told.sentence} {told.advice}"


def test_unknown_codes_are_shown_raw() -> None:
    told = explain_event(code=418, subcode=9, detail="teapot", message="Short.")

    assert str(told) == "ACS says: 418/9 teapot Short."


def test_no_reason_is_said_to_be_none() -> None:
    assert str(explain_event(code=None, subcode=None)) == "ACS gave no reason."


def test_a_refusal_keeps_what_acs_said() -> None:
    told = explain_refusal(code=401, subcode=None, message="ACS refused (401): no")

    assert (
        told.sentence == "ACS does not accept our access key. (ACS refused (401): no)"
    )
    assert "ACSSTREAM_ACS_ACCESS_KEY" in told.advice


def test_every_detail_the_sdk_knows_is_in_words() -> None:
    enums = Path(_generated.__file__).parent / "models" / "_enums.py"
    source = enums.read_text(encoding="utf-8")
    listed = source.partition("class MediaStreamingStatusDetails(")[2]
    values = re.findall(r'= "(\w+)"', listed.partition("\nclass ")[0])

    assert len(values) > 10
    assert set(values) - set(DETAILS) == {"unspecifiedError"}
