"""The systems page: who may see it, and what it says."""

import time
from typing import Any

import pytest
import redis
from django.test import Client

from calls.health import checks
from calls.health.findings import Level
from calls.health.trust import check_audit
from calls.live.processes import KEY, Noter, is_fresh, process_notes
from calls.models import AuditCheck
from tests.console.snapshots import publish, snapshot
from tests.factories import UserFactory, member_of

pytestmark = [pytest.mark.database, pytest.mark.django_db]

PAGE = "/admin/systems/"


@pytest.fixture
def url(settings: Any, redis_url: str) -> str:
    settings.REDIS_URL, settings.NODE = redis_url, "recorder-1"
    # Nobody is there: no test asks a stranger for keys.
    settings.ACS_OPENID_URL = "http://127.0.0.1:9/keys"
    checks.parts.cache_clear()
    checks.shown_parts.cache_clear()
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    return redis_url


def browser_of(user: object) -> Client:
    client = Client()
    client.force_login(user)  # type: ignore[arg-type] # any user model
    return client


def shown(client: Client) -> Any:
    page = client.get(PAGE)
    assert page.status_code == 200
    return page.context["systems"]


def test_shows_every_process_queue_and_disk(url: str) -> None:
    for _ in range(2):
        process = snapshot(
            streams=3,
            limit=4,
            disk_free_bytes=86_400_000_000,
            disk_bytes_per_second=1_000_000,
            backlog_hours=2,
        )
        publish(url, process)
    Noter("worker").note(queues=["acsstream", "recordings.recorder-1"], busy=1, slots=2)
    Noter("beat").note()
    with redis.Redis.from_url(url) as client:
        client.lpush("acsstream", *range(1234))

    page = browser_of(member_of("operator")).get(PAGE)

    found = page.context["systems"]
    rows = {row.kind: row for row in found.processes}
    assert rows["Ingest"].load == "3 streams of 4, 25.0 % of a core"
    assert rows["Worker"].load.startswith("1 of 2 tasks, reads acsstream, recordings")
    assert rows["Beat"].state == "runs"
    assert [(row.name, row.depth, row.is_bad) for row in found.queues] == [
        ("acsstream", "1\N{NARROW NO-BREAK SPACE}234", True),
        ("recordings.recorder-1", "0", False),
    ]
    says = {line.title: (line.word, line.says) for line in found.lines}
    assert says["Keys of ACS"][1].startswith("The keys of ACS cannot be fetched")
    assert says["Keys of ACS"][0] == "Warning:"
    assert says["Storage"] == ("", "Recordings can be stored.")
    [disk] = found.disks
    # What is left is shared by both.
    assert (disk.left, disk.rate) == ("12.0 hours", "2.0 MB a second")
    assert disk.is_bad
    assert disk.waiting.startswith("3, 64.0 kB, the oldest for 2:00:0")
    assert 'data-status="warning"' in page.content.decode()


def test_says_since_when_a_process_is_gone(url: str) -> None:
    worker = Noter("worker")
    worker.note(queues=["acsstream"])
    with redis.Redis.from_url(url) as client:
        key = f"{KEY}:{worker._process}"
        said = client.get(key).decode()
        at = said.split('"at":')[1].split(",")[0]
        client.set(key, said.replace(at, str(time.time() - 300)))

    found = shown(browser_of(member_of("operator")))

    [row] = found.processes
    assert (row.state, row.tone) == ("is gone", "bad")
    assert row.heard.startswith("5:0")
    assert {row.worker for row in found.queues} == {"no worker reads it"}


def test_a_clock_that_is_ahead_makes_nobody_disappear(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Noter("beat").note()
    ahead = time.time() + 7200
    with monkeypatch.context() as patch:
        patch.setattr("calls.live.processes.time.time", lambda: ahead)
        Noter("worker").note(queues=["acsstream"])

    notes = process_notes()

    assert {note["kind"] for note in notes} == {"beat", "worker"}
    assert all(is_fresh(note) for note in notes)


def test_says_what_it_cannot_know_without_redis(url: str, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"

    page = browser_of(member_of("operator")).get(PAGE)

    html = page.content.decode()
    assert page.context["systems"].processes is None
    assert "1 thing keeps the console from its work." in html
    assert "nobody knows which processes run" in html


def test_says_which_door_stands_open(url: str, settings: Any) -> None:
    settings.MEDIA_AUTH, settings.CALLBACK_AUTH = "log_only", "required"

    lines = {line.title: line for line in shown(browser_of(member_of("viewer"))).lines}

    assert lines["Doors for machines"].word == "Warning:"
    assert "ACSSTREAM_MEDIA_AUTH is log_only." in lines["Doors for machines"].says
    assert "CALLBACK" not in lines["Doors for machines"].says


def test_says_that_the_audit_log_was_touched() -> None:
    AuditCheck.objects.create(
        is_whole=True, sequence=7, hash="0" * 64, faults=1, words="entry 3 was changed"
    )

    # Not by the page: it asks in a thread, which does not see this transaction.
    found = check_audit()

    assert found.level is Level.WARNING
    assert found.says == "The audit log is not intact: entry 3 was changed"


def test_is_for_those_who_may_see_processes(url: str) -> None:
    assert Client().get(PAGE).status_code == 302
    assert browser_of(UserFactory.create()).get(PAGE).status_code == 403
    assert browser_of(member_of("auditor")).get(PAGE).status_code == 200
