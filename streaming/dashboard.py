"""The live dashboard's socket: each viewer tells its view, and gets snapshots of it."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from calls.board.snapshot import Picture
from calls.board.view import View, ViewError, view_read
from streaming.board_feed import Viewer, feed
from streaming.tasks import tasks_end, to_the_end, watched
from streaming.viewing import Recheck, may_go_on, may_still

# A hand on the scroll bar moves many times a second; the last place is what counts.
LEAST_SECONDS = 0.1


class DashboardConsumer(AsyncWebsocketConsumer):
    """Sends snapshots to one browser. It takes views, not orders: those are POSTs."""

    # No channel layer: Channels would listen to Redis for every socket, and end it when
    # Redis goes, which is when people look at this page.
    channel_layer_alias = "none"
    viewer: Viewer | None = None
    sender: asyncio.Task[None] | None = None
    trend_sent: float | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the socket, and let go of the feed however it ends.

        Channels skips `disconnect()` after an exception and at shutdown.
        """
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.let_go()

    async def connect(self) -> None:
        """Accept who may see calls; refuse others before the handshake is done."""
        if not await self.is_allowed():
            await self.close()
            return
        await self.accept()
        self.viewer = feed.join()
        snapshots = partial(self.send_snapshots, self.viewer)
        self.sender = asyncio.create_task(
            watched(snapshots, self.close, "telling a dashboard")
        )

    async def disconnect(self, code: int) -> None:
        """Let go of the feed."""
        await self.let_go()

    @to_the_end
    async def let_go(self) -> None:
        """Leave the feed, once."""
        sender, self.sender = self.sender, None
        viewer, self.viewer = self.viewer, None
        await tasks_end(sender)
        if viewer:
            await feed.leave(viewer)

    async def send_snapshots(self, viewer: Viewer) -> None:
        """Send each snapshot; now and then see whether the viewer still may."""
        recheck = Recheck()
        while True:
            picture = await viewer.next()
            await self.send(text_data=self.seen(picture, viewer.view))
            if recheck.is_due() and not await may_go_on(self.is_allowed):
                await self.close(code=4403)
                return
            await asyncio.sleep(LEAST_SECONDS)

    def seen(self, picture: Picture, view: View) -> str:
        """Return the snapshot as text; with the trend, if it has a new point."""
        board, trend = picture.board(view), picture.trend
        if trend is not None and trend["at"] != self.trend_sent:
            self.trend_sent = trend["at"]
            board["trend"] = trend
        return msgspec.json.encode(board).decode()

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None
    ) -> None:
        """Take a viewer's new view. One that makes no sense changes nothing."""
        if self.viewer is None:
            return
        try:
            self.viewer.look(view_read(text_data))
        except ViewError as exc:
            told = msgspec.json.encode({"error": str(exc)})
            await self.send(text_data=told.decode())

    async def is_allowed(self) -> bool:
        """Say whether the session still lives and its user may see calls."""
        allowed: Callable[..., Any] = database_sync_to_async(may_still)
        return bool(await allowed(self.scope, "calls.view_call"))
