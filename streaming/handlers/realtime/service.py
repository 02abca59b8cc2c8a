"""Which service, with which key, and a socket to it through the openai package."""

import asyncio
import logging
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Self, cast

from django.conf import settings
from openai import AsyncOpenAI, OpenAIError
from openai.resources.realtime.realtime import (
    AsyncRealtimeConnection,
    AsyncRealtimeConnectionManager,
)
from openai.types.websocket_connection_options import WebSocketConnectionOptions
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus, WebSocketException

from streaming.handlers.realtime.errors import ServiceError

OPEN_SECONDS: Final = 10.0
PING_SECONDS: Final = 10.0
MAX_MESSAGE: Final = 16 * 1024 * 1024
LONGEST_BACKOFF: Final = 8.0

# The websockets package logs headers and messages at DEBUG: the key, and what was said.
# A logger of no hierarchy, which no configuration can turn on.
_mute = logging.Logger("realtime", logging.CRITICAL + 1)  # noqa: LOG001


@dataclass(frozen=True, slots=True)
class Service:
    """Where the service is. `is_azure`: it wants the key as `api-key`."""

    url: str
    model: str
    is_azure: bool = False
    key: str = field(default="", repr=False)

    @classmethod
    def configured(cls, model: str = "") -> Self:
        """Return the service of the settings. Raises ValueError if there is none."""
        if not settings.REALTIME_KEY:
            raise ValueError("ACSSTREAM_REALTIME_KEY is not set")
        return cls(
            settings.REALTIME_URL.rstrip("/"),
            model or settings.REALTIME_MODEL,
            settings.REALTIME_SERVICE == "azure",
            settings.REALTIME_KEY,
        )

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncRealtimeConnection]:
        """Have a socket to the service. Raises ServiceError if there is none."""
        # Certificates are read meanwhile: on the loop of ingest that is a long time.
        client, trust = await asyncio.to_thread(_prepared, self.url, self.key)
        options: dict[str, Any] = {
            "open_timeout": OPEN_SECONDS,
            "close_timeout": 1,
            "ping_interval": PING_SECONDS,
            "ping_timeout": PING_SECONDS,
            "max_size": MAX_MESSAGE,
            "compression": None,
            "logger": _mute,
        }
        if trust is not None:
            options["ssl"] = trust
        manager = client.realtime.connect(
            model=self.model,
            extra_headers={"api-key": self.key} if self.is_azure else {},
            # The package hands on whatever `websockets` takes, its logger as well.
            websocket_connection_options=cast(WebSocketConnectionOptions, options),
        )
        connection = await _opened(manager)
        try:
            yield connection
        finally:
            await connection.close()


@lru_cache(maxsize=8)
def _prepared(url: str, key: str) -> tuple[AsyncOpenAI, ssl.SSLContext | None]:
    """Return what sockets to a service are made with; kept for the next one."""
    is_secure = not url.startswith(("http:", "ws:"))
    trust = ssl.create_default_context() if is_secure else None
    return AsyncOpenAI(api_key=key, base_url=url), trust


async def _opened(manager: AsyncRealtimeConnectionManager) -> AsyncRealtimeConnection:
    try:
        connection = await manager.enter()
    except InvalidStatus as exc:
        raise _refused(exc.response.status_code, exc.response.headers) from None
    except (OSError, TimeoutError, WebSocketException, OpenAIError) as exc:
        # Only the kind of error: its text can hold the URL and what is in it.
        why = f"no connection to the service ({type(exc).__name__})"
        raise ServiceError(why) from None
    return connection


def _refused(status: int, headers: Headers) -> ServiceError:
    why = f"the service refused the connection with HTTP {status}"
    is_final = 400 <= status < 500 and status not in (408, 425, 429)
    try:
        after = float(headers.get("Retry-After", "0"))
    except ValueError:
        after = 0.0
    return ServiceError(why, is_final=is_final, after=after)


def backoff(attempt: int, first: float) -> float:
    """Return how long to wait before attempt number 1, 2, …; never twice the same."""
    longest = min(LONGEST_BACKOFF, first * 2 ** (attempt - 1))
    return random.uniform(longest / 2, longest)  # noqa: S311 - spreads load, no secret
