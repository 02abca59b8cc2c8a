"""Kinds of alarms as code without Django names them, and how much each matters."""

from enum import IntEnum, StrEnum
from typing import Final


class Kind(StrEnum):
    """What is wrong. The values are those of the table's `AlarmKind`."""

    DEAD_AIR = "dead_air"
    ONE_WAY = "one_way"
    SILENT_FLOW = "silent_flow"
    STALLED = "stalled"
    GAPS = "gaps"
    CLIPPING = "clipping"
    TOO_QUIET = "too_quiet"
    OVERTALK = "overtalk"
    MALFORMED = "malformed"
    COMMAND_FAILED = "command_failed"
    INCOMPLETE = "incomplete"
    NODE_FULL = "node_full"
    DISK_LOW = "disk_low"
    HANDLER = "handler"
    TRANSCRIPT = "transcript"
    STORAGE = "storage"


class Weight(IntEnum):
    """How much an alarm matters. The values are those of the table's `Severity`."""

    NOTICE = 1
    WARNING = 2
    CRITICAL = 3


# Critical is what loses audio, or what the parties of the call suffer from now.
WEIGHTS: Final = {
    Kind.DEAD_AIR: Weight.WARNING,
    Kind.ONE_WAY: Weight.CRITICAL,
    Kind.SILENT_FLOW: Weight.NOTICE,
    Kind.STALLED: Weight.CRITICAL,
    Kind.GAPS: Weight.WARNING,
    Kind.CLIPPING: Weight.NOTICE,
    Kind.TOO_QUIET: Weight.NOTICE,
    Kind.OVERTALK: Weight.NOTICE,
    Kind.MALFORMED: Weight.WARNING,
    Kind.COMMAND_FAILED: Weight.WARNING,
    Kind.INCOMPLETE: Weight.WARNING,
    Kind.NODE_FULL: Weight.WARNING,
    Kind.DISK_LOW: Weight.WARNING,
    Kind.HANDLER: Weight.CRITICAL,
    Kind.TRANSCRIPT: Weight.WARNING,
    Kind.STORAGE: Weight.CRITICAL,
}


def call_key(call_id: object, kind: Kind, raw_id: str = "") -> str:
    """Return the key of a condition of a call, or of a participant in it."""
    return f"{call_id}/{kind}/{raw_id}"


def node_key(node: str, kind: Kind, pid: int) -> str:
    """Return the key of a condition of one process of a node."""
    return f"node/{node}/{kind}/{pid}"


def storage_key(node: str) -> str:
    """Return the key of the storage as a node sees it."""
    return f"node/{node}/{Kind.STORAGE}"
