"""`manage.py ingest`: one ingest process, as in production."""

import sys
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    """Serves media sockets with uvicorn until it is told to stop."""

    help = "Run one ingest process: ACS dials it, it keeps every packet."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8001, help="port to listen on")
        parser.add_argument(
            "--ws",
            default="websockets-sansio",
            help="uvicorn's WebSocket protocol class: a name, or module:Class",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # The journal's threads must get the interpreter while the loop is busy: at 500
        # streams the slowest hundredth of packets was on disk 26 ms sooner.
        sys.setswitchinterval(0.001)
        self.stdout.write(
            f"ingest on {options['host']}:{options['port']}, node {settings.NODE},"
            f" journals in {settings.JOURNAL_DIR}"
        )
        uvicorn.run(
            "acsstream.asgi_ingest:application",
            host=options["host"],
            port=options["port"],
            ws=options["ws"],
            # One above ours, so that our own limit answers with a counted 1009.
            ws_max_size=settings.MAX_FRAME_BYTES * 4,
            # A call was redialled twelve times because an app closed on a missing
            # pong: ACS's pings are answered, none are sent.
            ws_ping_interval=None,
            ws_per_message_deflate=False,
            lifespan="on",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=8,
            server_header=False,
        )
