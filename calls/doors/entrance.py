"""What every request to the web process passes first, before Django reads a byte.

Addresses are those of clients, not of proxies (`calls.doors.sources`); the body of a
webhook is no larger than a webhook's can be, and comes in time; a door that asks for
nothing is shut to whoever is not on this machine.
"""

import asyncio
from typing import Any

from django.conf import settings

from calls.doors.networks import is_loopback
from calls.doors.sources import direct
from calls.envelopes import MAX_BYTES

WEBHOOKS = "/webhooks/"
SOCKETS = ("/media/", "/transcription/")
# A webhook is a few kilobytes: who needs longer keeps a connection, not a promise.
BODY_SECONDS = 20.0


class Entrance:
    """Wraps the web process's ASGI application."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        scope = direct(scope)
        path = scope["path"]
        if is_shut(scope, path):
            await _refuse(scope, receive, send)
        elif scope["type"] == "http" and path.startswith(WEBHOOKS):
            await self._webhook(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _webhook(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _body(scope, receive)
        except ConnectionAbortedError:
            return
        except TimeoutError:
            await _answer(send, 408, "The body did not come in time.")
            return
        if body is None:
            await _answer(send, 413, f"The body is larger than {MAX_BYTES} bytes.")
            return
        parts = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def again() -> Any:
            return next(parts, None) or await receive()

        await self._app(scope, again, send)


def is_shut(scope: Any, path: str) -> bool:
    """Say whether a door that asks for nothing is asked by somebody from elsewhere."""
    is_off = (path.startswith(WEBHOOKS) and settings.CALLBACK_AUTH == "off") or (
        path.startswith(SOCKETS) and settings.MEDIA_AUTH == "off"
    )
    if settings.DEBUG or not is_off:
        return False
    near = [scope.get("client"), scope.get("server")]
    return not all(is_loopback(end[0]) for end in near if end and end[0])


async def _body(scope: Any, receive: Any) -> bytes | None:
    """Return a request's body; None as soon as it is too large."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > MAX_BYTES:
            return None
    body = bytearray()
    while len(body) <= MAX_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionAbortedError
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return None if len(body) > MAX_BYTES else bytes(body)


async def _refuse(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await _answer(send, 403, "Without authentication, from this machine only.")
        return
    await receive()
    await send({"type": "websocket.close"})


async def _answer(send: Any, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{text}\n".encode()})
