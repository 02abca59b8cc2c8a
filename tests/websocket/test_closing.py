"""The closing handshake: RFC 6455, 5.5.1 and 7."""

import pytest

from tests.websocket.applications import Witness
from tests.websocket.client import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    TEXT,
    closing,
    fin,
    frame,
)
from tests.websocket.conftest import Dial
from tests.websocket.dialects import Dialect
from tests.websocket.server import Server

PROTOCOL_ERROR = 1002
INVALID = 1007
MAY_TRAVEL = [*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999]
MUST_NOT_TRAVEL = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999]
UNDEFINED = [5000, 65535]


@pytest.mark.parametrize("code", MAY_TRAVEL)
def test_a_close_is_answered_with_its_own_code(dial: Dial, code: int) -> None:
    witness = Witness()
    client = dial(witness)

    client.close(code, b"the call is over")

    assert client.closed()[0] == code
    assert client.rest() == b""
    assert witness.disconnect() == (code, "the call is over")


def test_a_close_without_a_code_is_answered_without_one(dial: Dial) -> None:
    witness = Witness()
    client = dial(witness)

    client.close()

    assert client.closed() == (None, "")
    assert client.rest() == b""
    assert witness.disconnect() == (1005, "")


@pytest.mark.parametrize("code", [*MUST_NOT_TRAVEL, *UNDEFINED])
def test_refuses_a_code_that_must_not_travel(dial: Dial, code: int) -> None:
    witness = Witness()
    client = dial(witness)

    client.close(code, b"?")

    assert client.closed()[0] == PROTOCOL_ERROR
    assert client.rest() == b""
    assert witness.disconnect()[0] == PROTOCOL_ERROR


def test_refuses_half_a_code(dial: Dial) -> None:
    client = dial()

    client.write(frame(CLOSE, b"\x03"))

    assert client.closed()[0] == PROTOCOL_ERROR
    assert client.rest() == b""


@pytest.mark.parametrize("reason", [b"x" * 123, "ü".encode() * 61, "😀".encode() * 30])
def test_a_reason_has_up_to_123_bytes(dial: Dial, reason: bytes) -> None:
    witness = Witness()
    client = dial(witness)

    client.close(1000, reason)

    assert client.closed()[0] == 1000
    assert witness.disconnect() == (1000, reason.decode())


def test_refuses_a_reason_of_124_bytes(dial: Dial) -> None:
    client = dial()

    client.close(1000, b"x" * 124)

    assert client.closed()[0] == PROTOCOL_ERROR


@pytest.mark.parametrize(
    "reason", [b"\xff", b"cut \xf0\x9d\x84", b"\xed\xa0\x80", b"\xc0\xaf"]
)
def test_refuses_a_reason_that_is_not_utf8(dial: Dial, reason: bytes) -> None:
    client = dial()

    client.close(1000, reason)

    assert client.closed()[0] in (PROTOCOL_ERROR, INVALID)
    assert client.rest() == b""


def test_what_came_before_a_close_is_received(dial: Dial) -> None:
    witness = Witness()
    client = dial(witness)
    texts = [f"packet {number}" for number in range(500)]

    client.send(*(frame(TEXT, text.encode()) for text in texts), frame(CLOSE))

    assert client.closed() == (None, "")
    assert witness.disconnect()[0] == 1005
    assert witness.messages == texts


def test_what_came_before_a_fault_is_received(dial: Dial, dialect: Dialect) -> None:
    witness = Witness()
    client = dial(witness)
    texts = [f"packet {number}" for number in range(500)]

    client.send(*(frame(TEXT, text.encode()) for text in texts), frame(0x3))

    assert client.closed()[0] == PROTOCOL_ERROR
    assert witness.disconnect()[0] == PROTOCOL_ERROR
    if dialect.keeps_what_came_before_a_fault:
        assert witness.messages == texts


@pytest.mark.parametrize(
    "after",
    [
        frame(TEXT, b"more"),
        frame(BINARY, b"more"),
        frame(PING, b"more"),
        frame(CONTINUATION, b"more"),
        frame(CLOSE, closing(1001)),
        frame(0x3, b"more"),
        frame(TEXT, b"more", masked=False),
        frame(TEXT, b"more", reserved=7),
        b"\x81",
        bytes(10_000),
    ],
    ids=lambda after: after[:2].hex(),
)
def test_what_comes_after_a_close_is_ignored(dial: Dial, after: bytes) -> None:
    witness = Witness()
    client = dial(witness)

    client.send(frame(TEXT, b"last"), frame(CLOSE, closing(1000, b"bye")), after)

    assert client.closed()[0] == 1000
    assert client.rest() == b""
    assert witness.disconnect() == (1000, "bye")
    assert witness.messages == ["last"]


def test_a_close_may_come_in_single_bytes(server: Server, dial: Dial) -> None:
    client = dial()

    for byte in frame(CLOSE, closing(1001, b"going")):
        client.write(bytes([byte]))
        server.settle()

    assert client.closed()[0] == 1001
    assert client.rest() == b""


def test_a_fault_is_told_although_more_is_on_its_way(
    dial: Dial, dialect: Dialect
) -> None:
    client = dial()

    client.send(frame(0x3), bytes(300_000))

    assert client.closed()[0] == PROTOCOL_ERROR
    if dialect.reads_out_the_faulty:
        # No ConnectionResetError.
        assert client.socket.recv(1) == b""


def test_nothing_is_answered_behind_a_close(dial: Dial) -> None:
    client = dial()

    client.send(*(frame(PING, b"%d" % number) for number in range(3)), frame(CLOSE))

    assert [client.frame().first for _ in range(4)] == [
        *[fin(0xA)] * 3,
        fin(CLOSE),
    ]
    assert client.rest() == b""
