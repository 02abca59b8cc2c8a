"""A WebSocket client that does no more than it is told: RFC 6455 by hand.

No library: one misreading of the protocol must not hide in both ends, and most of what
the tests send no library would.
"""

import base64
import hashlib
import socket
import ssl
import struct
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self

PATIENCE = 60.0
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
# RFC 6455, 1.3: what a server must answer to that key.
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
MASK = b"\x37\xfa\x21\x3d"
HANDSHAKE = {
    "Host": "127.0.0.1",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}


class Frame(NamedTuple):
    """One frame of the server's; `first` is its first byte: FIN, RSV and opcode."""

    first: int
    payload: bytes


class Response(NamedTuple):
    """What the server said to a handshake; names of headers in lower case."""

    status: int
    headers: dict[str, str]


def fin(opcode: int) -> int:
    """Return the first byte of a frame that ends its message."""
    return 0x80 | opcode


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    final: bool = True,
    reserved: int = 0,
    masked: bool = True,
) -> bytes:
    """Return a frame as a client sends it, unless told otherwise."""
    first = final << 7 | reserved << 4 | opcode
    head = struct.pack("!B", first) + length(len(payload), masked=masked)
    return head + (MASK + mask(payload) if masked else payload)


def length(count: int, *, masked: bool = True) -> bytes:
    """Return the second byte of a frame and what belongs to it."""
    bit = masked << 7
    if count < 126:
        return struct.pack("!B", bit | count)
    if count < 65536:
        return struct.pack("!BH", bit | 126, count)
    return struct.pack("!BQ", bit | 127, count)


def mask(payload: bytes) -> bytes:
    """Return `payload` under MASK: one big number is quicker than many bytes."""
    count = len(payload)
    key = (MASK * (count // 4 + 1))[:count]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(count)


def fragments(opcode: int, parts: Iterable[bytes]) -> list[bytes]:
    """Return the frames of one message that is sent in `parts`."""
    pieces = list(parts)
    last = len(pieces) - 1
    return [
        frame(CONTINUATION if number else opcode, piece, final=number == last)
        for number, piece in enumerate(pieces)
    ]


def closing(code: int | None = None, reason: bytes = b"") -> bytes:
    """Return the payload of a close frame."""
    return b"" if code is None else struct.pack("!H", code) + reason


def request(
    path: str = "/",
    headers: Mapping[str, str | None] | None = None,
    *,
    method: str = "GET",
) -> bytes:
    """Return a handshake; a header whose value is None is left out of it."""
    named = HANDSHAKE | dict(headers or {})
    lines = [f"{name}: {value}" for name, value in named.items() if value is not None]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1")


def accept_of(key: str) -> str:
    """Return what a server must answer to `key`."""
    told = (key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()
    return base64.b64encode(hashlib.sha1(told, usedforsecurity=False).digest()).decode()


class Client:
    """One TCP connection to the server under test."""

    def __init__(
        self,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        buffers: int | None = None,
    ) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if buffers:
            # Before connecting: the window is agreed upon there.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffers)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffers)
        self.socket.connect(("127.0.0.1", port))
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="127.0.0.1")
        self._unread = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.socket.getsockname()
        return host, port

    def write(self, data: bytes) -> None:
        self.socket.sendall(data)

    def write_some(self, data: bytes | memoryview) -> int:
        """Write what the socket takes without waiting; return how much it took."""
        self.socket.setblocking(False)
        try:
            return self.socket.send(data)
        except BlockingIOError:
            return 0
        finally:
            self.socket.settimeout(PATIENCE)

    def send(self, *frames: bytes) -> None:
        self.socket.sendall(b"".join(frames))

    def text(self, text: str) -> None:
        self.write(frame(TEXT, text.encode()))

    def close(self, code: int | None = None, reason: bytes = b"") -> None:
        """Begin or answer the closing handshake."""
        self.write(frame(CLOSE, closing(code, reason)))

    def hang_up(self) -> None:
        """End the TCP connection in good order, with no word of WebSocket (FIN)."""
        self.socket.close()

    def vanish(self) -> None:
        """Break the TCP connection (RST)."""
        self.socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.socket.close()

    def response(self) -> Response:
        """Read the server's answer to a handshake, without its body."""
        head = self._until(b"\r\n\r\n").decode("latin-1")
        status, *lines = head.split("\r\n")
        headers: dict[str, str] = {}
        for line in filter(None, lines):
            name, value = line.split(":", 1)
            name = name.lower()
            known = headers[name] + ", " if name in headers else ""
            headers[name] = known + value.strip()
        return Response(int(status.split()[1]), headers)

    def frame(self) -> Frame:
        """Read one frame. A server's are never masked."""
        first, second = self._exactly(2)
        assert second < 0x80, "a server must not mask"
        count = second
        if second == 126:
            (count,) = struct.unpack("!H", self._exactly(2))
            assert count >= 126, "the shortest form must be used"
        elif second == 127:
            (count,) = struct.unpack("!Q", self._exactly(8))
            assert count >= 65536, "the shortest form must be used"
        return Frame(first, self._exactly(count))

    def message(self) -> str | bytes:
        """Read a message that the server sends in one frame."""
        first, payload = self.frame()
        assert first in (fin(TEXT), fin(BINARY)), (first, payload)
        return payload.decode() if first == fin(TEXT) else payload

    def closed(self) -> tuple[int | None, str]:
        """Read the server's close frame and say code and reason.

        Fails if the server sends something else before it.
        """
        first, payload = self.frame()
        assert first == fin(CLOSE), (first, payload)
        if not payload:
            return None, ""
        (code,) = struct.unpack("!H", payload[:2])
        return code, payload[2:].decode()

    def rest(self) -> bytes:
        """Read what else the server sends, until it ends the connection."""
        rest = self._unread
        self._unread = b""
        try:
            while data := self.socket.recv(65536):
                rest += data
        except ConnectionResetError:
            # It ended while something of ours was on its way.
            pass
        return rest

    def _exactly(self, count: int) -> bytes:
        parts = [self._unread]
        missing = count - len(self._unread)
        while missing > 0:
            parts.append(self._read())
            missing -= len(parts[-1])
        found = b"".join(parts)
        self._unread = found[count:]
        return found[:count]

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._unread:
            self._unread += self._read()
        found, _, self._unread = self._unread.partition(mark)
        return found

    def _read(self) -> bytes:
        data = self.socket.recv(1 << 18)
        if not data:
            raise EOFError("the server has ended the connection")
        return data
