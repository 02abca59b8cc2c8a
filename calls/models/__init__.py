"""Tables and their querysets. No I/O beyond the database happens here."""

from calls.models.audit import AppendOnlyError, AuditAction, AuditEntry
from calls.models.call import (
    Call,
    CallState,
    Participant,
    StreamingState,
    TranscriptionState,
)
from calls.models.control import (
    CallEvent,
    CommandKind,
    CommandState,
    Evidence,
    StreamCommand,
)
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
from calls.models.policy import (
    AnswerRule,
    Retention,
    StreamingProfile,
    TranscriptionStart,
)

__all__ = [
    "AnswerRule",
    "AppendOnlyError",
    "AudioChunk",
    "AuditAction",
    "AuditEntry",
    "Call",
    "CallEvent",
    "CallState",
    "CommandKind",
    "CommandState",
    "Connection",
    "Evidence",
    "IngestProcess",
    "Loss",
    "Participant",
    "Recording",
    "RecordingState",
    "Retention",
    "StreamCommand",
    "StreamingProfile",
    "StreamingState",
    "Subscription",
    "Track",
    "TranscriptionStart",
    "TranscriptionState",
]
