"""What is found of one part of an installation: how bad, in words, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How bad it is. Only `CRITICAL` keeps a process from its work."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Finding:
    """One part as it was found. `figures` are for machines."""

    name: str
    level: Level
    says: str
    do: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)

    def because(self, why: str) -> Finding:
        """Return the same with the kind of a fault behind what it says."""
        return replace(self, says=f"{self.says.rstrip('.')} ({why}).")

    def as_json(self) -> dict[str, Any]:
        """Return it as /readyz tells it."""
        told: dict[str, Any] = {"level": self.level.value, "says": self.says}
        if self.do:
            told["do"] = self.do
        return told | {"figures": dict(self.figures)} if self.figures else told


def report(findings: Iterable[Finding]) -> dict[str, Any]:
    """Return what /readyz says: ready unless something critical is wrong."""
    found = list(findings)
    critical = [one.name for one in found if one.level is Level.CRITICAL]
    warnings = [one.name for one in found if one.level is Level.WARNING]
    worst = "not ready" if critical else "degraded" if warnings else "ok"
    return {
        "ready": not critical,
        "status": worst,
        "critical": critical,
        "warnings": warnings,
        "checks": {one.name: one.as_json() for one in found},
    }
