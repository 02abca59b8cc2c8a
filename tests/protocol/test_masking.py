"""Frames without the keys in them: who and when, and nothing else."""

import json

import pytest

from streaming.protocol import (
    MASK,
    DecodeError,
    DtmfData,
    decode,
    mask_keys,
    mentions_keys,
)


def test_keeps_who_and_when_and_that_it_was_a_tone() -> None:
    frame = (
        '{"kind":"DtmfData","dtmfData":{"data":"7","timestamp":"2026-03-01T12:00:00Z",'
        '"participantRawID":"4:+12065550100"}}'
    )

    masked = decode(mask_keys(frame))

    assert isinstance(masked, DtmfData)
    assert masked.data == MASK
    assert masked.participant_raw_id == "4:+12065550100"
    assert masked.timestamp is not None


@pytest.mark.parametrize(
    ("member", "kept"),
    [
        ({"digits": ["4", 7, None]}, {"digits": [MASK, MASK, None]}),
        ({"tone": {"key": 7}}, {"tone": {"key": MASK}}),
        ({"timestamp": "seven"}, {"timestamp": MASK}),
        ({"participantRawId": 7}, {"participantRawId": MASK}),
        ({"k7": "7"}, {MASK: MASK}),
        ({"a" * 65: "7"}, {MASK: MASK}),
        ({"kind": "Dtmf7"}, {"kind": MASK}),
        ({"kind": 7}, {"kind": MASK}),
    ],
)
def test_masks_whatever_may_be_a_key(
    member: dict[str, object], kept: dict[str, object]
) -> None:
    assert json.loads(mask_keys(json.dumps(member))) == kept


@pytest.mark.parametrize(
    "frame", ["7", '"7"', '{"dtmf":7', b'{"dtmf":"\xff"}', "[" * 200_000]
)
def test_what_cannot_be_read_still_cannot_and_keeps_nothing(frame: str | bytes) -> None:
    masked = mask_keys(frame)

    assert "7" not in masked
    with pytest.raises(DecodeError):
        decode(masked)


@pytest.mark.parametrize(
    ("frame", "may_be"),
    [
        ('{"kind":"DtmfData"', True),
        (b'{"TONE":7', True),
        ('{"\\u0064tmf":7', True),
        ('{"kind":"AudioData"', False),
    ],
)
def test_knows_what_may_be_about_keys(frame: str | bytes, may_be: bool) -> None:
    assert mentions_keys(frame) is may_be
