"""The rows a call's story is made of, read once, in a fixed number of queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from calls import formats
from calls.models import (
    Alarm,
    AuditAction,
    AuditEntry,
    Call,
    CallEvent,
    Participant,
    Recording,
    StreamCommand,
    Subscription,
    Tone,
    Track,
    Utterance,
)
from calls.sockets import SocketRow, socket_rows


@dataclass(frozen=True, slots=True)
class CallRows:
    """All that is stored about one call, except its audio.

    `events`, `audit` and `tones` may be the newest only; `unread` says how many older
    ones of all three there are. All are in the order in which they came about.
    """

    call: Call
    people: Sequence[Participant]
    commands: Sequence[StreamCommand]
    events: Sequence[CallEvent]
    audit: Sequence[AuditEntry]
    tracks: Sequence[Track]
    sockets: Sequence[SocketRow]
    subscriptions: Sequence[Subscription]
    recordings: Sequence[Recording]
    alarms: Sequence[Alarm]
    tones: Sequence[Tone]
    utterances: Sequence[Utterance]
    unread: int

    def name(self, raw_id: str) -> str:
        """Return what a party of the call is called."""
        for person in self.people:
            if person.raw_id == raw_id and person.display_name:
                return person.display_name
        return formats.party(raw_id) or "?"

    def name_of(self, participant_id: UUID) -> str:
        """Return what a participant of the call is called."""
        found = (one.raw_id for one in self.people if one.pk == participant_id)
        return self.name(next(found, ""))


ELSEWHERE = (
    AuditAction.COMMAND_ASKED,
    AuditAction.ALARM_CHANGED,
    AuditAction.CALL_VIEWED,
    AuditAction.RECORDING_VIEWED,
)


def rows_of(call: Call, *, limit: int | None = None) -> CallRows:
    """Read a call's rows; of events, audit and tones at most the `limit` newest."""
    tracks = list(call.tracks.select_related("participant").order_by("origin_us"))
    events = call.events.order_by("-received_at", "-pk")
    # A command tells itself who asked for it, an alarm who took it up; who only looked
    # is on the audit log.
    audit = (
        AuditEntry.objects.of_call(call.pk)
        .exclude(action__in=ELSEWHERE)
        .order_by("-at", "-pk")
    )
    tones = call.tones.order_by("-at_us", "-pk")
    read_events, read_audit = list(events[:limit]), list(audit[:limit])
    read_tones = list(tones[:limit])
    unread = 0
    if limit is not None:
        total = events.count() + audit.count() + tones.count()
        unread = total - len(read_events) - len(read_audit) - len(read_tones)
    return CallRows(
        call=call,
        people=list(call.participants.all()),
        commands=list(call.commands.select_related("asked_by").order_by("asked_at")),
        events=read_events[::-1],
        audit=read_audit[::-1],
        tracks=tracks,
        sockets=socket_rows(list(call.connections.order_by("opened_at")), tracks),
        subscriptions=list(call.subscriptions.order_by("started_at")),
        recordings=list(call.recordings.select_related("track__participant")),
        alarms=list(
            call.alarms.select_related(
                "acknowledged_by", "assignee", "closed_by"
            ).order_by("opened_at")
        ),
        tones=read_tones[::-1],
        utterances=list(
            call.utterances.select_related("command__asked_by").order_by("queued_at")
        ),
        unread=max(unread, 0),
    )
