"""What a beat does about alarms: raise what nobody is left to see, end what is over."""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F, Max, Q

from calls.alarms.kinds import WEIGHTS, Kind, call_key
from calls.alarms.raising import thresholds_of
from calls.alarms.store import SEEN_BY_INGEST, alarms_clear, alarms_close, alarms_store
from calls.drafts import AlarmDraft
from calls.models import Call, StreamingState
from calls.models.alarm import AlarmKind, AlarmState
from calls.models.states import LIVE_STATES

# Ingest tells of what lasts every five seconds. Who has been silent for longer than
# this has died, or does not see it any more.
UNSEEN: Final = timedelta(seconds=30)
BACK: Final = timedelta(seconds=8)
UNTOUCHED: Final = timedelta(hours=24)
FORGOTTEN: Final = "Over for 24 h, and nobody took it up."
# A refusal is seen again within ten minutes, as long as anything waits.
STORAGE_UNSEEN: Final = timedelta(minutes=30)
OF_NODES: Final = (AlarmKind.NODE_FULL, AlarmKind.DISK_LOW)


def alarms_sweep(now: datetime) -> None:
    """Bring alarms in line with what rows say."""
    with transaction.atomic():
        stalls_raise(now)
    # Sockets are there again, and packets come.
    is_back = Q(kind=AlarmKind.STALLED, last_seen_at__lt=now - BACK)
    alarms_clear(is_back & ~Q(call__streaming_state=StreamingState.STALLED), at=now)
    of_ingest = Q(kind__in=(*SEEN_BY_INGEST, *OF_NODES))
    alarms_clear(of_ingest & Q(last_seen_at__lt=now - UNSEEN), at=now)
    is_unseen = Q(last_seen_at__lt=now - STORAGE_UNSEEN)
    alarms_clear(Q(kind=AlarmKind.STORAGE) & is_unseen, at=now)
    of_call = Q(kind__in=(*SEEN_BY_INGEST, AlarmKind.COMMAND_FAILED))
    is_over = Q(call__isnull=False) & ~Q(call__state__in=LIVE_STATES)
    alarms_clear(of_call & is_over, at=now)
    untouched = Q(state=AlarmState.OPEN, assignee=None, cleared_at__lt=now - UNTOUCHED)
    alarms_close(untouched, at=now, reason=FORGOTTEN)


def stalls_raise(now: datetime) -> None:
    """Raise, and keep raised, the stalls of calls that have no socket any more.

    While a socket is open, ingest sees for itself whether packets come.
    """
    stalled = Call.objects.live().filter(
        streaming_state=StreamingState.STALLED,
        streaming_at__isnull=False,
        desired_streaming=True,
        paused_at=None,
    )
    heard = Max(
        F("tracks__origin_us")
        + F("tracks__samples") * 1_000_000 / F("tracks__sample_rate")
    )
    drafts = [
        draft
        for call in stalled.select_related("profile").annotate(heard_us=heard)
        if (draft := _stall(call, now))
    ]
    alarms_store(drafts)


def _stall(call: Call, now: datetime) -> AlarmDraft | None:
    limit = thresholds_of(call).stalled_seconds
    if call.streaming_at is None or not limit:
        return None
    seconds = (now - call.streaming_at).total_seconds()
    if seconds < limit:
        return None
    why = f": {call.streaming_reason}" if call.streaming_reason else ""
    heard_us = getattr(call, "heard_us", None)
    return AlarmDraft(
        key=call_key(call.pk, Kind.STALLED),
        kind=Kind.STALLED,
        severity=WEIGHTS[Kind.STALLED],
        call_id=call.pk,
        words=f"No packet has come for {seconds:.0f} s{why}.".replace("..", "."),
        value=seconds,
        threshold=limit,
        at_us=None if heard_us is None else int(heard_us),
        raised_at=call.streaming_at,
        since=call.streaming_at,
        seen_at=now,
    )
