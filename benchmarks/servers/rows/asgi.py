"""ASGI application: `AsyncWebsocketConsumer`, `database_sync_to_async`, `create`.

    BENCH_FOLDER=… DJANGO_SETTINGS_MODULE=benchmarks.servers.rows.settings \\
        daphne benchmarks.servers.rows.asgi:application
"""

import atexit
import base64
import json
from datetime import datetime
from typing import Any

import django

django.setup()

from channels.db import database_sync_to_async  # noqa: E402 after setup
from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from django.db import connection  # noqa: E402

from benchmarks.servers.rows.models import Packet  # noqa: E402 after setup
from benchmarks.servers.rows.settings import FOLDER  # noqa: E402
from benchmarks.servers.sampler import Sampler  # noqa: E402

with connection.schema_editor() as editor:
    editor.create_model(Packet)

_sampler = Sampler()
# Daphne has SIGTERM for itself.
atexit.register(lambda: _sampler.write(FOLDER / "lags.json"))


class RowConsumer(AsyncWebsocketConsumer):
    """Stores each packet as it comes."""

    async def connect(self) -> None:
        """Take every socket."""
        _sampler.start()
        self.stream = int(self.scope["path"].rpartition("/")[2])
        await self.accept()

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None
    ) -> None:
        """Store one packet."""
        packet: dict[str, Any] = json.loads(text_data or "{}")
        if packet.get("kind") == "AudioData":
            audio = packet["audioData"]
            await database_sync_to_async(Packet.objects.create)(
                stream=self.stream,
                timestamp=datetime.fromisoformat(audio["timestamp"]),
                data=base64.b64decode(audio["data"]),
            )


application = RowConsumer.as_asgi()
