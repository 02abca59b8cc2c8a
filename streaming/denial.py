"""Refuses a WebSocket handshake with an HTTP status, before any upgrade."""

from http import HTTPStatus
from typing import Any

EXTENSION = "websocket.http.response"


async def deny(scope: Any, send: Any, status: HTTPStatus, seconds: int = 0) -> None:
    """Answer a handshake with `status`, or with 429 while a source is to stay away.

    A server without ASGI's denial responses (Daphne) answers 403 whatever it is.
    """
    if EXTENSION not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close"})
        return
    headers = [(b"content-type", b"text/plain"), (b"connection", b"close")]
    if seconds:
        status = HTTPStatus.TOO_MANY_REQUESTS
        headers.append((b"retry-after", str(seconds).encode()))
    elif status == HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", b"Bearer"))
    start = {"status": int(status), "headers": headers}
    await send({"type": f"{EXTENSION}.start"} | start)
    # Why is in our log: a stranger is told no more than the status.
    await send({"type": f"{EXTENSION}.body", "body": f"{status.phrase}\n".encode()})
