"""The live dashboard's socket: each viewer tells its view, and gets snapshots of it."""

import asyncio
from functools import partial

import msgspec

from calls.board.snapshot import Picture
from calls.board.view import View, ViewError, view_read
from streaming.board_feed import Viewer, feed
from streaming.browser_socket import BrowserConsumer
from streaming.close_codes import FORBIDDEN
from streaming.tasks import tasks_end, to_the_end
from streaming.viewing import Recheck, may_go_on

# A hand on the scroll bar moves many times a second; the last place is what counts.
LEAST_SECONDS = 0.1


class DashboardConsumer(BrowserConsumer):
    """Sends snapshots to one browser. It takes views, not orders: those are POSTs."""

    viewer: Viewer | None = None
    trend_sent: float | None = None

    async def connect(self) -> None:
        """Accept who may see calls; refuse others before the handshake is done."""
        if not await self.is_allowed():
            await self.close()
            return
        await self.accept()
        self.viewer = feed.join()
        snapshots = partial(self.send_snapshots, self.viewer)
        self.begin_task("telling a dashboard", snapshots)

    @to_the_end
    async def let_go(self) -> None:
        """Leave the feed, once."""
        viewer, self.viewer = self.viewer, None
        await tasks_end(*self.tasks)
        if viewer:
            await feed.leave(viewer)

    async def send_snapshots(self, viewer: Viewer) -> None:
        """Send each snapshot; now and then see whether the viewer still may."""
        recheck = Recheck()
        while True:
            picture = await viewer.next()
            await self.send(text_data=self.seen(picture, viewer.view))
            if recheck.is_due() and not await may_go_on(self.is_allowed):
                await self.close(code=FORBIDDEN)
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
            await self.tell({"error": str(exc)})

    async def is_allowed(self) -> bool:
        """Say whether the session still lives and its user may see calls."""
        return await self.may("calls.view_call")
