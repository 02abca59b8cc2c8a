"""The media socket: ACS dials it and speaks; we keep what it says.

A Channels consumer whose receive path is a plain loop. `AsyncConsumer.dispatch` would
cross into a thread and build tasks for every frame, 50 times a second per speaker;
nothing here needs that.
"""

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from channels.consumer import AsyncConsumer
from django.conf import settings

from calls.drafts import CallFacts
from streaming.auth import Caller, Refusal, call_of, connection_fault
from streaming.ingest import MediaSession, Opening
from streaming.recorder import Recorder, recorder

log = logging.getLogger(__name__)

# The database has this long to say what it knows of a call before it is taken anyway.
FACTS_TIMEOUT = 2.0
NO_CLOSE_FRAME = 1006
TRY_AGAIN_LATER = 1013
TOO_BIG = 1009


class MediaConsumer(AsyncConsumer):
    """One socket of ACS, from handshake to seal."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Refuse or accept, then keep everything until the socket ends."""
        await receive()  # websocket.connect
        house = recorder()
        caller = Caller.of(
            scope["url_route"]["kwargs"]["secret"], dict(scope["headers"])
        )
        if reason := house.no_room():
            # Only an accepted socket can be told a code: 1013, try again later.
            house.refused["room"] += 1
            log.error("media socket refused: %s", reason)
            await send({"type": "websocket.accept"})
            await send(_closing(TRY_AGAIN_LATER, reason))
            return
        admitted = await self._admit(house, caller)
        if isinstance(admitted, Refusal):
            house.refused[admitted.kind] += 1
            log.warning("media socket refused: %s", admitted.reason)
            # Before accept: the server answers the handshake with 403.
            await send({"type": "websocket.close"})
            return
        # No subprotocol: ACS asks for none.
        await send({"type": "websocket.accept"})
        session = self._open(house, caller, admitted, scope.get("client"), send)
        await self._keep(house, session, receive, send)

    def _open(
        self,
        house: Recorder,
        caller: Caller,
        admitted: tuple[UUID, CallFacts | None],
        client: tuple[str, int] | None,
        send: Any,
    ) -> MediaSession:
        call_id, facts = admitted
        loop = asyncio.get_running_loop()
        tasks: set[asyncio.Task[None]] = set()

        def superseded() -> None:
            """Close this socket: ACS has dialled a newer one for the call."""
            task = loop.create_task(
                send(_closing(1000, "superseded by a newer socket"))
            )
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        opening = Opening(
            # A socket that names no connection is its call's all the same.
            caller.call_connection_id or str(call_id),
            caller.correlation_id,
            client[0] if client else "",
            datetime.now(UTC),
        )
        session = house.open(call_id, opening, facts, superseded)
        log.info("call %s: media socket %s opened", call_id, session.id)
        return session

    async def _admit(
        self, house: Recorder, caller: Caller
    ) -> Refusal | tuple[UUID, CallFacts | None]:
        call_id = await call_of(caller)
        if isinstance(call_id, Refusal):
            return call_id
        facts = await house.archive.facts(call_id, FACTS_TIMEOUT)
        return connection_fault(caller, facts) or (call_id, facts)

    async def _keep(
        self, house: Recorder, session: MediaSession, receive: Any, send: Any
    ) -> None:
        # Channels skips disconnect() after an exception or at shutdown: so `finally`.
        code, reason = NO_CLOSE_FRAME, "the socket's task was ended"
        try:
            code, reason = await _receive(session, receive, send)
        finally:
            house.close(session, code, reason)
            log.info(
                "call %s: media socket %s closed (%s %s), %d packets",
                session.call.call_id,
                session.id,
                code,
                reason,
                session.counts.packets,
            )


async def _receive(session: MediaSession, receive: Any, send: Any) -> tuple[int, str]:
    """Take every message until the socket ends; return its close code and reason."""
    take, clock = session.take, time.monotonic_ns
    opened = clock()
    limit = settings.MAX_FRAME_BYTES
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return message.get("code") or NO_CLOSE_FRAME, message.get("reason") or ""
        frame = message.get("text")
        if frame is None:
            frame = message["bytes"]
        if len(frame) > limit:
            refused = (TOO_BIG, f"a message of {len(frame)} bytes")
        else:
            verdict = take(frame, (clock() - opened) // 1000)
            if verdict is None:
                continue
            refused = (verdict.close_code, verdict.reason)
        session.counts.last_fault = refused[1]
        await send(_closing(*refused))
        return refused


def _closing(code: int, reason: str) -> dict[str, Any]:
    # RFC 6455, 5.5: a close reason fits into 123 bytes.
    shown = reason.encode()[:123].decode(errors="ignore")
    return {"type": "websocket.close", "code": code, "reason": shown}
