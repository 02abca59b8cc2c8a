"""ASGI entry point of ingest: the media route and its health, nothing else.

A slow admin query or a deployment of the console must never cost a packet, so this
application holds no admin and no session. `manage.py ingest` serves it.
"""

import asyncio
import json
import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "acsstream.settings")

import django

django.setup()

from calls.checks import enforce  # noqa: E402 after setup

enforce()

from django.conf import settings  # noqa: E402 after setup

from calls.doors.sources import direct  # noqa: E402 after setup
from calls.health.findings import report  # noqa: E402 after setup
from calls.tracing import tracing_start, tracing_stop  # noqa: E402 after setup
from streaming.media_routing import media  # noqa: E402 after setup
from streaming.readiness import ingest_findings  # noqa: E402 after setup
from streaming.recorder import current_recorder, recorder_stop  # noqa: E402 after setup


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Serve media sockets, `/healthz`, `/readyz`, and the server's lifespan."""
    match scope["type"]:
        case "websocket":
            await media(direct(scope), receive, send)
        case "lifespan":
            await lifespan(receive, send)
        case "http":
            await health(scope["path"], send)
        case unknown:
            raise AssertionError(f"servers know no scope of type {unknown}")


async def lifespan(receive: Any, send: Any) -> None:
    """Start the recorder with the server; at the end seal and sync everything."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            current_recorder().start()
            tracing_start("ingest")
            await send({"type": "lifespan.startup.complete"})
        else:
            await recorder_stop()
            await asyncio.to_thread(tracing_stop)
            await send({"type": "lifespan.shutdown.complete"})
            return


async def health(path: str, send: Any) -> None:
    """Answer a load balancer: alive, and whether another stream would be taken."""
    recorder = current_recorder()
    facts: dict[str, Any] = {
        "streams": recorder.streams,
        "database": recorder.archive.error,
        "load": recorder.showing.load(),
        "tasks": len(asyncio.all_tasks()),
    }
    status = 200
    if path == "/readyz":
        facts |= {"process": "ingest", "node": settings.NODE}
        facts |= {"refuses": recorder.no_room(), **report(ingest_findings(recorder))}
        status = 200 if facts["ready"] else 503
    elif path != "/healthz":
        status, facts = 404, {"error": "there is nothing here but media sockets"}
    body = json.dumps(facts).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
