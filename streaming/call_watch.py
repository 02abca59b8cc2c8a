"""The socket of a call's page: what is new of it, once a second.

However many browsers show a call, a web process asks Redis and the database once a
second, and not at all when nobody looks. Each page is sent what it does not have.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async

from calls.database import DATABASE_AWAY
from calls.models import Call
from calls.transcripts.noting import read_note
from streaming.browser_socket import BrowserConsumer
from streaming.close_codes import FORBIDDEN, OVER, UNKNOWN_CALL
from streaming.tasks import tasks_end, to_the_end
from streaming.viewing import Recheck, may_go_on
from streaming.watch_source import Viewer, WatchSource

LOOK_SECONDS = 1.0
PERMISSION, READ_PERMISSION = "calls.view_call", "calls.read_transcript"

log = logging.getLogger(__name__)


class PageWatch:
    """Looks at one call while pages show it. All calls come from one event loop."""

    def __init__(self, call_id: UUID) -> None:
        self._source = WatchSource(call_id, self._look_again)
        self._looks: dict[Viewer, asyncio.Event] = {}
        self._task: asyncio.Task[None] | None = None
        self.exists = True

    def join(self, viewer: Viewer) -> asyncio.Event:
        """Return what is set when there is something to tell this viewer."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        self._source.viewers.add(viewer)
        look = self._looks[viewer] = asyncio.Event()
        return look

    def leave(self, viewer: Viewer) -> bool:
        """Forget a viewer; say whether that was the last one."""
        self._source.viewers.discard(viewer)
        self._looks.pop(viewer, None)
        return not self._looks

    async def stop(self) -> None:
        """End the work, for good."""
        await tasks_end(self._task)
        # Here, not in the task: that may be cancelled while it closes.
        await self._source.close()

    def message(self, viewer: Viewer) -> Any:
        """Return what to tell this viewer, see `calls.watched_call.WatchedCall`."""
        return self._source.message(viewer)

    @property
    def call(self) -> Call | None:
        """Return the call as the database had it last."""
        return self._source.call

    def _look_again(self) -> None:
        for look in self._looks.values():
            look.set()

    async def _run(self) -> None:
        while True:
            started = time.monotonic()
            try:
                self.exists = await self._source.look(at=time.time())
            except Exception:
                # One look that fails must not blind the page for good.
                log.exception("a look at a call failed")
            self._look_again()
            taken = time.monotonic() - started
            await asyncio.sleep(max(LOOK_SECONDS - taken, LOOK_SECONDS / 5))


# By call: who looks at the same call shares a watch.
watches: dict[UUID, PageWatch] = {}


class CallConsumer(BrowserConsumer):
    """Sends one browser what is new of one call.

    It takes no orders: those are POSTs.
    """

    viewer: Viewer | None = None
    is_noted = False

    async def connect(self) -> None:
        """Accept who may see calls; refuse others before the handshake is done."""
        if not await self.is_allowed():
            await self.close()
            return
        await self.accept()
        self.viewer = Viewer(may_read=await self.may_read())
        watch = watches.setdefault(self.call_id, PageWatch(self.call_id))
        look = watch.join(self.viewer)
        looks = partial(self.send_looks, watch, self.viewer, look)
        self.begin_task("telling a page of its call", looks)

    @to_the_end
    async def let_go(self) -> None:
        """Leave the watch, once."""
        viewer, self.viewer = self.viewer, None
        await tasks_end(*self.tasks)
        if viewer and watches[self.call_id].leave(viewer):
            # At once: who comes while it ends gets a new one.
            await watches.pop(self.call_id).stop()

    async def send_looks(
        self, watch: PageWatch, viewer: Viewer, look: asyncio.Event
    ) -> None:
        """Tell what is new each second; now and then see whether the viewer may."""
        recheck = Recheck()
        while True:
            await look.wait()
            look.clear()
            if recheck.is_due():
                if not await may_go_on(self.is_allowed):
                    return await self.close(code=FORBIDDEN)
                viewer.may_read = await may_go_on(self.may_read, before=viewer.may_read)
            if not watch.exists:
                return await self.close(code=UNKNOWN_CALL)
            message = watch.message(viewer)
            if message is None:
                continue
            if message.get("captions") and not await self.has_noted(watch):
                # What cannot be noted is not read; it comes with the next look.
                viewer.captions = 0
                del message["captions"]
            await self.send(text_data=json.dumps(message))
            if message["over"]:
                return await self.close(code=OVER)

    async def has_noted(self, watch: PageWatch) -> bool:
        """Say whether it is on the audit log that this user reads what is said."""
        if not self.is_noted and watch.call is not None:
            note: Callable[..., Any] = database_sync_to_async(read_note)
            try:
                await note(
                    self.scope["user"],
                    "read",
                    address=self.address,
                    call=watch.call,
                )
            except DATABASE_AWAY:
                log.warning("reading captions cannot be noted: the database is down")
                return False
            self.is_noted = True
        return self.is_noted

    async def receive(self, *_: Any, **__: Any) -> None:
        """Ignore what a browser sends: nothing is expected."""

    async def is_allowed(self) -> bool:
        """Say whether the session still lives and its user may see calls."""
        return await self.may(PERMISSION)

    async def may_read(self) -> bool:
        """Say whether its user may read what is said."""
        return await self.may(READ_PERMISSION)
