"""WebSocket routes of browsers, who share no stack with ACS: see `acsstream.asgi`."""

from typing import Any

from django.urls import path

from streaming.call_watch import CallConsumer
from streaming.dashboard import DashboardConsumer
from streaming.listen.consumer import ListenConsumer
from streaming.talk.consumer import TalkConsumer

# Behind session and Origin. Any: Django's stubs know views, not ASGI applications.
dashboard: Any = DashboardConsumer.as_asgi()
call: Any = CallConsumer.as_asgi()
listen: Any = ListenConsumer.as_asgi()
talk: Any = TalkConsumer.as_asgi()
browser_urlpatterns: list[Any] = [
    path("ws/dashboard", dashboard),
    path("ws/calls/<uuid:call_id>", call),
    path("ws/listen/<uuid:call_id>", listen),
    path("ws/talk/<uuid:call_id>", talk),
]
