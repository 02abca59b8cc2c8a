"""TranscriptionMetadata and TranscriptionData."""

import json
from typing import Any

import pytest

from streaming.protocol import (
    DecodeError,
    TranscribedWord,
    TranscriptionData,
    TranscriptionMetadata,
    decode,
)


def transcription(**members: Any) -> TranscriptionData:
    frame = {"kind": "TranscriptionData", "transcriptionData": members}
    message = decode(json.dumps(frame))
    assert isinstance(message, TranscriptionData)
    return message


def metadata(**members: Any) -> TranscriptionMetadata:
    payload = {"subscriptionId": "sub-1"} | members
    frame = {"kind": "TranscriptionMetadata", "transcriptionMetadata": payload}
    message = decode(json.dumps(frame))
    assert isinstance(message, TranscriptionMetadata)
    return message


def test_reads_a_final_result() -> None:
    message = transcription(
        text="Hello everyone.",
        format="display",
        confidence=0.92,
        offset=212483227,
        duration=9600000,
        words=[{"text": "hello", "offset": 212483227, "duration": 2800000}],
        participantRawID="4:+15551234567",
        resultStatus="Final",
        sentimentAnalysisResult={"sentiment": "neutral"},
        languageIdentified="en-US",
    )

    assert message == TranscriptionData(
        text="Hello everyone.",
        format="display",
        confidence=0.92,
        offset=212483227,
        duration=9600000,
        words=(TranscribedWord("hello", 212483227, 2800000),),
        participant_raw_id="4:+15551234567",
        result_status="final",
        sentiment="neutral",
        language="en-US",
    )


def test_an_intermediate_result_may_be_only_text() -> None:
    message = transcription(text="Hel", resultStatus="Intermediate")

    assert message == TranscriptionData("Hel", result_status="intermediate")


@pytest.mark.parametrize("status", ["Final", "final", "FINAL"])
def test_status_has_one_case(status: str) -> None:
    assert transcription(text="", resultStatus=status).result_status == "final"


@pytest.mark.parametrize("name", ["Display", "display"])
def test_format_has_one_case(name: str) -> None:
    assert transcription(text="", format=name).format == "display"


@pytest.mark.parametrize("members", [{}, {"words": None}, {"words": []}])
def test_words_may_be_missing(members: dict[str, object]) -> None:
    assert transcription(text="Hi.", **members).words == ()


def test_ticks_beyond_doubles_stay_exact() -> None:
    message = transcription(text="", offset=2516998782481234401, duration=2**63 - 1)

    assert (message.offset, message.duration) == (2516998782481234401, 2**63 - 1)


def test_a_whole_number_is_a_confidence() -> None:
    assert transcription(text="", confidence=1).confidence == 1.0


def test_nul_reads_as_replacement_character() -> None:
    message = transcription(text="a\0b", words=[{"text": "\0"}])

    assert message.text == "a\ufffdb"
    assert message.words == (TranscribedWord("\ufffd"),)


@pytest.mark.parametrize(
    "members",
    [
        {"text": None},
        {"text": 1},
        {"offset": -1},
        {"offset": 2**63},
        {"offset": 1.5},
        {"duration": "1"},
        {"confidence": "high"},
        {"words": "hello"},
        {"words": [None]},
        {"words": [{"offset": 1}]},
        {"sentimentAnalysisResult": "neutral"},
    ],
)
def test_refuses_members_of_the_wrong_type(members: dict[str, object]) -> None:
    with pytest.raises(DecodeError, match="TranscriptionData"):
        transcription(**({"text": "Hi."} | members))


def test_reads_metadata() -> None:
    message = metadata(
        locale="en-US",
        callConnectionId="cc-1",
        correlationId="co-1",
        locales=["en-US", "es-ES"],
        enableSentimentAnalysis=True,
        piiRedactionOptions={"enable": True, "redactionType": "MaskWithCharacter"},
        summarizationOptions={"enableEndCallSummary": False, "locale": "en-US"},
    )

    assert message == TranscriptionMetadata(
        subscription_id="sub-1",
        locale="en-US",
        call_connection_id="cc-1",
        correlation_id="co-1",
        locales=("en-US", "es-ES"),
        sentiment_analysis=True,
        pii_redaction=True,
        pii_redaction_type="maskWithCharacter",
        summarization=False,
        summarization_locale="en-US",
    )


def test_metadata_needs_only_its_subscription() -> None:
    assert metadata() == TranscriptionMetadata("sub-1")


@pytest.mark.parametrize(
    "name", ["speechModelEndpointId", "speechRecognitionModelEndpointId"]
)
def test_reads_both_names_of_the_speech_model(name: str) -> None:
    assert metadata(**{name: "model-1"}).speech_model_endpoint_id == "model-1"


@pytest.mark.parametrize("spelled", ["MaskWithCharacter", "maskWithCharacter"])
def test_redaction_type_has_one_case(spelled: str) -> None:
    message = metadata(piiRedactionOptions={"redactionType": spelled})

    assert message.pii_redaction_type == "maskWithCharacter"


def test_refuses_metadata_without_subscription() -> None:
    with pytest.raises(DecodeError, match="TranscriptionMetadata"):
        metadata(subscriptionId=None)


def test_repr_shows_no_words() -> None:
    message = transcription(text="My PIN is 1234", words=[{"text": "PIN"}])

    assert "PIN" not in repr(message)
    assert "PIN" not in repr(message.words)
