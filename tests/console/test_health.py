"""Probes and figures for machines."""

import json
import time
from typing import Any

import pytest
import redis
from django.db import connection
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from calls.live import LIVE_KEY, LiveProcess
from tests.console.snapshots import publish, snapshot
from tests.factories import CallFactory, CommandFactory, RecordingFactory

pytestmark = pytest.mark.database

NOWHERE = "redis://127.0.0.1:9/0"


@pytest.fixture
def with_redis(settings: Any, redis_url: str) -> str:
    settings.REDIS_URL = redis_url
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    return redis_url


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_a_probe_must_send_a_host_that_is_allowed(settings: Any, path: str) -> None:
    settings.ALLOWED_HOSTS = ["console.example.com"]
    settings.DEBUG = False

    assert Client(SERVER_NAME="192.0.2.7").get(path).status_code == 400


def samples(client: Client) -> dict[tuple[str, str], float]:
    """Each sample of /metrics by its name and first label."""
    response = client.get("/metrics")
    assert response.status_code == 200
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(response.content.decode())
        for sample in family.samples
    }


def test_says_that_it_lives_with_everything_else_down(settings: Any) -> None:
    settings.REDIS_URL = NOWHERE
    response = Client().get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")


def test_is_ready_with_database_and_redis(db: None, with_redis: str) -> None:
    response = Client().get("/readyz")
    assert response.status_code == 200
    assert response.json() == {
        "ready": True,
        "checks": {"database": "ok", "redis": "ok"},
    }


def test_names_what_keeps_it_from_being_ready(db: None, settings: Any) -> None:
    settings.REDIS_URL = NOWHERE
    response = Client().get("/readyz")
    assert response.status_code == 503
    checks = response.json()["checks"]
    assert checks["database"] == "ok"
    assert checks["redis"].startswith("does not answer")


def test_is_not_ready_without_its_database(db: None, with_redis: str) -> None:
    def refuse(*_: object) -> None:
        from django.db import OperationalError

        raise OperationalError("gone")

    with connection.execute_wrapper(refuse):
        response = Client().get("/readyz")
        figures = samples(Client())
    assert response.status_code == 503
    assert response.json()["checks"]["database"].startswith("does not answer")
    assert figures["acsstream_database_up", ""] == 0
    assert figures["acsstream_redis_up", ""] == 1


def test_counts_rows_by_state(db: None, with_redis: str) -> None:
    CallFactory.create_batch(2, live=True)
    CallFactory.create(ended=True)
    CommandFactory.create(state="failed")
    RecordingFactory.create()
    figures = samples(Client())
    assert figures["acsstream_calls", "connected"] == 3
    assert figures["acsstream_calls", "ringing"] == 0
    assert figures["acsstream_calls", "ended"] == 2
    assert figures["acsstream_commands", "failed"] == 1
    assert figures["acsstream_recordings", "verified"] == 1
    assert figures["acsstream_live_calls_streaming", "streaming"] == 3
    assert figures["acsstream_archive_calls", "finished"] == 2


def test_measures_what_ingest_says(db: None, with_redis: str) -> None:
    process = snapshot(node="recorder-1", streams=3, refused=2)
    publish(with_redis, process)
    figures = samples(Client())
    assert figures["acsstream_ingest_processes", ""] == 1
    assert figures["acsstream_streams", "recorder-1"] == 3
    assert figures["acsstream_refused_sockets", "recorder-1"] == 2
    assert figures["acsstream_journal_faulty", "recorder-1"] == 0


def test_measures_what_ingest_bears(db: None, with_redis: str) -> None:
    publish(with_redis, snapshot(node="full", limit=3, state="full", cpu=0.6))
    publish(with_redis, snapshot(node="ready", loop_lag_p99_ms=4.0))
    old = snapshot(node="old")
    del old["load"]
    publish(with_redis, old)

    figures = samples(Client())

    assert figures["acsstream_stream_limit", "full"] == 3
    assert figures["acsstream_cpu_cores", "full"] == 0.6
    assert figures["acsstream_takes_streams", "full"] == 0
    assert figures["acsstream_takes_streams", "ready"] == 1
    assert figures["acsstream_loop_lag_p99_seconds", "ready"] == 0.004
    assert figures["acsstream_disk_bytes_per_second", "ready"] == 320_000
    assert figures["acsstream_disk_free_bytes", "ready"] == 50_000_000_000
    assert ("acsstream_takes_streams", "old") not in figures
    assert figures["acsstream_streams", "old"] == 1


def test_forgets_processes_that_went_silent(db: None, with_redis: str) -> None:
    process = snapshot()
    with redis.Redis.from_url(with_redis) as client:
        client.set(f"{LIVE_KEY}:{process['process']}", json.dumps(process))
        client.zadd(LIVE_KEY, {process["process"]: time.time() - 60})
    assert samples(Client())["acsstream_ingest_processes", ""] == 0


def test_tells_figures_of_the_database_with_redis_down(db: None, settings: Any) -> None:
    settings.REDIS_URL = NOWHERE
    CallFactory.create(live=True)
    figures = samples(Client())
    assert figures["acsstream_redis_up", ""] == 0
    assert figures["acsstream_calls", "connected"] == 1
    assert ("acsstream_ingest_processes", "") not in figures


def test_tells_machines_no_numbers_of_people(db: None, with_redis: str) -> None:
    call = CallFactory.create(live=True, from_raw_id="4:+12065550100")
    process: LiveProcess = snapshot(calls=[call])
    publish(with_redis, process)
    text = Client().get("/metrics").content.decode()
    assert "12065550100" not in text
    assert str(call.pk) not in text
