"""Text is UTF-8 or nothing: RFC 6455, 8.1."""

import pytest

from tests.websocket.client import BINARY, PING, PONG, TEXT, fin, fragments, frame
from tests.websocket.conftest import Dial
from tests.websocket.server import Server

INVALID = 1007

GOOD = {
    "two bytes": "κόσμε",
    "three bytes": "日本語",
    "four bytes": "𝄞 clef, 😀",
    "null": "a\x00b",
    "the first of each length": "\x00\x80\u0800\U00010000",
    "the last of each length": "\x7f\u07ff\uffff\U0010ffff",
    "around the surrogates": "\ud7ff\ue000",
    "replacement character": "\ufffd",
    "noncharacters": "\ufffe\uffff\ufdd0\U0001fffe\U0010fffe",
    "byte order mark": "\ufeffx",
}

BAD = {
    "a continuation alone": b"\x80",
    "the last continuation alone": b"\xbf",
    "all continuations": bytes(range(0x80, 0xC0)),
    "two bytes cut short": b"\xce",
    "three bytes cut short": b"\xe2\x82",
    "four bytes cut short": b"\xf0\x9d\x84",
    "a lead without its continuation": b"\xc3 ",
    "a lead after a lead": b"\xc3\xc3\xa4",
    "overlong slash": b"\xc0\xaf",
    "overlong slash in three": b"\xe0\x80\xaf",
    "overlong slash in four": b"\xf0\x80\x80\xaf",
    "overlong null": b"\xc0\x80",
    "the largest overlong in two": b"\xc1\xbf",
    "the largest overlong in three": b"\xe0\x9f\xbf",
    "the largest overlong in four": b"\xf0\x8f\xbf\xbf",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "six bytes": b"\xfc\x84\x80\x80\x80\x80",
    "beyond U+10FFFF": b"\xf4\x90\x80\x80",
    "far beyond": b"\xf7\xbf\xbf\xbf",
    "the first surrogate": b"\xed\xa0\x80",
    "the last surrogate": b"\xed\xbf\xbf",
    "a pair of surrogates": b"\xed\xa0\x80\xed\xb0\x80",
    "fe": b"\xfe",
    "ff": b"\xff",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_text_comes_back_as_it_was(dial: Dial, text: str) -> None:
    client = dial()

    client.text(text)

    assert client.message() == text


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_a_character_may_be_cut_between_frames(dial: Dial, text: str) -> None:
    client = dial()
    encoded = f"<{text}>".encode()

    for cut in range(len(encoded) + 1):
        client.send(*fragments(TEXT, [encoded[:cut], encoded[cut:]]))
        assert client.message() == f"<{text}>"


def test_text_may_come_in_frames_of_one_byte(dial: Dial) -> None:
    client = dial()
    text = "".join(GOOD.values())

    client.send(*fragments(TEXT, [bytes([byte]) for byte in text.encode()]))

    assert client.message() == text


def test_a_character_may_be_cut_between_writes(server: Server, dial: Dial) -> None:
    client = dial()
    wire = frame(TEXT, "𝄞".encode())

    for cut in range(1, len(wire)):
        client.write(wire[:cut])
        server.settle()
        client.write(wire[cut:])
        assert client.message() == "𝄞"


def test_a_ping_may_part_a_character(dial: Dial) -> None:
    client = dial()
    first, second = fragments(TEXT, ["😀".encode()[:2], "😀".encode()[2:]])

    client.send(first, frame(PING, b"\xff"), second)

    assert client.frame() == (fin(PONG), b"\xff")
    assert client.message() == "😀"


@pytest.mark.parametrize("noise", BAD.values(), ids=BAD)
def test_refuses_what_is_not_utf8(server: Server, dial: Dial, noise: bytes) -> None:
    for before, after in ((b"", b""), (b"good ", b""), (b"", b" good"), (b"a", b"b")):
        client = dial()

        client.write(frame(TEXT, before + noise + after))

        assert client.closed()[0] == INVALID
        assert client.rest() == b""
    server.log.lines.clear()


@pytest.mark.parametrize("noise", BAD.values(), ids=BAD)
def test_refuses_what_is_not_utf8_wherever_it_is_cut(
    server: Server, dial: Dial, noise: bytes
) -> None:
    encoded = b"\xce\xba" + noise

    for cut in range(len(encoded) + 1):
        client = dial()

        client.send(*fragments(TEXT, [encoded[:cut], encoded[cut:]]))

        assert client.closed()[0] == INVALID
        assert client.rest() == b""
    server.log.lines.clear()


@pytest.mark.parametrize("noise", BAD.values(), ids=BAD)
def test_binary_may_be_anything(dial: Dial, noise: bytes) -> None:
    client = dial()

    client.send(frame(BINARY, noise), *fragments(BINARY, [noise[:1], noise[1:]]))

    assert client.message() == noise
    assert client.message() == noise


def test_a_message_that_ends_within_a_character_is_not_mended_by_the_next(
    server: Server, dial: Dial
) -> None:
    client = dial()

    client.send(frame(TEXT, b"\xf0\x9d"), frame(TEXT, b"\x84\x9e"))

    assert client.closed()[0] == INVALID
    assert client.rest() == b""
    server.log.lines.clear()
