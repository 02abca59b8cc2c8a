"""Tables and their querysets. No I/O beyond the database happens here."""

from calls.models.alarm import Alarm, AlarmKind, AlarmState, Severity
from calls.models.audit import (
    AppendOnlyError,
    AuditAction,
    AuditCheck,
    AuditEntry,
    AuditLink,
)
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
    Tone,
    Track,
)
from calls.models.people import SsoIdentity
from calls.models.policy import (
    AnswerRule,
    Retention,
    StreamingProfile,
    TranscriptionStart,
)
from calls.models.review import CallNote, SavedView, Tag
from calls.models.speech import Prompt, TranscriptSegment, Utterance

__all__ = [
    "Alarm",
    "AlarmKind",
    "AlarmState",
    "AnswerRule",
    "AppendOnlyError",
    "AudioChunk",
    "AuditAction",
    "AuditCheck",
    "AuditEntry",
    "AuditLink",
    "Call",
    "CallEvent",
    "CallNote",
    "CallState",
    "CommandKind",
    "CommandState",
    "Connection",
    "Evidence",
    "IngestProcess",
    "Loss",
    "Participant",
    "Prompt",
    "Recording",
    "RecordingState",
    "Retention",
    "SavedView",
    "Severity",
    "SsoIdentity",
    "StreamCommand",
    "StreamingProfile",
    "StreamingState",
    "Subscription",
    "Tag",
    "Tone",
    "Track",
    "TranscriptSegment",
    "TranscriptionStart",
    "TranscriptionState",
    "Utterance",
]
