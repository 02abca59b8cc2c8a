"""Frames that no friend sends. DecodeError is the only thing they may cause."""

import json

import pytest

from streaming.protocol import AudioData, DecodeError, Unknown, decode

DEEP = 200_000
HUGE = "9" * 5_000


def enveloped(member: str) -> str:
    return f'{{"kind":"AudioData",{member},"audioData":{{"data":"AAA="}}}}'


@pytest.mark.parametrize(
    "frame",
    [
        "",
        " ",
        "hello",
        "Connection authenticated.",
        "null",
        "true",
        "7",
        "1e999",
        HUGE,
        '"AudioData"',
        "[]",
        '[{"kind":"AudioData"}]',
        "{",
        '{"kind":"AudioData"',
        "{} {}",
        "{'kind':'AudioData'}",
        '{"kind":NaN}',
        '{"kind":7}',
        '{"kind":["AudioData"]}',
        '{"kind":"AudioData"}',
        '{"kind":"AudioData","audioData":null}',
        '{"kind":"AudioData","audioData":[]}',
        '{"kind":"AudioData","audioData":"AAA="}',
        '{"kind":"AudioData","audioMetadata":{}}',
        '{"audioData":{}}',
        "\ufeff{}",
        "\0",
        '{"kind":"\0"}',
        "\ud800",
        '{"kind":"\udfff"}',
        r'{"kind":"\ud800"}',
        r'{"kind":"\udc00\ud800"}',
        b"",
        b"\xff",
        b'{"later":"\xff"}',
        b'\xef\xbb\xbf{"kind":"Later"}',
        '{"kind":"Later"}'.encode("utf-16"),
        b"\x1f\x8b\x08\x00",
        "[" * DEEP,
        '{"a":' * DEEP,
        "[" * DEEP + "]" * DEEP,
        enveloped(f'"later":{"[" * DEEP}{"]" * DEEP}'),
        enveloped(f'"later":{"[" * DEEP}'),
        f'{{"kind":"AudioData","audioData":{{"data":"AAA=","timestamp":{"[" * DEEP}',
    ],
    ids=lambda frame: repr(frame[:40]),
)
def test_refuses(frame: str | bytes) -> None:
    with pytest.raises(DecodeError):
        decode(frame)


@pytest.mark.parametrize("member", ['"later":1e999', f'"later":{HUGE}', '"later":"é"'])
def test_numbers_in_unknown_members_do_not_matter(member: str) -> None:
    assert decode(enveloped(member)) == AudioData(b"\0\0")


@pytest.mark.parametrize("frame", ["{}", '{"later":{}}', '{"kind":null}'])
def test_an_object_of_no_kind_is_unknown(frame: str) -> None:
    assert decode(frame) == Unknown(None)


@pytest.mark.parametrize("kind", ["Later", "", "DtmfMetadata", "StopAudio", "é"])
def test_unknown_kinds_are_named(kind: str) -> None:
    frame = json.dumps({"kind": kind, "audioData": {"data": "AAA="}})

    assert decode(frame) == Unknown(kind)


def test_an_unknown_kind_is_cut_and_cleaned() -> None:
    frame = json.dumps({"kind": "\0" + "k" * 100_000})

    assert decode(frame) == Unknown("\ufffd" + "k" * 63)


def test_the_last_of_two_equal_members_counts() -> None:
    assert decode('{"kind":"Later","kind":"Latest"}') == Unknown("Latest")


def test_the_reason_does_not_quote_the_peer() -> None:
    with pytest.raises(DecodeError) as refused:
        decode('{"kind":"AudioData","audioData":{"data":"4:+1555","secret":1}}')

    assert "555" not in str(refused.value)
    assert "secret" not in str(refused.value)
