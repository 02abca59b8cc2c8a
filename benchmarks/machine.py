"""The machine: its cores, what it is, and what the kernel holds between two sockets."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any


def cores() -> tuple[set[int], set[int]]:
    """Return the cores of the server and those of the load; empty: wherever."""
    if not hasattr(os, "sched_setaffinity"):
        return set(), set()
    mine = sorted(os.sched_getaffinity(0))
    if len(mine) < 2:
        return set(), set()
    return {mine[-1]}, set(mine[:-1])


def facts() -> dict[str, Any]:
    """Return what figures depend on."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {_kernel()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {
            name: version(name)
            for name in ("picows", "msgspec", "uvicorn", "websockets", "channels")
        },
    }


def _kernel() -> str:
    """Return major and minor version: the rest may name a machine."""
    return ".".join(platform.release().split(".")[:2])


def _cpu() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def queued_bytes(port: int) -> int:
    """Return what the kernel holds on its way to the server at a loopback port.

    Sent by the load and not yet read by the server. 0 where it cannot be known.
    """
    path = Path("/proc/net/tcp")
    if not path.exists():
        return 0
    queued = 0
    for line in path.read_text().splitlines()[1:]:
        _, local, remote, _, queues = line.split(maxsplit=5)[:5]
        sending, _, receiving = queues.partition(":")
        if int(remote.rpartition(":")[2], 16) == port:
            queued += int(sending, 16)
        if int(local.rpartition(":")[2], 16) == port:
            queued += int(receiving, 16)
    return queued
