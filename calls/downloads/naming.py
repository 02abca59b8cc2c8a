"""Names of files that leave: by time, call and role, never by number.

File names travel: into mails, folders and logs.
"""

from collections.abc import Sequence
from uuid import UUID

from django.utils import timezone
from django.utils.http import content_disposition_header

from calls.models import Call, Recording
from calls.recordings import slug
from streaming.protocol import MIXED


def call_name(call: Call) -> str:
    """Return what begins the names of a call's files; they sort by time."""
    start = timezone.localtime(call.rang_at)
    return f"{start:%Y%m%d-%H%M%S}_{str(call.pk)[:8]}"


def recording_name(recording: Recording) -> str:
    """Return the name of a recording's file, without its ending."""
    return f"{call_name(recording.call)}_{role(recording)}"


def file_names(recordings: Sequence[Recording]) -> dict[UUID, str]:
    """Return names for files that lie in one folder, without their endings.

    Somebody heard at two rates has two recordings: the second has a number.
    """
    names: dict[UUID, str] = {}
    for recording in recordings:
        name = first = recording_name(recording)
        number = 1
        while name in names.values():
            number += 1
            name = f"{first}-{number}"
        names[recording.pk] = name
    return names


def role(recording: Recording) -> str:
    """Return who is heard: mix, caller, called, or what tells other parties apart."""
    raw_id = recording.track.participant.raw_id if recording.track else MIXED
    if raw_id == MIXED:
        return "mix"
    call = recording.call
    roles = {call.to_raw_id: "called", call.from_raw_id: "caller"}
    return roles.get(raw_id) or f"party-{slug(raw_id)}"


def attachment(name: str) -> str:
    """Return the Content-Disposition of a file to keep."""
    return content_disposition_header(True, name) or "attachment"
