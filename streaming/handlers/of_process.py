"""The handlers of an ingest process, from a call's first socket to its last."""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from calls.drafts import CallFacts
from calls.transcripts.hearing import Piece
from streaming.archive import Archive
from streaming.handlers.access import CallAccess
from streaming.handlers.running import Running

if TYPE_CHECKING:
    from uuid import UUID

    from streaming.call_audio import CallAudio


class Handlers:
    """Gives calls what their profiles name. Belongs to one event loop.

    A call without sockets keeps its handler for `grace` seconds: ACS dials again, and
    the same handler then goes on with the same line.
    """

    def __init__(
        self,
        archive: Archive,
        wake: Callable[[], None],
        tell: Callable[[Piece], None],
        *,
        grace: float,
    ) -> None:
        self._archive = archive
        self._wake = wake
        self._tell = tell
        self._grace = grace
        self._leaving: dict[UUID, tuple[asyncio.TimerHandle, CallAudio]] = {}
        self._endings: set[asyncio.Task[None]] = set()

    def opened(self, call: "CallAudio", facts: CallFacts | None) -> None:
        """Take a call whose socket has opened; a handler that it has goes on."""
        timer, known = self._leaving.pop(call.call_id, (None, call))
        if timer is not None:
            timer.cancel()
        if known is not call:
            # The call went on elsewhere, and with another handler, and came back.
            self._leave(known)
        if call.handler is None and facts is not None and facts.handler:
            call.handler = self._running(call, facts)

    def _running(self, call: "CallAudio", facts: CallFacts) -> Running:
        return Running(
            facts.handler,
            _options(facts.handler_options),
            CallAccess(call, self._archive, self._wake, self._tell),
            remark=call.remark,
            wake=self._wake,
        )

    def closed(self, call: "CallAudio") -> None:
        """End a call's handler, unless a socket opens soon: its last one has closed."""
        if call.handler is not None and call.call_id not in self._leaving:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(self._grace, self._leave, call)
            self._leaving[call.call_id] = timer, call

    def _leave(self, call: "CallAudio") -> None:
        self._leaving.pop(call.call_id, None)
        handler, call.handler = call.handler, None
        if handler is not None:
            ending = asyncio.create_task(self._end(call, handler))
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    async def _end(self, call: "CallAudio", handler: Running) -> None:
        await handler.end("the call's sockets have closed")
        if not call.sessions:
            # Nobody looks at the call any more: what went wrong at last is told now.
            call.watch.end(time.monotonic(), datetime.now(UTC), handler)
            self._wake()

    async def stop(self, calls: "Mapping[UUID, CallAudio]") -> None:
        """End all handlers: the process ends."""
        for timer, _ in self._leaving.values():
            timer.cancel()
        self._leaving.clear()
        ended = [
            call.handler.end("the ingest process ends")
            for call in calls.values()
            if call.handler is not None
        ]
        await asyncio.gather(*ended, *self._endings)


def _options(given: object) -> Mapping[str, Any]:
    """Return a profile's options; what is no object in its row says nothing."""
    return given if isinstance(given, Mapping) else {}
