"""How far the doors for machines are open, and where they must not be.

`off` proves nothing: it is for load tests and development, on this machine alone.
"""

import sys
from collections.abc import Sequence

from django.conf import settings

from calls.doors.networks import is_loopback

# What daphne and uvicorn call the address to listen on.
BIND_OPTIONS = ("-b", "--bind", "--host")
OFF = (
    "{names} off, and the server listens on {host}: whoever reaches it could stream"
    " into the archive. Listen on 127.0.0.1, or require authentication."
)


def doors_off() -> list[str]:
    """Return the settings by which a door asks for nothing at all."""
    modes = {
        "ACSSTREAM_MEDIA_AUTH": settings.MEDIA_AUTH,
        "ACSSTREAM_CALLBACK_AUTH": settings.CALLBACK_AUTH,
    }
    return [name for name, mode in modes.items() if mode == "off"]


def off_fault(host: str) -> str:
    """Return why a server must not listen on `host`; empty if it may."""
    off = doors_off()
    if settings.DEBUG or not off or is_loopback(host):
        return ""
    verb = "is" if len(off) == 1 else "are"
    return OFF.format(names=f"{' and '.join(off)} {verb}", host=host)


def bound_host(argv: Sequence[str] | None = None) -> str | None:
    """Return the address this process was told to listen on; None: it was not told.

    An ASGI application is not told by its server, so its command line is read.
    """
    words = list(sys.argv if argv is None else argv)
    for number, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in BIND_OPTIONS and equals:
            return value
        if word in BIND_OPTIONS and number + 1 < len(words):
            return words[number + 1]
    return None


def open_doors() -> list[str]:
    """Return in words which doors are not shut: for consoles and start-up."""
    said = {
        ("media", "off"): "Sockets are taken without token and secret.",
        ("media", "log_only"): "Sockets are taken without a token of ACS; all faults"
        " but a wrong secret are only logged.",
        ("callback", "off"): "Callbacks are taken without a token of ACS.",
        ("callback", "log_only"): "Callbacks are taken without a token of ACS; its"
        " faults are only logged.",
    }
    modes = (("media", settings.MEDIA_AUTH), ("callback", settings.CALLBACK_AUTH))
    return [
        f"{said[door, mode]} ACSSTREAM_{door.upper()}_AUTH is {mode}."
        for door, mode in modes
        if mode != "required"
    ]
