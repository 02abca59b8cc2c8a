"""Messages in several frames: RFC 6455, 5.4."""

import pytest

from tests.websocket.client import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    fin,
    fragments,
    frame,
)
from tests.websocket.conftest import Dial
from tests.websocket.dialects import Dialect
from tests.websocket.server import Server

PROTOCOL_ERROR = 1002
MESSAGES = [TEXT, BINARY]
NAMES = ["text", "binary"]


@pytest.mark.parametrize("pieces", [2, 3, 10, 1_000])
@pytest.mark.parametrize("opcode", MESSAGES, ids=NAMES)
def test_pieces_are_put_together(dial: Dial, opcode: int, pieces: int) -> None:
    parts = [b"%d," % number for number in range(pieces)]
    client = dial()

    client.send(*fragments(opcode, parts))

    assert client.frame() == (fin(opcode), b"".join(parts))


@pytest.mark.parametrize("pieces", [2, 3, 10])
def test_pieces_may_come_one_at_a_time(server: Server, dial: Dial, pieces: int) -> None:
    parts = [b"%d," % number for number in range(pieces)]
    client = dial()

    for piece in fragments(TEXT, parts):
        client.write(piece)
        server.settle()

    assert client.message() == b"".join(parts).decode()


@pytest.mark.parametrize(
    "parts",
    [[b"", b""], [b"", b"x"], [b"x", b""], [b"", b"x", b""], [b""] * 50],
    ids=str,
)
@pytest.mark.parametrize("opcode", MESSAGES, ids=NAMES)
def test_pieces_may_be_empty(dial: Dial, opcode: int, parts: list[bytes]) -> None:
    client = dial()

    client.send(*fragments(opcode, parts))

    assert client.frame() == (fin(opcode), b"".join(parts))


def test_messages_whole_and_in_pieces_may_alternate(dial: Dial) -> None:
    client = dial()

    for number in range(20):
        client.send(*fragments(TEXT, [b"a", b"%d" % number]))
        client.write(frame(BINARY, b"b%d" % number))

    for number in range(20):
        assert client.message() == f"a{number}"
        assert client.message() == b"b%d" % number


def test_control_frames_may_come_between_all_pieces(dial: Dial) -> None:
    client = dial()

    for number, piece in enumerate(fragments(TEXT, [b"a", b"b", b"", b"c"])):
        client.send(frame(PING, b"%d" % number), frame(PONG), piece)

    for number in range(4):
        assert client.frame() == (fin(PONG), b"%d" % number)
    assert client.message() == "abc"


@pytest.mark.parametrize("final", [True, False])
@pytest.mark.parametrize("carried", [b"", b"of nothing"])
def test_refuses_a_continuation_of_nothing(
    dial: Dial, carried: bytes, *, final: bool
) -> None:
    client = dial()

    client.write(frame(CONTINUATION, carried, final=final))

    assert client.closed()[0] == PROTOCOL_ERROR
    assert client.rest() == b""


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "in pieces"])
def test_refuses_a_continuation_after_a_message_ended(
    dial: Dial, *, whole: bool
) -> None:
    client = dial()
    parts = [b"done"] if whole else [b"do", b"ne"]
    client.send(*fragments(TEXT, parts))
    assert client.message() == "done"

    client.write(frame(CONTINUATION, b"more"))

    assert client.closed()[0] == PROTOCOL_ERROR


@pytest.mark.parametrize("begun", MESSAGES, ids=NAMES)
@pytest.mark.parametrize("begins", MESSAGES, ids=NAMES)
@pytest.mark.parametrize("final", [True, False])
def test_refuses_a_message_within_a_message(
    dial: Dial, begun: int, begins: int, *, final: bool
) -> None:
    client = dial()

    client.write(frame(begun, b"begun", final=False))
    client.write(frame(begins, b"begins", final=final))

    assert client.closed()[0] == PROTOCOL_ERROR
    assert client.rest() == b""


def test_a_message_that_never_ends_is_never_delivered(
    dial: Dial, dialect: Dialect
) -> None:
    client = dial()
    client.send(frame(TEXT, b"begun", final=False), frame(PING, b"seen"))
    assert client.frame() == (fin(PONG), b"seen")

    client.close(1000)

    code = 1000 if dialect.may_close_within_message else PROTOCOL_ERROR
    assert client.closed()[0] == code
    assert client.rest() == b""
