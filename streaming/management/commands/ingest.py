"""`manage.py ingest`: one ingest process, as in production."""

import gc
import logging
import resource
import socket
import sys
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from calls.doors.openness import off_fault, open_doors
from streaming.draining import DrainingServer
from streaming.recorder import current_recorder
from streaming.websocket.http import IngestHttpProtocol, Unasked

# Seconds: a peer that has vanished is noticed within a minute, whether we only listen
# (keepalive) or have sent it something (user timeout, in milliseconds).
KEEPALIVE = {
    "TCP_KEEPIDLE": 30,
    "TCP_KEEPINTVL": 10,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 60_000,
}
SEND_BUFFER = 32 * 1024


class Command(BaseCommand):
    """Serves media sockets with uvicorn until it is told to stop."""

    help = "Run one ingest process: ACS dials it, it keeps every packet."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8001, help="port to listen on")
        parser.add_argument(
            "--ws",
            default="streaming.websocket.protocol:PicowsProtocol",
            help="uvicorn's WebSocket protocol class: a name of uvicorn's, such as"
            " websockets-sansio, or module:Class (default: %(default)s). uvicorn's own"
            " throw away what is on its way when ingest is told to stop.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        _descriptors_raise()
        # The journal's threads must get the interpreter while the loop is busy: at 500
        # streams the slowest hundredth of packets was on disk 26 ms sooner.
        sys.setswitchinterval(0.001)
        host, port = options["host"], options["port"]
        if fault := off_fault(host):
            raise CommandError(fault)
        for warning in open_doors():
            self.stderr.write(self.style.WARNING(warning))
        IngestHttpProtocol.unasked = Unasked(settings.SOURCE_HANDSHAKES, _note_unasked)
        config = uvicorn.Config(
            "acsstream.asgi_ingest:application",
            ws=options["ws"],
            http=IngestHttpProtocol,
            loop="streaming.websocket.loop:new_event_loop",
            # Far above ours, so that our own limit answers with a counted 1009.
            ws_max_size=settings.MAX_FRAME_BYTES * 4,
            # A call was redialled twelve times because an app closed on a missing
            # pong: ACS's pings are answered, none are sent.
            ws_ping_interval=None,
            ws_per_message_deflate=False,
            lifespan="on",
            log_config=None,
            access_log=False,
            # uvicorn would believe X-Forwarded-For of anybody on this machine; ours
            # are in ACSSTREAM_TRUSTED_PROXIES.
            proxy_headers=False,
            timeout_graceful_shutdown=8,
            server_header=False,
        )
        logging.getLogger("uvicorn.error").addFilter(_without_peer_traceback)
        try:
            listener = listening_socket(host, port)
        except OSError as exc:
            raise CommandError(f"cannot listen on {host}:{port}: {exc}") from exc
        self.stdout.write(
            f"ingest on {host}:{port}, node {settings.NODE},"
            f" journals in {settings.JOURNAL_DIR}"
        )
        config.load()
        # What is loaded by now stays: no garbage collection need look at it again,
        # 150,000 objects each time, while packets wait.
        gc.collect()
        gc.freeze()
        server = DrainingServer(config, settings.DRAIN_SECONDS)
        server.run(sockets=[listener])
        if not server.started:
            raise CommandError("ingest did not start: see the log above")


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a bound socket whose connections find out when their peer is gone.

    We send nothing while ACS speaks, so without keepalive a peer that vanished would
    hold its socket open, and its call unfinished, for ever. Accepted sockets inherit
    these options. Raises OSError.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        # macOS lacks some of them.
        if option := getattr(socket, name, None):
            listener.setsockopt(socket.IPPROTO_TCP, option, value)
    # What we say is 46 KB a second: a peer that does not read it is found out in a
    # second or two, not after megabytes that it would hear minutes late.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    try:
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def _note_unasked() -> None:
    current_recorder().refused["unasked"] += 1


def _without_peer_traceback(record: logging.LogRecord) -> bool:
    """Let a peer's text that is not UTF-8 be one line: it is no fault of ours."""
    if record.exc_info and isinstance(record.exc_info[1], UnicodeDecodeError):
        record.exc_info = None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True


def _descriptors_raise() -> None:
    """Allow as many open files as the system lets us: two for each call."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
