"""Writers: facts of a call into rows, and what follows once they are committed.

Each write is idempotent: its key is its identity, so ingest may send a draft again
after an outage, and a recovery run may send what ingest had already sent.
"""

import logging
import os
from datetime import UTC, datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from calls import batches
from calls.alarms.store import alarms_store
from calls.control import call_end, streaming_seen
from calls.drafts import ArchiveBatch, ConnectionDraft
from calls.figures import calls_figures_refresh
from calls.finishing_queue import call_finish_soon
from calls.models import Call, Connection, IngestProcess, StreamingState
from calls.models.states import LIVE_STATES
from calls.tones.keeping import tones_store
from calls.transcripts.segments import segments_store
from calls.utterances import outcomes_store, utterances_store

log = logging.getLogger(__name__)


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
        calls_figures_refresh(calls)
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
    call_id = draft.call_id
    if draft.closed_at is None:
        if draft.last_packet_at is None:
            streaming_seen(call_id, StreamingState.CONNECTING, at=draft.opened_at)
        else:
            streaming_seen(call_id, StreamingState.STREAMING, at=draft.last_packet_at)
    else:
        _end_tell(call_id, draft.close_code, at=draft.closed_at)


def _end_tell(call_id: UUID, code: int | None, *, at: datetime) -> None:
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


def calls_end_without_word(*, now: datetime) -> int:
    """End calls that only sockets made known, once their sockets are long gone.

    Calls we answered end by ACS's word (CallDisconnected). A call that came to be
    from a socket alone has nobody to announce its end.
    """
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
