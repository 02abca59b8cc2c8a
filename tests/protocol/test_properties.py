"""What holds for every frame, not only for those we thought of."""

import json
from datetime import datetime
from typing import Any, get_args

from hypothesis import example, given
from hypothesis import strategies as st

from streaming.protocol import (
    AudioData,
    DecodeError,
    Event,
    MediaStream,
    Message,
    decode,
    display,
    encode_audio,
)

from . import strategies as wire


def decoded(frame: str | bytes) -> Message | None:
    """The message, or None for a DecodeError; anything else fails the test."""
    try:
        message = decode(frame)
    except DecodeError:
        return None
    assert type(message) in get_args(Message)
    return message


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_is_a_message_or_refused(text: str) -> None:
    decoded(text)


@given(st.binary())
def test_any_bytes_are_a_message_or_refused(frame: bytes) -> None:
    decoded(frame)


@given(wire.json_values(), st.booleans())
def test_any_json_is_a_message_or_refused(value: Any, ascii_only: bool) -> None:
    decoded(json.dumps(value, ensure_ascii=ascii_only))


@given(st.sampled_from(["AudioData", "AudioMetadata", "DtmfData"]), wire.json_values())
def test_any_payload_is_a_message_or_refused(kind: str, payload: Any) -> None:
    decoded(json.dumps({"kind": kind, kind[0].lower() + kind[1:]: payload}))


@given(wire.audio_payloads(), st.data())
def test_any_value_in_any_member_is_a_message_or_refused(
    payload: dict[str, Any], data: st.DataObject
) -> None:
    member = data.draw(st.sampled_from(sorted(payload)))
    payload[member] = data.draw(wire.json_values())

    decoded(json.dumps({"kind": "AudioData", "audioData": payload}))


@given(wire.mutated())
def test_broken_frames_are_messages_or_refused(frame: str) -> None:
    decoded(frame)


@given(wire.frames())
def test_valid_frames_are_read_alike_as_text_and_as_bytes(frame: str) -> None:
    message = decode(frame)

    assert decode(frame.encode()) == message


@given(wire.audio_frames())
def test_one_pass_and_every_spelling_agree(frame: str) -> None:
    # A member nobody knows sends the frame past the fast path.
    slow = json.dumps({**json.loads(frame), "later": 0})

    assert decode(slow) == decode(frame)


@given(wire.pcm())
def test_audio_survives_the_wire(pcm: bytes) -> None:
    assert decode(encode_audio(pcm)) == AudioData(pcm)


@given(wire.written_moments())
def test_timestamps_are_read_to_the_microsecond(written: tuple[str, datetime]) -> None:
    text, moment = written
    message = decode(
        json.dumps({"kind": "AudioData", "audioData": {"data": "", "timestamp": text}})
    )

    assert message == AudioData(b"", moment)
    assert not message.timestamp_unreadable


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example("0001-01-01T00:00:00+23:59")
@example("9999-12-31T23:59:59.999999-23:59")
@example("2026-03-01T12:00:00+00:00:00.000001")
def test_no_timestamp_costs_the_audio(text: str) -> None:
    message = decode(
        json.dumps(
            {"kind": "AudioData", "audioData": {"data": "AAA=", "timestamp": text}}
        )
    )

    assert isinstance(message, AudioData)
    assert message.data == b"\0\0"
    assert message.timestamp_unreadable is (message.timestamp is None)


@given(st.lists(wire.frames() | wire.mutated() | st.binary(max_size=3), max_size=30))
def test_a_stream_answers_every_frame_with_an_event(frames: list[str | bytes]) -> None:
    stream = MediaStream(max_malformed=3)

    for frame in frames:
        event = stream.receive(frame)
        assert isinstance(event, get_args(Event))

    assert stream.messages <= len(frames)


@given(st.none() | wire.raw_ids() | st.text())
def test_every_participant_has_a_name(raw_id: str | None) -> None:
    assert display(raw_id)
