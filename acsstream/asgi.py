"""The web process: console, webhooks, browser sockets; media too on small sites.

Browsers come with a session and an Origin, ACS comes with a token and no Origin, so
`/ws/…` and everything else have stacks of their own.
"""

import gc
import os
from typing import Any

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, WebSocketScope
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "acsstream.settings")


def web_application() -> Any:
    """Return the ASGI application for HTTP and WebSocket."""
    # Before anything that imports models.
    http = get_asgi_application()

    from calls.checks import enforce

    # No management command ran here, and with it none of Django's own checks.
    enforce()

    from channels.auth import AuthMiddlewareStack
    from channels.routing import ProtocolTypeRouter, URLRouter
    from channels.security.websocket import AllowedHostsOriginValidator
    from django.urls import re_path

    from calls.doors.entrance import Entrance
    from calls.live.web_totals import web_pulse
    from calls.tracing import tracing_start
    from streaming.media_routing import media, refuse
    from streaming.routing import browser_urlpatterns

    # Any: Django's stubs know views, not ASGI applications.
    refusal: Any = refuse
    unknown: Any = re_path(r"", refusal)
    for_browsers = AllowedHostsOriginValidator(
        AuthMiddlewareStack(URLRouter([*browser_urlpatterns, unknown]))
    )

    async def websocket(
        scope: WebSocketScope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Serve a socket by the stack that its path belongs to."""
        app: Any = for_browsers if scope["path"].startswith("/ws/") else media
        await app(scope, receive, send)

    async def answered(scope: Any, receive: Any, send: Any) -> None:
        """Serve a request; with the first one this process shows that it lives."""
        web_pulse.start()
        tracing_start("web")
        await http(scope, receive, send)

    return Entrance(ProtocolTypeRouter({"http": answered, "websocket": websocket}))


application = web_application()
# What was loaded stays: to look through all of it for garbage took 200 ms of a page.
gc.collect()
gc.freeze()
