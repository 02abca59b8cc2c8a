"""ASGI applications that the tests put behind the server."""

from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


async def accepted(receive: Receive, send: Send) -> None:
    """Take the handshake as most applications do."""
    assert await receive() == {"type": "websocket.connect"}
    await send({"type": "websocket.accept"})


async def echo(scope: Message, receive: Receive, send: Send) -> None:
    """Send every message back as it came, until the socket ends."""
    await accepted(receive, send)
    while (message := await receive())["type"] == "websocket.receive":
        await send(message | {"type": "websocket.send"})
