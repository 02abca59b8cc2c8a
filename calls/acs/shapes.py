"""What goes to ACS and what comes back, in words of our own."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

SubscriptionState = str
"""`active`, `inactive`, `disabled` (the wire's words), empty without subscription."""


@dataclass(frozen=True, slots=True)
class MediaOptions:
    """How a call is to be streamed. `sample_rate` is 16000 or 24000."""

    url: str
    is_mixed: bool
    sample_rate: int
    start_at_answer: bool
    is_bidirectional: bool
    dtmf_tones: bool


@dataclass(frozen=True, slots=True)
class TranscriptionOptions:
    """How a call is to be transcribed: where to, and in which language (`en-US`)."""

    url: str
    locale: str
    start_at_answer: bool
    intermediate_results: bool


@dataclass(frozen=True, slots=True)
class Locator:
    """A running call, by one of the three names ACS finds it under."""

    kind: Literal["server_call_id", "group_call_id", "room_id"]
    id: str


@dataclass(frozen=True, slots=True)
class OrderMark:
    """What marks an order in ACS's eyes.

    `context` comes back in callbacks as `operationContext`, and makes a repeated
    request the same request (`Repeatability-Request-ID`).
    """

    context: str
    first_sent: datetime


@dataclass(frozen=True, slots=True)
class CallProperties:
    """What ACS says of a call. `state` is the wire's `callConnectionState`."""

    connection_id: str
    server_call_id: str
    correlation_id: str
    state: str
    streaming: SubscriptionState
    transcription: SubscriptionState = ""
    locale: str = ""


@dataclass(frozen=True, slots=True)
class ParticipantState:
    """What ACS says of one participant."""

    raw_id: str
    is_muted: bool
    is_on_hold: bool
