"""picows as a parser of frames and nothing else: what is written, and when a connection
ends, is for `frames` to say.
"""

import asyncio
import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

from picows import (
    WSAutoPingStrategy,
    WSListener,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)

# Not in its stub, but what `ws_create_server` makes for each connection.
from picows.picows import WSProtocol  # type: ignore[attr-defined]

log = logging.getLogger(__name__)

# picows doubles a connection's buffer when a read has filled it, and never makes it
# smaller. Reads of three quarters at most: a burst after a stall leaves no trace.
_BUFFER: Final = 16 * 1024
_READ_MOST: Final = 12 * 1024
# What picows wants to read before it reads frames. The real request has been answered
# for by `handshake`; of it only the key matters here.
_REQUEST: Final = (
    b"GET / HTTP/1.1\r\nHost: -\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n"
)


class Parser(WSProtocol):  # type: ignore[misc] # untyped
    """picows's protocol, which says when it refused a frame."""

    failed: Callable[[int, str], None]

    def begin(self, transport: asyncio.Transport, key: str) -> None:
        """Answer the handshake of a client with this Sec-WebSocket-Key."""
        self.connection_made(_Outlet(transport))
        self.feed(_REQUEST % key.encode("ascii"))

    def feed(self, content: bytes) -> bytes:
        """Take bytes as if just read; return those for which there was no room."""
        room = self.get_buffer(-1)
        count = min(len(room), len(content))
        room[:count] = content[:count]
        self.buffer_updated(count)
        return content[count:]

    def get_buffer(self, sizehint: int) -> Any:
        """Return where to read to; see _READ_MOST."""
        return WSProtocol.get_buffer(self, sizehint)[:_READ_MOST]

    def buffer_updated(self, nbytes: int) -> None:
        """Parse what was read."""
        WSProtocol.buffer_updated(self, nbytes)
        if self.transport.is_close_frame_sent:
            # So it believes: see _Outlet.
            fault = self.transport.close_handshake.sent
            self.failed(int(fault.code), fault.reason)


def parser_of(
    listener: WSListener,
    headers: Sequence[tuple[str, str]],
    max_size: int,
    failed: Callable[[int, str], None],
) -> Parser:
    """Return a parser that gives frames of up to `max_size` bytes to `listener`.

    It answers the handshake with `headers` added, and calls `failed` with code and
    reason for a frame that it refuses, after those that came before it.
    """
    response = WSUpgradeResponse.create_101_response(headers)
    answer = WSUpgradeResponseWithListener(response, listener)

    parser = Parser(
        None,  # host and port, of clients
        None,  # path, of clients
        False,  # not a client
        lambda _request: answer,
        _Quiet(),
        True,  # an exception ends the connection
        None,  # no deadline: the handshake has come
        False,  # a missing pong is no reason to close: no pings
        1.0,
        1.0,
        WSAutoPingStrategy.PING_WHEN_IDLE,
        False,  # pongs are ours: none after a close frame
        max_size,
        None,  # headers, of clients
        _BUFFER,
    )
    parser.failed = failed
    return parser


class _Outlet:
    """The transport as picows may use it: to answer the handshake, and no further.

    picows parses one frame ahead. Its close frame for a faulty one would overtake our
    answers to what came before it; behind a close frame, it would take their place. And
    10 ms later it would close the connection, with the peer's bytes unread.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self.get_extra_info = transport.get_extra_info
        self._answer: Callable[[bytes], None] | None = transport.write

    def get_write_buffer_size(self) -> int:
        """Return that something waits: else it writes past us, to the descriptor."""
        return 1

    def write(self, content: bytes) -> None:
        """Write the answer to the handshake."""
        answer, self._answer = self._answer, None
        if answer is not None:
            answer(content)

    def close(self) -> None:
        """Do nothing."""

    def abort(self) -> None:
        """Do nothing."""


class _Quiet:
    """picows's log, which tells of each connection; faults in our code are ours."""

    def isEnabledFor(self, _level: int) -> bool:  # noqa: N802 logging's name
        """Return that nobody listens."""
        return False

    def info(self, *_: object) -> None:
        """Do nothing: connections are the application's to log."""

    error = warning = info

    def exception(self, message: str, *args: object) -> None:
        """Tell of an exception in `Frames`: a fault of ours."""
        # Only called while the exception is handled, whatever a linter sees.
        log.error(message, *args, exc_info=sys.exc_info())
