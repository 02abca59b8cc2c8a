"""Writers: facts of a call into rows, and what follows once they are committed.

Each write is idempotent: its key is its identity, so ingest may send a draft again
after an outage, and a recovery run may send what ingest had already sent.
"""

import logging
import os
from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from calls import batches
from calls.alarms.store import alarms_of, alarms_store
from calls.drafts import (
    ArchiveBatch,
    CallFacts,
    ConnectionDraft,
    StopWindow,
    TrackDraft,
)
from calls.models import (
    Call,
    CommandState,
    Connection,
    IngestProcess,
    StreamCommand,
    StreamingState,
    Track,
    TranscriptSegment,
)
from calls.models.control import STARTS, STOPS
from calls.models.states import LIVE_STATES, ArchiveState
from calls.tones.keeping import tones_store
from calls.tones.masking import masks_tones
from calls.transcripts.segments import segments_store
from calls.utterances import outcomes_store, utterances_store

log = logging.getLogger(__name__)

# A worker that was asked for recordings so long ago is asked again.
ASKED_SECONDS = 120


def call_facts(call_id: UUID) -> CallFacts:
    """Return what is stored of a call, for an ingest process that takes it up."""
    call = Call.objects.select_related("profile").filter(pk=call_id).first()
    if call is None:
        return CallFacts(is_known=False, masks_tones=masks_tones(None))
    tracks = [track_draft(track) for track in call.tracks.select_related("participant")]
    now = timezone.now()
    facts = CallFacts(
        True,
        call.connection_id,
        call.correlation_id,
        is_secret_dead=call.is_secret_dead(now),
        tracks=tracks,
        stops=stop_windows(call_id),
        alarms=alarms_of(call_id, now=now),
    )
    profile = call.profile
    facts = replace(
        facts, masks_tones=masks_tones(profile), is_bidirectional=call.hears_us
    )
    if profile is None:
        return facts
    return replace(
        facts,
        thresholds=profile.alarm_thresholds,
        handler=profile.handler,
        handler_options=profile.handler_options,
    )


def calls_wanted(calls: Collection[UUID]) -> set[UUID]:
    """Return which of the calls are up and to be streamed, as last asked for."""
    wanted = Call.objects.live().filter(
        pk__in=calls, desired_streaming=True, paused_at=None
    )
    return set(wanted.values_list("pk", flat=True))


def transcripts_newest(calls: Collection[UUID]) -> dict[UUID, int]:
    """Return which of the calls are up and to be transcribed, as last asked for.

    With when the newest piece of their text begins, µs since 1970; 0 without any.
    """
    wanted = Call.objects.live().filter(pk__in=calls, desired_transcription=True)
    # What a handler writes of the call is no word of the transcription.
    of_acs = Q(segments__source=TranscriptSegment.Source.ACS)
    begins = Max("segments__start_us", filter=of_acs)
    newest = wanted.annotate(newest=Coalesce(begins, 0))
    return dict(newest.values_list("pk", "newest"))


def calls_over(calls: Collection[UUID]) -> set[UUID]:
    """Return which of the calls have ended."""
    return set(Call.objects.ended().filter(pk__in=calls).values_list("pk", flat=True))


def track_draft(track: Track) -> TrackDraft:
    """Return a stored track as the draft that would write it."""
    figures = {name: getattr(track, name) for name in batches.TRACK_FIGURES}
    return TrackDraft(
        call_id=track.call_id,
        raw_id=track.participant.raw_id,
        sample_rate=track.sample_rate,
        **figures,
    )


def stop_windows(call_id: UUID) -> list[StopWindow]:
    """Return when nobody wanted streaming: from each stop to the start after it."""
    return stop_windows_by_call([call_id])[call_id]


def stop_windows_by_call(calls: Collection[UUID]) -> dict[UUID, list[StopWindow]]:
    """Return the `stop_windows` of many calls with one query."""
    orders = StreamCommand.objects.filter(
        call_id__in=calls,
        kind__in=STARTS + STOPS,
        state__in=(CommandState.SENT, CommandState.CONFIRMED),
        sent_at__isnull=False,
    )
    sent: dict[UUID, list[tuple[datetime, bool]]] = defaultdict(list)
    for order in orders.order_by("sent_at"):
        if order.sent_at is None:
            raise AssertionError("the query excludes commands that were not sent")
        is_stop = order.kind in STOPS
        sent[order.call_id].append((order.sent_at, is_stop))
    return {call_id: _windows(sent[call_id]) for call_id in calls}


def _windows(orders: list[tuple[datetime, bool]]) -> list[StopWindow]:
    """Return the windows that orders (when, whether to stop) open and close."""
    windows: list[StopWindow] = []
    stopped: datetime | None = None
    for sent_at, is_stop in orders:
        if is_stop:
            stopped = stopped or sent_at
        elif stopped:
            windows.append(StopWindow(stopped, sent_at))
            stopped = None
    if stopped:
        windows.append(StopWindow(stopped, None))
    return windows


def batch_store(batch: ArchiveBatch, *, is_finishing: bool = False) -> None:
    """Write drafts in one transaction, then tell what they mean for their calls.

    `is_finishing`: whoever stores them makes the recordings now, none are asked for.
    """
    with transaction.atomic():
        batches.calls_lock(batch)
        batches.calls_ensure(batch.connections)
        batches.participants_ensure(batch.tracks)
        batches.subscriptions_store(batch.subscriptions)
        batches.connections_store(batch.connections)
        batches.tracks_store(batch.tracks)
        batches.chunks_store(batch.chunks)
        tones_store(batch.tones)
        calls = {draft.call_id for draft in batch.connections}
        calls |= {draft.call_id for draft in batch.tracks}
        batches.calls_figures_refresh(calls)
        alarms_store(batch.alarms)
        utterances_store(batch.utterances)
        segments_store(batch.segments)
    outcomes_store(batch.outcomes)
    # Nearly all sockets of nearly all batches say again what is known.
    streaming = set(
        Call.objects.filter(
            pk__in=calls, streaming_state=StreamingState.STREAMING
        ).values_list("pk", flat=True)
    )
    for draft in batch.connections:
        if draft.closed_at is None and draft.call_id in streaming:
            continue
        if draft.kind == Connection.Kind.MEDIA:
            _streaming_tell(draft)
        if draft.closed_at and _is_last(draft.call_id) and not is_finishing:
            call_finish_soon(draft.call_id)


def _streaming_tell(draft: ConnectionDraft) -> None:
    """Say what a media socket's opening, audio or end proves about streaming."""
    from calls.control import streaming_seen  # control imports this module

    call_id = draft.call_id
    if draft.closed_at is None:
        if draft.last_packet_at is None:
            streaming_seen(call_id, StreamingState.CONNECTING, at=draft.opened_at)
        else:
            streaming_seen(call_id, StreamingState.STREAMING, at=draft.last_packet_at)
    else:
        _end_tell(call_id, draft.close_code, at=draft.closed_at)


def _end_tell(call_id: UUID, code: int | None, *, at: datetime) -> None:
    from calls.control import streaming_seen  # control imports this module

    sockets = Connection.objects.filter(call_id=call_id, kind=Connection.Kind.MEDIA)
    if sockets.filter(closed_at=None).exists():
        return
    call = Call.objects.get(pk=call_id)
    if call.is_live and call.desired_streaming:
        reason = f"the socket closed ({code or 'no code'})"
        streaming_seen(call_id, StreamingState.STALLED, at=at, reason=reason)
    else:
        streaming_seen(call_id, StreamingState.STOPPED, at=at)


def _is_last(call_id: UUID) -> bool:
    """Say whether a call is over and no socket of it is open, of whatever kind."""
    is_open = Connection.objects.filter(call_id=call_id, closed_at=None).exists()
    return not is_open and not Call.objects.live().filter(pk=call_id).exists()


def socket_lose(socket: Connection, *, at: datetime) -> bool:
    """Close the socket of a dead process, once; its journal was not sealed.

    If the process lives after all, its next draft opens the socket again.
    """
    lost = Connection.objects.filter(pk=socket.pk, closed_at=None).update(
        closed_at=at,
        close_reason="the ingest process died",
        journal_state=Connection.JournalState.TORN,
    )
    if lost and socket.kind == Connection.Kind.MEDIA:
        _end_tell(socket.call_id, None, at=at)
    if lost and _is_last(socket.call_id):
        call_finish_soon(socket.call_id)
    return bool(lost)


def call_finish_soon(call_id: UUID, *, but_on: Collection[str] = ()) -> None:
    """Have a call's journals made into recordings, on the nodes where they lie.

    Queued after commit. If the broker is down, `calls.sweep_calls` finds the call; so
    it does what nobody took from the queue, but not every ten seconds. Nodes `but_on`
    which too much waits already are asked another time.
    """
    journals = Connection.objects.filter(
        call_id=call_id, journal_state__in=batches.UNFINISHED_JOURNALS
    )
    nodes = set(journals.order_by().values_list("node", flat=True))
    if not nodes:
        return
    wait = min(settings.FINISH_GRACE, ASKED_SECONDS)
    Call.objects.filter(pk=call_id).update(
        archive_state=ArchiveState.PENDING,
        archive_retry_at=timezone.now() + timedelta(seconds=wait),
    )
    for node in nodes.difference(but_on):
        transaction.on_commit(partial(_finish_on, node, call_id))


def call_finish_here(call_id: UUID) -> None:
    """Have a worker of this node look after what lies here of a call."""
    transaction.on_commit(partial(_finish_on, settings.NODE, call_id))


def _finish_on(node: str, call_id: UUID) -> None:
    from calls.control import task_send  # control imports this module
    from calls.finishing_tasks import finish_call

    if not task_send(finish_call, str(call_id), queue=f"recordings.{node}"):
        Call.objects.filter(pk=call_id, archive_state=ArchiveState.PENDING).update(
            archive_retry_at=None
        )


def calls_end_without_word(*, now: datetime) -> int:
    """End calls that only sockets made known, once their sockets are long gone.

    Calls we answered end by ACS's word (CallDisconnected). A call that came to be
    from a socket alone has nobody to announce its end.
    """
    from calls.control import call_end  # control imports this module

    quiet = datetime.fromtimestamp(now.timestamp() - settings.FINISH_GRACE, tz=UTC)
    silent = Call.objects.filter(state__in=LIVE_STATES, commands=None, events=None)
    silent = silent.filter(connections__isnull=False).exclude(
        Q(connections__closed_at=None) | Q(connections__closed_at__gt=quiet)
    )
    reason = "its last socket closed and none came after it"
    ended = 0
    for call in silent.distinct():
        last = call.connections.order_by("closed_at").last()
        at = last.closed_at if last and last.closed_at else now
        with transaction.atomic():
            ended += call_end(call.pk, at=at, reason=reason)
    return ended


def process_renew(process_id: UUID, *, streams: int, refused: int) -> None:
    """Renew an ingest process's lease; the first time makes its row."""
    now = timezone.now()
    IngestProcess.objects.update_or_create(
        pk=process_id,
        defaults={
            "node": settings.NODE,
            "pid": os.getpid(),
            "renewed_at": now,
            "stopped_at": None,
            "streams": streams,
            "refused": refused,
        },
    )


def process_leave(process_id: UUID, at: datetime) -> None:
    """Note that an ingest process ended in good order."""
    IngestProcess.objects.filter(pk=process_id).update(stopped_at=at, streams=0)
