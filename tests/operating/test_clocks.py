"""Machines whose clocks differ: what one tells through Redis, another believes."""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import redis
from asgiref.sync import sync_to_async
from django.test import Client
from django.utils import timezone

from acsstream.celery import app
from calls.audit.reaping import ends_note
from calls.board.line import measured_calls
from calls.board.trend import trend_async
from calls.health import Level
from calls.health.checks import check_beat, check_ingest, check_workers
from calls.health.clocks import check_clock
from calls.journals.recovery import archive_sweep
from calls.journals.rescue import NodeLivesError, node_must_be_lost
from calls.live import listeners
from calls.live.ingest import live_processes, redis_async
from calls.live.listeners import listener_tell, listeners_async
from calls.live.processes import Noter
from calls.models import AuditAction, AuditEntry, Connection, IngestProcess
from calls.preflight import Status, parts
from calls.tasks import note_trend, sweep_commands
from streaming.live import LivePublisher
from tests.console.snapshots import live_call_of, publish, snapshot
from tests.factories import CallFactory, ConnectionFactory, ProcessFactory

SetClock = Callable[[float], None]
AHEAD = timedelta(seconds=60)
WORKED = ["acsstream", "recordings.recorder-1"]


@pytest.fixture(autouse=True)
def with_redis(settings: Any, redis_url: str) -> str:
    settings.REDIS_URL, settings.NODE = redis_url, "recorder-1"
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    return redis_url


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[SetClock]:
    """Set this machine's clock so many seconds ahead of Redis's."""
    true = time.time
    with monkeypatch.context() as patch:
        yield lambda ahead: patch.setattr(time, "time", lambda: true() + ahead)


@pytest.mark.parametrize("reader", [-60, 0, 60])
async def test_no_recorder_takes_another_one_for_dead(
    set_clock: SetClock, reader: float
) -> None:
    recorders = {"behind": -60, "right": 0, "ahead": 60}
    for node, ahead in recorders.items():
        set_clock(ahead)
        publisher = LivePublisher()
        await publisher.publish(snapshot(node=node))
        await publisher.redis.aclose()

    set_clock(reader)
    found = await asyncio.to_thread(live_processes)

    assert {one["node"] for one in found} == recorders.keys()
    assert all(one["age"] < 60 for one in found)


def test_a_call_is_where_it_was_heard_last_not_where_the_clock_is_ahead() -> None:
    call_id = str(uuid4())
    old, new = snapshot(node="ahead"), snapshot(node="right")
    old["calls"] = [live_call_of(call_id, [], ago=8)]
    new["calls"] = [live_call_of(call_id, [], ago=1)]
    old["at"] += 60
    old["calls"][0]["last_packet_at"] = old["at"] - 8

    [found] = measured_calls([old, new]).values()

    assert found.node == "right"


def test_a_process_that_fell_silent_does_not_keep_a_call() -> None:
    call_id = str(uuid4())
    dead, new = snapshot(node="dead"), snapshot(node="new")
    dead["calls"] = [live_call_of(call_id, [], ago=0.01)]
    new["calls"] = [live_call_of(call_id, [], ago=0.5)]
    dead["age"], new["age"] = 4.0, 0.5

    [found] = measured_calls([dead, new]).values()

    assert found.node == "new"


@pytest.mark.database
@pytest.mark.django_db
def test_a_node_that_lives_is_not_taken_for_lost(
    set_clock: SetClock, with_redis: str
) -> None:
    worker = Noter("worker")
    worker.note(queues=WORKED)
    publish(with_redis, snapshot(node="recorder-2"))
    set_clock(AHEAD.total_seconds())
    now = timezone.now() + AHEAD

    with pytest.raises(NodeLivesError, match="a worker of recorder-1"):
        node_must_be_lost("recorder-1", now)
    with pytest.raises(NodeLivesError, match="an ingest process of recorder-2"):
        node_must_be_lost("recorder-2", now)
    node_must_be_lost("recorder-3", now)


@pytest.mark.database
@pytest.mark.django_db
def test_a_recorder_that_shows_itself_keeps_its_sockets(with_redis: str) -> None:
    old = timezone.now() - timedelta(hours=1)
    shown, silent = (
        ProcessFactory.create(node="far away", renewed_at=old) for _ in range(2)
    )
    for owner in (shown, silent):
        ConnectionFactory.create(
            process_id=owner.pk,
            node="far away",
            opened_at=old,
            call=CallFactory.create(live=True),
        )
    publish(with_redis, {**snapshot(node="far away"), "process": str(shown.pk)})

    archive_sweep(now=timezone.now())

    [kept] = Connection.objects.filter(closed_at=None)
    assert kept.process_id == shown.pk
    assert IngestProcess.objects.get(stopped_at=None) == shown


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
def test_a_node_with_a_worker_is_told_to_sweep(
    set_clock: SetClock,
    with_redis: str,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(app.conf, "broker_url", with_redis)
    monkeypatch.setattr(app.conf, "broker_write_url", with_redis)
    settings.NODE = "recorder-2"
    Noter("worker").note(queues=WORKED)
    set_clock(AHEAD.total_seconds())

    archive_sweep(now=timezone.now() + AHEAD)

    with redis.Redis.from_url(with_redis) as broker:
        assert b"calls.sweep_node" in broker.lindex("recordings.recorder-1", 0)


@pytest.mark.database
@pytest.mark.django_db
def test_health_sees_who_lives_and_warns_of_the_clock(
    set_clock: SetClock, with_redis: str
) -> None:
    Noter("worker").note(queues=WORKED)
    Noter("beat").note()
    publish(with_redis, snapshot())
    sweep_commands()
    assert check_clock().level is Level.OK

    set_clock(AHEAD.total_seconds())

    for check in (check_ingest, check_workers, check_beat):
        assert check().level is Level.OK
    assert parts.check_beat().status is Status.GREEN
    told = Client().get("/readyz").json()
    assert "clock" in told["warnings"]
    assert "ahead of Redis's" in told["checks"]["clock"]["says"]
    set_clock(-60)
    assert "behind Redis's" in check_clock().says


async def test_a_recorder_knows_that_its_clock_is_ahead(set_clock: SetClock) -> None:
    set_clock(60)
    publisher = LivePublisher()

    await publisher.publish(snapshot())

    await publisher.redis.aclose()
    assert 55 < publisher.ahead <= 60


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
async def test_who_listens_goes_on_listening(
    set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listeners, "KNOWS_AFTER_SECONDS", 0)
    call_id, listen_id = uuid4(), str(uuid4())
    await AuditEntry.objects.acreate(
        action=AuditAction.LISTENING_STARTED,
        actor="ada",
        call_key=call_id,
        details={"listening": listen_id},
        at=timezone.now() - timedelta(seconds=120),
    )
    client = redis_async()
    listener: listeners.Listener = {
        "call_id": str(call_id),
        "listen_id": listen_id,
        "user": "ada",
        "since": 0.0,
        "seen": 0.0,
    }
    set_clock(-60)
    await listener_tell(client, listener)
    set_clock(60)

    assert await asyncio.to_thread(listeners.listenings) == {listen_id}
    assert [*await listeners_async(client)] == [str(call_id)]
    assert await asyncio.to_thread(listeners.listeners)
    assert await sync_to_async(ends_note)(timezone.now() + AHEAD) == 0
    await client.aclose()


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
async def test_the_dashboards_hour_ends_now(set_clock: SetClock) -> None:
    set_clock(60)
    await sync_to_async(note_trend)()
    set_clock(-60)
    client = redis_async()

    trend = await trend_async(client)

    await client.aclose()
    assert trend["live_calls"][-1] == 0
