"""The payloads of the wire, member by member, and what each becomes.

Private to the codec. A class here is the JSON object under `audioData`, `dtmfData` and
so on; its fields are what msgspec validates in one pass, and `message()` is everything
that a type alone cannot say. `null` never reaches an optional member unless it is
typed so: the codec takes `null` for absent before it comes here.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta, field

from .messages import (
    AudioData,
    AudioMetadata,
    DecodeError,
    DtmfData,
    TranscribedWord,
    TranscriptionData,
    TranscriptionMetadata,
)

# Identifiers and names become columns and keys. The longest seen has 82 characters.
Name = Annotated[str, Meta(max_length=255)]
# .NET ticks and durations are 64-bit; so are the columns that keep them.
Ticks = Annotated[int, Meta(ge=0, le=2**63 - 1)]
# Documented: 16 000 and 24 000. The bounds only keep arithmetic on a rate sane.
SampleRate = Annotated[int, Meta(ge=8_000, le=192_000)]
Channels = Annotated[int, Meta(ge=1, le=16)]

TONES = frozenset("0123456789*#ABCD")
# The callbacks of ACS spell tones out (zero, asterisk, pound); what this socket sends
# for * and # is not documented. Star and hash are what people call the same keys.
_SPELLED_TONES = {
    "zero": "0",
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "asterisk": "*",
    "star": "*",
    "pound": "#",
    "hash": "#",
}


def read_timestamp(value: object) -> datetime | None:
    """The moment an ISO 8601 text names, in UTC, cut to the microsecond; else None.

    A text without an offset names no moment. Neither does the year 1, which is how
    .NET writes a time that was never set.
    """
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not UTC:
            if moment.tzinfo is None:
                return None
            moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year > 1 else None


def read_tone(text: str) -> str:
    """One of TONES if we know the spelling, the text itself if not."""
    tone = text.strip()
    tone = _SPELLED_TONES.get(tone.lower(), tone)
    return tone.upper() if tone.upper() in TONES else text


class AudioMetadataPayload(msgspec.Struct, rename="camel"):
    """Under `audioMetadata`."""

    subscription_id: Annotated[Name, Meta(min_length=1)]
    sample_rate: SampleRate
    encoding: Name = "PCM"
    channels: Channels = 1
    length: Any = None

    def message(self) -> AudioMetadata:
        """Keep a `length` only if it is a count of bytes."""
        is_count = type(self.length) is int and self.length > 0
        return AudioMetadata(
            subscription_id=self.subscription_id,
            encoding=self.encoding.upper(),
            sample_rate=self.sample_rate,
            channels=self.channels,
            length=self.length if is_count else None,
        )


class AudioDataPayload(
    msgspec.Struct, rename="camel", gc=False, forbid_unknown_fields=True
):
    """Under `audioData`: the hot path, see codec.decode for the forbidden fields."""

    data: bytes
    # Whatever stands here, it must not cost the audio.
    timestamp: Any = None
    participant_raw_id: Name | None = field(name="participantRawID", default=None)
    # Two of Microsoft's own samples take a missing `silent` for true, and drop audio.
    silent: bool = False

    def message(self) -> AudioData:
        """Refuse half samples; an empty participant is the mixed stream."""
        if len(self.data) % 2:
            raise DecodeError(f"AudioData: {len(self.data)} bytes, not whole samples")
        timestamp = read_timestamp(self.timestamp)
        raw_id = self.participant_raw_id
        if raw_id is not None and ("\0" in raw_id or not raw_id):
            raw_id = without_nul(raw_id) or None
        return AudioData(
            self.data,
            timestamp,
            raw_id,
            self.silent,
            timestamp is None and self.timestamp is not None,
        )


class DtmfDataPayload(msgspec.Struct, rename="camel"):
    """Under `dtmfData`."""

    data: Annotated[str, Meta(min_length=1, max_length=32)]
    timestamp: Any = None
    participant_raw_id: Name | None = field(name="participantRawID", default=None)

    def message(self) -> DtmfData:
        """Bring the tone to its one spelling."""
        timestamp = read_timestamp(self.timestamp)
        return DtmfData(
            read_tone(self.data),
            timestamp,
            self.participant_raw_id or None,
            timestamp is None and self.timestamp is not None,
        )


class _PiiRedaction(msgspec.Struct, rename="camel"):
    enable: bool | None = None
    redaction_type: Name | None = None


class _Summarization(msgspec.Struct, rename="camel"):
    enable_end_call_summary: bool | None = None
    locale: Name | None = None


class TranscriptionMetadataPayload(msgspec.Struct, rename="camel"):
    """Under `transcriptionMetadata`."""

    subscription_id: Annotated[Name, Meta(min_length=1)]
    locale: Name | None = None
    call_connection_id: Name | None = None
    correlation_id: Name | None = None
    speech_model_endpoint_id: Name | None = None
    locales: tuple[Name, ...] = ()
    enable_sentiment_analysis: bool | None = None
    pii_redaction_options: _PiiRedaction = field(default_factory=_PiiRedaction)
    summarization_options: _Summarization = field(default_factory=_Summarization)

    def message(self) -> TranscriptionMetadata:
        """Flatten the options; SDKs write the documented MaskWithCharacter as mask…"""
        redaction = self.pii_redaction_options.redaction_type
        return TranscriptionMetadata(
            subscription_id=self.subscription_id,
            locale=self.locale,
            call_connection_id=self.call_connection_id,
            correlation_id=self.correlation_id,
            speech_model_endpoint_id=self.speech_model_endpoint_id,
            locales=self.locales,
            sentiment_analysis=self.enable_sentiment_analysis,
            pii_redaction=self.pii_redaction_options.enable,
            pii_redaction_type=redaction and redaction[0].lower() + redaction[1:],
            summarization=self.summarization_options.enable_end_call_summary,
            summarization_locale=self.summarization_options.locale,
        )


class _Word(msgspec.Struct):
    text: str
    offset: Ticks | None = None
    duration: Ticks | None = None


class _Sentiment(msgspec.Struct):
    sentiment: Name | None = None


class TranscriptionDataPayload(msgspec.Struct, rename="camel"):
    """Under `transcriptionData`."""

    text: str
    format: Name | None = None
    confidence: float | None = None
    offset: Ticks | None = None
    duration: Ticks | None = None
    words: tuple[_Word, ...] = ()
    participant_raw_id: Name | None = field(name="participantRawID", default=None)
    result_status: Name | None = None
    sentiment_analysis_result: _Sentiment = field(default_factory=_Sentiment)
    language_identified: Name | None = None

    def message(self) -> TranscriptionData:
        """Both `Final` and `final`, `Display` and `display` are seen: lower case."""
        return TranscriptionData(
            text=self.text,
            format=self.format and self.format.lower(),
            confidence=self.confidence,
            offset=self.offset,
            duration=self.duration,
            words=tuple(
                TranscribedWord(w.text, w.offset, w.duration) for w in self.words
            ),
            participant_raw_id=self.participant_raw_id or None,
            result_status=self.result_status and self.result_status.lower(),
            sentiment=self.sentiment_analysis_result.sentiment,
            language=self.language_identified,
        )


Payload: TypeAlias = (
    AudioMetadataPayload
    | AudioDataPayload
    | DtmfDataPayload
    | TranscriptionMetadataPayload
    | TranscriptionDataPayload
)


def without_nul(text: str | None) -> str | None:
    """The text with U+FFFD for NUL, which PostgreSQL cannot store."""
    return text.replace("\0", "\ufffd") if text else text
