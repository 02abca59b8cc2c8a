"""Failures of the REST API that were asked for, and its limit on requests."""

import math
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

from emulator.clock import Clock

OPERATIONS = (
    "create",
    "connect",
    "answer",
    "reject",
    "redirect",
    "get",
    "hangUp",
    "terminate",
    "participants",
    "participant",
    "addParticipant",
    "removeParticipant",
    "cancelAddParticipant",
    "mute",
    "hold",
    "unhold",
    "transfer",
    "startMediaStreaming",
    "stopMediaStreaming",
    "startTranscription",
    "stopTranscription",
    "updateTranscription",
    "startContinuousDtmfRecognition",
    "stopContinuousDtmfRecognition",
)
"""The operations there are, by the names that faults and reports use."""
LOST = ("", "request", "answer")
"""What of a request is lost; the connection is closed without an answer."""


class FaultError(ValueError):
    """A failure that cannot be understood; the message says why."""


@dataclass(slots=True, kw_only=True)
class RestFault:
    """How the next `times` requests of an operation go wrong.

    With a `status` the request is refused and has no effect. `lost` loses the request
    before any effect, or the answer after it. `delay` is the emulated seconds by which
    the answer is late. `call` limits it to one call: any of its ids, or its caller.
    """

    operation: str
    status: int = 0
    times: int = 1
    retry_after: int | None = None
    delay: float = 0.0
    lost: str = ""
    call: str = ""

    def __post_init__(self) -> None:
        if self.operation not in ("*", *OPERATIONS):
            raise FaultError(f"there is no operation {self.operation}")
        if self.status and not 400 <= self.status <= 599:
            raise FaultError("status: must be from 400 to 599")
        if self.lost not in LOST:
            raise FaultError(f"lost: must be one of {', '.join(LOST[1:])}")
        if not (self.status or self.lost or self.delay):
            raise FaultError("a status, lost or delay is needed")

    def meets(self, operation: str, names: Collection[str]) -> bool:
        """Return whether a request for a call with these names goes wrong."""
        ours = self.operation in ("*", operation)
        return ours and (not self.call or self.call in names)


def parse_rest_faults(text: str) -> list[RestFault]:
    """Return failures written as text. Raises `FaultError`.

    `OPERATION:WHAT[:TIMES]`, separated by commas. WHAT is a status, a status and the
    seconds of its Retry-After (`429/2`), `lost_request`, `lost_answer` or
    `delay=SECONDS`.
    """
    return [_parsed(each.strip()) for each in text.split(",") if each.strip()]


def _parsed(text: str) -> RestFault:
    operation, _, rest = text.partition(":")
    what, _, times = rest.partition(":")
    try:
        fault = _of(operation, what)
        fault.times = int(times or 1)
    except FaultError:
        raise
    except ValueError as exc:
        raise FaultError(f"{text}: is not OPERATION:WHAT:TIMES") from exc
    return fault


def _of(operation: str, what: str) -> RestFault:
    if what.startswith("lost_"):
        return RestFault(operation=operation, lost=what.removeprefix("lost_"))
    if what.startswith("delay="):
        return RestFault(operation=operation, delay=float(what.removeprefix("delay=")))
    status, _, after = what.partition("/")
    retry_after = int(after) if after else None
    return RestFault(operation=operation, status=int(status), retry_after=retry_after)


class RestFaults:
    """The failures still to come."""

    def __init__(self, pending: list[RestFault] | None = None) -> None:
        self.pending = pending or []

    def add(self, fault: RestFault) -> None:
        """Ask for a failure. `*` is every operation."""
        self.pending.append(fault)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self.pending.clear()

    def take(self, operation: str, names: Collection[str] = ()) -> RestFault | None:
        """Return the failure for a request that is made now, if there is one."""
        for fault in self.pending:
            if fault.meets(operation, names):
                fault.times -= 1
                if fault.times <= 0:
                    self.pending.remove(fault)
                return fault
        return None


class RateLimit:
    """Counts requests of the last emulated second and says when there are too many."""

    def __init__(self, clock: Clock, limit: float) -> None:
        """Allow `limit` requests per emulated second; 0 is any number."""
        self._clock = clock
        self._limit = limit
        self._allowed: deque[float] = deque()
        self.busiest = 0

    def retry_after(self) -> int | None:
        """Count a request; return the seconds until it may come again, if it may not.

        The seconds are of the wall, where the app waits, and at least one.
        """
        now = self._clock.seconds()
        while self._allowed and self._allowed[0] <= now - 1:
            self._allowed.popleft()
        if self._limit and len(self._allowed) >= self._limit:
            wait = (self._allowed[0] + 1 - now) / self._clock.speed
            return max(1, math.ceil(wait))
        self._allowed.append(now)
        self.busiest = max(self.busiest, len(self._allowed))
        return None
