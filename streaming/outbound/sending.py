"""How a message gets out at once, or not at all, whatever server has the socket."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from streaming.outbound.speaker import Send
from streaming.websocket import SENDING

# Of a server that lets us wait: so many messages do, no more.
MOST_WAITING: Final = 8


def sender(scope: Mapping[str, Any], send: Callable[[Any], Awaitable[None]]) -> Send:
    """Return what sends a text over an accepted socket, as its server can.

    One and the same object: whoever detaches a socket names it.
    """
    now: Send | None = scope.get("extensions", {}).get(SENDING)
    return now or _Waiting(send)


class _Waiting:
    """Sends by ASGI: a few messages wait in a task of their own."""

    def __init__(self, send: Callable[[Any], Awaitable[None]]) -> None:
        self._send = send
        self._texts: deque[str] = deque()
        self._task: asyncio.Task[None] | None = None
        self._is_gone = False

    def __call__(self, text: str) -> bool:
        """Send a text soon; False if too many wait, or the socket is gone."""
        if self._is_gone or len(self._texts) >= MOST_WAITING:
            return False
        self._texts.append(text)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="speaking")
        return True

    async def _run(self) -> None:
        try:
            while self._texts:
                text = self._texts.popleft()
                await self._send({"type": "websocket.send", "text": text})
        except Exception:  # noqa: BLE001 servers differ in how they say that it is gone
            self._is_gone = True
            self._texts.clear()
