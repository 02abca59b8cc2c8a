"""Failures of the REST API that were asked for."""

from dataclasses import dataclass


@dataclass(slots=True)
class RestFault:
    """The next `times` requests of an operation fail with a status."""

    operation: str
    status: int
    times: int = 1
    retry_after: int | None = None


class RestFaults:
    """The failures still to come."""

    def __init__(self) -> None:
        self.pending: list[RestFault] = []

    def add(self, fault: RestFault) -> None:
        """Ask for a failure. `*` is every operation."""
        self.pending.append(fault)

    def take(self, operation: str) -> RestFault | None:
        """Return the failure for a request that is made now, if there is one."""
        for fault in self.pending:
            if fault.operation in ("*", operation):
                fault.times -= 1
                if fault.times <= 0:
                    self.pending.remove(fault)
                return fault
        return None
