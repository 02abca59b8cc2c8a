"""Where a demo lives: its folder, its ports, and the environment of its parts."""

import fcntl
import os
import secrets
import shutil
import socket
import uuid
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO

from acsstream import settings
from demo.ports import free_ports

FOLDERS = settings.BASE_DIR / "var" / "demo"
KEPT_RUNS = 3
CONSOLE_PORT = 8000
# Variables of one's own that a demo may well share.
SHARED = frozenset(
    {"LOG_LEVEL", "LOG_FORMAT", "TIME_ZONE", "OTEL_EXPORTER_OTLP_ENDPOINT"}
)
OWN_PREFIXES = ("ACSSTREAM_", "ACSEMU_")


class DemoError(Exception):
    """The demo cannot begin; says what to do."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports that were free a moment ago."""

    console: int
    ingest: int
    emulator: int
    redis: int
    realtime: int


def fresh_folder(asked: Path | None, now: datetime) -> Path:
    """Make the folder of a new run; older runs beyond the last three are removed.

    A folder that was asked for must be empty or not exist. Raises `DemoError`.
    """
    try:
        if asked is None:
            remove_old_runs(FOLDERS)
            folder = FOLDERS / f"{now:%Y%m%d-%H%M%S}-{os.getpid()}"
        else:
            folder = asked.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise DemoError(f"{folder} is not empty: each demo starts afresh.")
        (folder / "logs").mkdir()
    except OSError as exc:
        raise DemoError(f"The demo's data folder cannot be made: {exc}") from exc
    return folder


def remove_old_runs(folders: Path) -> None:
    """Leave room for one more of `KEPT_RUNS`. Runs that still run are left alone."""
    if not folders.is_dir():
        return
    # Their names sort by time.
    for folder in sorted(folders.iterdir(), reverse=True)[KEPT_RUNS - 1 :]:
        lock = hold(folder)
        if lock is not None:
            with lock:
                shutil.rmtree(folder, ignore_errors=True)


def hold(folder: Path) -> IO[str] | None:
    """Mark a run's folder as in use while the file is open; None: it is in use."""
    try:
        file = (folder / "in-use").open("w")
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def listen(asked: int | None) -> socket.socket:
    """Return the console's listening socket: on the port asked for, or 8000, or any.

    It is passed on to the web process as it is: between choosing a port and serving it
    seconds go by, in which another demo would choose the same. Raises `DemoError` if
    the port that was asked for is taken.
    """
    for port in [asked] if asked is not None else [CONSOLE_PORT, 0]:
        try:
            return socket.create_server(("127.0.0.1", port))
        except OSError as exc:
            reason = exc.strerror
    raise DemoError(f"Port {asked}: {reason}. Try another --port, or none.")


def choose_ports(console: int) -> Ports:
    """Return the console's port and four that are free, taken at random."""
    taken = list(islice(free_ports(), 4))
    if len(taken) < 4:
        raise DemoError("There are no free ports on 127.0.0.1.")
    return Ports(console, *taken)


def environment(folder: Path, ports: Ports, audio: Path | None) -> dict[str, str]:
    """Return the environment of every part.

    Nothing of one's own settings is in it: a demo must not touch a database, a Redis,
    a storage or an ACS resource that somebody uses.
    """
    kept = {name: value for name, value in os.environ.items() if not is_ours(name)}
    secret, access_key = secrets.token_urlsafe(24), b64encode(secrets.token_bytes(64))
    loopback = "127.0.0.1,localhost"
    console = f"http://127.0.0.1:{ports.console}"
    return (
        kept
        | {
            "DJANGO_SETTINGS_MODULE": "acsstream.settings",
            "PYTHONUNBUFFERED": "1",
            "NO_PROXY": loopback,
            "no_proxy": loopback,
            "SECRET_KEY": secrets.token_urlsafe(64),
            "ALLOWED_HOSTS": loopback,
            "REDIS_URL": f"redis://127.0.0.1:{ports.redis}/0",
            "ACSSTREAM_DATA_DIR": str(folder),
            "ACSSTREAM_NODE": "demo",
            "ACSSTREAM_PUBLIC_URL": console,
            "ACSSTREAM_MEDIA_URL": f"ws://127.0.0.1:{ports.ingest}",
            "ACSSTREAM_ACS_ENDPOINT": f"http://127.0.0.1:{ports.emulator}",
            "ACSSTREAM_ACS_ACCESS_KEY": access_key.decode(),
            "ACSSTREAM_ACS_RESOURCE_ID": (resource := str(uuid.uuid4())),
            "ACSSTREAM_ACS_OPENID_URL": f"http://127.0.0.1:{ports.emulator}"
            "/calling/.well-known/acsopenidconfiguration",
            # The emulator wants one to be named, and nobody dials it.
            "ACSSTREAM_COGNITIVE_ENDPOINT": "https://cognitive.example.com",
            "ACSSTREAM_EVENTGRID_SECRET": secret,
            # A stand-in as well; it takes any key.
            "ACSSTREAM_REALTIME_URL": f"http://127.0.0.1:{ports.realtime}/v1",
            "ACSSTREAM_REALTIME_KEY": secrets.token_urlsafe(24),
            # Nothing is waived for a demo: tokens are verified as in production.
            "ACSSTREAM_MEDIA_AUTH": "required",
            "ACSSTREAM_CALLBACK_AUTH": "required",
            # Its one account lives as long as it does, and is on this machine.
            "ACSSTREAM_TOTP_ROLES": "none",
            # Sockets of an ingest process that was killed are soon taken for closed;
            # the emulator dials until there is a new one.
            "ACSSTREAM_LEASE_SECONDS": "5",
            # In the environment and not on the command line, where `ps` shows them.
            "ACSEMU_ACCESS_KEY": access_key.decode(),
            "ACSEMU_EVENTGRID_URL": f"{console}/webhooks/eventgrid?secret={secret}",
            "ACSEMU_RESOURCE_ID": resource,
            "ACSEMU_DIAL_ATTEMPTS": "6",
            "ACSEMU_PORT": str(ports.emulator),
        }
        | ({"ACSEMU_AUDIO": str(audio.resolve())} if audio else {})
    )


def is_ours(name: str) -> bool:
    """Say whether this variable (or the file it names) is read as a setting of ours."""
    base = name.removesuffix("_FILE")
    known = base in settings.env.variables or base.startswith(OWN_PREFIXES)
    return known and base not in SHARED
