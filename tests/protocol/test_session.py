"""MediaStream: what a media socket may send, and in which order."""

from datetime import UTC, datetime

import pytest

from streaming.protocol import (
    AudioData,
    AudioMetadata,
    AudioReceived,
    DtmfData,
    DtmfReceived,
    MalformedReceived,
    MediaStream,
    MetadataReceived,
    Refused,
    TranscriptionData,
    TranscriptionMetadata,
    TranscriptionReceived,
    UnknownReceived,
)
from streaming.protocol.session import MAX_UNKNOWN_KINDS, NO_KIND, OTHER_KINDS

METADATA = (
    '{"kind":"AudioMetadata","audioMetadata":{"subscriptionId":"sub-1",'
    '"encoding":"PCM","sampleRate":16000,"channels":1,"length":640}}'
)
PACKET = (
    '{"kind":"AudioData","audioData":{"timestamp":"2026-03-01T12:00:00Z",'
    '"participantRawID":"4:+15551234567","data":"AAA=","silent":false}}'
)
AUDIO = AudioData(b"\0\0", datetime(2026, 3, 1, 12, tzinfo=UTC), "4:+15551234567")
PCM_16K = AudioMetadata("sub-1", "PCM", 16_000, 1, 640)


def streaming(max_malformed: int = 50) -> MediaStream:
    """A stream that has had its metadata."""
    stream = MediaStream(max_malformed)
    stream.receive(METADATA)
    return stream


def test_metadata_opens_the_stream() -> None:
    stream = MediaStream()

    assert stream.receive(METADATA) == MetadataReceived(PCM_16K, raw=METADATA)
    assert stream.metadata == PCM_16K


def test_audio_follows_metadata() -> None:
    stream = streaming()

    assert stream.receive(PACKET) == AudioReceived(AUDIO)
    assert stream.messages == 2


def test_refuses_audio_before_metadata() -> None:
    event = MediaStream().receive(PACKET)

    assert event == Refused("audio before AudioMetadata", close_code=1007)


def test_refusal_is_final() -> None:
    stream = MediaStream()
    refused = stream.receive(PACKET)

    assert stream.receive(METADATA) is refused
    assert stream.refused is refused
    assert stream.messages == 1
    assert stream.metadata is None


@pytest.mark.parametrize("frame", [b"", PACKET.encode(), b"\xff"])
def test_refuses_binary_frames(frame: bytes) -> None:
    assert streaming().receive(frame) == Refused("binary frame", close_code=1003)


def test_metadata_may_come_again_when_streaming_restarts() -> None:
    stream = streaming()
    again = METADATA.replace("16000", "24000")

    event = stream.receive(again)

    assert isinstance(event, MetadataReceived)
    assert (
        stream.metadata
        == event.metadata
        == AudioMetadata("sub-1", "PCM", 24_000, 1, 640)
    )
    assert stream.metadata_count == 2


def test_refuses_an_encoding_it_cannot_keep() -> None:
    event = MediaStream().receive(METADATA.replace("PCM", "OPUS"))

    assert event == Refused("encoding is not PCM", close_code=1003)


def test_tones_need_no_metadata() -> None:
    event = MediaStream().receive('{"kind":"DtmfData","dtmfData":{"data":"pound"}}')

    assert event == DtmfReceived(DtmfData("#"))


def test_transcription_arrives_with_and_without_metadata() -> None:
    stream = MediaStream()

    words = stream.receive(
        '{"kind":"TranscriptionData","transcriptionData":{"text":"Hi."}}'
    )
    metadata = stream.receive(
        '{"kind":"TranscriptionMetadata","transcriptionMetadata":{"subscriptionId":"s"}}'
    )

    assert words == TranscriptionReceived(TranscriptionData("Hi."))
    assert metadata == TranscriptionReceived(TranscriptionMetadata("s"))


def test_malformed_frames_are_counted_and_forgiven() -> None:
    stream = streaming()

    event = stream.receive('{"kind":"AudioData","audioData":{"data":"AA=="}}')

    assert event == MalformedReceived("AudioData: 1 bytes, not whole samples")
    assert stream.malformed == 1
    assert stream.receive(PACKET) == AudioReceived(AUDIO)


def test_refuses_the_last_of_too_many_malformed_frames_in_a_row() -> None:
    stream = MediaStream()

    events = [stream.receive("{") for _ in range(50)]

    assert all(isinstance(event, MalformedReceived) for event in events[:49])
    assert events[49] == Refused(
        "50 malformed frames in a row, last: Input data was truncated",
        close_code=1007,
    )
    assert stream.malformed == 50


@pytest.mark.parametrize("good", [METADATA, PACKET, '{"kind":"Later"}'])
def test_one_good_frame_ends_the_run(good: str) -> None:
    stream = streaming(max_malformed=3)

    for frame in ["{", "{", good, "{", "{", good]:
        stream.receive(frame)

    assert stream.refused is None
    assert stream.malformed == 4
    assert isinstance(stream.receive("{"), MalformedReceived)


def test_unknown_kinds_are_counted_by_name() -> None:
    stream = MediaStream()

    for frame in ['{"kind":"Later"}', '{"kind":"Later"}', "{}"]:
        stream.receive(frame)

    assert stream.receive('{"kind":"MarkData"}') == UnknownReceived("MarkData")
    assert stream.unknown_kinds == {"Later": 2, NO_KIND: 1, "MarkData": 1}


def test_names_of_unknown_kinds_cannot_fill_the_memory() -> None:
    stream = MediaStream()

    for number in range(1_000):
        stream.receive(f'{{"kind":"Later{number}"}}')

    assert len(stream.unknown_kinds) == MAX_UNKNOWN_KINDS + 1
    assert stream.unknown_kinds[OTHER_KINDS] == 1_000 - MAX_UNKNOWN_KINDS


def test_unreadable_timestamps_are_counted() -> None:
    stream = streaming()

    event = stream.receive(PACKET.replace("2026-03-01T12:00:00Z", "noon"))
    stream.receive('{"kind":"DtmfData","dtmfData":{"data":"1","timestamp":1}}')
    stream.receive(PACKET)

    assert isinstance(event, AudioReceived)
    assert event.audio.timestamp is None
    assert stream.unreadable_timestamps == 2
