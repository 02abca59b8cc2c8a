"""uvicorn's HTTP class, for a port that strangers can reach."""

import asyncio
from collections import OrderedDict, defaultdict
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from calls.networks import group_of


class Unasked:
    """Connections that have not sent a whole request, by source, oldest first.

    A source has `most` of them at most: one more, and its oldest is closed. So silent
    connections never keep out one that says at once what it wants.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: defaultdict[str, OrderedDict[IngestHttpProtocol, None]] = (
            defaultdict(OrderedDict)
        )

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, source: str, connection: "IngestHttpProtocol") -> None:
        """Take a connection in; the oldest of its source may have to go."""
        waiting = self._waiting[source]
        waiting[connection] = None
        if len(waiting) > self._most:
            oldest, _ = waiting.popitem(last=False)
            oldest.abandon()

    def discard(self, source: str, connection: "IngestHttpProtocol") -> None:
        """Forget a connection: it has asked, or is gone."""
        if waiting := self._waiting.get(source):
            waiting.pop(connection, None)
        if not waiting:
            self._waiting.pop(source, None)


class IngestHttpProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection which does not send a whole request in time.

    uvicorn waits for ever for the first request: ten thousand silent connections would
    take all descriptors. And it forgets what a client sent behind its upgrade request.
    """

    # Seconds. A WebSocket client sends its request at once; who has not after so long
    # never will.
    request_timeout = 10.0
    # Of all connections of the process; `manage.py ingest` sets the limit.
    unasked = Unasked(256)
    _deadline: asyncio.TimerHandle | None = None
    _source = ""

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the request."""
        super().connection_made(transport)
        self._source = group_of((transport.get_extra_info("peername") or ("",))[0])
        self.unasked.add(self._source, self)
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

    def abandon(self) -> None:
        """Close the connection: others of its source need the place."""
        self._in_time()
        self._late()

    def _late(self) -> None:
        self.connections.discard(self)
        self.transport.abort()

    def _in_time(self) -> None:
        self.unasked.discard(self._source, self)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
