"""uvicorn's HTTP class, for a port that strangers can reach."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class IngestHttpProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection which does not send a whole request in time.

    uvicorn waits for ever for the first request: ten thousand silent connections would
    take all descriptors. And it forgets what a client sent behind its upgrade request.
    """

    # Seconds. A WebSocket client sends its request at once; who has not after so long
    # never will.
    request_timeout = 10.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the request."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(self.request_timeout, self._late)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._in_time()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; a request that is complete ends the wait."""
        super().data_received(data)
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._in_time()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over, with all that came over it."""
        self._in_time()
        super().handle_websocket_upgrade(event)
        rest, _ = self.conn.trailing_data
        if rest:
            self.transport.get_protocol().data_received(rest)  # type: ignore[attr-defined] # a WebSocket class

    def _late(self) -> None:
        self.connections.discard(self)
        self.transport.abort()

    def _in_time(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
