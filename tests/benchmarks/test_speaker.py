"""One stream of the load, against a server that does as the test says."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from benchmarks.frames import CLOSE, PING, PONG, client_frame, stamper
from benchmarks.speaker import Speaker

PATIENCE = 30.0
AT_US = round(datetime(2026, 11, 25, tzinfo=UTC).timestamp() * 1e6)
ACCEPTED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
REFUSED = b"HTTP/1.1 403 Forbidden\r\n\r\n"


class Line:
    """A listening socket, and both ends of what was connected to it."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.listener.settimeout(PATIENCE)

    def speaker(self) -> Speaker:
        """Return a speaker who has not dialled."""
        speaker = Speaker(self.listener.getsockname()[1], "bench-0000", 0)
        # Last of all: it waits for the server's ends to close.
        self._stack.callback(speaker.close, 0.0)
        return speaker

    def connected(self) -> tuple[Speaker, socket.socket]:
        """Return a speaker and the server's end of its socket, the metadata read."""
        speaker = self.speaker()
        dialling = threading.Thread(target=speaker.dial)
        dialling.start()
        server = self.answer(ACCEPTED)
        dialling.join()
        return speaker, server

    def answer(self, said: bytes) -> socket.socket:
        """Accept a socket, answer it, and read the metadata if it goes on."""
        server, _ = self.listener.accept()
        self._stack.enter_context(server)
        server.settimeout(PATIENCE)
        request = b""
        while b"\r\n\r\n" not in request:
            request += server.recv(1)
        assert b"x-ms-call-connection-id: bench-0000\r\n" in request
        server.sendall(said)
        if said is ACCEPTED:
            fixed = received(server, 4)
            received(server, 4 + int.from_bytes(fixed[2:4], "big"))
        return server


@pytest.fixture
def line() -> Iterator[Line]:
    with ExitStack() as stack:
        yield Line(stack)


def test_what_the_kernel_does_not_take_waits_in_order(line: Line) -> None:
    speaker, server = line.connected()
    sent = [bytearray(speaker.frame)]
    while not speaker.held:
        at_us = AT_US + len(sent) * 20_000
        speaker.send(at_us, stamper()(at_us), 0)
        sent.append(bytearray(speaker.frame))
    assert speaker.waiting_packets == 1
    speaker.send(AT_US, stamper()(AT_US), 0)
    sent.append(bytearray(speaker.frame))
    assert speaker.waiting_packets == 2

    came = bytearray()
    expected = b"".join(sent[1:])
    server.settimeout(PATIENCE)
    while len(came) < len(expected):
        came += server.recv(1 << 20)
        speaker.push()

    assert came == expected
    assert speaker.waiting_packets == 0
    assert speaker.packets == len(sent) - 1


def test_answers_a_ping_with_its_payload(line: Line) -> None:
    speaker, server = line.connected()
    server.sendall(bytes([0x80 | PING, 4]) + b"ping")

    expected = bytes(client_frame(PONG, b"ping"))
    assert until(lambda: heard_after(speaker, server), expected)
    assert speaker.fault == ""


def test_a_close_of_the_server_is_a_fault(line: Line) -> None:
    speaker, server = line.connected()
    server.sendall(bytes([0x80 | CLOSE, 2]) + (1011).to_bytes(2, "big"))

    assert until(lambda: listened(speaker), "the server closed: 1011")
    assert speaker.send(AT_US, stamper()(AT_US), 0) == 0


def test_a_refused_handshake_is_told(line: Line) -> None:
    refusing = threading.Thread(target=line.answer, args=(REFUSED,))
    refusing.start()

    with pytest.raises(ConnectionError, match="403"):
        line.speaker().dial()
    refusing.join()


def test_goes_over_to_the_new_socket_and_takes_leave_of_the_old(
    line: Line,
) -> None:
    speaker, old = line.connected()
    speaker.redial()
    new = line.answer(ACCEPTED)
    speaker.settle()

    speaker.send(AT_US, stamper()(AT_US), 0)

    farewell = bytes(client_frame(CLOSE, (1000).to_bytes(2, "big")))
    assert received(old, len(farewell)) == farewell
    assert received(new, len(speaker.frame)) == bytes(speaker.frame)
    assert speaker.redials == 1


def received(server: socket.socket, count: int) -> bytes:
    content = b""
    while len(content) < count:
        content += server.recv(count - len(content))
    return content


def heard_after(speaker: Speaker, server: socket.socket) -> bytes:
    """Return what the server has after the speaker has listened once."""
    speaker.listen()
    server.setblocking(False)
    try:
        return server.recv(4096)
    except BlockingIOError:
        return b""


def listened(speaker: Speaker) -> str:
    speaker.listen()
    return speaker.fault


def until(look: Callable[[], object], expected: object) -> bool:
    deadline = time.monotonic() + PATIENCE
    while (seen := look()) != expected:
        assert time.monotonic() < deadline, seen
        time.sleep(0.005)
    return True
