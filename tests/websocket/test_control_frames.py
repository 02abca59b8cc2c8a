"""Pings, pongs and what may not be a control frame: RFC 6455, 5.5."""

import asyncio

import pytest

from tests.websocket.applications import Message, Receive, Send, accepted
from tests.websocket.client import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    fin,
    frame,
)
from tests.websocket.conftest import Dial
from tests.websocket.server import Server

PROTOCOL_ERROR = 1002


def test_a_ping_is_answered_with_what_it_carried(dial: Dial) -> None:
    client = dial()

    for size in range(126):
        carried = bytes(range(size))
        client.write(frame(PING, carried))
        assert client.frame() == (fin(PONG), carried)


def test_every_ping_is_answered_in_order(dial: Dial) -> None:
    client = dial()
    carried = [b"%d" % number for number in range(100)]

    client.send(*(frame(PING, each) for each in carried))

    assert [client.frame() for _ in carried] == [(fin(PONG), each) for each in carried]


def test_a_ping_may_come_in_single_bytes(server: Server, dial: Dial) -> None:
    client = dial()

    for byte in frame(PING, b"are you there?"):
        client.write(bytes([byte]))
        server.settle()

    assert client.frame() == (fin(PONG), b"are you there?")


def test_a_ping_within_a_message_is_answered_before_it_ends(dial: Dial) -> None:
    client = dial()

    client.write(frame(TEXT, b"first ", final=False))
    client.write(frame(PING, b"1"))
    assert client.frame() == (fin(PONG), b"1")
    client.write(frame(CONTINUATION, b"second ", final=False))
    client.send(frame(PING, b"2"), frame(PONG, b"?"), frame(PING, b""))
    assert client.frame() == (fin(PONG), b"2")
    assert client.frame() == (fin(PONG), b"")
    client.write(frame(CONTINUATION, b"third"))

    assert client.message() == "first second third"


def test_a_ping_is_answered_while_the_application_does_nothing(
    server: Server, dial: Dial
) -> None:
    async def idle(scope: Message, receive: Receive, send: Send) -> None:
        await accepted(receive, send)
        await released.wait()

    released = asyncio.Event()
    client = dial(idle)

    client.write(frame(PING, b"alive?"))

    assert client.frame() == (fin(PONG), b"alive?")
    server.call(released.set)


@pytest.mark.parametrize("carried", [b"", b"nobody asked", bytes(125)])
def test_a_pong_that_nobody_asked_for_is_ignored(dial: Dial, carried: bytes) -> None:
    client = dial()

    client.send(frame(PONG, carried), frame(PONG, carried), frame(TEXT, b"next"))

    assert client.message() == "next"


@pytest.mark.parametrize("opcode", [PING, PONG], ids=["ping", "pong"])
def test_refuses_a_control_frame_of_more_than_125_bytes(
    dial: Dial, opcode: int
) -> None:
    client = dial()

    client.write(frame(opcode, bytes(126)))

    assert client.closed()[0] == PROTOCOL_ERROR
    assert client.rest() == b""


@pytest.mark.parametrize("opcode", [PING, PONG, 0x8], ids=["ping", "pong", "close"])
def test_refuses_a_control_frame_in_pieces(dial: Dial, opcode: int) -> None:
    client = dial()

    client.send(frame(opcode, b"", final=False), frame(CONTINUATION))

    assert client.closed()[0] == PROTOCOL_ERROR
    assert client.rest() == b""


@pytest.mark.parametrize("opcode", [0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF])
@pytest.mark.parametrize("carried", [b"", b"something"])
def test_refuses_an_opcode_that_means_nothing(
    dial: Dial, opcode: int, carried: bytes
) -> None:
    client = dial()
    client.text("before")
    assert client.message() == "before"

    client.write(frame(opcode, carried))

    assert client.closed()[0] == PROTOCOL_ERROR
    assert client.rest() == b""


@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, PONG, 0x8])
@pytest.mark.parametrize("reserved", range(1, 8))
def test_refuses_reserved_bits(dial: Dial, opcode: int, reserved: int) -> None:
    client = dial()
    client.text("before")
    assert client.message() == "before"

    client.write(frame(opcode, b"", reserved=reserved))

    assert client.closed()[0] == PROTOCOL_ERROR
    assert client.rest() == b""


def test_refuses_reserved_bits_in_a_continuation(dial: Dial) -> None:
    client = dial()

    client.write(frame(TEXT, b"begin", final=False))
    client.write(frame(CONTINUATION, b"end", reserved=4))

    assert client.closed()[0] == PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, PONG, 0x8])
@pytest.mark.parametrize("carried", [b"", b"\x03\xe8", b"seen by every proxy"])
def test_refuses_what_is_not_masked(dial: Dial, opcode: int, carried: bytes) -> None:
    client = dial()

    # RFC 6455, 5.1: "The server MUST close the connection".
    client.write(frame(opcode, carried, masked=False))

    assert client.closed()[0] == PROTOCOL_ERROR
    assert client.rest() == b""


def test_what_came_before_a_fault_is_answered(dial: Dial) -> None:
    client = dial()

    client.send(frame(TEXT, b"good"), frame(PING, b"too"))
    answers = {client.frame(), client.frame()}
    client.write(frame(0x3))

    assert answers == {(fin(TEXT), b"good"), (fin(PONG), b"too")}
    assert client.closed()[0] == PROTOCOL_ERROR
