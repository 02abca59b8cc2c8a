"""Drafts into rows: what `services.batch_store` writes, table by table.

Each write is idempotent: its key is its identity. What a peer may send and a database
may refuse (NUL, texts and numbers too long for their column, a connection id that is
another call's) is made storable here: one strange socket must not keep the rows of all
others waiting.
"""

import logging
from collections.abc import Iterable, Sequence
from uuid import UUID

from calls import identity
from calls.drafts import (
    ArchiveBatch,
    ChunkDraft,
    ConnectionDraft,
    SubscriptionDraft,
    TrackDraft,
)
from calls.lifecycle import connection_learn
from calls.models import (
    AudioChunk,
    Call,
    CallState,
    Connection,
    Participant,
    Subscription,
    Track,
)
from calls.models.sockets import UNFINISHED_JOURNALS
from streaming.protocol import US

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
LARGEST = 2**31 - 1


def storable(text: str, length: int) -> str:
    """Return `text` as a column of `length` takes it; PostgreSQL knows no NUL."""
    return text.replace("\0", "\ufffd")[:length]


def calls_lock(batch: ArchiveBatch) -> None:
    """Lock the rows of all calls a batch tells of, in one order.

    Calls are written in several places and orders. Two processes that have the same
    calls (one hears them, one transcribes them) would each wait for the other. Others
    may add rows that refer to them: their keys do not change.
    """
    rows = Call.objects.select_for_update(no_key=True).filter(pk__in=batch.calls)
    list(rows.order_by("pk").values_list("pk", flat=True))


def calls_ensure(drafts: Sequence[ConnectionDraft]) -> None:
    """Make rows for calls nobody announced: no authentication, or a lost database."""
    first: dict[UUID, ConnectionDraft] = {}
    for draft in sorted(drafts, key=lambda draft: draft.opened_at):
        first.setdefault(draft.call_id, draft)
    media = {draft.call_id for draft in drafts if draft.kind == "media"}
    known = set(Call.objects.filter(pk__in=first).values_list("pk", flat=True))
    Call.objects.bulk_create(
        [
            Call(
                id=call_id,
                correlation_id=storable(draft.correlation_id, 128),
                state=CallState.CONNECTED,
                rang_at=draft.opened_at,
                connected_at=draft.opened_at,
                desired_streaming=call_id in media,
            )
            for call_id, draft in first.items()
            if call_id not in known
        ],
        ignore_conflicts=True,
    )
    # The socket may open before ACS's answer has told us the connection id.
    nameless = Call.objects.filter(pk__in=first, connection_id=None)
    for call_id in nameless.values_list("pk", flat=True):
        connection_learn(call_id, storable(first[call_id].call_connection_id, 128))


def participants_ensure(drafts: Sequence[TrackDraft]) -> None:
    """Make rows for those who were heard."""
    Participant.objects.bulk_create(
        [
            Participant(
                id=identity.participant_id(draft.call_id, draft.raw_id),
                call_id=draft.call_id,
                raw_id=draft.raw_id,
                # We do not join a call; we only speak into it.
                joined_at=None if draft.raw_id == US else draft.first_packet_at,
            )
            for draft in drafts
        ],
        ignore_conflicts=True,
    )


def subscriptions_store(drafts: Sequence[SubscriptionDraft]) -> None:
    """Write subscriptions; a later draft of one carries newer news."""
    rows = {row.id: row for row in map(_subscription, drafts)}
    Subscription.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["is_mixed", "ended_at", "state", "sample_rate", "frame_bytes"],
    )


def _subscription(draft: SubscriptionDraft) -> Subscription:
    frame_bytes = draft.frame_bytes
    return Subscription(
        id=_subscription_key(draft.call_id, draft.subscription_id),
        call_id=draft.call_id,
        subscription_id=storable(draft.subscription_id, 128),
        encoding=storable(draft.encoding, 32),
        sample_rate=draft.sample_rate,
        channels=draft.channels,
        # ACS's own announcement, which nothing depends on.
        frame_bytes=frame_bytes if frame_bytes and frame_bytes <= LARGEST else None,
        is_mixed=draft.is_mixed,
        started_at=draft.started_at,
        ended_at=draft.ended_at,
        state=Subscription.State.INACTIVE
        if draft.ended_at
        else Subscription.State.ACTIVE,
    )


def _subscription_key(call_id: UUID, acs_id: str) -> UUID:
    return identity.subscription_id(call_id, storable(acs_id, 128))


def connections_store(drafts: Sequence[ConnectionDraft]) -> None:
    """Write sockets, except those whose audio is in a verified recording already."""
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
        kind=draft.kind,
        subscription_id=_subscription_key(draft.call_id, draft.subscription_id)
        if draft.subscription_id
        else None,
        process_id=draft.process_id,
        node=draft.node,
        remote_address=storable(draft.remote_address, 64),
        opened_at=draft.opened_at,
        closed_at=draft.closed_at,
        close_code=draft.close_code,
        close_reason=storable(draft.close_reason, 500),
        messages=draft.messages,
        packets=draft.packets,
        bytes=draft.bytes,
        malformed=draft.malformed,
        unknown=draft.unknown,
        unjournaled=draft.unjournaled,
        last_fault=storable(draft.last_fault, 500),
        journal_state=journal,
    )


def tracks_store(drafts: Sequence[TrackDraft]) -> None:
    """Write tracks' live figures, but not over those of a finished recording.

    A redial makes a finished track live again: it is final anew when the journal of
    the new socket is in the recording too.
    """
    final = set(
        Track.objects.filter(pk__in=[draft.id for draft in drafts], is_final=True)
        .exclude(call__connections__journal_state__in=UNFINISHED_JOURNALS)
        .values_list("pk", flat=True)
    )
    Track.objects.bulk_create(
        [track_row(draft) for draft in drafts if draft.id not in final],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=[*TRACK_FIGURES, "is_final"],
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
    participants_ensure([draft])
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
