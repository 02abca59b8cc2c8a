"""Our words → the SDK's types, and back."""

from __future__ import annotations

from typing import Any

from azure.communication.callautomation import (
    AudioFormat,
    CallConnectionProperties,
    CommunicationIdentifier,
    CommunicationUserIdentifier,
    MediaStreamingAudioChannelType,
    MediaStreamingContentType,
    MediaStreamingOptions,
    MicrosoftTeamsUserIdentifier,
    PhoneNumberIdentifier,
    StreamingTransportType,
    UnknownIdentifier,
)
from azure.communication.callautomation import (
    TranscriptionOptions as SdkTranscriptionOptions,
)

from calls.acs.shapes import CallProperties, MediaOptions, TranscriptionOptions

PHONE = "4:"
ACS_USER = "8:acs:"
TEAMS_USER = "8:orgid:"


def identifier_of(raw_id: str) -> CommunicationIdentifier:
    """Return the SDK's identifier of a raw id (the prefixes of the wire document)."""
    if raw_id.startswith(PHONE):
        return phone_of(raw_id.removeprefix(PHONE))
    if raw_id.startswith(TEAMS_USER):
        return MicrosoftTeamsUserIdentifier(
            user_id=raw_id.removeprefix(TEAMS_USER), raw_id=raw_id
        )
    if raw_id.startswith(ACS_USER):
        return CommunicationUserIdentifier(raw_id, raw_id=raw_id)
    return UnknownIdentifier(raw_id)


def phone_of(number: str) -> PhoneNumberIdentifier:
    """Return the SDK's identifier of a number such as +12065550100."""
    return PhoneNumberIdentifier(number, raw_id=f"{PHONE}{number}")


def raw_id_of(identifier: CommunicationIdentifier | None) -> str:
    """Return the raw id of what the SDK read; empty if there is none."""
    return identifier.raw_id if identifier else ""


def streaming_options(media: MediaOptions) -> MediaStreamingOptions:
    """Return the SDK's `mediaStreamingOptions`."""
    channels = MediaStreamingAudioChannelType
    wide = media.sample_rate == 24_000
    return MediaStreamingOptions(
        transport_url=media.url,
        transport_type=StreamingTransportType.WEBSOCKET,
        content_type=MediaStreamingContentType.AUDIO,
        audio_channel_type=channels.MIXED if media.is_mixed else channels.UNMIXED,
        start_media_streaming=media.start_at_answer,
        enable_bidirectional=media.is_bidirectional,
        audio_format=(AudioFormat.PCM24_K_MONO if wide else AudioFormat.PCM16_K_MONO),
        enable_dtmf_tones=media.dtmf_tones,
    )


def transcription_options(
    wanted: TranscriptionOptions | None,
) -> SdkTranscriptionOptions | None:
    """Return the SDK's `transcriptionOptions`, None if none are wanted."""
    if wanted is None:
        return None
    return SdkTranscriptionOptions(
        transport_url=wanted.url,
        transport_type=StreamingTransportType.WEBSOCKET,
        locale=wanted.locale,
        start_transcription=wanted.start_at_answer,
        enable_intermediate_results=wanted.intermediate_results,
    )


def properties_of(found: CallConnectionProperties) -> CallProperties:
    """Return what the SDK read of a call."""
    streaming = found.media_streaming_subscription
    transcription = found.transcription_subscription
    return CallProperties(
        connection_id=found.call_connection_id or "",
        server_call_id=found.server_call_id or "",
        correlation_id=found.correlation_id or "",
        state=_word(found.call_connection_state),
        streaming=_word(streaming.state) if streaming else "",
        transcription=_word(transcription.state) if transcription else "",
        locale=(transcription.locale or "") if transcription else "",
    )


def _word(value: Any) -> str:
    """Return the wire's word: the SDK gives an enum member or a plain string."""
    return str(getattr(value, "value", value) or "")
