"""Opening media sockets as the service does, and what became of each."""

import asyncio
import contextlib
import socket
import struct
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import aiohttp

from emulator.calls import Call
from emulator.orders import Ending, Order
from emulator.tokens import SOCKET_LIFETIME, TokenIssuer

TAIL = 50
"""Slots before the end of a broken socket whose packets may not have been read."""
DIAL_SECONDS = 10
"""Wall time for connecting and the handshake."""


class RefusedError(Exception):
    """The peer did not open a socket; the message says what it did instead."""


@dataclass(slots=True)
class SocketRecord:
    """One socket of a stream, or one attempt to open it."""

    opened_at: str
    packets: int = 0
    closed_at: str | None = None
    ended: str | None = None
    closed_by: str | None = None
    reason: str | None = None
    close_code: int | None = None
    _last: deque[tuple[int, bytes]] = field(default_factory=lambda: deque(maxlen=400))

    @classmethod
    def opened(cls, at: datetime) -> Self:
        """Return the record of a socket that opened now."""
        return cls(at.isoformat())

    @classmethod
    def refused(cls, why: RefusedError, at: datetime) -> Self:
        """Return the record of an attempt that failed now."""
        moment = at.isoformat()
        return cls(moment, closed_at=moment, ended="refused", reason=str(why))

    def handed_over(self, slot: int, stamp: bytes) -> None:
        """Take note of a packet that was written to the socket."""
        self.packets += 1
        self._last.append((slot, stamp))

    def closed(self, at: datetime, order: Order, code: int | None) -> None:
        """Take note of the end. It is clean if both ends said goodbye."""
        self.closed_at = at.isoformat()
        self.closed_by = "peer" if order.ending is Ending.LOST else "emulator"
        self.reason = order.ending.value
        self.close_code = code
        lost = code is None or code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE
        self.ended = "abrupt" if order.abrupt else "lost" if lost else "clean"

    def report(self) -> dict[str, Any]:
        """Return the record as the control API shows it."""
        return {
            "opened_at": self.opened_at,
            "closed_at": self.closed_at,
            "packets": self.packets,
            "ended": self.ended,
            "closed_by": self.closed_by,
            "reason": self.reason,
            "close_code": self.close_code,
            "unconfirmed": self._unconfirmed(),
        }

    def _unconfirmed(self) -> dict[str, Any] | None:
        """Return the last second of a socket that did not end with a goodbye.

        Written is not read: these are the packets of which nobody can know.
        """
        if self.ended not in ("abrupt", "lost") or not self._last:
            return None
        newest = self._last[-1][0]
        tail = [stamp for slot, stamp in self._last if slot > newest - TAIL]
        return {"packets": len(tail), "from": tail[0].decode()}


class Dialler:
    """Dials transport URLs with a new token for each socket."""

    def __init__(self, session: aiohttp.ClientSession, issuer: TokenIssuer) -> None:
        self._session = session
        self._issuer = issuer

    async def dial(self, call: Call, url: str) -> aiohttp.ClientWebSocketResponse:
        """Return an open socket of a call. Raises `RefusedError`."""
        behaviour = call.plan.behaviour
        fault = call.plan.faults.token
        token = self._issuer.issue(SOCKET_LIFETIME, fault=fault)
        headers = {
            "Authorization": f"Bearer {token}",
            "x-ms-call-connection-id": call.connection_id,
            "x-ms-call-correlation-id": call.correlation_id,
        }
        for line in filter(None, behaviour.extra_headers.split(";")):
            name, _, value = line.partition(":")
            headers[name.strip()] = value.strip()
        closing = aiohttp.ClientWSTimeout(ws_close=behaviour.close_seconds)
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                return await self._session.ws_connect(
                    url,
                    headers=headers,
                    timeout=closing,
                    heartbeat=behaviour.ping_seconds or None,
                    compress=15 if behaviour.compression else 0,
                    max_msg_size=0,
                )
        except aiohttp.WSServerHandshakeError as exc:
            raise RefusedError(f"HTTP status {exc.status}") from exc
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as exc:
            raise RefusedError(type(exc).__name__) from exc


async def close(websocket: aiohttp.ClientWebSocketResponse, order: Order) -> None:
    """Close a socket as ordered, and wait for the peer's close frame."""
    if order.abrupt:
        _drop(websocket)
    await websocket.close(code=order.code)


def _drop(websocket: aiohttp.ClientWebSocketResponse) -> None:
    """Break a socket without a close frame; what the peer has not read may be lost."""
    wire = websocket.get_extra_info("socket")
    if wire is None:
        return
    with contextlib.suppress(OSError):
        # Lingering for zero seconds makes the close that follows a TCP reset.
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.shutdown(socket.SHUT_RDWR)
