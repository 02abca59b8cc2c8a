"""A network that takes its time: a TCP relay with a delay each way."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast


@asynccontextmanager
async def relay(port: int, delay: float) -> AsyncIterator[int]:
    """Yield a port that leads to `port`; each byte takes `delay` seconds each way."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Near(port, delay), "127.0.0.1")
    async with server:
        yield server.sockets[0].getsockname()[1]


class End(asyncio.Protocol):
    """One end of a way: what comes in here goes out at its peer, later."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.peer: End | None = None
        self.transport: asyncio.Transport | None = None
        self._on_the_way: deque[bytes] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._carry(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._carry(b"")

    @property
    def is_open(self) -> bool:
        """Say whether there is somebody to bring bytes to."""
        return self.transport is not None and not self.transport.is_closing()

    def _carry(self, content: bytes) -> None:
        """Let bytes (none: the end) arrive in order, each after the same time."""
        self._on_the_way.append(content)
        asyncio.get_running_loop().call_later(self.delay, self._arrive)

    def _arrive(self) -> None:
        content = self._on_the_way.popleft()
        if self.peer is None or not self.peer.is_open:
            return
        assert self.peer.transport is not None
        if content:
            self.peer.transport.write(content)
        else:
            self.peer.transport.close()


class Near(End):
    """The end at which the client is; the other is dialled for it."""

    def __init__(self, port: int, delay: float) -> None:
        super().__init__(delay)
        self._port = port
        self._dialling: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._dialling = asyncio.get_running_loop().create_task(self._dial())

    async def _dial(self) -> None:
        far = End(self.delay)
        far.peer, self.peer = self, far
        try:
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: far, "127.0.0.1", self._port)
        except OSError:
            # Nobody is there: the client learns it as late as everything else.
            far.connection_lost(None)
