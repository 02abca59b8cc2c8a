"""One stream of the generator: a raw, non-blocking socket with one speaker."""

import base64
import os
import select
import socket
import threading
import time
from contextlib import suppress

from benchmarks.frames import (
    CLOSE,
    PING,
    PONG,
    audio_frame,
    client_frame,
    closing_words,
    metadata_frame,
)

HANDSHAKE_SECONDS = 30.0
CLOSING_SECONDS = 15.0
NORMAL = (1000).to_bytes(2, "big")


class Speaker:
    """Speaks on one socket at a time. What the kernel does not take waits in order."""

    def __init__(self, port: int, name: str, number: int) -> None:
        self.port = port
        # What the server is told as the call's id.
        self.name = name
        self.number = number
        self.is_sampled = False
        self.frame, self._stamp_at = audio_frame(number)
        self.backlog = bytearray()
        self.packets = self.stamp_sum = self.held = 0
        self.times_ns: list[int] = []
        self.redials = 0
        self.fault = ""
        self._socket: socket.socket | None = None
        self._next: socket.socket | None = None
        self._dialling: threading.Thread | None = None
        self._old: list[socket.socket] = []

    @property
    def waiting_packets(self) -> int:
        """Packets that are not, or not wholly, with the kernel."""
        return -(-len(self.backlog) // len(self.frame))

    def dial(self) -> None:
        """Open the socket and send the metadata. Raises OSError."""
        self._socket = self._dialled()

    def redial(self) -> None:
        """Have another socket opened in a thread; go over to it when it is there."""

        def dial() -> None:
            try:
                self._next = self._dialled()
            except OSError as error:
                self.fault = f"redial: {error}"

        self._dialling = threading.Thread(target=dial, daemon=True)
        self._dialling.start()

    def send(self, at_us: int, stamp: bytes, now_ns: int) -> int:
        """Send the next packet; return the bytes that the kernel took."""
        if self._next is not None and not self.backlog:
            self._go_over(self._next)
        if self.fault or self._socket is None:
            return 0
        frame = self.frame
        frame[self._stamp_at] = stamp
        self.packets += 1
        self.stamp_sum += at_us
        if self.is_sampled:
            self.times_ns.append(now_ns)
        if self.backlog:
            self.held += 1
            self.backlog += frame
            return self.push()
        taken = self._taken(frame)
        if taken < len(frame):
            self.held += 1
            self.backlog += frame[taken:]
        return taken

    def push(self) -> int:
        """Send what waits, as far as the kernel takes it; return its bytes."""
        if not self.backlog or self.fault:
            return 0
        taken = self._taken(self.backlog)
        del self.backlog[:taken]
        return taken

    def flood_frame(self, at_us: int, stamp: bytes) -> bytearray:
        """Return the next packet without sending it."""
        self.frame[self._stamp_at] = stamp
        self.packets += 1
        self.stamp_sum += at_us
        return self.frame

    def fileno(self) -> int:
        """For selectors."""
        return self._socket.fileno() if self._socket else -1

    def listen(self) -> None:
        """Answer a ping; note a close. Servers of media say nothing else."""
        for old in list(self._old):
            if _heard(old) == b"":
                old.close()
                self._old.remove(old)
        heard = _heard(self._socket) if self._socket and not self.fault else None
        if heard == b"" or (heard and heard[0] & 0x0F == CLOSE):
            said = closing_words(heard[2:]) if heard else "no word"
            self.fault = f"the server closed: {said}"
        elif heard and heard[0] & 0x0F == PING and not self.backlog:
            # Short enough for the length to be one byte: RFC 6455, 5.5.
            self._taken(client_frame(PONG, heard[2 : 2 + heard[1]]))

    def settle(self) -> None:
        """Wait for a socket that is being dialled; speak no more on the old one."""
        if self._dialling:
            self._dialling.join()
        if self._next:
            self._go_over(self._next)

    def bid_farewell(self) -> None:
        """Send the close frame."""
        if self._socket and not self.fault:
            self._taken(client_frame(CLOSE, NORMAL))

    def close(self, deadline: float) -> None:
        """Wait until the server has closed, so that it has read everything."""
        latest = max(deadline, time.monotonic() + CLOSING_SECONDS)
        for one in [*self._old, self._socket]:
            if one is None:
                continue
            with suppress(OSError), one:
                while _heard(one) != b"" and time.monotonic() < latest:
                    select.select([one], [], [], 0.2)

    def _go_over(self, new: socket.socket) -> None:
        if self._socket is not None:
            self.bid_farewell()
            self._old.append(self._socket)
        self._socket, self._next = new, None
        self.redials += 1

    def _taken(self, content: bytes | bytearray) -> int:
        if self._socket is None:
            return 0
        try:
            return self._socket.send(content)
        except BlockingIOError:
            return 0
        except OSError as error:
            self.fault = f"send: {error}"
            return 0

    def _dialled(self) -> socket.socket:
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET /media/{self.number} HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{self.port}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"x-ms-call-connection-id: {self.name}\r\n\r\n"
        )
        wire = socket.create_connection(("127.0.0.1", self.port), HANDSHAKE_SECONDS)
        try:
            wire.sendall(request.encode())
            _accepted(wire)
            wire.sendall(metadata_frame(self.name))
        except OSError:
            wire.close()
            raise
        # A frame must leave when it is due, not when the one before is acknowledged.
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.setblocking(False)
        return wire


def _accepted(wire: socket.socket) -> None:
    """Read the answer to a handshake. Raises ConnectionError if it is not 101."""
    # Unbuffered: behind the head stand frames, perhaps that of a refusal.
    with wire.makefile("rb", buffering=0) as lines:
        answer = lines.readline()
        while lines.readline().strip():
            pass
    if b" 101 " not in answer:
        raise ConnectionError(f"no socket: {answer[:80]!r}")


def _heard(wire: socket.socket) -> bytes | None:
    """Return what has come; empty: the other side has closed; None: nothing."""
    try:
        return wire.recv(4096)
    except BlockingIOError:
        return None
    except OSError:
        return b""
