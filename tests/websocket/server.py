"""A real uvicorn on a port of its own, in a thread, serving what a test hands it."""

import asyncio
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

import uvicorn

from tests.websocket.applications import (
    PATIENCE,
    Application,
    Message,
    Receive,
    Send,
    echo,
    eventually,
)
from tests.websocket.dialects import Dialect

# Far less than uvicorn's 16 MiB, so that tests can pass it without much work.
MAX_SIZE = 2 * 1024 * 1024


class Server:
    """One uvicorn; `application` may be replaced between two sockets."""

    def __init__(self, dialect: Dialect, **options: Any) -> None:
        self.dialect = dialect
        self.application: Application = echo
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        config = uvicorn.Config(
            self._serve,
            interface="asgi3",
            **{
                "ws": dialect.ws,
                "ws_max_size": MAX_SIZE,
                "ws_ping_interval": None,
                "ws_per_message_deflate": False,
                "lifespan": "off",
                "log_config": None,
                "access_log": False,
                "timeout_graceful_shutdown": 10,
                **dialect.options,
                **options,
            },
        )
        self.uvicorn = uvicorn.Server(config)
        self.log = Log()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name=f"uvicorn {dialect.ws}")

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        await self.application(scope, receive, send)

    def _run(self) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            await self.uvicorn.serve(sockets=[self.listener])
            # What uvicorn gave up, a process would take with it.
            for connection in [*self.uvicorn.server_state.connections]:
                connection.transport.abort()
            await asyncio.sleep(0)

        with asyncio.Runner(loop_factory=self.uvicorn.config.get_loop_factory()) as run:
            run.run(serve())

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        assert self._loop is not None
        return self._loop

    def start(self) -> "Server":
        self._thread.start()
        eventually(lambda: self.uvicorn.started or not self._thread.is_alive())
        assert self.uvicorn.started
        return self

    @property
    def is_up(self) -> bool:
        return self._thread.is_alive()

    def begin_to_end(self) -> None:
        """Do what SIGTERM does, which only a main thread can be sent."""
        self.uvicorn.should_exit = True

    def end(self) -> None:
        self.begin_to_end()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        self.listener.close()

    def settle(self) -> None:
        """Return once the server has read what was sent to it before.

        A send to the loopback has arrived when it returns, and the selector is asked
        between any two turns of the loop.
        """

        async def turns() -> None:
            for _ in range(3):
                await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(turns(), self.loop).result(PATIENCE)

    def cancel(self) -> None:
        """Cancel every application. To be called on the loop."""
        for task in self.uvicorn.server_state.tasks:
            task.cancel()

    def call(self, function: Callable[[], object]) -> None:
        """Have something called on the server's loop."""
        self.loop.call_soon_threadsafe(function)

    def quiet(self) -> bool:
        """Whether no socket is open and no application runs any more."""
        state = self.uvicorn.server_state
        return not state.connections and not state.tasks


class Log(logging.Handler):
    """What uvicorn and asyncio complain of, while this is listening."""

    LOGGERS = ("uvicorn.error", "asyncio")

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def __enter__(self) -> "Log":
        self.lines.clear()
        for name in self.LOGGERS:
            logging.getLogger(name).addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        for name in self.LOGGERS:
            logging.getLogger(name).removeHandler(self)
