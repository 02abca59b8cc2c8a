"""What every socket of a browser has in common: how it ends, and what it may say."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

import msgspec
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from streaming.close_codes import RUBBISH
from streaming.tasks import watched
from streaming.viewing import may_still

# A socket that says nothing but rubbish is closed after so much of it.
MAX_FAULTS: Final = 50
# No message that a browser says is longer, in characters.
MAX_MESSAGE: Final = 1000


class Ping(msgspec.Struct, tag="ping", forbid_unknown_fields=True):
    """Measure how far clocks and network are apart: `pong` is the answer."""

    at: float


class BrowserConsumer(AsyncWebsocketConsumer, ABC):
    """A browser's socket, which lets go of what it holds however it ends."""

    # No channel layer: Channels would listen to Redis for every socket, and end it when
    # Redis goes, which is when people look at these pages.
    channel_layer_alias = "none"
    faults = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the socket, and let go of everything however it ends.

        Channels skips `disconnect()` after an exception and at shutdown.
        """
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.let_go()

    async def disconnect(self, code: int) -> None:
        """Let go of everything."""
        await self.let_go()

    @abstractmethod
    async def let_go(self) -> None:
        """End `tasks`, and give back what the socket holds. Called more than once."""

    def begin_task(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do something beside the socket, until that is done or the socket is gone.

        Should it fail, the socket is closed; `what` is said of it in the log.
        """
        task = asyncio.create_task(watched(work, self.close, what), name=what)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    @property
    def call_id(self) -> UUID:
        """Return the call that the socket's route names."""
        call_id: UUID = self.scope["url_route"]["kwargs"]["call_id"]
        return call_id

    @property
    def address(self) -> str:
        """Return where the browser is; empty if the server does not say."""
        client = self.scope.get("client") or ("",)
        return str(client[0] or "")

    @property
    def user_key(self) -> Any:
        """Return the key of who opened it; None: nobody who is signed in."""
        user = self.scope["user"]
        return user.pk if user else None

    async def may(self, permission: str) -> bool:
        """Say whether the session still lives and its user has a right."""
        allowed: Callable[..., Any] = database_sync_to_async(may_still)
        return bool(await allowed(self.scope, permission))

    async def tell(self, told: Any) -> None:
        """Send one message, as JSON."""
        await self.send(text_data=msgspec.json.encode(told).decode())

    async def pong(self, at: float) -> None:
        """Answer a ping with our clock."""
        await self.tell({"type": "pong", "at": at, "server": time.time()})

    async def fault(self) -> None:
        """Answer rubbish; close a socket that says nothing else."""
        self.faults += 1
        await self.tell({"type": "error", "error": "rubbish"})
        if self.faults >= MAX_FAULTS:
            await self.close(code=RUBBISH)
