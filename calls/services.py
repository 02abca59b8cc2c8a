"""Writers: facts of a call into rows, and what follows once they are committed.

Each write is idempotent: its key is its identity, so ingest may send a draft again
after an outage, and a recovery run may send what ingest had already sent.
"""

import logging
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from calls import identity
from calls.drafts import (
    ArchiveBatch,
    CallFacts,
    ChunkDraft,
    ConnectionDraft,
    StopWindow,
    SubscriptionDraft,
    TrackDraft,
)
from calls.models import (
    AudioChunk,
    Call,
    CallState,
    CommandKind,
    CommandState,
    Connection,
    IngestProcess,
    Participant,
    StreamCommand,
    StreamingState,
    Subscription,
    Track,
)
from calls.models.call import LIVE_STATES, ArchiveState

log = logging.getLogger(__name__)

CONNECTION_FIGURES = [
    "subscription",
    "messages",
    "packets",
    "bytes",
    "malformed",
    "unknown",
    "unjournaled",
    "last_fault",
    "closed_at",
    "close_code",
    "close_reason",
    "journal_state",
]
TRACK_FIGURES = [
    "origin_us",
    "samples",
    "packets",
    "bytes",
    "silent_packets",
    "talk_samples",
    "gap_count",
    "gap_samples",
    "stopped_samples",
    "late",
    "duplicates",
    "discarded",
    "bad_timestamps",
    "first_packet_at",
    "last_packet_at",
    "jitter_us",
    "rms_dbfs",
    "peak_dbfs",
    "clipped_samples",
    "completeness",
    "ledger",
]


def call_facts(call_id: UUID) -> CallFacts:
    """Return what is stored of a call, for an ingest process that takes it up."""
    call = Call.objects.filter(pk=call_id).first()
    if call is None:
        return CallFacts(is_known=False)
    tracks = [track_draft(track) for track in call.tracks.select_related("participant")]
    return CallFacts(True, call.connection_id, tracks, stop_windows(call_id))


def track_draft(track: Track) -> TrackDraft:
    """Return a stored track as the draft that would write it."""
    figures = {name: getattr(track, name) for name in TRACK_FIGURES}
    return TrackDraft(
        call_id=track.call_id,
        raw_id=track.participant.raw_id,
        sample_rate=track.sample_rate,
        **figures,
    )


def stop_windows(call_id: UUID) -> list[StopWindow]:
    """Return when nobody wanted streaming: from each stop to the start after it."""
    orders = StreamCommand.objects.filter(
        call_id=call_id,
        kind__in=(CommandKind.START_STREAMING, CommandKind.STOP_STREAMING),
        state__in=(CommandState.SENT, CommandState.CONFIRMED),
        sent_at__isnull=False,
    ).order_by("sent_at")
    windows: list[StopWindow] = []
    stopped: datetime | None = None
    for order in orders:
        if order.sent_at is None:
            raise AssertionError("the query excludes commands that were not sent")
        if order.kind == CommandKind.STOP_STREAMING:
            stopped = stopped or order.sent_at
        elif stopped:
            windows.append(StopWindow(stopped, order.sent_at))
            stopped = None
    if stopped:
        windows.append(StopWindow(stopped, None))
    return windows


def batch_store(batch: ArchiveBatch) -> None:
    """Write drafts in one transaction, then tell what they mean for their calls."""
    with transaction.atomic():
        _calls_ensure(batch)
        _participants_ensure(batch.tracks)
        _subscriptions_store(batch.subscriptions)
        _connections_store(batch.connections)
        _tracks_store(batch.tracks)
        chunks_store(batch.chunks)
        calls = {draft.call_id for draft in batch.connections}
        calls |= {draft.call_id for draft in batch.tracks}
        for call_id in calls:
            call_figures_refresh(call_id)
    for draft in batch.connections:
        _streaming_tell(draft)


def _calls_ensure(batch: ArchiveBatch) -> None:
    """Make rows for calls nobody announced: no authentication, or a lost database."""
    drafts = {draft.call_id: draft for draft in batch.connections}
    known = set(
        Call.objects.filter(pk__in=drafts).values_list("pk", flat=True),
    )
    Call.objects.bulk_create(
        [
            Call(
                id=call_id,
                connection_id=draft.call_connection_id or None,
                correlation_id=draft.correlation_id,
                state=CallState.CONNECTED,
                rang_at=draft.opened_at,
                connected_at=draft.opened_at,
                desired_streaming=True,
            )
            for call_id, draft in drafts.items()
            if call_id not in known
        ],
        ignore_conflicts=True,
    )
    for call_id, draft in drafts.items():
        # The socket may open before ACS's answer has told us the connection id.
        if call_id in known and draft.call_connection_id:
            Call.objects.filter(pk=call_id, connection_id=None).update(
                connection_id=draft.call_connection_id
            )


def _participants_ensure(drafts: Sequence[TrackDraft]) -> None:
    Participant.objects.bulk_create(
        [
            Participant(
                id=identity.participant_id(draft.call_id, draft.raw_id),
                call_id=draft.call_id,
                raw_id=draft.raw_id,
                joined_at=draft.first_packet_at,
            )
            for draft in drafts
        ],
        ignore_conflicts=True,
    )


def _subscriptions_store(drafts: Sequence[SubscriptionDraft]) -> None:
    rows = {
        identity.subscription_id(draft.call_id, draft.subscription_id): Subscription(
            id=identity.subscription_id(draft.call_id, draft.subscription_id),
            call_id=draft.call_id,
            subscription_id=draft.subscription_id,
            encoding=draft.encoding,
            sample_rate=draft.sample_rate,
            channels=draft.channels,
            frame_bytes=draft.frame_bytes,
            is_mixed=draft.is_mixed,
            started_at=draft.started_at,
            ended_at=draft.ended_at,
            state=Subscription.State.INACTIVE
            if draft.ended_at
            else Subscription.State.ACTIVE,
        )
        for draft in drafts
    }
    Subscription.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["is_mixed", "ended_at", "state", "sample_rate", "frame_bytes"],
    )


def _connections_store(drafts: Sequence[ConnectionDraft]) -> None:
    kept = set(
        Connection.objects.filter(
            pk__in=[draft.id for draft in drafts],
            journal_state=Connection.JournalState.KEPT,
        ).values_list("pk", flat=True)
    )
    rows = [_connection(draft) for draft in drafts if draft.id not in kept]
    Connection.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=CONNECTION_FIGURES,
    )


def _connection(draft: ConnectionDraft) -> Connection:
    journal = Connection.JournalState.OPEN
    if draft.closed_at:
        journal = Connection.JournalState.SEALED
    if draft.is_torn:
        journal = Connection.JournalState.TORN
    return Connection(
        id=draft.id,
        call_id=draft.call_id,
        subscription_id=identity.subscription_id(draft.call_id, draft.subscription_id)
        if draft.subscription_id
        else None,
        process_id=draft.process_id,
        node=draft.node,
        remote_address=draft.remote_address,
        opened_at=draft.opened_at,
        closed_at=draft.closed_at,
        close_code=draft.close_code,
        close_reason=draft.close_reason[:500],
        messages=draft.messages,
        packets=draft.packets,
        bytes=draft.bytes,
        malformed=draft.malformed,
        unknown=draft.unknown,
        unjournaled=draft.unjournaled,
        last_fault=draft.last_fault[:500],
        journal_state=journal,
    )


def _tracks_store(drafts: Sequence[TrackDraft]) -> None:
    final = set(
        Track.objects.filter(
            pk__in=[draft.id for draft in drafts], is_final=True
        ).values_list("pk", flat=True)
    )
    Track.objects.bulk_create(
        [track_row(draft) for draft in drafts if draft.id not in final],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=TRACK_FIGURES,
    )


def track_row(draft: TrackDraft, *, is_final: bool = False) -> Track:
    """Return the row a draft writes."""
    return Track(
        id=draft.id,
        call_id=draft.call_id,
        participant_id=identity.participant_id(draft.call_id, draft.raw_id),
        sample_rate=draft.sample_rate,
        is_final=is_final,
        **{name: getattr(draft, name) for name in TRACK_FIGURES},
    )


def track_finalise(draft: TrackDraft) -> Track:
    """Write a track's figures as the journals have them; live figures end here."""
    _participants_ensure([draft])
    row = track_row(draft, is_final=True)
    Track.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=[*TRACK_FIGURES, "is_final"],
    )
    return row


def chunks_store(drafts: Iterable[ChunkDraft]) -> None:
    """Write index rows; a draft of the same chunk carries newer figures."""
    AudioChunk.objects.bulk_create(
        [
            AudioChunk(
                track_id=draft.track_id,
                connection_id=draft.connection_id,
                number=draft.number,
                start_sample=draft.start_sample,
                samples=draft.samples,
                packets=draft.packets,
                silent_packets=draft.silent_packets,
            )
            for draft in drafts
        ],
        update_conflicts=True,
        unique_fields=["track", "connection", "number"],
        update_fields=["start_sample", "samples", "packets", "silent_packets"],
    )


def call_figures_refresh(call_id: UUID) -> None:
    """Bring a call's own figures in line with its tracks'."""
    received = expected = 0.0
    origins: list[int] = []
    last: datetime | None = None
    for track in Track.objects.filter(call_id=call_id).defer("ledger"):
        gaps, stopped = track.gap_samples, track.stopped_samples
        received += (track.samples - gaps - stopped) / track.sample_rate
        expected += (track.samples - stopped) / track.sample_rate
        origins.append(track.origin_us)
        last = max(last or track.last_packet_at, track.last_packet_at)
    Call.objects.filter(pk=call_id).update(
        origin_us=min(origins, default=None),
        completeness=received / expected if expected else None,
        last_packet_at=last,
    )
    if origins:
        Call.objects.filter(pk=call_id, archive_state=ArchiveState.NONE).update(
            archive_state=ArchiveState.LIVE
        )


def _streaming_tell(draft: ConnectionDraft) -> None:
    """Say what a socket's opening, audio or end proves about streaming."""
    from calls.control import streaming_seen  # control imports this module

    now = timezone.now()
    if draft.closed_at is None:
        state = StreamingState.STREAMING if draft.packets else StreamingState.CONNECTING
        streaming_seen(draft.call_id, state, at=now)
        return
    others = Connection.objects.filter(call_id=draft.call_id, closed_at=None)
    if not others.exclude(pk=draft.id).exists():
        call = Call.objects.get(pk=draft.call_id)
        if call.is_live and call.desired_streaming:
            reason = f"the socket closed ({draft.close_code or 'no code'})"
            streaming_seen(draft.call_id, StreamingState.STALLED, at=now, reason=reason)
        else:
            streaming_seen(draft.call_id, StreamingState.STOPPED, at=now)
        if not call.is_live:
            call_finish_soon(draft.call_id)


def call_finish_soon(call_id: UUID) -> None:
    """Have a call's journals made into recordings, on the nodes where they lie.

    Queued after commit. If the broker is down, `calls.sweep_calls` finds the call.
    """
    journals = Connection.objects.filter(call_id=call_id).exclude(
        journal_state__in=(
            Connection.JournalState.KEPT,
            Connection.JournalState.MISSING,
        )
    )
    nodes = set(journals.order_by().values_list("node", flat=True))
    if not nodes:
        return
    Call.objects.filter(pk=call_id).update(archive_state=ArchiveState.PENDING)

    def send() -> None:
        from calls.control import task_send
        from calls.finishing_tasks import finish_call

        for node in nodes:
            task_send(finish_call, str(call_id), queue=f"recordings.{node}")

    transaction.on_commit(send)


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
    ended = 0
    for call in silent.distinct():
        last = call.connections.order_by("closed_at").last()
        ended += Call.objects.filter(pk=call.pk, state__in=LIVE_STATES).update(
            state=CallState.ENDED,
            ended_at=last.closed_at if last else now,
            end_reason="its last socket closed and none came after it",
        )
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
