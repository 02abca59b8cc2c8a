"""Drafts into rows: any order, any number of times, whatever a peer named itself."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from calls import identity
from calls.batches import track_finalise
from calls.drafts import (
    ArchiveBatch,
    ChunkDraft,
    ConnectionDraft,
    SubscriptionDraft,
    TrackDraft,
)
from calls.figures import calls_figures_refresh
from calls.ingest_facts import call_facts, stop_windows, stop_windows_by_call
from calls.models import (
    AudioChunk,
    Call,
    CommandKind,
    CommandState,
    Connection,
    Participant,
    StreamCommand,
    StreamingState,
    Subscription,
    Track,
)
from calls.models.states import ArchiveState
from calls.services import batch_store
from tests.factories import CallFactory, CommandFactory
from tests.streaming.wire import ALICE, BOB

pytestmark = [pytest.mark.database, pytest.mark.django_db]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def socket(call_id: UUID, **changes: Any) -> ConnectionDraft:
    made: dict[str, Any] = {
        "id": uuid4(),
        "call_id": call_id,
        "call_connection_id": f"acs-{call_id}",
        "correlation_id": "correlation",
        "process_id": uuid4(),
        "node": "here",
        "remote_address": "192.0.2.1",
        "opened_at": NOON,
    }
    return ConnectionDraft(**made | changes)


def subscription(call_id: UUID, **changes: Any) -> SubscriptionDraft:
    made: dict[str, Any] = {
        "call_id": call_id,
        "subscription_id": "sub-1",
        "encoding": "PCM",
        "sample_rate": 16_000,
        "channels": 1,
        "frame_bytes": 640,
        "started_at": NOON,
    }
    return SubscriptionDraft(**made | changes)


def track(call_id: UUID, raw_id: str = ALICE, **changes: Any) -> TrackDraft:
    made: dict[str, Any] = {
        "call_id": call_id,
        "raw_id": raw_id,
        "sample_rate": 16_000,
        "origin_us": 1_772_366_400_000_000,
        "samples": 32_000,
        "packets": 90,
        "bytes": 57_600,
        "silent_packets": 10,
        "talk_samples": 25_600,
        "gap_count": 1,
        "gap_samples": 3_200,
        "stopped_samples": 0,
        "late": 0,
        "duplicates": 0,
        "discarded": 0,
        "bad_timestamps": 0,
        "first_packet_at": NOON,
        "last_packet_at": NOON + timedelta(seconds=2),
        "jitter_us": 1000,
        "rms_dbfs": -30.0,
        "peak_dbfs": -3.0,
        "clipped_samples": 0,
        "completeness": 0.9,
        "ledger": {"rate": 16_000, "runs": [["r", 32_000]]},
    }
    return TrackDraft(**made | changes)


def batch(call_id: UUID, **changes: Any) -> ArchiveBatch:
    about = {"packets": 90, "last_packet_at": NOON, "subscription_id": "sub-1"}
    connection = socket(call_id, **about | changes)
    one = track(call_id)
    return ArchiveBatch(
        connections=[connection],
        subscriptions=[subscription(call_id)],
        tracks=[one, track(call_id, BOB)],
        chunks=[ChunkDraft(one.id, connection.id, 0, 0, 32_000, 90, 10)],
    )


def everything() -> list[list[dict[str, object]]]:
    """Return all rows; an index row's own number is nobody's business."""
    tables = (Call, Participant, Subscription, Connection, Track, AudioChunk)
    return [
        [
            {
                name: value
                for name, value in row.items()
                if (table, name) != (AudioChunk, "id")
            }
            for row in table.objects.order_by("pk").values()
        ]
        for table in tables
    ]


def test_storing_a_batch_twice_is_storing_it_once() -> None:
    made = batch(uuid4())
    batch_store(made)
    before = everything()

    batch_store(made)

    assert everything() == before
    assert [len(table) for table in before] == [1, 2, 1, 1, 2, 1]


def test_a_batch_makes_the_call_that_nobody_announced() -> None:
    call_id = uuid4()

    later = socket(call_id, opened_at=NOON + timedelta(minutes=5))
    batch_store(ArchiveBatch(connections=[later, socket(call_id)]))

    call = Call.objects.get()
    assert (call.connection_id, call.rang_at) == (f"acs-{call_id}", NOON)
    assert (call.state, call.desired_streaming) == ("connected", True)


def test_a_batch_brings_the_figures_of_its_call_up_to_date() -> None:
    call_id = uuid4()

    batch_store(batch(call_id))

    call = Call.objects.get()
    assert call.completeness == pytest.approx(0.9)
    assert call.origin_us == 1_772_366_400_000_000
    assert call.last_packet_at == NOON + timedelta(seconds=2)
    assert call.archive_state == ArchiveState.LIVE


def test_teaches_a_call_its_connection_id_once() -> None:
    call = CallFactory.create(connection_id=None)
    named = CallFactory.create(connection_id="told by ACS")

    batch_store(ArchiveBatch(connections=[socket(call.id), socket(named.id)]))

    call.refresh_from_db()
    named.refresh_from_db()
    assert call.connection_id == f"acs-{call.id}"
    assert named.connection_id == "told by ACS"


def test_a_socket_that_names_no_connection_teaches_none() -> None:
    call = CallFactory.create(connection_id=None)

    batch_store(ArchiveBatch(connections=[socket(call.id, call_connection_id="")]))

    call.refresh_from_db()
    assert call.connection_id is None


@pytest.mark.parametrize("is_known", [True, False])
def test_a_connection_id_that_is_another_calls_spoils_nothing(is_known: bool) -> None:
    other = CallFactory.create(connection_id="taken")
    call_id = CallFactory.create(connection_id=None).id if is_known else uuid4()
    honest = batch(uuid4())

    made = batch(call_id, call_connection_id="taken")
    batch_store(
        ArchiveBatch(
            [*made.connections, *honest.connections],
            [*made.subscriptions, *honest.subscriptions],
            [*made.tracks, *honest.tracks],
            [*made.chunks, *honest.chunks],
        )
    )

    assert Call.objects.get(pk=call_id).connection_id is None
    assert Call.objects.get(pk=other.id).connection_id == "taken"
    assert Connection.objects.count() == 2


def test_what_no_column_can_hold_is_made_to_fit() -> None:
    call_id = uuid4()
    strange = "x\0" * 400
    connection = socket(
        call_id,
        subscription_id="s" * 255,
        close_reason=strange,
        last_fault=strange,
        correlation_id=strange,
        call_connection_id=strange,
        remote_address=strange,
        closed_at=NOON,
    )
    announced = subscription(
        call_id, subscription_id="s" * 255, frame_bytes=10**30, encoding="P" * 255
    )

    batch_store(ArchiveBatch(connections=[connection], subscriptions=[announced]))

    stored = Connection.objects.get()
    assert stored.close_reason == ("x\ufffd" * 250)
    assert stored.subscription == Subscription.objects.get()
    assert Subscription.objects.get().frame_bytes is None


def test_an_older_socket_draft_does_not_reopen_a_kept_journal() -> None:
    call_id = uuid4()
    draft = socket(call_id, closed_at=NOON, packets=10)
    batch_store(ArchiveBatch(connections=[draft]))
    Connection.objects.update(journal_state="kept")

    batch_store(ArchiveBatch(connections=[replace(draft, closed_at=None, packets=5)]))

    stored = Connection.objects.get()
    assert (stored.journal_state, stored.packets) == ("kept", 10)
    assert stored.closed_at == NOON


def test_live_figures_do_not_overwrite_those_of_the_archive() -> None:
    call_id = uuid4()
    batch_store(batch(call_id, closed_at=NOON))
    track_finalise(track(call_id, packets=91))
    Connection.objects.update(journal_state="kept")

    batch_store(ArchiveBatch(tracks=[track(call_id, packets=90)]))

    assert Track.objects.get(participant__raw_id=ALICE).packets == 91


def test_a_redial_makes_a_finished_call_live_again() -> None:
    call_id = uuid4()
    batch_store(batch(call_id, closed_at=NOON))
    track_finalise(track(call_id))
    Connection.objects.update(journal_state="kept")
    Call.objects.update(archive_state=ArchiveState.FINISHED)

    redial = socket(call_id, opened_at=NOON + timedelta(minutes=3))
    batch_store(
        ArchiveBatch(connections=[redial], tracks=[track(call_id, packets=200)])
    )

    stored = Track.objects.get(participant__raw_id=ALICE)
    assert (stored.packets, stored.is_final) == (200, False)
    assert Call.objects.get().archive_state == ArchiveState.LIVE


def test_a_reaped_socket_that_lives_is_open_again() -> None:
    call_id = uuid4()
    draft = socket(call_id)
    batch_store(
        ArchiveBatch(connections=[replace(draft, closed_at=NOON, is_torn=True)])
    )

    batch_store(ArchiveBatch(connections=[draft]))

    stored = Connection.objects.get()
    assert (stored.closed_at, stored.journal_state) == (None, "open")


@pytest.mark.parametrize(
    ("draft", "state"),
    [
        ({}, StreamingState.CONNECTING),
        ({"packets": 1, "last_packet_at": NOON}, StreamingState.STREAMING),
    ],
)
def test_says_what_a_socket_proves_about_streaming(
    draft: dict[str, Any], state: StreamingState
) -> None:
    call = CallFactory.create(streaming_state="requested", state="connected")

    batch_store(ArchiveBatch(connections=[socket(call.id, **draft)]))

    call.refresh_from_db()
    assert call.streaming_state == state


def test_packets_that_lay_in_a_batch_do_not_undo_a_stop() -> None:
    call = CallFactory.create(
        state="connected",
        streaming_state="stopped",
        streaming_at=NOON + timedelta(seconds=30),
    )

    batch_store(
        ArchiveBatch(connections=[socket(call.id, packets=9, last_packet_at=NOON)])
    )

    call.refresh_from_db()
    assert call.streaming_state == StreamingState.STOPPED


def test_a_call_whose_last_socket_closed_unasked_is_stalled() -> None:
    call = CallFactory.create(live=True)
    end = timezone.now()

    batch_store(ArchiveBatch(connections=[socket(call.id, closed_at=end)]))

    call.refresh_from_db()
    assert call.streaming_state == StreamingState.STALLED


def test_a_call_with_another_open_socket_is_not_stalled() -> None:
    call = CallFactory.create(live=True)

    batch_store(
        ArchiveBatch(
            connections=[
                socket(call.id, closed_at=timezone.now()),
                socket(call.id, opened_at=timezone.now(), packets=1),
            ]
        )
    )

    call.refresh_from_db()
    assert call.streaming_state == StreamingState.STREAMING


def test_facts_give_back_the_drafts_that_were_stored() -> None:
    call_id = uuid4()
    made = batch(call_id)
    batch_store(made)

    facts = call_facts(call_id)

    assert facts.is_known
    assert facts.connection_id == f"acs-{call_id}"
    assert sorted(facts.tracks, key=lambda draft: draft.raw_id) == sorted(
        made.tracks, key=lambda draft: draft.raw_id
    )


def test_facts_of_a_call_nobody_knows() -> None:
    assert not call_facts(uuid4()).is_known


def order(call: Call, kind: str, at: float, state: str = "confirmed") -> StreamCommand:
    made: StreamCommand = CommandFactory.create(
        call=call, kind=kind, state=state, sent_at=NOON + timedelta(seconds=at)
    )
    return made


@pytest.mark.parametrize(
    ("start", "stop"),
    [
        (CommandKind.START_STREAMING, CommandKind.STOP_STREAMING),
        (CommandKind.RESUME, CommandKind.PAUSE),
        (CommandKind.START_STREAMING, CommandKind.PAUSE),
    ],
)
def test_nobody_wanted_audio_between_a_stop_and_the_start_after_it(
    start: str, stop: str
) -> None:
    call, other = CallFactory.create(), CallFactory.create()
    order(call, start, 0)
    order(call, stop, 10)
    order(call, stop, 15)
    order(call, start, 20)
    order(call, stop, 30, CommandState.FAILED)
    order(call, stop, 40, CommandState.SENT)
    order(other, stop, 5)

    windows = stop_windows_by_call([call.id, other.id])

    assert [
        (window.start - NOON, window.end and window.end - NOON)
        for window in windows[call.id]
    ] == [
        (timedelta(seconds=10), timedelta(seconds=20)),
        (timedelta(seconds=40), None),
    ]
    assert windows[call.id] == stop_windows(call.id)
    assert len(windows[other.id]) == 1


@pytest.mark.parametrize(("asked", "begins"), [(9, 9), (3, 5)])
def test_audio_may_have_ceased_at_the_first_try_of_a_stop_that_was_sent_again(
    asked: float, begins: float
) -> None:
    call = CallFactory.create()
    order(call, CommandKind.START_STREAMING, 5)
    stop = order(call, CommandKind.PAUSE, 16)
    stop.is_unsure, stop.attempts = True, 2
    stop.asked_at = NOON + timedelta(seconds=asked)
    stop.save()

    [window] = stop_windows(call.id)

    assert (window.start - NOON, window.end) == (timedelta(seconds=begins), None)


def test_a_stop_that_was_sent_once_begins_then_though_its_answer_was_lost() -> None:
    call = CallFactory.create()
    order(call, CommandKind.START_STREAMING, 5)
    stop = order(call, CommandKind.STOP_STREAMING, 160)
    stop.is_unsure, stop.attempts = True, 1
    stop.asked_at = NOON + timedelta(seconds=10)
    stop.save()

    [window] = stop_windows(call.id)

    assert window.start - NOON == timedelta(seconds=160)


def test_a_call_without_tracks_has_no_figures() -> None:
    call = CallFactory.create(completeness=None)

    calls_figures_refresh([call.id])

    call.refresh_from_db()
    assert (call.completeness, call.origin_us) == (None, None)


def test_keys_follow_from_what_they_name() -> None:
    call_id = UUID("6a3bbf2c-5b0f-4d0a-9f3e-0d7e2f5f9a11")

    # Stored keys depend on them: never to change.
    assert identity.call_id("acs") == UUID("ae8da305-700a-5f56-9d9e-36ebe457055c")
    assert identity.track_id(call_id, ALICE, 16_000) == track(call_id).id
    assert identity.track_id(call_id, ALICE, 24_000) != track(call_id).id
