"""The span of a media socket: made beside it, in a task that holds up nothing."""

import asyncio
import time
from typing import TYPE_CHECKING

import redis.asyncio

from calls.tracing import is_tracing, socket_span

if TYPE_CHECKING:
    from opentelemetry.trace import Span


class SocketTrace:
    """One socket's span, from now until `end`. Without traces it is nothing."""

    def __init__(
        self, client: redis.asyncio.Redis, name: str, **attributes: str
    ) -> None:
        self._task: asyncio.Task[Span | None] | None = None
        if is_tracing():
            opening = socket_span(client, name, time.time_ns(), **attributes)
            self._task = asyncio.create_task(opening)

    def end(self, code: int, messages: int) -> None:
        """End the span once it has begun."""
        if self._task is None:
            return
        ended_ns = time.time_ns()

        def finish(begun: "asyncio.Task[Span | None]") -> None:
            found = None if begun.cancelled() else begun.result()
            if found is not None:
                found.set_attribute("acsstream.close_code", code)
                found.set_attribute("acsstream.messages", messages)
                found.end(ended_ns)

        self._task.add_done_callback(finish)
