"""Tables and their querysets. No I/O beyond the database happens here."""

from calls.models.call import (
    Call,
    CallState,
    Participant,
    StreamingProfile,
    StreamingState,
)
from calls.models.control import CallEvent, CommandKind, CommandState, StreamCommand
from calls.models.media import (
    AudioChunk,
    Connection,
    IngestProcess,
    Loss,
    Recording,
    RecordingState,
    Subscription,
    Track,
)

__all__ = [
    "AudioChunk",
    "Call",
    "CallEvent",
    "CallState",
    "CommandKind",
    "CommandState",
    "Connection",
    "IngestProcess",
    "Loss",
    "Participant",
    "Recording",
    "RecordingState",
    "StreamCommand",
    "StreamingProfile",
    "StreamingState",
    "Subscription",
    "Track",
]
