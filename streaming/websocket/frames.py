"""Frames to messages: what RFC 6455 asks of a server once a socket is open.

picows parses frames in C and refuses what is wrong with their headers. What concerns
more than one frame is here: fragments, UTF-8, sizes, pings, the closing handshake. And
the end of a socket whose peer broke the rules: it is told why, and what it still sends
is read and thrown away for a moment, because closing a socket with bytes unread makes
the kernel send a reset, which can overtake the reason.
"""

import asyncio
import codecs
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from picows import WSFrame, WSListener, WSMsgType, WSTransport

from streaming.websocket.parser import Parser, parser_of

NO_CODE: Final = 1005
NO_CLOSE_FRAME: Final = 1006
PROTOCOL_ERROR: Final = 1002
INVALID_DATA: Final = 1007
TOO_BIG: Final = 1009

# RFC 6455, 7.4: what may travel. 1004 to 1006 and 1015 never do, and beyond 4999
# nothing is defined; picows lets some of them through.
_CODES: Final = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})
# How long a peer that broke the rules may take to see why.
_FAREWELL: Final = 1.0

_TEXT: Final = WSMsgType.TEXT


class Owner(Protocol):
    """Whom a socket's messages are for."""

    def message_received(self, message: str | bytes) -> None:
        """Take a whole message."""

    def taking_failed(self, fault: Exception) -> None:
        """Learn that whoever takes messages raised."""

    def close_received(self, code: int, reason: str) -> None:
        """Learn that the peer closes; `code` is 1005 if it named none."""

    def failed(self, code: int, reason: str) -> None:
        """Learn that the peer broke the rules, and was told so."""

    def lost(self) -> None:
        """Learn that the connection is gone."""

    def writing_paused(self, is_paused: bool) -> None:
        """Learn that the peer reads too slowly, or no longer so."""


class Frames(WSListener):
    """One open socket: what comes over it goes to `owner`, message by message.

    `headers` are added to the answer that opens it; `max_size` bounds a message, in
    bytes. Reading from `transport` may have been paused until `open`.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        owner: Owner,
        *,
        headers: Sequence[tuple[str, str]],
        max_size: int,
    ) -> None:
        self._owner = owner
        # Who takes messages: the owner, or whom the owner names.
        self.take: Callable[[str | bytes], None] = owner.message_received
        self._transport = transport
        self._max_size = max_size
        # A message in fragments: its kind, what came of it, and its size so far.
        self._kind: WSMsgType | None = None
        self._parts: list[str | bytes] = []
        self._size = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        # Nothing is read behind a close frame or a fault.
        self._is_deaf = False
        self.close_sent = False
        # The newest ping: what it carries, when it was sent, who wants to know.
        self._pings = 0
        self._pinged_ns = 0
        self._ponged: Callable[[int], None] | None = None
        self._parser: Parser = parser_of(self, headers, max_size, self.fail)

    def open(self, key: str, early: bytes) -> None:
        """Answer the handshake and begin to read.

        `key` is the client's Sec-WebSocket-Key, `early` what it has sent already.
        """
        transport = self._transport
        transport.set_protocol(self._parser)
        # Before what is early is taken: that may be enough to pause again.
        transport.resume_reading()
        self._parser.begin(transport, key)
        while early and not self._is_deaf:
            early = self._parser.feed(early)

    # Sending.

    def send(self, message: str | bytes) -> None:
        """Send a whole message."""
        if isinstance(message, str):
            self._write(WSMsgType.TEXT, message.encode())
        else:
            self._write(WSMsgType.BINARY, message)

    def ping(self, ponged: Callable[[int], None]) -> None:
        """Send a ping; its pong is told to `ponged`, with the µs between the two."""
        if not self.close_sent:
            self._pings += 1
            self._ponged, self._pinged_ns = ponged, time.monotonic_ns()
            self._write(WSMsgType.PING, b"%d" % self._pings)

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake, once; what the peer still sends is taken."""
        if not self.close_sent:
            self.close_sent = True
            said = b"" if code == NO_CODE else code.to_bytes(2, "big")
            # RFC 6455, 5.5: a control frame's payload fits into 125 bytes.
            shown = reason.encode()[:123].decode(errors="ignore").encode()
            self._write(WSMsgType.CLOSE, said + shown)

    def fail(self, code: int, reason: str) -> None:
        """Tell a peer that broke the rules why it is left, and leave it."""
        self.close(code, reason)
        self._leave(code, reason)

    def _write(self, kind: WSMsgType, payload: bytes) -> None:
        size = len(payload)
        # RFC 6455, 5.2: FIN and the opcode; no mask; the shortest form of the length.
        first = 0x80 | kind.value
        if size < 126:
            head = struct.pack("!BB", first, size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", first, 126, size)
        else:
            head = struct.pack("!BBQ", first, 127, size)
        self._transport.write(head + payload)

    def _leave(self, code: int, reason: str) -> None:
        if not self._is_deaf:
            self._is_deaf = True
            self._owner.failed(code, reason)
            _Farewell(self._transport, self._owner)

    # What picows calls.

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a frame whose header is in order."""
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self.fail(PROTOCOL_ERROR, "reserved bits are set")
        elif self._is_deaf:
            pass
        elif frame.msg_type is _TEXT and frame.fin and self._kind is None:
            # Nearly every frame of a media socket.
            try:
                text = frame.get_payload_as_utf8_text()
            except UnicodeDecodeError:
                self.fail(INVALID_DATA, "text that is not UTF-8")
                return
            try:
                self.take(text)
            except Exception as exc:  # noqa: BLE001 an application's, any
                self._owner.taking_failed(exc)
        else:
            self._other(frame)

    def _take_one(self, message: str | bytes) -> None:
        try:
            self.take(message)
        except Exception as exc:  # noqa: BLE001 an application's, any
            self._owner.taking_failed(exc)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Tell the owner."""
        self._is_deaf = True
        self._owner.lost()

    def pause_writing(self) -> None:
        """Tell the owner."""
        self._owner.writing_paused(True)

    def resume_writing(self) -> None:
        """Tell the owner."""
        self._owner.writing_paused(False)

    def _other(self, frame: WSFrame) -> None:
        match frame.msg_type:
            case WSMsgType.PING:
                if not self.close_sent:
                    self._write(WSMsgType.PONG, frame.get_payload_as_bytes())
            case WSMsgType.PONG:
                self._pong(frame.get_payload_as_bytes())
            case WSMsgType.CLOSE:
                self._closed_by_peer(frame)
            case WSMsgType.CONTINUATION:
                self._continued(frame)
            case WSMsgType.TEXT | WSMsgType.BINARY:
                self._begun(frame)

    def _pong(self, carried: bytes) -> None:
        # RFC 6455, 5.5.3: one that nobody asked for, or that answers an older ping.
        if self._ponged is not None and carried == b"%d" % self._pings:
            ponged, self._ponged = self._ponged, None
            ponged((time.monotonic_ns() - self._pinged_ns) // 1000)

    def _begun(self, frame: WSFrame) -> None:
        if self._kind is not None:
            self.fail(PROTOCOL_ERROR, "a message within a fragmented message")
        elif frame.fin:
            # A whole text is not for here.
            self._take_one(frame.get_payload_as_bytes())
        else:
            self._kind = frame.msg_type
            self._fragment(frame)

    def _continued(self, frame: WSFrame) -> None:
        if self._kind is None:
            self.fail(PROTOCOL_ERROR, "a continuation of nothing")
            return
        if not self._fragment(frame) or not frame.fin:
            return
        parts, kind = self._parts, self._kind
        self._parts, self._kind, self._size = [], None, 0
        empty: Any = "" if kind is _TEXT else b""
        self._take_one(empty.join(parts))

    def _fragment(self, frame: WSFrame) -> bool:
        """Keep one fragment; False if it was one too many or no UTF-8."""
        payload = frame.get_payload_as_bytes()
        self._size += len(payload)
        if self._size > self._max_size:
            self.fail(TOO_BIG, f"a message of more than {self._max_size} bytes")
            return False
        if self._kind is not _TEXT:
            self._parts.append(payload)
            return True
        try:
            # A character may be cut by the border between two fragments.
            self._parts.append(self._decoder.decode(payload, frame.fin))
        except UnicodeDecodeError:
            self.fail(INVALID_DATA, "text that is not UTF-8")
            return False
        return True

    def _closed_by_peer(self, frame: WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        code = int.from_bytes(payload[:2], "big") if payload else NO_CODE
        if payload and code not in _CODES:
            self.fail(PROTOCOL_ERROR, "a close code that must not be sent")
            return
        self._is_deaf = True
        # RFC 6455, 5.5.1: answered with the code that came. Then it is our turn to
        # close the connection (7.1.1).
        self.close(code, "")
        self._owner.close_received(code, payload[2:].decode())
        self._transport.close()


class _Farewell(asyncio.Protocol):
    """The last protocol of a peer that broke the rules: it is read no more."""

    def __init__(self, transport: asyncio.Transport, owner: Owner) -> None:
        self._owner = owner
        transport.set_protocol(self)
        # Paused, if the owner was behind.
        transport.resume_reading()
        if transport.can_write_eof():
            transport.write_eof()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_FAREWELL, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner."""
        self._timer.cancel()
        self._owner.lost()
