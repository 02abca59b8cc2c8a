"""IP addresses as peers and proxies write them, and what counts as one source."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# One customer has a whole /64: its addresses are one source.
IPV6_SOURCE = 64


@lru_cache(maxsize=8)
def networks(listed: Sequence[str]) -> tuple[Network, ...]:
    """Return networks in CIDR notation, read. Raises ValueError."""
    return tuple(ip_network(each, strict=False) for each in listed)


def address_of(text: str) -> Address | None:
    """Return an address as proxies write it, a port behind it or not; None: it is none.

    An IPv4 address within IPv6 is the IPv4 address.
    """
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed


def is_loopback(address: str) -> bool:
    """Say whether an address, or a host's name, is this machine's own."""
    parsed = address_of(address)
    return address == "localhost" if parsed is None else parsed.is_loopback


def group_of(address: str) -> str:
    """Return what limits count as one source: an IPv4 address, or an IPv6 /64."""
    parsed = address_of(address)
    if parsed is None:
        return address[:64]
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, IPV6_SOURCE), strict=False))
    return str(parsed)
