"""Probes and figures for machines."""

import json
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.db import connection
from django.db.backends.signals import connection_created
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from calls.control.settling import command_settle
from calls.health import Finding, Level, checks
from calls.health.asking import Part, ask_all
from calls.live.ingest import LIVE_KEY, LiveProcess
from calls.live.processes import Noter
from calls.metrics import views
from calls.metrics.rows import row_metrics
from calls.metrics.views import in_text, told_metrics
from calls.models import CommandState
from tests.console.snapshots import publish, snapshot
from tests.factories import CallFactory, CommandFactory

pytestmark = pytest.mark.database

NOWHERE = "redis://127.0.0.1:9/0"


@pytest.fixture
def with_redis(settings: Any, redis_url: str) -> str:
    settings.REDIS_URL = redis_url
    # What an earlier test was told is not known here.
    checks.parts.cache_clear()
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    return redis_url


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_a_probe_must_send_a_host_that_is_allowed(settings: Any, path: str) -> None:
    settings.ALLOWED_HOSTS = ["console.example.com"]
    settings.DEBUG = False

    assert Client(SERVER_NAME="192.0.2.7").get(path).status_code == 400


def text() -> str:
    """What /metrics says. It asks in threads, which do not see our transaction."""
    return in_text([*row_metrics(), *told_metrics()]).decode()


def samples() -> dict[tuple[str, str], float]:
    """Each sample of /metrics by its name and first label."""
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(text())
        for sample in family.samples
    }


def test_says_that_it_lives_with_everything_else_down(settings: Any) -> None:
    settings.REDIS_URL = NOWHERE
    response = Client().get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")


def test_is_ready_with_database_and_redis(db: None, with_redis: str) -> None:
    response = Client().get("/readyz")
    assert response.status_code == 200
    told = response.json()
    assert (told["ready"], told["critical"]) == (True, [])
    assert told["checks"]["database"] == {
        "level": "ok",
        "says": "The database answers.",
    }
    assert told["checks"]["migrations"]["says"] == "All migrations are applied."


def test_is_ready_but_degraded_while_nobody_works(db: None, with_redis: str) -> None:
    response = Client().get("/readyz")
    told = response.json()
    assert (response.status_code, told["status"]) == (200, "degraded")
    assert {"ingest", "workers", "beat"} <= set(told["warnings"])
    assert told["checks"]["workers"]["says"] == "No worker reads acsstream."
    assert "ACSSTREAM_NODE" in told["checks"]["workers"]["do"]


def test_knows_the_queues_that_workers_read(
    db: None, with_redis: str, settings: Any
) -> None:
    settings.NODE = "here"
    Noter("worker").note(queues=["acsstream", "recordings.here"], busy=1, slots=2)
    Noter("beat").note()
    publish(with_redis, snapshot(node="here"))
    publish(with_redis, snapshot(node="there"))

    checks = Client().get("/readyz").json()["checks"]

    assert checks["beat"]["level"] == "ok"
    assert checks["workers"]["says"] == "No worker reads recordings.there."
    assert set(checks["workers"]["figures"]) == {"acsstream", "recordings.here"}


def test_tells_of_journals_that_nobody_makes_into_recordings(
    db: None, with_redis: str
) -> None:
    waits = snapshot(node="recorder-1", backlog_hours=2)
    publish(with_redis, waits)
    found = Client().get("/readyz").json()["checks"]["journals"]
    assert found["level"] == "warning"
    assert found["says"].startswith(
        "3 journals wait to be recordings, the oldest for 2:0"
    )
    figures = samples()
    assert figures["acsstream_journal_backlog", "recorder-1"] == 3
    assert 7200 <= figures["acsstream_journal_oldest_seconds", "recorder-1"] < 7300


def test_names_what_keeps_it_from_being_ready(db: None, settings: Any) -> None:
    settings.REDIS_URL = NOWHERE
    response = Client().get("/readyz")
    assert response.status_code == 503
    told = response.json()
    assert told["critical"] == ["redis"]
    assert told["checks"]["database"]["level"] == "ok"
    assert told["checks"]["redis"]["says"].startswith("Redis does not answer")


def test_is_not_ready_without_its_database(db: None, with_redis: str) -> None:
    def refuse(*_: object, **__: object) -> None:
        from django.db import OperationalError

        raise OperationalError("gone")

    connection_created.connect(refuse)
    try:
        with connection.execute_wrapper(refuse):
            response = Client().get("/readyz")
            figures = samples()
    finally:
        connection_created.disconnect(refuse)
    assert response.status_code == 503
    assert response.json()["critical"] == ["database"]
    assert figures["acsstream_database_up", ""] == 0
    assert figures["acsstream_redis_up", ""] == 1


def test_is_not_ready_while_migrations_wait(
    db: None, with_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "_applied", [])
    applied = MigrationRecorder.Migration.objects.filter(app="calls")
    newest = applied.latest("id")
    found = checks.check_migrations()
    assert found.level is Level.OK

    monkeypatch.setattr(checks, "_applied", [])
    newest.delete()
    found = checks.check_migrations()

    assert found.level is Level.CRITICAL
    assert found.says == f"1 migration is not applied, from calls.{newest.name} on."
    assert found.do == "Run `manage.py migrate`."


def test_a_part_that_hangs_holds_up_no_answer() -> None:
    goes_on, asked = threading.Event(), []
    fine = Finding("database", Level.OK, "It answers.")

    def hang() -> Finding:
        asked.append(1)
        goes_on.wait(60)
        return fine

    part = Part("database", hang, Finding("database", Level.CRITICAL, "It hangs."))

    # Asked twice, it is waited for by one thread.
    assert [ask_all([part], 0.01), ask_all([part], 0.01)] == [[part.silent]] * 2
    goes_on.set()
    assert ask_all([part], 60) == [fine]
    assert len(asked) == 1


def test_a_scrape_tells_of_the_rest_while_the_database_hangs(
    db: None, with_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()

    def hang() -> list[Metric]:
        goes_on.wait(60)
        return []

    monkeypatch.setattr(views, "row_metrics", hang)
    monkeypatch.setattr(views, "PATIENCE", 2.0)
    views.sources.cache_clear()

    answer = Client().get("/metrics")

    assert not goes_on.is_set()
    assert answer.status_code == 200
    assert b"acsstream_database_up 0.0" in answer.content
    assert b"acsstream_redis_up 1.0" in answer.content
    goes_on.set()
    views.sources.cache_clear()


def test_counts_what_is_live_open_or_waits(db: None, with_redis: str) -> None:
    CallFactory.create_batch(2, live=True)
    CallFactory.create(ended=True)
    CallFactory.create(ended=True, archive_state="failed")
    CommandFactory.create(state="queued")
    figures = samples()
    assert figures["acsstream_calls", "connected"] == 3
    assert figures["acsstream_calls", "ringing"] == 0
    assert ("acsstream_calls", "ended") not in figures
    assert figures["acsstream_commands", "queued"] == 1
    assert figures["acsstream_live_calls_streaming", "streaming"] == 3
    assert figures["acsstream_archive_calls", "failed"] == 1
    assert ("acsstream_archive_calls", "finished") not in figures


def test_asks_no_more_of_a_larger_archive(
    db: None, with_redis: str, django_assert_num_queries: Any
) -> None:
    with CaptureQueriesContext(connection) as few:
        samples()
    CallFactory.create_batch(20, ended=True)
    publish(with_redis, snapshot(calls=[CallFactory.create(live=True)]))
    with django_assert_num_queries(len(few)):
        samples()


@pytest.mark.django_db(transaction=True)
def test_counts_how_orders_end_and_how_long_they_took(with_redis: str) -> None:
    asked = timezone.now() - timedelta(seconds=4)
    sent = asked + timedelta(seconds=0.2)
    command = CommandFactory.create(state="sent", asked_at=asked, sent_at=sent)

    command_settle(command.pk, CommandState.CONFIRMED)

    told = Client().get("/metrics").content.decode()
    settled = (
        f'acsstream_commands_settled_total{{kind="{command.kind}",state="confirmed"}}'
    )
    assert f"{settled} 1.0" in told
    assert 'acsstream_command_seconds_bucket{le="0.1",stage="sent"} 0.0' in told
    assert 'acsstream_command_seconds_bucket{le="0.25",stage="sent"} 1.0' in told
    assert 'acsstream_command_seconds_bucket{le="2.5",stage="confirmed"} 0.0' in told
    assert 'acsstream_command_seconds_count{stage="confirmed"} 1.0' in told


def test_may_be_read_by_token_alone(db: None, with_redis: str, settings: Any) -> None:
    settings.METRICS_TOKEN = "tests only"
    refused = [
        Client().get("/metrics"),
        Client().get("/metrics", headers={"Authorization": "Bearer tests onlx"}),
        Client().get("/metrics", headers={"Authorization": "tests only"}),
    ]
    assert [one.status_code for one in refused] == [401] * 3
    assert b"acsstream_" not in b"".join(one.content for one in refused)
    shown = {"Authorization": "Bearer tests only"}
    assert Client().get("/metrics", headers=shown).status_code == 200


def test_measures_what_ingest_says(db: None, with_redis: str) -> None:
    process = snapshot(node="recorder-1", streams=3, refused=2)
    publish(with_redis, process)
    figures = samples()
    assert figures["acsstream_ingest_processes", ""] == 1
    assert figures["acsstream_streams", "recorder-1"] == 3
    assert figures["acsstream_refused_sockets_total", "recorder-1"] == 2
    assert figures["acsstream_packets_total", "recorder-1"] == 700
    assert figures["acsstream_gap_seconds_total", "recorder-1"] == 1.5
    assert figures["acsstream_journal_faulty", "recorder-1"] == 0


def test_measures_what_ingest_bears(db: None, with_redis: str) -> None:
    publish(with_redis, snapshot(node="full", limit=3, state="full", cpu=0.6))
    publish(with_redis, snapshot(node="ready", loop_lag_p99_ms=4.0))
    old = snapshot(node="old")
    del old["load"]
    publish(with_redis, old)

    figures = samples()

    assert figures["acsstream_stream_limit", "full"] == 3
    assert figures["acsstream_cpu_cores", "full"] == 0.6
    assert figures["acsstream_takes_streams", "full"] == 0
    assert figures["acsstream_takes_streams", "ready"] == 1
    assert figures["acsstream_loop_lag_p99_seconds", "ready"] == 0.004
    assert figures["acsstream_disk_bytes_per_second", "ready"] == 320_000
    assert figures["acsstream_disk_free_bytes", "ready"] == 50_000_000_000
    assert ("acsstream_takes_streams", "old") not in figures
    assert figures["acsstream_streams", "old"] == 1


def test_tells_who_refuses_because_it_is_to_end(db: None, with_redis: str) -> None:
    publish(with_redis, snapshot(node="full", state="full"))
    draining = snapshot(node="ends", state="full")
    publish(with_redis, {**draining, "draining": True})

    figures = samples()

    assert figures["acsstream_ingest_draining", "full"] == 0
    assert figures["acsstream_ingest_draining", "ends"] == 1


def test_forgets_processes_that_went_silent(db: None, with_redis: str) -> None:
    process = snapshot()
    with redis.Redis.from_url(with_redis) as client:
        client.set(f"{LIVE_KEY}:{process['process']}", json.dumps(process))
        client.zadd(LIVE_KEY, {process["process"]: time.time() - 60})
    assert samples()["acsstream_ingest_processes", ""] == 0


def test_tells_figures_of_the_database_with_redis_down(db: None, settings: Any) -> None:
    settings.REDIS_URL = NOWHERE
    CallFactory.create(live=True)
    figures = samples()
    assert figures["acsstream_redis_up", ""] == 0
    assert figures["acsstream_calls", "connected"] == 1
    assert ("acsstream_ingest_processes", "") not in figures


def test_tells_machines_no_numbers_of_people(db: None, with_redis: str) -> None:
    call = CallFactory.create(live=True, from_raw_id="4:+12065550100")
    process: LiveProcess = snapshot(calls=[call])
    publish(with_redis, process)
    told = text()
    assert "12065550100" not in told
    assert str(call.pk) not in told
