"""What REST requests there were, and which of them took effect: the truth for tests."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Effect:
    """One operation that was carried out, `at` emulated seconds of the clock."""

    operation: str
    context: str | None
    at: float


@dataclass(slots=True)
class Ledger:
    """The REST requests of one call, or of all of them."""

    effects: list[Effect] = field(default_factory=list)
    requests: Counter[tuple[str, str]] = field(default_factory=Counter)

    def requested(self, operation: str, outcome: str) -> None:
        """Count a request by its status, or by what of it was lost."""
        self.requests[operation, outcome] += 1

    def took_effect(self, operation: str, context: str | None, at: float) -> None:
        """Take note of an operation that was carried out."""
        self.effects.append(Effect(operation, context, at))

    def requests_report(self) -> dict[str, dict[str, int]]:
        """Return the counts as the control API shows them: per operation and status."""
        counts: dict[str, dict[str, int]] = {}
        for (operation, outcome), count in self.requests.items():
            counts.setdefault(operation, {})[outcome] = count
        return counts

    def effects_report(self) -> list[dict[str, Any]]:
        """Return the effects as the control API shows them, in order."""
        return [
            {
                "operation": each.operation,
                "operation_context": each.context,
                "at": round(each.at, 3),
            }
            for each in self.effects
        ]
