"""Hostile frames through real sockets into a real ingest process.

Each batch ends with a ping. Its pong says that what came before was taken; a socket
that is closed instead, as it must be over binary or noise, is dialled anew, and what
was in its last batch does not count.
"""

import random
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID, uuid4

from benchmarks.frames import PING, TEXT, client_frame
from benchmarks.fuzz_makers import (
    Maker,
    media_frame,
    media_metadata,
    transcription_frame,
    transcription_metadata,
    written,
)
from benchmarks.fuzz_seen import Seen, Watched
from calls.doors.capability import call_secret

BATCH = 50
# A call grows as long as it lasts: it ends after so many frames.
MOST_OF_ONE = 2000
LINES = 4
BINARY, RESERVED = 2, 3
KILLER_SHARE = 0.0005
SECONDS = 60.0


class Line:
    """One peer: dials, sends hostile frames, dials again; until its share is taken."""

    def __init__(
        self, number: int, port: int, share: int, seed: int, token: str
    ) -> None:
        self.taken = self.dials = 0
        self.fault = ""
        self._port, self._share, self._token = port, share, token
        self._draw = random.Random(seed)  # noqa: S311 hostile, not secret
        self._is_media = number % 2 == 0
        true = media_frame if self._is_media else transcription_frame
        self._maker = Maker(seed, true)

    def run(self) -> None:
        """Send until the share is taken; note why, if that cannot be."""
        try:
            while self.taken < self._share:
                with self._dial() as peer:
                    self._speak(peer)
        except (OSError, AssertionError) as exc:
            self.fault = f"a line broke off: {exc}"

    def _dial(self) -> socket.socket:
        door = "media" if self._is_media else "transcription"
        self.dials += 1
        call_id = UUID(int=self._draw.getrandbits(128), version=4)
        peer = dialled(self._port, door, call_id, self._token)
        first = media_metadata() if self._is_media else transcription_metadata()
        peer.sendall(client_frame(TEXT, written(first)))
        return peer

    def _speak(self, peer: socket.socket) -> None:
        with suppress(ConnectionError):
            until = self.taken + MOST_OF_ONE
            while self.taken < min(self._share, until) and self._is_taken(peer):
                self.taken += BATCH

    def _is_taken(self, peer: socket.socket) -> bool:
        mark = secrets.token_bytes(8)
        frames = [self._frame() for _ in range(BATCH)]
        peer.sendall(b"".join([*frames, client_frame(PING, mark)]))
        seen = b""
        while mark not in seen:
            received = peer.recv(65_536)
            if not received:
                return False
            seen = seen[-200:] + received
        return True

    def _frame(self) -> bytes:
        if self._draw.random() < KILLER_SHARE:
            return self._killer()
        return large(TEXT, self._maker.next())

    def _killer(self) -> bytes:
        """Return a frame over which a socket must be closed, or may be."""
        text = self._maker.next()
        match self._draw.randrange(5):
            case 0:
                return large(BINARY, text)
            case 1:
                return large(RESERVED, text)
            case 2:
                return large(TEXT, b"x" * 300_000)
            case 3:
                # Not masked, which a client must never do.
                return bytes([0x80 | TEXT, 2]) + b"{}"
            case _:
                return self._draw.randbytes(40)


def dialled(port: int, door: str, call_id: UUID, token: str) -> socket.socket:
    """Return an open socket of a call. Raises AssertionError if it is refused."""
    peer = socket.create_connection(("127.0.0.1", port), SECONDS)
    peer.sendall(
        f"GET /{door}/{call_secret(call_id)} HTTP/1.1\r\nHost: x\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Authorization: Bearer {token}\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        received = peer.recv(4096)
        if not received:
            raise AssertionError("the handshake was not answered")
        head += received
    if not head.startswith(b"HTTP/1.1 101"):
        raise AssertionError(head.split(b"\r\n")[0].decode("latin-1"))
    return peer


def true_stream(port: int, token: str) -> list[str]:
    """Send a true call; return what is wrong with what the process says of it."""
    draw = random.Random(0)  # noqa: S311 noise
    frames = [media_metadata(), *(media_frame(draw) for _ in range(BATCH))]
    mark = secrets.token_bytes(8)
    try:
        with dialled(port, "media", uuid4(), token) as peer:
            for frame in frames:
                peer.sendall(client_frame(TEXT, written(frame)))
            peer.sendall(client_frame(PING, mark))
            seen = b""
            while mark not in seen:
                received = peer.recv(4096)
                if not received:
                    return ["a true stream was closed afterwards"]
                seen += received
    except (OSError, AssertionError) as exc:
        return [f"a true stream was not taken afterwards: {exc}"]
    return []


def large(opcode: int, payload: bytes) -> bytes:
    """Return a client's frame of any length."""
    if len(payload) < 65_536:
        return bytes(client_frame(opcode, payload))
    head = bytes([0x80 | opcode, 0x80 | 127]) + len(payload).to_bytes(8, "big")
    return head + bytes(4) + payload


def fuzz_frames(
    port: int, process: Watched, frames: int, seed: int, token: Callable[[], str]
) -> Seen:
    """Send so many frames at the ingest process on `port`; return what became of it."""
    seen = Seen("frames", frames)
    share = -(-frames // LINES)
    lines = [
        Line(number, port, share, seed + number, token()) for number in range(LINES)
    ]
    seen.watch(process, lines, spare=SPARE, fast=50_000)
    seen.answers["sockets"] = sum(line.dials for line in lines)
    _await_rest(process, seen.descriptors[0])
    seen.judge(process)
    return seen


# Connections to database and Redis, opened once: they come with the first socket.
SPARE = 12


def _await_rest(process: Watched, level: int) -> None:
    """Wait until journals are closed: a thread syncs each of them first."""
    deadline = time.monotonic() + SECONDS
    while process.descriptors() > level and time.monotonic() < deadline:
        time.sleep(0.1)
