"""What a dead process left is found, closed and finished."""

import io
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from acsstream.celery import app
from calls.journals.reading import JournalHeader
from calls.journals.recovery import archive_sweep
from calls.live.ingest import redis_sync
from calls.models import (
    AudioChunk,
    Call,
    CallEvent,
    Connection,
    IngestProcess,
    Participant,
    Recording,
    Subscription,
    Track,
)
from calls.models.states import ArchiveState
from calls.services import calls_end_without_word, process_leave, process_renew
from tests.factories import CallFactory, ConnectionFactory, EventFactory
from tests.recording.bench import (
    OPENED,
    call_ended,
    journal,
    stored_pcm,
    the_track,
    timeline,
    writer,
)
from tests.streaming.wire import ALICE, BOB, SAMPLES, audio

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


def recover() -> tuple[int, list[dict[str, Any]]]:
    """Run the command; return its exit code and what it said of each call."""
    said, code = io.StringIO(), 0
    try:
        call_command("recover", "--json", stdout=said)
    except SystemExit as end:
        code = int(end.code or 0)
    return code, [json.loads(line) for line in said.getvalue().splitlines()]


def rows() -> list[list[dict[str, Any]]]:
    tables = (Call, Participant, Subscription, Connection, Track, Recording)
    moments = {"verified_at", "streaming_at"}
    return [
        [
            {name: value for name, value in row.items() if name not in moments}
            for row in table.objects.order_by("pk").values()
        ]
        for table in tables
    ]


def test_rebuilds_everything_from_journals_alone() -> None:
    call_id = uuid4()
    frames = [audio(n, who) for n in range(100) for who in (ALICE, BOB)]
    path = journal(call_id, frames)
    content = path.read_bytes()
    assert recover()[0] == 0
    first = rows()
    for table in (Recording, AudioChunk, Connection, Track, Call):
        table.objects.all().delete()
    path.write_bytes(content)

    code, said = recover()

    assert (code, said[0]["call"], said[0]["packets"]) == (0, str(call_id), 200)
    assert rows() == first
    assert stored_pcm(the_track(call_id, ALICE)) == timeline(range(100), 100)


def test_recovering_again_finds_nothing() -> None:
    journal(uuid4(), [audio(n) for n in range(10)])
    recover()
    before = rows()

    assert recover() == (0, [])

    assert rows() == before


def test_says_so_in_words_too() -> None:
    journal(uuid4(), [audio(n) for n in range(10)])
    said = io.StringIO()

    call_command("recover", stdout=said)
    call_command("recover", stdout=said)

    first, second = said.getvalue().splitlines()
    assert "10 packets from 1 journals in 1 verified recordings" in first
    assert second == "No journals to recover."


def test_a_torn_tail_costs_only_itself() -> None:
    call_id = uuid4()
    path = journal(call_id, [audio(n) for n in range(100)], is_sealed=False)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 100)

    assert recover()[0] == 0

    assert stored_pcm(the_track(call_id, ALICE)) == timeline(range(99), 99)
    socket = Connection.objects.get()
    assert "cut off" in socket.close_reason
    assert socket.journal_state == "kept"
    assert (socket.packets, socket.close_code) == (99, None)


def test_a_damaged_byte_costs_only_its_record() -> None:
    call_id = uuid4()
    path = journal(call_id, [audio(n) for n in range(100)])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    assert recover()[0] == 0

    track = Track.objects.get()
    assert (track.packets, track.gap_samples) == (99, SAMPLES)
    lost = track.ledger["runs"][0][1] // SAMPLES
    numbers = [n for n in range(100) if n != lost]
    assert stored_pcm(the_track(call_id, ALICE)) == timeline(numbers, 100)
    assert "damaged" in Connection.objects.get().close_reason


@pytest.mark.parametrize("of", ["AudioMetadata", ALICE])
def test_damage_to_what_names_the_audio_does_not_cost_it(of: str) -> None:
    call_id = uuid4()
    path = journal(call_id, [audio(n) for n in range(100)])
    content = path.read_bytes()
    at = content.index(of.encode())
    path.write_bytes(content[:at] + b"!" + content[at + 1 :])

    assert recover()[0] == 0

    recording = Recording.objects.get()
    assert stored_pcm(recording) == timeline(range(100), 100)
    assert not Participant.objects.filter(raw_id="mixed").exists()


def test_a_file_that_is_no_journal_is_told_and_left(settings: Settings) -> None:
    call_id = uuid4()
    path = journal(call_id, [audio(n) for n in range(10)])
    stranger = path.with_name(f"{uuid4()}.journal")
    stranger.write_bytes(b"this is no journal at all")

    code, said = recover()

    assert code == 1
    assert stranger.exists()
    assert [line["call"] for line in said] == [None, str(call_id)]
    assert Recording.objects.filter(call_id=call_id).exists()


def test_a_journal_under_another_name_is_read_all_the_same() -> None:
    call_id = uuid4()
    path = journal(call_id, [audio(n) for n in range(10)])
    path.rename(path.with_name("brought from the broken disk.journal"))

    assert recover()[0] == 0

    assert stored_pcm(the_track(call_id, ALICE)) == timeline(range(10), 10)


def test_one_calls_trouble_does_not_keep_others_from_being_recovered(
    settings: Settings,
) -> None:
    bad, good = uuid4(), uuid4()
    path = journal(bad, [audio(n) for n in range(10)])
    path.parent.joinpath(f"finish-{bad}").write_text("a file where a folder must be")
    journal(good, [audio(n) for n in range(10)], after=9)

    code, said = recover()

    assert code == 1
    assert [bool(line["problem"]) for line in said] == [True, False]
    assert path.exists()


def test_leaves_a_call_alone_that_has_a_live_socket() -> None:
    call_id = uuid4()
    path = journal(call_id, [audio(n) for n in range(10)])
    with writer() as journals:
        head = JournalHeader(
            call_id=call_id,
            connection_id=uuid4(),
            call_connection_id="",
            correlation_id=None,
            opened_at=OPENED,
            node="",
            pid=1,
            software="",
        )
        live = journals.open(head)
        while not live.path.exists():
            os.sched_yield()

        code, [said] = recover()

    assert code == 0
    assert said["live"]
    assert path.exists()
    assert not Recording.objects.exists()


# The end of a call that its last socket did not live to hear.


def disconnected(call: Call, at: float) -> CallEvent:
    event: CallEvent = EventFactory.create(
        call=call,
        kind="CallDisconnected",
        happened_at=OPENED + timedelta(seconds=at - 0.05),
    )
    return event


def test_what_a_broken_socket_missed_to_the_end_is_a_gap() -> None:
    call = call_ended()
    disconnected(call, 10)
    journal(call.id, [audio(n) for n in range(100)], is_sealed=False)

    recover()

    track = Track.objects.get()
    assert track.gap_samples == 8 * 16_000
    assert track.samples == 10 * 16_000
    assert stored_pcm(the_track(call.id, ALICE)) == timeline(range(100), 500)


@pytest.mark.parametrize(
    ("code", "is_ended", "end"),
    [(1000, True, 10.0), (1006, False, 10.0), (1006, True, 2.5)],
    ids=["ACS closed it", "the call goes on", "the call ended then"],
)
def test_no_gap_at_the_end_where_none_was(
    code: int, is_ended: bool, end: float
) -> None:
    call = call_ended()
    if not is_ended:
        Call.objects.update(state="connected", ended_at=None)
    disconnected(call, end)
    journal(call.id, [audio(n) for n in range(100)], code=code)

    recover()

    assert Track.objects.get().gap_samples == 0


def test_a_participant_who_had_left_before_missed_nothing() -> None:
    call = call_ended()
    disconnected(call, 20)
    frames = [audio(n, BOB) for n in range(50)] + [audio(n) for n in range(50, 200)]
    journal(call.id, frames, is_sealed=False)

    recover()

    gaps = {t.participant.raw_id: t.gap_samples for t in Track.objects.all()}
    assert gaps == {BOB: 0, ALICE: 16 * 16_000}


# Sockets of processes that are no more.


@pytest.fixture
def now(settings: Settings) -> datetime:
    settings.LEASE_SECONDS, settings.FINISH_GRACE = 15, 120
    return timezone.now()


def process(settings: Settings, renewed_at: datetime, **more: Any) -> IngestProcess:
    return IngestProcess.objects.create(
        **{"node": settings.NODE, "pid": 1, "renewed_at": renewed_at} | more
    )


def open_socket(
    owner: UUID, settings: Settings, opened_at: datetime, call: Call | None = None
) -> Connection:
    made: Connection = ConnectionFactory.create(
        process_id=owner,
        node=settings.NODE,
        opened_at=opened_at,
        call=call or CallFactory.create(live=True),
    )
    return made


def test_closes_the_sockets_of_a_dead_process(
    settings: Settings, now: datetime
) -> None:
    dead = process(settings, now - timedelta(seconds=60))
    socket = open_socket(dead.pk, settings, now - timedelta(seconds=100))

    archive_sweep(now=now)

    socket.refresh_from_db()
    dead.refresh_from_db()
    assert (socket.closed_at, socket.journal_state) == (dead.renewed_at, "torn")
    assert socket.packets == 6_000
    assert dead.stopped_at == now
    assert socket.call.__class__.objects.get().streaming_state == "stalled"


def test_a_socket_is_not_closed_before_it_was_opened(
    settings: Settings, now: datetime
) -> None:
    dead = process(settings, now - timedelta(seconds=60))
    socket = open_socket(dead.pk, settings, now - timedelta(seconds=58))

    archive_sweep(now=now)

    socket.refresh_from_db()
    assert socket.closed_at == socket.opened_at


def test_leaves_a_process_alone_that_renewed_its_lease(
    settings: Settings, now: datetime
) -> None:
    alive = process(settings, now - timedelta(seconds=5))
    socket = open_socket(alive.pk, settings, now - timedelta(seconds=100))

    archive_sweep(now=now)

    socket.refresh_from_db()
    assert socket.closed_at is None


def test_leaves_a_process_alone_that_only_lost_the_database(
    settings: Settings, now: datetime
) -> None:
    quiet = process(settings, now - timedelta(seconds=60))
    socket = open_socket(quiet.pk, settings, now - timedelta(seconds=100))
    with writer() as journals:
        head = JournalHeader(
            call_id=socket.call_id,
            connection_id=socket.pk,
            call_connection_id="",
            correlation_id=None,
            opened_at=OPENED,
            node="",
            pid=1,
            software="",
        )
        held = journals.open(head)
        while not held.path.exists():
            os.sched_yield()

        archive_sweep(now=now)

    socket.refresh_from_db()
    assert socket.closed_at is None


@pytest.mark.parametrize(("seconds", "is_closed"), [(60, False), (151, True)])
def test_another_nodes_process_has_ten_times_as_long(
    settings: Settings, now: datetime, seconds: int, is_closed: bool
) -> None:
    far = process(settings, now - timedelta(seconds=seconds), node="far away")
    socket = open_socket(far.pk, settings, now - timedelta(seconds=300))
    Connection.objects.update(node="far away")

    archive_sweep(now=now)

    socket.refresh_from_db()
    assert (socket.closed_at is not None) == is_closed


def test_closes_what_a_process_left_open_when_it_ended(
    settings: Settings, now: datetime
) -> None:
    left = process(settings, now - timedelta(seconds=60))
    process_leave(left.pk, now - timedelta(seconds=55))
    socket = open_socket(left.pk, settings, now - timedelta(seconds=100))

    archive_sweep(now=now)

    socket.refresh_from_db()
    assert socket.closed_at == left.renewed_at


def test_closes_the_sockets_of_a_process_that_never_had_a_row(
    settings: Settings, now: datetime
) -> None:
    old = open_socket(uuid4(), settings, now - timedelta(seconds=100))
    new = open_socket(uuid4(), settings, now - timedelta(seconds=2))

    archive_sweep(now=now)

    old.refresh_from_db()
    new.refresh_from_db()
    assert old.closed_at == old.opened_at
    assert new.closed_at is None


def test_processes_that_ended_long_ago_are_forgotten(
    settings: Settings, now: datetime
) -> None:
    for days in (29, 31):
        ended = process(settings, now - timedelta(days=days))
        process_leave(ended.pk, now - timedelta(days=days))
    lives = process(settings, now)

    archive_sweep(now=now)

    assert IngestProcess.objects.count() == 2
    assert IngestProcess.objects.filter(pk=lives.pk).exists()


def test_a_node_that_takes_no_tasks_does_not_fill_redis(
    settings: Settings,
    now: datetime,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.REDIS_URL = redis_url
    monkeypatch.setattr(app.conf, "broker_url", redis_url)
    monkeypatch.setattr(app.conf, "broker_write_url", redis_url)
    monkeypatch.setattr("calls.journals.recovery.MOST", 2)
    queue = f"recordings.{uuid4()}"
    for _ in range(3):
        ConnectionFactory.create(
            call=CallFactory.create(ended=True),
            node=queue.removeprefix("recordings."),
            closed_at=now - timedelta(hours=1),
            journal_state="sealed",
        )
    Call.objects.update(archive_state="live")
    asked = []

    # Two in one sweep, the third in the next; nobody is asked again so soon.
    with redis_sync() as broker:
        for seconds in (0, 10, 20, 140, 280):
            archive_sweep(now=now + timedelta(seconds=seconds))
            pending = Call.objects.filter(archive_state="pending").count()
            asked.append((pending, broker.llen(queue)))
        broker.delete(queue)
        Call.objects.update(archive_retry_at=now)
        archive_sweep(now=now)
        asked.append((3, broker.llen(queue)))

    assert asked == [(2, 2), (3, 2), (3, 2), (3, 2), (3, 2), (3, 2)]


def test_a_lease_is_renewed_and_left(settings: Settings) -> None:
    key = uuid4()
    process_renew(key, streams=3, refused=1)
    process_renew(key, streams=4, refused=2)
    [renewed] = IngestProcess.objects.all()

    process_leave(key, timezone.now())

    [left] = IngestProcess.objects.all()
    assert (renewed.streams, renewed.refused, renewed.stopped_at) == (4, 2, None)
    assert (left.streams, left.stopped_at is None) == (0, False)


# Calls that nobody said were over.


def test_ends_a_call_that_only_sockets_made_known(
    settings: Settings, now: datetime
) -> None:
    closed = now - timedelta(seconds=300)
    call = CallFactory.create(
        live=True, streaming_state="stalled", last_packet_at=closed
    )
    ConnectionFactory.create(call=call, closed_at=closed - timedelta(seconds=5))
    ConnectionFactory.create(call=call, closed_at=closed)

    assert calls_end_without_word(now=now) == 1

    call.refresh_from_db()
    assert (call.state, call.ended_at) == ("ended", closed)
    assert call.streaming_state == "stopped"
    assert calls_end_without_word(now=now) == 0


@pytest.mark.parametrize("why", ["an open socket", "a late socket", "an event", "none"])
def test_does_not_end_a_call_that_may_go_on(
    settings: Settings, now: datetime, why: str
) -> None:
    call = CallFactory.create(live=True)
    if why != "none":
        ConnectionFactory.create(call=call, closed_at=now - timedelta(seconds=300))
    if why == "an open socket":
        ConnectionFactory.create(call=call, closed_at=None)
    if why == "a late socket":
        ConnectionFactory.create(call=call, closed_at=now - timedelta(seconds=9))
    if why == "an event":
        EventFactory.create(call=call)

    assert calls_end_without_word(now=now) == 0


@pytest.mark.parametrize(
    ("state", "closed", "is_asked"),
    [
        ("ended", 1, True),
        ("connected", 300, True),
        ("connected", 1, False),
    ],
)
def test_asks_for_recordings_of_calls_that_nobody_finished(
    settings: Settings, now: datetime, state: str, closed: float, is_asked: bool
) -> None:
    call = CallFactory.create(live=True)
    Call.objects.update(state=state)
    EventFactory.create(call=call)
    ConnectionFactory.create(
        call=call,
        closed_at=now - timedelta(seconds=closed),
        journal_state="sealed",
    )

    archive_sweep(now=now)

    call.refresh_from_db()
    assert (call.archive_state == ArchiveState.PENDING) == is_asked


@pytest.mark.parametrize(("minutes", "is_asked"), [(11, True), (9, False)])
def test_tries_again_what_failed_a_while_ago(
    settings: Settings, now: datetime, minutes: int, is_asked: bool
) -> None:
    call = CallFactory.create(ended=True)
    ConnectionFactory.create(
        call=call, closed_at=now - timedelta(hours=1), journal_state="sealed"
    )
    Call.objects.update(
        archive_state=ArchiveState.FAILED,
        archive_failed_at=now - timedelta(minutes=minutes),
    )

    archive_sweep(now=now)

    call.refresh_from_db()
    assert (call.archive_state == ArchiveState.PENDING) == is_asked


def test_a_damaged_journal_says_so_although_it_was_sealed(now: datetime) -> None:
    call_id = uuid4()
    path = journal(call_id, [audio(n) for n in range(50)])
    header = UUID(path.stem)
    Call.objects.create(id=call_id)
    Connection.objects.create(
        id=header,
        call_id=call_id,
        node="x",
        opened_at=datetime(2026, 3, 1, tzinfo=UTC),
        closed_at=now,
        journal_state="sealed",
        packets=50,
    )
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    recover()

    socket = Connection.objects.get()
    assert (socket.packets, "damaged" in socket.close_reason) == (49, True)


def test_knows_no_journals_in_a_folder_that_is_not_there(
    settings: Settings, tmp_path: Path
) -> None:
    settings.JOURNAL_DIR = tmp_path / "nowhere"

    assert recover() == (0, [])
