"""The console's pages about stored things, on django-unfold."""

from calls.admin.alarms import AlarmAdmin
from calls.admin.audit import AuditEntryAdmin
from calls.admin.calls import CallAdmin
from calls.admin.control import CallEventAdmin, StreamCommandAdmin
from calls.admin.media import (
    ConnectionAdmin,
    IngestProcessAdmin,
    RecordingAdmin,
    SubscriptionAdmin,
)
from calls.admin.people import ParticipantAdmin, TrackAdmin
from calls.admin.policy import AnswerRuleAdmin
from calls.admin.profiles import ProfileAdmin
from calls.admin.prompts import PromptAdmin
from calls.admin.tags import TagAdmin
from calls.admin.users import ConsoleGroupAdmin, ConsoleUserAdmin

__all__ = [
    "AlarmAdmin",
    "AnswerRuleAdmin",
    "AuditEntryAdmin",
    "CallAdmin",
    "CallEventAdmin",
    "ConnectionAdmin",
    "ConsoleGroupAdmin",
    "ConsoleUserAdmin",
    "IngestProcessAdmin",
    "ParticipantAdmin",
    "ProfileAdmin",
    "PromptAdmin",
    "RecordingAdmin",
    "StreamCommandAdmin",
    "SubscriptionAdmin",
    "TagAdmin",
    "TrackAdmin",
]
