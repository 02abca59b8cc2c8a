"""The media socket: ACS dials it and speaks; we keep what it says.

A Channels consumer whose receive path is a plain loop. `AsyncConsumer.dispatch` would
cross into a thread and build tasks for every frame, 50 times a second per speaker;
nothing here needs that.
"""

import asyncio
import contextvars
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID

import structlog
from channels.consumer import AsyncConsumer
from django.conf import settings

from calls.doors.networks import group_of
from calls.doors.strikes import failures
from calls.drafts import CallFacts
from calls.instants import microseconds
from streaming.auth import CROWDED, Caller, Refusal, call_of, connection_fault
from streaming.capacity import NoRoomError
from streaming.denial import deny
from streaming.ingest import MediaSession
from streaming.outbound.sending import sender
from streaming.protocol.session import Refused
from streaming.recorder import Recorder, current_recorder
from streaming.socket_rows import Opening
from streaming.socket_trace import SocketTrace
from streaming.transcription.session import TranscriptionSession
from streaming.websocket import DELIVERY, ROUND_TRIP

log = logging.getLogger(__name__)

# The database has this long to say what it knows of a call before it is taken anyway.
FACTS_TIMEOUT = 2.0
NO_CODE = 1005
NO_CLOSE_FRAME = 1006
TRY_AGAIN_LATER = 1013
# A superseded socket is closed when it was quiet for so long, or after so long.
QUIET_SECONDS = 1.0
DRAIN_SECONDS = 10.0
SUPERSEDED = "superseded by a newer socket"
# Where a server does not send a code itself: 4007 for 1007, 4013 for 1013.
PRIVATE_CODES = 3000


Session: TypeAlias = MediaSession | TranscriptionSession


@dataclass(frozen=True, slots=True)
class Socket:
    """An ASGI socket, and when its request came, by a monotonic clock."""

    scope: Any
    receive: Any
    send: Any
    came_ns: int

    @property
    def address(self) -> str:
        """Return where it was dialled from; empty if the server does not say."""
        client = self.scope.get("client")
        return client[0] if client else ""

    def extension(self, name: str) -> Any:
        """Return what the server offers beyond ASGI under a name; None: nothing."""
        return self.scope.get("extensions", {}).get(name)


class MediaConsumer(AsyncConsumer):
    """One socket of ACS, from handshake to seal."""

    # What it is called in logs.
    name = "media"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Refuse or accept, then keep everything until the socket ends."""
        socket = Socket(scope, receive, send, time.monotonic_ns())
        await receive()  # websocket.connect
        recorder = current_recorder()
        caller = Caller.of(
            scope["url_route"]["kwargs"]["secret"], dict(scope["headers"])
        )
        source = group_of(socket.address)
        with recorder.crowd.held(source) as has_room:
            admitted = await self._admit(recorder, caller) if has_room else CROWDED
            if isinstance(admitted, Refusal):
                await self._refuse(recorder, admitted, source, socket)
                return
            await self._serve(recorder, caller, admitted, socket)

    async def _refuse(
        self, recorder: Recorder, refusal: Refusal, source: str, socket: Socket
    ) -> None:
        """Refuse before the upgrade; who fails often is worth no line and no row."""
        recorder.refused[refusal.kind] += 1
        seconds = failures().strike(source)
        await deny(socket.scope, socket.send, refusal.status, seconds)
        if seconds:
            return
        log.warning(
            "%s socket refused (%s), source %s: %s",
            *(self.name, refusal.kind, source or "unknown", refusal.reason),
        )
        if refusal.call_id:
            await self._note_refusal(recorder, refusal.call_id, refusal.reason)

    async def _serve(
        self,
        recorder: Recorder,
        caller: Caller,
        admitted: tuple[UUID, CallFacts | None],
        socket: Socket,
    ) -> None:
        # No subprotocol: ACS asks for none.
        await socket.send({"type": "websocket.accept"})
        try:
            session = self._open_session(recorder, caller, admitted, socket)
        except NoRoomError as exc:
            # Only an accepted socket can be told a code: 1013, try again later.
            recorder.refused["room"] += 1
            log.error("%s socket refused: %s", self.name, exc)
            await _close(socket.send, TRY_AGAIN_LATER, str(exc))
            return
        await self._receive_until_closed(recorder, session, socket)

    def _open_session(
        self,
        recorder: Recorder,
        caller: Caller,
        admitted: tuple[UUID, CallFacts | None],
        socket: Socket,
    ) -> Session:
        call_id, facts = admitted
        loop = asyncio.get_running_loop()
        tasks: set[asyncio.Task[None]] = set()

        def superseded(reason: str = SUPERSEDED) -> None:
            """Let this socket finish: ACS has dialled a newer one for the call."""
            task = loop.create_task(_close_drained(session, socket.send, reason))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        opening = Opening(
            caller.call_connection_id,
            caller.correlation_id,
            socket.address,
            datetime.now(UTC),
            (time.monotonic_ns() - socket.came_ns) // 1000,
        )
        session = self._new_session(recorder, call_id, opening, facts, superseded)
        # On every line of this task from here on.
        structlog.contextvars.bind_contextvars(
            call_id=str(call_id), connection_id=str(session.id)
        )
        if isinstance(session, MediaSession):
            session.send = sender(socket.scope, socket.send)
            session.ping = socket.extension(ROUND_TRIP)
        log.info("call %s: %s socket %s opened", call_id, self.name, session.id)
        return session

    def _new_session(
        self,
        recorder: Recorder,
        call_id: UUID,
        opening: Opening,
        facts: CallFacts | None,
        superseded: Callable[[], None],
    ) -> Session:
        return recorder.open(call_id, opening, facts, superseded)

    def _close_session(
        self, recorder: Recorder, session: Any, code: int, reason: str
    ) -> None:
        recorder.close(session, code, reason)

    async def _note_refusal(
        self, recorder: Recorder, call_id: UUID, reason: str
    ) -> None:
        await recorder.archive.note_refusal(call_id, reason)

    async def _admit(
        self, recorder: Recorder, caller: Caller
    ) -> Refusal | tuple[UUID, CallFacts | None]:
        call_id = await call_of(caller)
        if isinstance(call_id, Refusal):
            return call_id
        facts = await recorder.archive.facts(call_id, FACTS_TIMEOUT)
        return connection_fault(caller, call_id, facts) or (call_id, facts)

    async def _receive_until_closed(
        self, recorder: Recorder, session: Session, socket: Socket
    ) -> None:
        trace = SocketTrace(
            recorder.live.redis,
            f"{self.name} socket",
            call_id=str(session.call.call_id),
            connection_id=str(session.id),
        )
        # Channels skips disconnect() after an exception or at shutdown: so `finally`.
        code, reason = NO_CLOSE_FRAME, "the socket's task was ended"
        try:
            deliver = socket.extension(DELIVERY)
            if deliver:
                code, reason = await _receive_pushed(session, deliver, socket)
            else:
                code, reason = await _receive_pulled(session, socket)
        finally:
            self._close_session(recorder, session, code, reason)
            trace.end(code, session.messages)
            log.info(
                "call %s: %s socket %s closed (%s %r), %d messages",
                session.call.call_id,
                self.name,
                session.id,
                code,
                reason,
                session.messages,
            )


class TranscriptionConsumer(MediaConsumer):
    """One transcription socket: the same doors, another session behind them."""

    name = "transcription"

    def _new_session(
        self,
        recorder: Recorder,
        call_id: UUID,
        opening: Opening,
        facts: CallFacts | None,
        superseded: Callable[[], None],
    ) -> Session:
        return recorder.transcripts.take(call_id, opening, facts, superseded)

    def _close_session(
        self, recorder: Recorder, session: Any, code: int, reason: str
    ) -> None:
        recorder.transcripts.close(session, code, reason)

    async def _note_refusal(
        self, recorder: Recorder, call_id: UUID, reason: str
    ) -> None:
        await recorder.archive.note_transcription_refusal(call_id, reason)


class _Intake:
    """Gives a session each message with its arrival; keeps the reason to close."""

    def __init__(self, session: Session) -> None:
        self._session = session
        # When it opened, as the call counts time: what was done for it since then is
        # no part of how long a packet took.
        now, opened = time.monotonic_ns(), microseconds(session.opening.opened_at)
        self._opened = now - (session.call.at_us(now // 1000) - opened) * 1000
        self._limit = settings.MAX_FRAME_BYTES
        self.refused: asyncio.Future[Refused] = asyncio.Future()

    def __call__(self, frame: str | bytes) -> None:
        """Take one message; after a refusal there is nothing more to take."""
        if self.refused.done():
            return
        arrival_us = (time.monotonic_ns() - self._opened) // 1000
        if len(frame) > self._limit:
            self.refused.set_result(self._session.take_too_big(frame, arrival_us))
        elif (refused := self._session.take(frame, arrival_us)) is not None:
            self.refused.set_result(refused)


async def _receive_pushed(
    session: Session, deliver: Any, socket: Socket
) -> tuple[int, str]:
    """Have every message taken where it is read, without a task switch for each."""
    intake = _Intake(session)
    # The server calls it from its own context; its lines shall name the call, too.
    # Any: mypy does not see that the frame is still to come.
    run: Any = contextvars.copy_context().run
    deliver(partial(run, intake))
    end = asyncio.ensure_future(socket.receive())
    try:
        await asyncio.wait((end, intake.refused), return_when=asyncio.FIRST_COMPLETED)
        if not intake.refused.done():
            return _ending(end.result())
        refused = intake.refused.result()
        await _close(socket.send, refused.close_code, refused.reason)
        return refused.close_code, refused.reason
    finally:
        end.cancel()


async def _receive_pulled(session: Session, socket: Socket) -> tuple[int, str]:
    """Take every message until the socket ends; return its close code and reason."""
    intake = _Intake(session)
    while not intake.refused.done():
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return _ending(message)
        frame = message.get("text")
        intake(message["bytes"] if frame is None else frame)
    refused = intake.refused.result()
    await _close(socket.send, refused.close_code, refused.reason)
    return refused.close_code, refused.reason


def _ending(message: Any) -> tuple[int, str]:
    """Return close code and reason of a disconnect.

    uvicorn says 1005 (a close frame without a code) also where there was no close frame
    at all; then it has no reason to give, not even an empty one.
    """
    code = message.get("code") or NO_CLOSE_FRAME
    if code == NO_CODE and "reason" not in message:
        code = NO_CLOSE_FRAME
    return code, message.get("reason") or ""


async def _close_drained(session: Session, send: Any, reason: str) -> None:
    """Close a superseded socket once nothing more comes over it.

    What was on its way when ACS dialled again (after a stall of ours, seconds of it) is
    audio like any other, and is placed by the time it was captured.
    """
    end, heard = time.monotonic() + DRAIN_SECONDS, -1
    while heard != session.messages and time.monotonic() < end:
        heard = session.messages
        await asyncio.sleep(QUIET_SECONDS)
    await _close(send, 1000, reason)


async def _close(send: Any, code: int, reason: str) -> None:
    """Close a socket that may be closed already, or gone."""
    # RFC 6455, 5.5: a close reason fits into 123 bytes.
    shown = reason.encode()[:123].decode(errors="ignore")
    for said in (code, code + PRIVATE_CODES):
        try:
            await send({"type": "websocket.close", "code": said, "reason": shown})
        except (OSError, RuntimeError):
            # Servers differ in how they say that there is nobody to say it to.
            return
        except Exception as exc:
            # Daphne sends 1000 and private codes only, and says so by no better type.
            if type(exc) is not Exception or said != code:
                raise
        else:
            return
