"""uvicorn's HTTP class, for a port that strangers can reach."""

import asyncio
import logging
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from calls.doors.networks import group_of

log = logging.getLogger(__name__)

# Who sends a request sends it at once: a loop that was held up reads it within a second
# of taking the connection.
YOUNG_SECONDS: Final = 1.0
CROWD: Final = 8
TELL_SECONDS: Final = 10.0


class Unasked:
    """Connections that have not sent a whole request, by source, oldest first.

    A source has `most` of them that are older than a second: one more, and its oldest
    is closed. So silent connections never keep out one that says at once what it wants.
    Younger ones are let be, up to `CROWD` times as many: what a burst sent is read only
    after all of it was accepted, and behind a proxy all callers are one source.
    """

    def __init__(
        self,
        most: int,
        note: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._note = note
        self._clock = clock
        # With the time at which each came.
        self._waiting: defaultdict[str, OrderedDict[IngestHttpProtocol, float]] = (
            defaultdict(OrderedDict)
        )
        self._untold = 0
        self._tell_at = 0.0

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, source: str, connection: "IngestHttpProtocol") -> None:
        """Take a connection in; the oldest of its source may have to go."""
        now = self._clock()
        waiting = self._waiting[source]
        waiting[connection] = now
        while len(waiting) > self._most:
            oldest, since = next(iter(waiting.items()))
            if now - since < YOUNG_SECONDS and len(waiting) <= CROWD * self._most:
                break
            del waiting[oldest]
            oldest.abandon()
            self._closed(source, now)

    def discard(self, source: str, connection: "IngestHttpProtocol") -> None:
        """Forget a connection: it has asked, or is gone."""
        if waiting := self._waiting.get(source):
            waiting.pop(connection, None)
        if not waiting:
            self._waiting.pop(source, None)

    def _closed(self, source: str, now: float) -> None:
        """Count it; tell of it, but not of each."""
        self._untold += 1
        if self._note is not None:
            self._note()
        if now >= self._tell_at:
            log.warning(
                "%d connections that had not sent a whole request were closed to make"
                " room, the last of source %s",
                *(self._untold, source or "unknown"),
            )
            self._untold, self._tell_at = 0, now + TELL_SECONDS


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
