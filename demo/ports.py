"""Ports of this machine that servers of ours may have."""

import socket
from collections.abc import Iterator
from random import SystemRandom

# Below those that systems give to outgoing connections (Linux from 32,768 on, others
# from 49,152): none gets one between its being found and a server's taking it.
PORTS = range(20_000, 32_000)
ATTEMPTS = 100


def free_ports() -> Iterator[int]:
    """Yield loopback ports, at random, on which nothing listened a moment ago."""
    for port in SystemRandom().sample(PORTS, ATTEMPTS):
        if _is_free(port):
            yield port


def free_port() -> int:
    """Return one of them. Raises `OSError` if there is none."""
    for port in free_ports():
        return port
    raise OSError("There are no free ports on 127.0.0.1.")


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
