"""WebSocket routes of ACS: behind its token and the call's secret, no Origin."""

from typing import Any

from django.urls import URLPattern, path, re_path

from streaming.consumers import MediaConsumer


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    """Refuse a handshake for a path that nobody serves (HTTP 403), without noise.

    `URLRouter` raises for an unknown path, which would put a traceback into the log
    for every stranger.
    """
    await receive()
    await send({"type": "websocket.close"})


media_urlpatterns: list[URLPattern] = [
    path("media/<str:secret>", MediaConsumer.as_asgi()),  # type: ignore[arg-type] # ASGI
    # The same journal keeps it; what it says is read in a later step.
    path("transcription/<str:secret>", MediaConsumer.as_asgi()),  # type: ignore[arg-type] # ASGI
]
refuse_unknown_path = re_path(r"^", refuse)  # type: ignore[arg-type] # ASGI
