"""The console's pages about stored things, on django-unfold."""

from calls.admin.calls import CallAdmin
from calls.admin.control import CallEventAdmin, ProfileAdmin, StreamCommandAdmin
from calls.admin.media import (
    ConnectionAdmin,
    IngestProcessAdmin,
    ParticipantAdmin,
    RecordingAdmin,
    SubscriptionAdmin,
    TrackAdmin,
)
from calls.admin.users import ConsoleGroupAdmin, ConsoleUserAdmin

__all__ = [
    "CallAdmin",
    "CallEventAdmin",
    "ConnectionAdmin",
    "ConsoleGroupAdmin",
    "ConsoleUserAdmin",
    "IngestProcessAdmin",
    "ParticipantAdmin",
    "ProfileAdmin",
    "RecordingAdmin",
    "StreamCommandAdmin",
    "SubscriptionAdmin",
    "TrackAdmin",
]
