"""A call's way from ringing to its end, written so that any order of news ends alike.

Callbacks come late, twice and out of order, and media may prove what no callback has
said. Each function is one conditional UPDATE: whoever comes second changes nothing.
"""

import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Least

from calls.durations import lasted
from calls.models import (
    Call,
    CallState,
    Participant,
    StreamingState,
    TranscriptionState,
)
from calls.models.call import CallQuerySet
from calls.models.states import LIVE_STATES

# No phone rings for longer. Whoever has the context may answer the call.
CONTEXT_LASTS = timedelta(minutes=5)
CONTEXT_LOOKED_BACK = timedelta(days=2)

log = logging.getLogger(__name__)

# A call that was given up although ACS never said so may turn out to be up.
NOT_UP = Q(state__in=(CallState.RINGING, CallState.ANSWERING)) | Q(
    state=CallState.FAILED, end_code=None
)

# From which states one's own sight of media leads to a state. A packet while a stop is
# under way is no news, and a socket's end does not hide a failure.
_SEEN_FROM: dict[StreamingState, tuple[str, ...]] = {
    StreamingState.CONNECTING: ("off", "requested", "stopped", "failed"),
    StreamingState.STREAMING: tuple(
        set(StreamingState) - {StreamingState.STREAMING, StreamingState.STOPPING}
    ),
    StreamingState.STALLED: ("connecting", "streaming"),
    StreamingState.STOPPED: tuple(
        set(StreamingState) - {StreamingState.STOPPED, StreamingState.FAILED}
    ),
    StreamingState.FAILED: tuple(StreamingState.values),
}
# The same for ACS's word. That a subscription started says less than audio does.
_TOLD_FROM: dict[StreamingState, tuple[str, ...]] = {
    StreamingState.CONNECTING: ("off", "requested", "stopped", "failed"),
    StreamingState.STOPPED: tuple(StreamingState.values),
    StreamingState.FAILED: tuple(StreamingState.values),
}

NOTHING_CAME = "The call ended and no audio ever came."


def connection_learn(call_id: UUID, connection_id: str) -> None:
    """Keep the connection id of a call that has none yet."""
    if not connection_id:
        return
    nameless = Call.objects.filter(pk=call_id, connection_id=None)
    try:
        with transaction.atomic():
            nameless.update(connection_id=connection_id)
    except IntegrityError:
        # A socket without a secret (authentication off) made a call under this id.
        log.warning("call %s: its connection id belongs to another call", call_id)


def call_connected(call_id: UUID, *, at: datetime) -> None:
    """Note that a call is up; one that has ended only learns since when it was."""
    calls = Call.objects.filter(pk=call_id)
    calls.filter(NOT_UP).update(
        state=CallState.CONNECTED,
        ended_at=None,
        duration_ms=None,
        end_reason="",
        end_subcode=None,
    )
    since = Least(Coalesce(F("connected_at"), at), at)
    calls.exclude(state=CallState.FAILED).update(
        connected_at=since,
        duration_ms=lasted(F("ended_at"), since),
        incoming_call_context="",
    )


def contexts_forget(now: datetime) -> int:
    """Forget the rights to answer calls that ACS has long stopped ringing for us.

    They are forgotten as soon as a call is answered, rejected or over. Of a call about
    which nothing more was heard that is here.
    """
    rang = (now - CONTEXT_LOOKED_BACK, now - CONTEXT_LASTS)
    left = Call.objects.filter(rang_at__range=rang).exclude(incoming_call_context="")
    return left.update(incoming_call_context="")


def call_failed(
    call_id: UUID,
    *,
    at: datetime,
    code: int | None = None,
    subcode: int | None = None,
    reason: str,
) -> bool:
    """Note that a call did not come about. False if it did, or had failed before."""
    failed = Call.objects.filter(NOT_UP, pk=call_id).update(
        state=CallState.FAILED,
        ended_at=at,
        duration_ms=lasted(at),
        end_code=code,
        end_subcode=subcode,
        end_reason=reason[:500],
        incoming_call_context="",
    )
    Call.objects.filter(
        pk=call_id, state=CallState.FAILED, streaming_state=StreamingState.REQUESTED
    ).update(streaming_state=StreamingState.OFF)
    Call.objects.filter(
        pk=call_id,
        state=CallState.FAILED,
        transcription_state=TranscriptionState.REQUESTED,
    ).update(transcription_state=TranscriptionState.OFF)
    return bool(failed)


def call_ended(
    call_id: UUID,
    *,
    at: datetime,
    code: int | None = None,
    subcode: int | None = None,
    reason: str,
) -> bool:
    """Note that a call is over. False if that was known.

    What ACS says (with a `code`) replaces what was only concluded.
    """
    calls = Call.objects.filter(pk=call_id)
    is_news = Q(state__in=LIVE_STATES) | Q(state=CallState.FAILED, end_code=None)
    if code is not None:
        is_news |= Q(state=CallState.ENDED, end_code=None)
    ended = calls.filter(is_news).update(
        state=CallState.ENDED,
        ended_at=at,
        duration_ms=lasted(at),
        end_code=code,
        end_subcode=subcode,
        end_reason=reason[:500],
        incoming_call_context="",
    )
    _streaming_end(calls, at=at)
    calls.update(paused_at=None, paused_why="")
    _transcription_end(calls)
    Participant.objects.filter(call_id=call_id, left_at=None).update(left_at=at)
    return bool(ended)


def _streaming_end(calls: CallQuerySet, *, at: datetime) -> None:
    """Show the streaming of calls that are over as stopped, or why it failed."""
    _nothing_came(calls, at=at)
    calls.filter(streaming_state=StreamingState.STOPPED).update(streaming_reason="")
    calls.exclude(
        streaming_state__in=(
            StreamingState.OFF,
            StreamingState.FAILED,
            StreamingState.STOPPED,
        )
    ).update(
        streaming_state=StreamingState.STOPPED, streaming_reason="", streaming_at=at
    )


def _transcription_end(calls: CallQuerySet) -> None:
    calls.exclude(
        transcription_state__in=(TranscriptionState.OFF, TranscriptionState.FAILED)
    ).update(transcription_state=TranscriptionState.STOPPED, transcription_reason="")


def _nothing_came(calls: CallQuerySet, *, at: datetime) -> None:
    """Note that streaming failed if it was wanted to the end and no packet ever came.

    A reason that is known (ACS's word, a refused handshake) stays.
    """
    silent = calls.filter(
        state=CallState.ENDED,
        desired_streaming=True,
        last_packet_at=None,
        streaming_state__in=(
            StreamingState.REQUESTED,
            StreamingState.CONNECTING,
            StreamingState.STALLED,
        ),
    )
    silent.filter(streaming_reason="").update(streaming_reason=NOTHING_CAME)
    silent.update(streaming_state=StreamingState.FAILED, streaming_at=at)


def streaming_refused(call_id: UUID, reason: str) -> bool:
    """Note on a live call why ACS was not let in at our media socket."""
    calls = Call.objects.filter(
        pk=call_id,
        state__in=LIVE_STATES,
        streaming_state__in=(
            StreamingState.OFF,
            StreamingState.REQUESTED,
            StreamingState.CONNECTING,
        ),
    )
    words = f"ACS was refused at the media socket: {reason}"
    return bool(calls.update(streaming_reason=words[:500]))


def transcription_refused(call_id: UUID, reason: str) -> bool:
    """Note on a live call why ACS was not let in at our transcription socket."""
    calls = Call.objects.filter(pk=call_id, state__in=LIVE_STATES)
    words = f"ACS was refused at the transcription socket: {reason}"
    return bool(calls.update(transcription_reason=words[:500]))


def streaming_came_after_all(calls: Collection[UUID]) -> None:
    """Take back that nothing came of these: the rows of their packets were late."""
    Call.objects.filter(
        pk__in=calls, state=CallState.ENDED, streaming_reason=NOTHING_CAME
    ).update(streaming_state=StreamingState.STOPPED, streaming_reason="")


def streaming_state_see(
    call_id: UUID, state: StreamingState, *, at: datetime, reason: str = ""
) -> bool:
    """Note what media shows, unless the state is newer than that. See `control`."""
    calls = Call.objects.filter(pk=call_id, streaming_state__in=_SEEN_FROM[state])
    calls = calls.filter(Q(streaming_at=None) | Q(streaming_at__lte=at))
    if state not in (StreamingState.STOPPED, StreamingState.FAILED):
        calls = calls.exclude(state=CallState.ENDED)
    return _streaming_set(calls, state, at=at, reason=reason)


def streaming_told(
    call_id: UUID, state: StreamingState, *, at: datetime, reason: str = ""
) -> bool:
    """Note ACS's newest word on streaming; `at` is when it reached us."""
    calls = Call.objects.filter(pk=call_id)
    if state == StreamingState.CONNECTING and calls.filter(state=CallState.ENDED):
        state = StreamingState.STOPPED
    calls = calls.filter(streaming_state__in=_TOLD_FROM[state])
    return _streaming_set(calls, state, at=at, reason=reason)


def _streaming_set(
    calls: CallQuerySet, state: StreamingState, *, at: datetime, reason: str
) -> bool:
    changes: dict[str, object] = {
        "streaming_state": state,
        "streaming_reason": reason[:500],
        "streaming_at": at,
    }
    if state == StreamingState.STREAMING:
        # Whoever made it stream again: what is heard is not paused.
        changes |= {"paused_at": None, "paused_why": ""}
    return bool(calls.update(**changes))


def transcription_told(
    call_id: UUID, state: TranscriptionState, *, reason: str = "", locale: str = ""
) -> None:
    """Note ACS's newest word on transcription."""
    changes = {"transcription_state": state, "transcription_reason": reason[:500]}
    if locale:
        changes["transcription_locale"] = locale[:20]
    Call.objects.filter(pk=call_id, state__in=LIVE_STATES).update(**changes)
