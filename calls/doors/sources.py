"""Where a request came from, whoever passed it on.

A proxy writes the client's address into `X-Forwarded-For` and its scheme into
`X-Forwarded-Proto`. So can anybody: they are believed of the proxies in
`ACSSTREAM_TRUSTED_PROXIES` alone. The list is read from its end, which the nearest
proxy wrote, up to the first address that is no proxy of ours.
"""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from calls.doors.networks import address_of, networks

FORWARDED_FOR = b"x-forwarded-for"
FORWARDED_PROTO = b"x-forwarded-proto"
# No chain of ours has more proxies; a longer list is somebody's joke.
MOST_HOPS = 16


def source_of(request: HttpRequest | None) -> str:
    """Return the address a request came from; empty if there is none."""
    if request is None:
        return ""
    peer = str(request.META.get("REMOTE_ADDR") or "")
    listed = str(request.META.get("HTTP_X_FORWARDED_FOR") or "")
    return source(peer, listed)


def source(peer: str, forwarded_for: str) -> str:
    """Return the client's address, given who is connected and what that passed on."""
    found = peer
    for hop in reversed(forwarded_for.split(",")[-MOST_HOPS:]):
        if not is_proxy(found):
            break
        address = address_of(hop)
        # What cannot be read was not written by a proxy: the last one that can stands.
        if address is None:
            break
        found = str(address)
    return found


def is_proxy(address: str) -> bool:
    """Say whether an address is one of our proxies."""
    parsed = address_of(address)
    if parsed is None:
        return False
    known = networks(tuple(settings.TRUSTED_PROXIES))
    return any(parsed in network for network in known)


def direct(scope: Any) -> Any:
    """Return an ASGI scope as if the client had come itself.

    What our proxies forwarded is in `client` and `scheme`; the headers are gone,
    whoever wrote them, so that nothing behind this can believe a stranger.
    """
    headers: list[tuple[bytes, bytes]] = list(scope["headers"])
    forwarded = [each for each in headers if each[0].startswith(b"x-forwarded-")]
    if not forwarded:
        return scope
    client = scope.get("client") or ("", 0)
    changed = dict(scope)
    # X-Forwarded-Host and -Port: nothing of ours reads them.
    hidden = (FORWARDED_FOR, FORWARDED_PROTO)
    changed["headers"] = [each for each in headers if each[0] not in hidden]
    if is_proxy(client[0]):
        changed["client"] = (source(client[0], _joined(forwarded, FORWARDED_FOR)), 0)
        proto = _joined(forwarded, FORWARDED_PROTO).rpartition(",")[2].strip().lower()
        if proto in ("http", "https"):
            changed["scheme"] = SCHEMES[scope["type"], proto]
    return changed


SCHEMES = {
    ("http", "http"): "http",
    ("http", "https"): "https",
    ("websocket", "http"): "ws",
    ("websocket", "https"): "wss",
}


def _joined(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    """Return a header that may come several times as the one list that it is."""
    return ",".join(value.decode("latin-1") for key, value in headers if key == name)
