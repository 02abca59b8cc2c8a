"""Sizes: of messages, and how a frame may state its own."""

import contextlib

import pytest

from tests.websocket.client import (
    BINARY,
    CONTINUATION,
    MASK,
    PING,
    PONG,
    TEXT,
    fin,
    fragments,
    frame,
    length,
    mask,
)
from tests.websocket.conftest import Dial
from tests.websocket.dialects import Dialect
from tests.websocket.server import MAX_SIZE, Server

PROTOCOL_ERROR = 1002
TOO_BIG = 1009


@pytest.mark.parametrize("opcode", [TEXT, BINARY], ids=["text", "binary"])
def test_the_largest_message_is_taken(dial: Dial, opcode: int) -> None:
    client = dial()

    client.write(frame(opcode, b"x" * MAX_SIZE))

    assert client.frame() == (fin(opcode), b"x" * MAX_SIZE)


@pytest.mark.parametrize("opcode", [TEXT, BINARY], ids=["text", "binary"])
@pytest.mark.parametrize(
    "size", [MAX_SIZE + 1, 1 << 31, 1 << 32, (1 << 63) - 1], ids=hex
)
def test_the_length_alone_is_enough_to_refuse_a_message(
    dial: Dial, opcode: int, size: int
) -> None:
    client = dial()

    # Not a byte of it is sent: a server that waits for them would wait for ever.
    client.write(bytes([fin(opcode)]) + length(size) + MASK)

    assert client.closed()[0] == TOO_BIG
    assert client.rest() == b""


def test_refuses_a_message_too_big_although_all_of_it_comes(dial: Dial) -> None:
    client = dial()

    # It may have gone before it heard all of it.
    with contextlib.suppress(OSError):
        client.write(frame(TEXT, b"x" * (MAX_SIZE + 1)))

    assert client.closed()[0] == TOO_BIG


@pytest.mark.parametrize("opcode", [TEXT, BINARY], ids=["text", "binary"])
def test_fragments_add_up(dial: Dial, opcode: int) -> None:
    client = dial()
    piece = b"x" * (MAX_SIZE // 2)
    client.send(*fragments(opcode, [piece, piece]))
    assert client.frame() == (fin(opcode), piece + piece)

    client.send(
        frame(opcode, piece, final=False), frame(CONTINUATION, piece, final=False)
    )
    client.write(frame(CONTINUATION, b"x", final=False))

    assert client.closed()[0] == TOO_BIG
    assert client.rest() == b""


def test_a_message_does_not_count_towards_the_next(dial: Dial) -> None:
    client = dial()
    third = b"x" * (MAX_SIZE // 3)

    for _ in range(4):
        client.send(*fragments(BINARY, [third, third]))
        assert client.message() == third + third


def test_control_frames_do_not_count_towards_a_message(dial: Dial) -> None:
    client = dial()
    piece = b"x" * (MAX_SIZE // 2)

    client.write(frame(BINARY, piece, final=False))
    client.send(*(frame(PING, bytes(125)) for _ in range(100)))
    client.write(frame(CONTINUATION, piece))

    assert [client.frame() for _ in range(100)] == [(fin(PONG), bytes(125))] * 100
    assert client.message() == piece + piece


@pytest.mark.parametrize("opcode", [TEXT, BINARY], ids=["text", "binary"])
def test_refuses_a_length_whose_highest_bit_is_set(dial: Dial, opcode: int) -> None:
    client = dial()

    client.write(bytes([fin(opcode), 0xFF]) + (1 << 63 | 5).to_bytes(8) + MASK)

    # RFC 6455, 5.2: "the most significant bit MUST be 0". To whom it is an unsigned
    # number, it is simply too big.
    assert client.closed()[0] in (PROTOCOL_ERROR, TOO_BIG)
    assert client.rest() == b""


@pytest.mark.parametrize(
    ("stated", "size"),
    [
        (b"\xfe\x00\x05", 5),
        (b"\xfe\x00\x7d", 125),
        (b"\xff" + (5).to_bytes(8), 5),
        (b"\xff" + (126).to_bytes(8), 126),
        (b"\xff" + (65535).to_bytes(8), 65535),
    ],
)
def test_a_length_in_a_form_too_long(
    dial: Dial, dialect: Dialect, stated: bytes, size: int
) -> None:
    client = dial()
    plain = b"x" * size

    client.write(bytes([fin(TEXT)]) + stated + MASK + mask(plain))

    if dialect.refuses_long_lengths:
        assert client.closed()[0] == PROTOCOL_ERROR
    else:
        assert client.message() == plain.decode()


def test_many_empty_fragments_are_one_message(dial: Dial) -> None:
    client = dial()

    client.send(*fragments(TEXT, [b""] * 5_000 + [b"end"]))

    assert client.message() == "end"


def test_a_header_may_come_in_single_bytes_and_be_refused(
    server: Server, dial: Dial
) -> None:
    client = dial()

    for byte in bytes([fin(TEXT)]) + length(MAX_SIZE + 1):
        client.write(bytes([byte]))
        server.settle()

    assert client.closed()[0] == TOO_BIG
