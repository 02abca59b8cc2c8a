"""Tables and their querysets. No I/O beyond the database happens here."""

from calls.models.alarm import Alarm, AlarmKind, AlarmState, Severity
from calls.models.audit import (
    AppendOnlyError,
    AuditAction,
    AuditCheck,
    AuditEntry,
    AuditLink,
)
from calls.models.call import Call
from calls.models.control import (
    CallEvent,
    CommandKind,
    CommandState,
    Evidence,
    StreamCommand,
)
from calls.models.media import (
    AudioChunk,
    Loss,
    Recording,
    RecordingState,
    Tone,
    Track,
)
from calls.models.participant import Participant
from calls.models.people import SsoIdentity
from calls.models.policy import AnswerRule
from calls.models.profiles import Retention, StreamingProfile, TranscriptionStart
from calls.models.review import CallNote, SavedView, Tag
from calls.models.sockets import Connection, IngestProcess, Subscription
from calls.models.speech import Prompt, TranscriptSegment, Utterance
from calls.models.states import CallState, StreamingState, TranscriptionState

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
