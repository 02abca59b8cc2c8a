"""`manage.py web`: one web process, as in production."""

from typing import Any

from daphne.endpoints import build_endpoint_description_strings
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from acsstream.web_server import WebServer


class Command(BaseCommand):
    """Serves console, webhooks and browser sockets until it is told to stop."""

    help = "Run one web process: console, webhooks, browser sockets."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on")
        parser.add_argument(
            "--fd", type=int, help="a socket that listens already, instead of those"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        host, port, descriptor = options["host"], options["port"], options["fd"]
        if descriptor is None:
            endpoints = build_endpoint_description_strings(host=host, port=port)
            self.stdout.write(f"web on {host}:{port}, node {settings.NODE}")
        else:
            endpoints = build_endpoint_description_strings(file_descriptor=descriptor)
        from acsstream.asgi import application

        # No access log: paths of webhooks hold secrets.
        WebServer(
            application=application,
            endpoints=endpoints,
            server_name="acsstream",
            drain_seconds=settings.WEB_DRAIN_SECONDS,
        ).run()
