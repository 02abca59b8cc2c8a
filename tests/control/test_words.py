"""Codes in words."""

import re
from pathlib import Path

import pytest
from azure.communication.callautomation import _generated

from calls.words import TABLE, Code, Said, explain_event, explain_refusal
from calls.words.told import told_by


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


@pytest.mark.parametrize(
    ("enum", "kind"),
    [
        ("MediaStreamingStatusDetails", "MediaStreamingFailed"),
        ("TranscriptionStatusDetails", "TranscriptionFailed"),
        ("MediaStreamingStatus", "MediaStreamingFailed"),
        ("TranscriptionStatus", "TranscriptionFailed"),
    ],
)
def test_every_word_the_sdk_knows_is_explained(enum: str, kind: str) -> None:
    enums = Path(_generated.__file__).parent / "models" / "_enums.py"
    source = enums.read_text(encoding="utf-8")
    listed = source.partition(f"class {enum}(")[2]
    values = re.findall(r'= "(\w+)"', listed.partition("\nclass ")[0])

    assert len(values) >= 4
    for value in values:
        told = explain_event(code=None, subcode=None, detail=value, kind=kind)
        assert not told.sentence.startswith("ACS says"), value


def test_every_code_that_was_seen_or_documented_is_explained() -> None:
    seen = [
        *[("MediaStreamingFailed", pair) for pair in [(400, 8581), (500, 8603)]],
        *[
            ("TranscriptionFailed", pair)
            for pair in [
                *[(500, 8578), (500, 8579), (500, 8580), (500, 9999), (400, 8581)],
                *[(405, 8520), (405, 8522), (400, 8501), (400, 8523), (400, 8528)],
                *[(400, 8605), (400, 8565), (401, 8565), (403, 8565), (429, 8565)],
            ]
        ],
        *[("CallDisconnected", pair) for pair in [(200, 7000), (200, 0), (0, 560000)]],
        *[
            ("CreateCallFailed", pair)
            for pair in [
                *[(487, 10004), (487, 540487), (486, 560486), (480, 560480)],
                *[(480, 10037), (603, 560603), (603, 0), (403, 510403), (404, 560404)],
                *[(408, 560408), (500, 560500), (503, 0), (400, 8523), (409, 8519)],
            ]
        ],
    ]

    for kind, (code, subcode) in seen:
        told = explain_event(code=code, subcode=subcode, kind=kind)
        assert not told.sentence.startswith("ACS says"), (kind, code, subcode)


@pytest.mark.parametrize(
    ("code", "kind", "sentence"),
    [
        (404, "", "ACS does not know this call or participant, or no longer."),
        (
            405,
            "MediaStreamingFailed",
            "The call was answered without what this order needs, such as a media URL.",
        ),
        (
            405,
            "TranscriptionFailed",
            "The call came about without an address for transcriptions, or without a"
            " Cognitive Services resource.",
        ),
        (500, "", "ACS did not find what the order is about."),
    ],
)
def test_a_number_means_what_its_status_and_event_make_of_it(
    code: int, kind: str, sentence: str
) -> None:
    assert explain_event(code=code, subcode=8522, kind=kind).sentence == sentence


def test_a_number_says_more_than_a_detail_and_that_more_than_a_status() -> None:
    def said(subcode: int | None, detail: str) -> str:
        told = explain_event(code=500, subcode=subcode, detail=detail)
        return told.sentence

    assert said(8581, "serviceTimeout").startswith("Azure could not reach our media")
    assert said(12345, "serviceTimeout") == "Azure's streaming service timed out."
    assert said(12345, "teapot") == "Something at Azure failed."


def test_success_is_no_end_of_a_call() -> None:
    told = explain_event(code=200, subcode=0, kind="CallConnected")

    assert told.sentence == "It was done."


def test_every_entry_is_one_sentence_and_one_piece_of_advice() -> None:
    for block in TABLE:
        for code, words in block.entries.items():
            assert re.fullmatch(r"[A-Z].*[^.]\.", words.sentence), (code, words)
            assert re.fullmatch(r"([A-Z].*\.)?", words.advice), (code, words)


def test_no_entry_is_hidden_by_another() -> None:
    said: list[tuple[Said, Code]] = [
        (block.said, code) for block in TABLE for code in block.entries
    ]

    assert len(said) == len(set(said))


def test_an_event_tells_its_code_beside_the_words() -> None:
    body = {
        "data": {
            "resultInformation": {"code": 500, "subCode": 8603, "message": "No."},
            "mediaStreamingUpdate": {
                "mediaStreamingStatusDetails": "streamConnectionUnsuccessful"
            },
        }
    }

    told = told_by("MediaStreamingFailed", body)

    assert told is not None
    assert told.code == "500/8603 streamConnectionUnsuccessful"
    assert told.words.sentence == "Azure could not open a WebSocket to our media URL."
    assert told.is_failure


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("IncomingCall", {"data": {}}),
        ("CallConnected", {"data": {"resultInformation": {"code": 200, "subCode": 0}}}),
        ("Hostile", {"data": {"resultInformation": [1], "mediaStreamingUpdate": 7}}),
        ("Hostile", ["no object"]),
    ],
)
def test_an_event_without_a_result_worth_telling_tells_none(
    kind: str, body: object
) -> None:
    assert told_by(kind, body) is None
