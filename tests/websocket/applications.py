"""ASGI applications that the tests put behind the server."""

import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

PATIENCE = 60.0

Message = dict[str, Any]
Receive = Callable[[], Coroutine[Any, Any, Message]]
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


class Witness:
    """An application that notes what it is told until the socket ends."""

    def __init__(self) -> None:
        self.told: list[Message] = []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        await accepted(receive, send)
        while True:
            self.told.append(await receive())
            if self.told[-1]["type"] == "websocket.disconnect":
                return

    @property
    def has_ended(self) -> bool:
        return bool(self.told) and self.told[-1]["type"] == "websocket.disconnect"

    def disconnect(self) -> tuple[int, str]:
        """Wait for the end and return its code and reason."""
        eventually(lambda: self.has_ended)
        return self.told[-1]["code"], self.told[-1].get("reason") or ""

    @property
    def messages(self) -> list[str | bytes]:
        found = [each for each in self.told if each["type"] == "websocket.receive"]
        return [each["text"] if "text" in each else each["bytes"] for each in found]


def eventually(claim: Callable[[], Any]) -> Any:
    """Return what `claim` returns once that is true; a busy machine may take long."""
    deadline = time.monotonic() + PATIENCE
    while not (found := claim()):
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.002)
    return found
