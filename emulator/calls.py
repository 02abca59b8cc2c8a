"""What a call is to the emulator: its plan, its state and everything known of it."""

import asyncio
import uuid
from base64 import b64encode
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from emulator.clock import Timeline
from emulator.faults import Faults
from emulator.ledger import Ledger
from emulator.options import Behaviour
from emulator.restfaults import RestFaults, parse_rest_faults

if TYPE_CHECKING:
    from emulator.callbacks import Callbacks
    from emulator.line import Line
    from emulator.media import MediaStream
    from emulator.outbound import OutboundAudio


class NotPossibleError(Exception):
    """Something that cannot happen in this call now; the message says why."""


class CallState(StrEnum):
    """Where a call is."""

    RINGING = "ringing"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    REJECTED = "rejected"
    REDIRECTED = "redirected"
    MISSED = "missed"
    FAILED = "failed"


OVER = frozenset(CallState) - {
    CallState.RINGING,
    CallState.CONNECTING,
    CallState.CONNECTED,
}
"""States a call does not leave."""


class Ending(StrEnum):
    """Who ended an answered call, and for whom."""

    CALLER = "caller_hung_up"
    LEFT = "left"
    TERMINATED = "terminated"
    TRANSFERRED = "transferred"
    STOPPED = "emulator_stopped"


GOES_ON = frozenset({Ending.LEFT, Ending.TRANSFERRED})
"""Endings after which the others are still in the call."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that happens `at` seconds after a call was connected."""

    at: float
    do: str
    arguments: dict[str, Any]

    def joins(self, raw_id: str) -> bool:
        """Return whether this is the arrival of a participant."""
        return self.do == "join" and self.arguments.get("participant") == raw_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a call is to go: who takes part, what they say, what happens when.

    `offset` says how many seconds into the conversation the call begins; the first
    participant speaks the audio's party `first_party`, the next the next. Without a
    `duration` (seconds) nobody on the emulated side hangs up.
    """

    caller: str
    recipient: str
    participants: tuple[str, ...]
    display_name: str = ""
    duration: float | None = None
    loop: bool = True
    offset: float = 0.0
    first_party: int = 0
    actions: tuple[Action, ...] = ()
    behaviour: Behaviour = field(default_factory=Behaviour)
    faults: Faults = field(default_factory=Faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaOptions:
    """The `mediaStreamingOptions` of a request; `rate` is in Hz."""

    transport_url: str
    unmixed: bool
    rate: int
    start: bool
    bidirectional: bool
    dtmf: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionOptions:
    """The `transcriptionOptions` of a request."""

    transport_url: str
    locale: str
    start: bool
    intermediate: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """Where the outcome of a request is posted, and the caller's word for it."""

    callback_url: str
    context: str | None


@dataclass(slots=True, kw_only=True)
class Call:
    """One call, from ringing to its last callback."""

    number: int
    plan: Plan
    call_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    connection_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    correlation_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    server_call_id: str
    context: str = ""
    outgoing: bool = False
    joined: bool = False
    state: CallState = CallState.RINGING
    ending: Ending | None = None
    dismissed: dict[str, str] = field(default_factory=dict)
    operation: Operation | None = None
    media_options: MediaOptions | None = None
    transcription_options: TranscriptionOptions | None = None
    cognitive_endpoint: str = ""
    timeline: Timeline | None = None
    lasted: float | None = None
    line: "Line | None" = None
    media: "MediaStream | None" = None
    callbacks: "Callbacks | None" = None
    outbound: "OutboundAudio | None" = None
    ledger: Ledger = field(default_factory=Ledger)
    rest_faults: RestFaults = field(init=False)
    rung: dict[str, Any] = field(default_factory=dict)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.rest_faults = RestFaults(parse_rest_faults(self.plan.faults.rest))

    @property
    def names(self) -> frozenset[str]:
        """Return everything by which a REST fault can mean this call."""
        ours = (self.call_id, self.connection_id, self.server_call_id)
        return frozenset((*ours, self.plan.caller, self.plan.recipient))

    @property
    def ids(self) -> dict[str, str]:
        """Return the three ids that every callback carries."""
        return {
            "callConnectionId": self.connection_id,
            "serverCallId": self.server_call_id,
            "correlationId": self.correlation_id,
        }

    def _elapsed(self) -> float | None:
        if self.timeline is None:
            return None
        lasted = self.lasted
        return round(self.timeline.elapsed() if lasted is None else lasted, 3)

    def report(self) -> dict[str, Any]:
        """Return everything known of the call, as the control API shows it."""
        media = self.media
        if self.outbound is not None and self.timeline and self.state not in OVER:
            self.outbound.advance(self.timeline.elapsed())
        return {
            "id": self.call_id,
            "number": self.number,
            "state": self.state.value,
            "finished": self.over.is_set(),
            "call_connection_id": self.connection_id,
            "server_call_id": self.server_call_id,
            "correlation_id": self.correlation_id,
            "direction": "outgoing" if self.outgoing else "incoming",
            "from": self.plan.caller,
            "to": self.plan.recipient,
            "elapsed": self._elapsed(),
            "began_us": self.timeline.began_us if self.timeline else None,
            "ending": self.ending,
            "left": self.ending in GOES_ON,
            "dismissed": self.dismissed or None,
            **self._people(),
            "effects": self.ledger.effects_report(),
            "requests": self.ledger.requests_report(),
            "event_grid": self.rung,
            "participants": [each.report() for each in media.cast.tracks]
            if media
            else [],
            "media": media.report() if media else None,
            "sockets": [each.report() for each in media.sockets] if media else [],
            "callbacks": self._callbacks_report(),
            "outbound": self.outbound.report() if self.outbound else None,
            "lint": dict(self.outbound.lint) if self.outbound else {},
        }

    def _people(self) -> dict[str, Any]:
        """Return who is in the call, and what the app did to them."""
        line = self.line
        return {
            "roster": line.people.roster if line else list(self.plan.participants),
            "muted": line.people.muted if line else [],
            "on_hold": line.people.on_hold if line else [],
            "transcription": line.transcription.report() if line else None,
            "cognitive_endpoint": self.cognitive_endpoint,
            "recognised": line.recognition.report() if line else [],
        }

    def _callbacks_report(self) -> dict[str, Any]:
        log = self.callbacks.log if self.callbacks else None
        return {
            "delivered": log.delivered if log else [],
            "failed": log.failed if log else [],
            "lost": log.lost if log else [],
            "attempts": log.attempts if log else 0,
            "pending": self.callbacks.pending if self.callbacks else 0,
        }


def new_server_call_id() -> str:
    """Return a server call id: a base64 URL, as the service makes them."""
    url = f"https://conv-emulated.conv.skype.com/conv/{uuid.uuid4()}?i=1&e=1"
    return b64encode(url.encode()).decode()
