"""Base URLs under which others reach us, and whether a host is near."""

import ipaddress
from urllib.parse import urlsplit


def is_base_url(url: str, scheme: str) -> bool:
    """Say whether `url` is scheme, host and perhaps path, over TLS unless it is near.

    `scheme` is the plain one: "http" or "ws".
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.query or parts.fragment or parts.username:
        return False
    return parts.scheme == f"{scheme}s" or (parts.scheme == scheme and is_near(host))


def is_near(host: str) -> bool:
    """Say whether `host` is this machine or on its own network.

    A name without a dot is a container's or a neighbour's: ACS could not reach it.
    """
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host
