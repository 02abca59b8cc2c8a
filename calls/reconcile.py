"""What our rows say of live calls against what ACS says: callbacks that were missed.

ACS repeats a callback for a while and then never again; a CallDisconnected that is lost
would leave a call live for ever, a MediaStreamingStarted one stuck in "Requested". So
ACS is asked about live calls, a few at a time: first those that look wrong, then
whichever was not asked about for longest. Open commands are left to `calls.control`.
"""

import logging
from datetime import datetime, timedelta
from typing import Literal

from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, Q, Value, When
from django.utils import timezone

from calls import lifecycle, pacing
from calls.acs import Acs, AcsRefused, CallProperties, acs
from calls.control import call_end
from calls.control.settling import ENDED_UNHEARD
from calls.models import (
    Call,
    CallEvent,
    CallState,
    Connection,
    StreamCommand,
    StreamingState,
    TranscriptionState,
)
from calls.models.call import CallQuerySet
from calls.models.states import LIVE_STATES
from calls.roster import roster_told
from calls.tones.recognition import tones_recognise

__all__ = ["ENDED_UNHEARD", "MAX_QUESTIONS", "calls_reconcile"]

MAX_QUESTIONS = 40
# What happened more recently may still be on its way, to us or at ACS.
SETTLE_SECONDS = 6
QUIET_SECONDS = 10
# A call that looks right is asked about so often at most.
PATIENCE_SECONDS = 60
# A call that was given up for want of evidence may turn out to be up.
GIVEN_UP = 3600
COST = 2

NOT_ACTIVE = "ACS says that streaming is not active, though it was asked for."
NOT_TRANSCRIBED = "ACS says that transcription is not active, though it was asked for."
_GOES_ON = (
    StreamingState.REQUESTED,
    StreamingState.CONNECTING,
    StreamingState.STREAMING,
    StreamingState.STALLED,
)
_RUNS = (TranscriptionState.REQUESTED, TranscriptionState.RUNNING)

log = logging.getLogger(__name__)


def calls_reconcile(now: datetime) -> int:
    """Bring live calls in line with what ACS says. Returns how many were over.

    What ACS does not answer plainly leaves a call as it is: the next sweep asks again.
    """
    ended, refusals = 0, 0
    for call in _doubtful_first(now)[:MAX_QUESTIONS]:
        if not pacing.turn_wait(COST):
            # Orders go first.
            break
        try:
            ended += call_reconcile(acs(), call, now)
        except AcsRefused as refused:
            refusals += 1
            if refusals == 1:
                log.warning("call %s: is it up? No answer: %s", call.pk, refused)
            if refused.is_retryable or refused.code is None:
                # The others would fare no better, and each may take seconds.
                break
    return ended


def call_reconcile(client: Acs, call: Call, now: datetime) -> bool:
    """Ask ACS about one call and correct what we show. True if the call was over."""
    found = _found(client, call)
    Call.objects.filter(pk=call.pk).update(reconciled_at=now)
    if call.state == CallState.FAILED:
        return _revive(call, found, now)
    if found is None or found.state == "disconnected":
        return _end(call, now)
    if found.state == "connected" and call.state != CallState.CONNECTED:
        lifecycle.call_connected(call.pk, at=now)
    if found.state != "connected":
        return False
    _streaming_compare(call, found, now)
    _transcription_compare(call, found)
    roster_told(call, client.participants(call.connection_id or ""), at=now)
    tones_recognise(call.pk)
    return False


def _revive(call: Call, found: CallProperties | None, now: datetime) -> Literal[False]:
    """Take back that a call came to nothing, if ACS says that it is up."""
    if found is not None and found.state == "connected":
        log.warning("call %s was given up, and is up", call.pk)
        lifecycle.call_connected(call.pk, at=now)
    return False


def _found(client: Acs, call: Call) -> CallProperties | None:
    try:
        return client.properties(call.connection_id or "")
    except AcsRefused as refused:
        if refused.is_call_gone:
            return None
        raise


def _end(call: Call, now: datetime) -> bool:
    """End a call that is over, unless its end may yet be told or media goes on."""
    if not _quiet(now).filter(pk=call.pk).exists():
        return False
    log.warning("call %s is over, and its end was never announced", call.pk)
    with transaction.atomic():
        return call_end(call.pk, at=_last_sign(call) or now, reason=ENDED_UNHEARD)


def _streaming_compare(call: Call, found: CallProperties, now: datetime) -> None:
    if call.streaming_at and call.streaming_at > _before(now, SETTLE_SECONDS):
        return
    shown = call.streaming_state
    if found.streaming == "active":
        if shown not in _GOES_ON:
            # Not "streaming": only audio shows that.
            _correct(call, StreamingState.CONNECTING, "")
        return
    heard = call.last_packet_at and call.last_packet_at > _before(now, SETTLE_SECONDS)
    if shown in _GOES_ON and not heard and _is_old(call, now):
        if call.desired_streaming:
            _correct(call, StreamingState.FAILED, call.streaming_reason or NOT_ACTIVE)
        else:
            _correct(call, StreamingState.STOPPED, "")


def _is_old(call: Call, now: datetime) -> bool:
    """Say whether a call is up for long enough to be streamed."""
    since = call.connected_at or call.rang_at
    return since <= _before(now, SETTLE_SECONDS)


def _correct(call: Call, state: StreamingState, reason: str) -> None:
    """Show another streaming state, unless something was shown since we asked."""
    log.warning("call %s: shown as %s, is %s", call.pk, call.streaming_state, state)
    Call.objects.filter(
        pk=call.pk,
        streaming_state=call.streaming_state,
        streaming_at=call.streaming_at,
        desired_streaming=call.desired_streaming,
    ).update(
        streaming_state=state,
        streaming_reason=reason[:500],
        streaming_at=timezone.now(),
    )


def _transcription_compare(call: Call, found: CallProperties) -> None:
    shown = call.transcription_state
    if found.transcription == "active":
        state, reason = TranscriptionState.RUNNING, ""
        if shown == state and found.locale in ("", call.transcription_locale):
            return
    elif shown in _RUNS:
        failed = call.desired_transcription
        state = TranscriptionState.FAILED if failed else TranscriptionState.STOPPED
        reason = NOT_TRANSCRIBED if failed else ""
    else:
        return
    Call.objects.filter(
        pk=call.pk,
        transcription_state=shown,
        desired_transcription=call.desired_transcription,
    ).update(
        transcription_state=state,
        transcription_reason=reason,
        transcription_locale=found.locale or call.transcription_locale,
    )


def _doubtful_first(now: datetime) -> CallQuerySet:
    """Return live calls to ask about, those that look wrong first."""
    own = {"call": OuterRef("pk")}
    wanted = Q(desired_streaming=True) & ~Q(streaming_state=StreamingState.STREAMING)
    unwanted = Q(desired_streaming=False, streaming_state__in=_GOES_ON)
    open_sockets = Connection.objects.filter(
        kind=Connection.Kind.MEDIA, closed_at=None, **own
    )
    is_doubtful = (
        Q(state__in=(CallState.RINGING, CallState.ANSWERING))
        | wanted
        | unwanted
        | Q(transcription_state=TranscriptionState.REQUESTED)
        | (Q(desired_streaming=True) & ~Exists(open_sockets))
    )
    given_up = Q(
        state=CallState.FAILED, end_code=None, ended_at__gt=_before(now, GIVEN_UP)
    )
    return (
        Call.objects.filter(Q(state__in=LIVE_STATES) | given_up)
        .exclude(connection_id=None)
        .exclude(connection_id="")
        .exclude(Exists(StreamCommand.objects.open().filter(**own)))
        .annotate(rank=Case(When(is_doubtful, then=Value(0)), default=Value(1)))
        .filter(
            Q(rank=0)
            | Q(reconciled_at=None)
            | Q(reconciled_at__lte=_before(now, PATIENCE_SECONDS))
        )
        .order_by("rank", F("reconciled_at").asc(nulls_first=True))
    )


def _quiet(now: datetime) -> CallQuerySet:
    """Return calls of which nothing was heard for a while."""
    since = _before(now, QUIET_SECONDS)
    own = {"call": OuterRef("pk")}
    sockets = Connection.objects.filter(
        Q(closed_at=None) | Q(closed_at__gt=since), **own
    )
    events = CallEvent.objects.filter(received_at__gt=since, **own)
    return (
        Call.objects.filter(state__in=LIVE_STATES, rang_at__lte=since)
        .exclude(Exists(sockets))
        .exclude(Exists(events))
    )


def _before(now: datetime, seconds: float) -> datetime:
    return now - timedelta(seconds=seconds)


def _last_sign(call: Call) -> datetime | None:
    """Return when ACS closed the last socket, if it would have kept it till the end."""
    if not call.desired_streaming:
        return None
    media = call.connections.filter(kind=Connection.Kind.MEDIA)
    last = media.order_by("closed_at").last()
    return last.closed_at if last else None
