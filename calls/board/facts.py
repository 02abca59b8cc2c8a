"""What the database says for the dashboard, once a second for all who watch.

The questions are few and their number is fixed. Live calls come as plain tuples: of a
thousand rows a model's instances cost more than all the rest of a snapshot.
"""

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, Sum
from django.utils import timezone

from calls import formats
from calls.board.types import CommandRow, TrackRow
from calls.models import (
    Alarm,
    AlarmKind,
    Call,
    CommandKind,
    CommandState,
    IngestProcess,
    Participant,
    StreamCommand,
    Track,
)
from calls.models.states import LIVE_STATES
from streaming.protocol import US

ENDED_SHOWN = 8
ENDED_WITHIN = timedelta(hours=1)
INCOMPLETE_WITHIN = timedelta(hours=24)
# How long a call that has ended stays in the table of live ones.
LEAVING_SECONDS = 10.0
# What seldom changes and costs much is asked again after this long.
KEPT_SECONDS = 5.0


class CallFact(NamedTuple):
    """One call of the table, as the database knows it."""

    id: UUID
    state: str
    direction: str
    from_raw_id: str
    to_raw_id: str
    caller_name: str
    rang_at: datetime
    connected_at: datetime | None
    ended_at: datetime | None
    desired_streaming: bool
    streaming_state: str
    streaming_reason: str
    paused_at: datetime | None
    paused_why: str
    completeness: float | None
    last_packet_at: datetime | None
    profile_id: int | None


class AlarmFact(NamedTuple):
    """One alarm that nobody has closed."""

    severity: int
    words: str


@dataclass(frozen=True, slots=True)
class BoardFacts:
    """What the database says. By call id, where it says nothing there is no key."""

    calls: Sequence[CallFact] = ()
    live: int = 0
    alarms: dict[UUID, list[AlarmFact]] = field(default_factory=dict)
    commands: dict[UUID, CommandRow] = field(default_factory=dict)
    names: dict[UUID, dict[str, str]] = field(default_factory=dict)
    ended: Sequence[Call] = ()
    # Of those that ended: packets and how many were silent.
    silence: dict[UUID, tuple[int, int]] = field(default_factory=dict)
    incomplete: int = 0
    processes: int = 0
    processes_dead: int = 0
    # Calls that are over for long, here because somebody selected them.
    asked: frozenset[UUID] = frozenset()


def board_facts() -> BoardFacts:
    """Ask the database once, knowing nothing of before."""
    return BoardReader().read()


class BoardReader:
    """Asks the database again and again; remembers what seldom changes.

    `read` is not for two threads at once.
    """

    def __init__(self) -> None:
        self._live: frozenset[UUID] = frozenset()
        self._leaving: dict[UUID, float] = {}
        self._named: frozenset[UUID] = frozenset()
        self._names: dict[UUID, dict[str, str]] = {}
        self._incomplete = 0
        self._names_until = self._incomplete_until = 0.0

    def read(self, selected: Collection[UUID] = ()) -> BoardFacts:
        """Return what is true now of live calls, those just ended and `selected` ones.

        Raises `django.db.DatabaseError`.
        """
        now = timezone.now()
        calls, live = self._calls(frozenset(selected))
        lease = now - timedelta(seconds=settings.LEASE_SECONDS)
        renewed = list(
            IngestProcess.objects.filter(stopped_at=None).values_list(
                "renewed_at", flat=True
            )
        )
        ended = _ended(now)
        return BoardFacts(
            calls=calls,
            live=live,
            alarms=_alarms([call.id for call in calls[live:]]),
            commands=_commands(),
            names=self._known_names(),
            ended=ended,
            silence=_silence(ended),
            incomplete=self._count_incomplete(now),
            processes=sum(at >= lease for at in renewed),
            asked=frozenset(selected) - self._live - self._leaving.keys(),
            processes_dead=sum(lease > at > now - INCOMPLETE_WITHIN for at in renewed),
        )

    def _calls(self, selected: frozenset[UUID]) -> tuple[list[CallFact], int]:
        """Return the calls, and how many of them, the first ones, are live.

        One that is live no more is found by its absence: what tells its end may say
        that it ended minutes ago.
        """
        calls = _facts(Q(state__in=LIVE_STATES))
        live = frozenset(call.id for call in calls)
        now = time.monotonic()
        for gone in self._live - live:
            self._leaving[gone] = now + LEAVING_SECONDS
        self._live = live
        self._leaving = {
            key: until
            for key, until in self._leaving.items()
            if until > now and key not in live
        }
        others = (selected | self._leaving.keys()) - live
        found = _facts(Q(pk__in=others)) if others else []
        # Between the two questions one may have come back to life: it is there already.
        over = [call for call in found if call.state not in LIVE_STATES]
        return calls + over, len(calls)

    def _known_names(self) -> dict[UUID, dict[str, str]]:
        now = time.monotonic()
        if now > self._names_until or not self._live <= self._named:
            names: dict[UUID, dict[str, str]] = defaultdict(dict)
            found = Participant.objects.filter(call__state__in=LIVE_STATES)
            for call, raw_id, name in found.exclude(display_name="").values_list(
                "call_id", "raw_id", "display_name"
            ):
                names[call][raw_id] = name
            # Those who are leaving keep theirs.
            before = {
                key: self._names[key] for key in self._leaving & self._names.keys()
            }
            self._names = before | names
            self._named, self._names_until = self._live, now + KEPT_SECONDS
        return self._names

    def _count_incomplete(self, now: datetime) -> int:
        if time.monotonic() > self._incomplete_until:
            day = Call.objects.ended().filter(ended_at__gte=now - INCOMPLETE_WITHIN)
            self._incomplete = day.incomplete().count()
            self._incomplete_until = time.monotonic() + KEPT_SECONDS
        return self._incomplete


def _facts(which: Q) -> list[CallFact]:
    rows = Call.objects.filter(which).order_by("-rang_at")
    return [CallFact._make(row) for row in rows.values_list(*CallFact._fields)]


def _alarms(over: Iterable[UUID]) -> dict[UUID, list[AlarmFact]]:
    alarms: dict[UUID, list[AlarmFact]] = defaultdict(list)
    of_calls = Q(call__state__in=LIVE_STATES) | Q(call__in=list(over))
    unclosed = Alarm.objects.unclosed().filter(of_calls)
    for call, severity, kind, words, cleared_at in unclosed.order_by(
        "-severity", "-last_seen_at"
    ).values_list("call_id", "severity", "kind", "words", "cleared_at"):
        label = AlarmKind(kind).label
        said = f"{label}: {words}" if words else str(label)
        if call is not None:
            alarms[call].append(
                AlarmFact(severity, f"{said} (over)" if cleared_at else said)
            )
    return dict(alarms)


def _commands() -> dict[UUID, CommandRow]:
    """Return the latest order of each live call, if it is not confirmed."""
    later = StreamCommand.objects.filter(
        call=OuterRef("call"), asked_at__gt=OuterRef("asked_at")
    )
    latest = (
        StreamCommand.objects.filter(call__state__in=LIVE_STATES)
        .exclude(state=CommandState.CONFIRMED)
        .filter(~Exists(later))
        .values_list("call_id", "kind", "state", "result")
    )
    return {
        call: {
            "label": str(CommandKind(kind).label),
            "state": state,
            "state_label": str(CommandState(state).label),
            "result": result,
        }
        for call, kind, state, result in latest
    }


def _ended(now: datetime) -> list[Call]:
    return list(
        Call.objects.defer("incoming_call_context")
        .ended()
        .filter(ended_at__gte=now - ENDED_WITHIN)
        .order_by("-ended_at")[:ENDED_SHOWN]
    )


def _silence(calls: Iterable[Call]) -> dict[UUID, tuple[int, int]]:
    """Return packets and silent packets: of the few that are shown, not of the hour."""
    tracks = Track.objects.filter(call__in=[call.pk for call in calls])
    tracks = tracks.exclude(participant__raw_id=US)
    sums = tracks.values_list("call_id").annotate(Sum("packets"), Sum("silent_packets"))
    return {call: (packets or 0, silent or 0) for call, packets, silent in sums}


def stored_tracks(calls: Collection[UUID]) -> dict[UUID, list[TrackRow]]:
    """Return what was last stored of these calls, for those ingest does not measure."""
    tracks: dict[UUID, list[TrackRow]] = {call: [] for call in calls}
    found = Track.objects.filter(call__in=calls).select_related("participant")
    for track in found.defer("ledger"):
        who = track.participant
        tracks[track.call_id].append(
            {
                "key": who.raw_id,
                "name": formats.who(who.display_name, who.raw_id),
                "packets": track.packets,
                "silence_ratio": track.silence_ratio,
                "talk_ms": round(track.talk_seconds * 1000),
                # The level of a past second says nothing about this one.
                "rms_dbfs": None,
                "gap_count": track.gap_count,
                "gap_ms": round(track.gap_seconds * 1000),
                "talking": False,
            }
        )
    return tracks
