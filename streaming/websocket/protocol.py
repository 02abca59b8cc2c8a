"""The WebSocket protocol class that uvicorn is given: plain ASGI on the outside.

`uvicorn.Config(ws=PicowsProtocol)`. What it does as uvicorn's own classes do: scope,
events and errors of ASGI's WebSocket specification, denial responses included; 403 for
`websocket.close` before accept; `ws_max_size` (1009); reading pauses while the
application is behind; at shutdown every socket is told 1012.

What it does otherwise, for a receiver that must lose nothing:

- It never closes over a pong: it pings if the application asks, not by
  `ws_ping_interval`, to learn how long a word and its answer take.
- After our own close frame messages are taken until the peer's close frame comes, or
  for `CLOSE_TIMEOUT` seconds: what was on its way at a shutdown is received. Then, not
  before, `receive()` returns the `websocket.disconnect`.
- `limit_concurrency` counts here, too: 503. uvicorn asks it of plain requests only.
- Compression is never agreed on.
- The extensions `DELIVERY`, `SENDING` and `ROUND_TRIP`, see `streaming.websocket`.
"""

import asyncio
import enum
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, cast

from uvicorn.config import Config
from uvicorn.protocols.utils import (
    ClientDisconnected,
    get_local_addr,
    get_remote_addr,
    is_ssl,
)
from uvicorn.server import ServerState
from websockets.http11 import Response

from streaming.websocket import DELIVERY, ROUND_TRIP, SENDING
from streaming.websocket.frames import NO_CLOSE_FRAME, Frames
from streaming.websocket.handshake import Handshake, text_headers
from streaming.websocket.waiting import Waiting

log = logging.getLogger("uvicorn.error")

Deliver = Callable[[str | bytes], None]

NORMAL: Final = 1000
INTERNAL_ERROR: Final = 1011
SERVICE_RESTART: Final = 1012
# How long a peer may take to answer our close frame.
CLOSE_TIMEOUT: Final = 5.0
# A client may send so many bytes, and not many more, before it is answered.
MOST_EARLY: Final = 64 * 1024
# What may wait here for a peer that reads slowly, of messages that are sent by SENDING:
# nine frames of audio, and far from where `send` begins to wait.
MOST_UNSENT: Final = 8 * 1024


class State(enum.Enum):
    """How far a connection is."""

    HANDSHAKE = enum.auto()
    """The request is not complete, or the application has not answered it."""
    DENIAL = enum.auto()
    """The application answers with an HTTP response instead."""
    OPEN = enum.auto()
    CLOSING = enum.auto()
    """A close frame or a refusal went out."""
    CLOSED = enum.auto()
    """Nothing can be sent any more."""


class PicowsProtocol(asyncio.Protocol):
    """One connection, from its request to its end."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        if not config.loaded:
            config.load()
        self.config = config
        self.loop = _loop or asyncio.get_running_loop()
        self.connections: set[Any] = server_state.connections
        self.tasks = server_state.tasks
        self.server_state = server_state
        self.app_state = app_state
        self.state = State.HANDSHAKE
        self._handshake = Handshake()
        self._frames: Frames | None = None
        self._denial: Response | None = None
        self._disconnect: dict[str, Any] | None = None
        # What our close frame said, and whether the application wanted it.
        self._closing: dict[str, Any] | None = None
        self._is_restart = False
        self._waiting = Waiting()
        self._deliver: Deliver | None = None
        self._fault: Exception | None = None
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._is_reading = True
        self._timer: asyncio.TimerHandle | None = None

    # What the transport calls, until frames are read by `Frames`.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.connections.add(self)
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Read the request; the application answers it."""
        if self._handshake.receive(data):
            self._begin()
        # What follows it is nobody's until it is answered. Read all the same: who does
        # not read does not learn that the peer has left.
        if len(self._handshake.rest) > MOST_EARLY:
            self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the application, if it does not know."""
        self.lost()

    def pause_writing(self) -> None:
        """Let `send` wait."""
        self.writing_paused(True)

    def resume_writing(self) -> None:
        """Let `send` go on."""
        self.writing_paused(False)

    def _begin(self) -> None:
        limit = self.config.limit_concurrency
        if self._handshake.refusal is not None:
            self._refuse(self._handshake.refusal)
        elif limit is not None and (
            len(self.connections) > limit or len(self.tasks) >= limit
        ):
            log.warning("Exceeded concurrency limit.")
            self._refuse(self._handshake.refuse(503, "Service Unavailable"))
        else:
            task = self.loop.create_task(self._run())
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)

    def _refuse(self, response: Response) -> None:
        self.state = State.CLOSING
        self.transport.write(response.serialize())
        self.transport.close()

    # The application.

    def _scope(self) -> dict[str, Any]:
        return {
            "type": "websocket",
            "asgi": {"version": self.config.asgi_version, "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "wss" if is_ssl(self.transport) else "ws",
            "server": get_local_addr(self.transport),
            "client": get_remote_addr(self.transport),
            "state": self.app_state.copy(),
            "extensions": {
                "websocket.http.response": {},
                DELIVERY: self._deliver_to,
                SENDING: self._send_now,
                ROUND_TRIP: self._ping,
            },
            **self._handshake.scope(self.config.root_path),
        }

    async def _run(self) -> None:
        try:
            await self.config.loaded_app(self._scope(), self._receiver(), self._send)
        except ClientDisconnected:
            pass
        except Exception:
            # A server's edge: whatever an application raises is its own.
            log.exception("Exception in ASGI application\n")
            self._end(INTERNAL_ERROR)
        else:
            if self.state is State.HANDSHAKE:
                log.error("ASGI callable returned without completing handshake.")
            self._end(NORMAL)
        finally:
            self._hand_to(_discard)
            # Nobody asks any more, but the peer's close frame comes behind the rest.
            self._waiting.clear()
            self._read_or_not()

    def _end(self, code: int) -> None:
        """Close what the application left open."""
        match self.state:
            case State.HANDSHAKE | State.DENIAL:
                self._refuse(self._handshake.refuse(500, "Internal Server Error"))
            case State.OPEN:
                self._close(code, "")
            case State.CLOSING | State.CLOSED:
                pass

    def _receiver(self) -> Callable[[], Any]:
        is_connected = False

        async def receive() -> dict[str, Any]:
            nonlocal is_connected
            if not is_connected:
                is_connected = True
                return {"type": "websocket.connect"}
            return await self._next()

        return receive

    async def _next(self) -> dict[str, Any]:
        while True:
            if self._fault is not None:
                fault, self._fault = self._fault, None
                raise fault
            if self._waiting:
                message = self._waiting.take()
                self._read_or_not()
                kind = "text" if isinstance(message, str) else "bytes"
                return {"type": "websocket.receive", kind: message}
            if self._disconnect is not None:
                return self._disconnect
            self._news.clear()
            await self._news.wait()

    def _deliver_to(self, deliver: Deliver) -> None:
        """Hand every message to `deliver` from now on; see DELIVERY."""
        self._hand_to(deliver)
        try:
            while self._waiting:
                deliver(self._waiting.take())
        except Exception as exc:  # noqa: BLE001 the application's, any
            self.taking_failed(exc)
        self._read_or_not()

    def _send_now(self, text: str) -> bool:
        """Send a text now or not at all; see SENDING."""
        if self.state is not State.OPEN or self.transport.is_closing():
            return False
        if self.transport.get_write_buffer_size() > MOST_UNSENT:
            return False
        self._opened.send(text)
        return True

    def _ping(self, ponged: Callable[[int], None]) -> None:
        """Send a ping, if anything can be sent; see ROUND_TRIP."""
        if self.state is State.OPEN and not self.transport.is_closing():
            self._opened.ping(ponged)

    async def _send(self, message: Any) -> None:
        await self._writable.wait()
        if self.state is State.CLOSED or self._is_restart:
            raise ClientDisconnected
        kind = message["type"]
        match self.state:
            case State.HANDSHAKE if kind == "websocket.accept":
                self._accept(message)
            case State.HANDSHAKE if kind == "websocket.close":
                self._refuse(self._handshake.refuse(HTTPStatus.FORBIDDEN))
            case State.HANDSHAKE if kind == "websocket.http.response.start":
                self._deny(message)
            case State.DENIAL if kind == "websocket.http.response.body":
                self._deny_further(message)
            case State.OPEN if kind == "websocket.send":
                self._send_message(message)
            case State.OPEN if kind == "websocket.close":
                self._close_as_asked(message)
            case state:
                raise RuntimeError(f"Unexpected ASGI message '{kind}': {state.name}.")

    def _accept(self, message: Any) -> None:
        headers = text_headers(
            [*self.server_state.default_headers, *message.get("headers", ())]
        )
        if subprotocol := message.get("subprotocol"):
            headers.append(("Sec-WebSocket-Protocol", subprotocol))
        if self.transport.is_closing():
            self.lost()
            return
        self.state = State.OPEN
        self._is_reading = True
        self._frames = Frames(
            self.transport, self, headers=headers, max_size=self.config.ws_max_size
        )
        if self._deliver is not None:
            self._frames.take = self._deliver
        self._frames.open(self._handshake.key, self._handshake.rest)

    def _deny(self, message: Any) -> None:
        status = message["status"]
        if not 100 <= status < 600:
            raise RuntimeError(f"Invalid HTTP status code '{status}' in response.")
        self.state = State.DENIAL
        self._denial = self._handshake.refuse(status)
        headers = text_headers(message.get("headers", ()))
        for name in {name for name, _ in headers} & {*self._denial.headers}:
            del self._denial.headers[name]
        for name, value in headers:
            self._denial.headers[name] = value

    def _deny_further(self, message: Any) -> None:
        if self._denial is None:
            raise AssertionError("a denial begins before it goes on")
        self._denial.body = (self._denial.body or b"") + message["body"]
        if not message.get("more_body", False):
            del self._denial.headers["Content-Length"]
            self._denial.headers["Content-Length"] = str(len(self._denial.body))
            self._refuse(self._denial)

    def _send_message(self, message: Any) -> None:
        content = message.get("bytes")
        self._opened.send(message["text"] if content is None else content)

    def _close_as_asked(self, message: Any) -> None:
        if self._deliver is None:
            # Who asks for each message has asked for the last.
            self._hand_to(_discard)
            self._waiting.clear()
        self._close(message.get("code", NORMAL), message.get("reason") or "")

    def _close(self, code: int, reason: str) -> None:
        """Send a close frame, and give the peer some time to answer it."""
        self.state = State.CLOSING
        self._closing = {"code": code, "reason": reason}
        self._opened.close(code, reason)
        self._read_or_not()
        self._timer = self.loop.call_later(CLOSE_TIMEOUT, self.transport.abort)

    @property
    def _opened(self) -> Frames:
        if self._frames is None:
            raise AssertionError("no frame travels before the socket is accepted")
        return self._frames

    # What the socket's frames tell.

    def message_received(self, message: str | bytes) -> None:
        """Let a message wait for the application's `receive`."""
        self._waiting.put(message)
        self._news.set()
        if self._is_reading and self._waiting.is_long:
            self._read_or_not()

    def taking_failed(self, fault: Exception) -> None:
        """Let what the application raised over a message come out of its `receive`."""
        self._fault = fault
        self._hand_to(_discard)
        self._news.set()

    def _hand_to(self, deliver: Deliver) -> None:
        self._deliver = deliver
        if self._frames is not None:
            self._frames.take = deliver

    def close_received(self, code: int, reason: str) -> None:
        """Tell the application that the peer has closed, or has answered our close."""
        self._disconnected(code, reason)

    def failed(self, code: int, reason: str) -> None:
        """Tell the application that the peer broke the rules."""
        log.warning("a WebSocket peer broke the protocol: %s", reason)
        self._disconnected(code, reason)

    def lost(self) -> None:
        """Tell the application that the connection is gone."""
        self.connections.discard(self)
        self._disconnected(NO_CLOSE_FRAME, "")
        self._writable.set()
        if self._timer is not None:
            self._timer.cancel()

    def writing_paused(self, is_paused: bool) -> None:
        """Let `send` wait for a peer that does not read, and do not read from it."""
        if is_paused:
            self._writable.clear()
        else:
            self._writable.set()
        self._read_or_not()

    def _disconnected(self, code: int, reason: str) -> None:
        if self._disconnect is None:
            # If we closed first, that is what ended the socket.
            said = self._closing or {"code": code, "reason": reason}
            self._disconnect = {"type": "websocket.disconnect", **said}
        self.state = State.CLOSED
        self._news.set()

    def _read_or_not(self) -> None:
        """Read exactly while the application keeps up and the peer reads."""
        if self._frames is None or self.transport.is_closing():
            return
        waiting = self._waiting
        is_behind = waiting.is_long if self._is_reading else bool(waiting)
        wanted = self._writable.is_set() and not is_behind
        if wanted is not self._is_reading:
            self._is_reading = wanted
            if wanted:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()

    # What uvicorn calls.

    def shutdown(self) -> None:
        """Tell the peer that this server restarts."""
        match self.state:
            case State.OPEN:
                self._is_restart = True
                self._close(SERVICE_RESTART, "")
            case State.HANDSHAKE | State.DENIAL:
                self._refuse(self._handshake.refuse(500, "Internal Server Error"))
            case State.CLOSING | State.CLOSED:
                pass


def _discard(message: str | bytes) -> None:
    """Take a message that nobody wants any more."""
