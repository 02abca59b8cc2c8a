"""Daphne that ends in good order, and whose own answers have our headers.

Told to end, Daphne cancels whatever it is answering. This one takes no further
connection, tells browsers' sockets that it goes away (1001: their pages reconnect),
and gives requests under way so many seconds before it does the same.

What breaks before Django, Daphne answers itself. Those answers have the headers of
`acsstream.headers`, too; an application's own take their place.
"""

import asyncio
import logging
from contextlib import suppress
from typing import Any, Final

from autobahn.websocket.protocol import WebSocketProtocol
from daphne.http_protocol import WebRequest
from daphne.server import Server
from twisted.internet import defer

from acsstream.headers import bare_headers
from calls.live.web_totals import web_pulse
from calls.tracing import tracing_stop
from streaming.recorder import recorder_stop
from streaming.tasks import endings

GOING_AWAY: Final = 1001
START: Final = "http.response.start"
# What sockets that are cancelled still write is worth this much of waiting.
ENDINGS_SECONDS: Final = 2.0
REASON: Final = b"the console restarts"

log = logging.getLogger(__name__)


class WebServer(Server):  # type: ignore[misc] # Daphne has no types
    """`drain_seconds`: how long answers may take once it has been told to end."""

    def __init__(self, *args: Any, drain_seconds: float, **options: Any) -> None:
        super().__init__(*args, **options)
        self._drain_seconds = drain_seconds
        self._ports: list[Any] = []

    def listen_success(self, port: Any) -> None:
        """Keep the port, to close it before anything else."""
        super().listen_success(port)
        self._ports.append(port)

    def protocol_connected(self, protocol: Any) -> None:
        """Give a request the headers that its answer has whoever makes it."""
        super().protocol_connected(protocol)
        if isinstance(protocol, WebRequest):
            for name, value in bare_headers().items():
                protocol.responseHeaders.setRawHeaders(name, [value])

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """Make no use of the header Daphne-Root-Path: any client can send it.

        Django would begin every address that it makes with that path.
        """
        return super().create_application(protocol, scope | {"root_path": ""})

    async def handle_reply(self, protocol: Any, message: Any) -> None:
        """Let the application's headers take the place of those."""
        if isinstance(protocol, WebRequest) and message["type"] == START:
            for name, _ in message.get("headers", []):
                protocol.responseHeaders.removeHeader(name)
        await super().handle_reply(protocol, message)

    def kill_all_applications(self) -> Any:
        """Answer what is asked, then end; Twisted waits for it before it stops."""
        return defer.Deferred.fromFuture(asyncio.ensure_future(self._drain()))

    async def _drain(self) -> None:
        for port in self._ports:
            port.stopListening()
        self._say_goodbye()
        if asked := self._busy():
            await asyncio.wait(asked, timeout=self._drain_seconds)
        left = self._busy()
        if left:
            log.warning("%d requests were not answered in time", len(left))
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=ENDINGS_SECONDS)
        # Sockets that were cancelled let go of what they hold: it is on the audit log.
        # A small site's media sockets end here, too, and wait for nobody.
        await asyncio.gather(endings(ENDINGS_SECONDS), recorder_stop())
        await asyncio.to_thread(web_pulse.stop)
        await asyncio.to_thread(tracing_stop)

    def _busy(self) -> list[Any]:
        tasks = (one.get("application_instance") for one in self.connections.values())
        return [task for task in tasks if task is not None and not task.done()]

    def _say_goodbye(self) -> None:
        for protocol in list(self.connections):
            if isinstance(protocol, WebSocketProtocol):
                # Not sendClose: that sends no code which is the protocol's own.
                # A handshake that is under way raises; its task is cancelled at last.
                with suppress(Exception):
                    protocol.sendCloseFrame(GOING_AWAY, REASON)
