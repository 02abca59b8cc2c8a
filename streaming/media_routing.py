"""WebSocket routes of ACS: behind its token and the call's secret, no Origin."""

from typing import Any

from channels.routing import URLRouter
from django.urls import path, re_path

from calls.probe import PROBE_PATH
from streaming.consumers import MediaConsumer, TranscriptionConsumer
from streaming.probe import ProbeConsumer


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    """Refuse a handshake for a path that nobody serves (HTTP 403), without noise.

    `URLRouter` raises for an unknown path, which would put a traceback into the log
    for every stranger.
    """
    await receive()
    await send({"type": "websocket.close"})


# Any: Django's stubs know views, not ASGI applications.
_consumer: Any = MediaConsumer.as_asgi()
_transcription: Any = TranscriptionConsumer.as_asgi()
_probe: Any = ProbeConsumer.as_asgi()
_refusal: Any = refuse
_patterns: list[Any] = [
    # First, and no secret: those have 43 characters.
    path(f"media/{PROBE_PATH}", _probe),
    path("media/<str:secret>", _consumer),
    path("transcription/<str:secret>", _transcription),
    re_path(r"^", _refusal),
]
media = URLRouter(_patterns)
