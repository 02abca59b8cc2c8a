"""Do our own parts run? Asked of real ones."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from django.core.files.storage import FileSystemStorage, Storage, storages
from pytest_django import Settings

from calls.live.heartbeat import KEY as SWEPT_KEY
from calls.live.ingest import LiveProcess, redis_sync
from calls.preflight import Outcome, Status, parts
from calls.tasks import sweep_commands
from tests.console.snapshots import publish, snapshot
from tests.streaming.house import ROOT

NOWHERE = "redis://127.0.0.1:9/0"
PATIENCE = 60.0


@pytest.mark.django_db
def test_a_database_that_answers_is_green() -> None:
    assert parts.check_database().status == Status.GREEN


@pytest.mark.usefixtures("with_redis")
def test_a_redis_that_answers_is_green() -> None:
    assert parts.check_redis().status == Status.GREEN


def test_without_redis_it_alone_is_red_and_the_rest_unknown(settings: Settings) -> None:
    settings.REDIS_URL = NOWHERE

    assert parts.check_redis().status == Status.RED
    for check in (parts.check_ingest, parts.check_beat):
        assert check() == Outcome(Status.UNKNOWN, parts.NO_REDIS)


def test_ingest_processes_are_counted(with_redis: str) -> None:
    assert parts.check_ingest().status == Status.RED

    publish(with_redis, snapshot(node="a", streams=3))

    found = parts.check_ingest()
    assert found == Outcome(Status.GREEN, "1 ingest process runs on a, 3 streams now.")


@pytest.mark.usefixtures("with_redis")
@pytest.mark.django_db
def test_a_sweep_proves_beat() -> None:
    assert parts.check_beat().status == Status.RED

    sweep_commands()

    found = parts.check_beat()
    assert found.status == Status.GREEN
    assert found.sentence.startswith("Beat runs: the last sweep was ")


@pytest.mark.usefixtures("with_redis")
def test_sweeps_that_have_ceased_are_red() -> None:
    with redis_sync() as client:
        client.set(SWEPT_KEY, time.time() - 3 * 60)

    found = parts.check_beat()

    assert found.status == Status.RED
    assert "No sweep has run for 3" in found.sentence


@pytest.mark.django_db
def test_a_sweep_goes_on_without_redis(settings: Settings) -> None:
    settings.REDIS_URL = NOWHERE

    sweep_commands()


def environment(redis_url: str) -> dict[str, str]:
    """Return the environment of an installation of one node on that Redis."""
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "REDIS_URL": redis_url,
        "ACSSTREAM_NODE": "here",
    }


def workers_told(redis_url: str) -> tuple[str, str]:
    """Ask from a process of its own: Celery knows one broker for good."""
    done = subprocess.run(
        [sys.executable, "manage.py", "preflight", "--only", "workers", "--json"],
        cwd=ROOT,
        env=environment(redis_url),
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(done.stdout.splitlines()[0])
    return told["status"], told["sentence"]


@pytest.fixture
def worker(with_redis: str, tmp_path: Path) -> Iterator[str]:
    """Run a real worker of the node "here"; return its Redis."""
    log = tmp_path / "worker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "celery", "-A", "acsstream", "worker"),
                *("--concurrency", "1", "--hostname", "worker@here"),
            ],
            cwd=ROOT,
            env=environment(with_redis),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    yield with_redis
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0, log.read_text()


def await_told(redis_url: str, *told: str, nodes: Sequence[str] = ()) -> None:
    """Ask, while ingest runs on some nodes, until that is told.

    A worker on a busy machine may not answer within the second that it has.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        for node in nodes:
            publish(redis_url, snapshot(node=node))
        if (found := workers_told(redis_url)) == told:
            return
        assert time.monotonic() < deadline, found


def test_workers_are_asked_and_each_node_needs_one(worker: str) -> None:
    green = ("green", "1 worker answers within a second: worker@here.")
    await_told(worker, *green)

    await_told(worker, *green, nodes=["here"])
    none = "Workers answer, but none reads recordings.elsewhere."
    await_told(worker, "red", none, nodes=["here", "elsewhere"])


def test_no_worker_is_red(with_redis: str) -> None:
    status, sentence = workers_told(with_redis)

    assert status == "red"
    assert sentence.startswith("No worker answers")


def test_without_a_broker_workers_are_unknown() -> None:
    assert workers_told(NOWHERE) == ("unknown", parts.NO_REDIS)


@pytest.mark.parametrize(
    ("process", "status", "told"),
    [
        (
            snapshot(node="b", disk_free_bytes=9_000_000_000),
            Status.GREEN,
            "9.0 GB are free where ingest keeps its journals",
        ),
        (
            snapshot(node="b", disk_free_bytes=600_000_000),
            Status.WARNING,
            "600.0 MB are free where ingest keeps its journals.",
        ),
        (
            snapshot(node="b", disk_free_bytes=1_000_000),
            Status.RED,
            "1.0 MB are free where ingest keeps its journals: new media sockets are",
        ),
        (
            snapshot(node="b", error="disk full"),
            Status.RED,
            "Journals of b cannot be written: disk full.",
        ),
    ],
)
def test_the_worst_disk_of_all_ingest_processes_is_told(
    with_redis: str, process: LiveProcess, status: Status, told: str
) -> None:
    publish(with_redis, snapshot(node="a", disk_free_bytes=50_000_000_000))
    publish(with_redis, process)

    found = parts.check_journals()

    assert found.status == status
    assert found.sentence.startswith(told)


def test_without_ingest_this_machines_folder_is_tried(
    settings: Settings, tmp_path: Path
) -> None:
    settings.REDIS_URL = NOWHERE
    settings.JOURNAL_DIR = tmp_path / "journals"
    assert parts.check_journals().status in (Status.GREEN, Status.WARNING)

    (tmp_path / "file").write_text("no folder")
    settings.JOURNAL_DIR = tmp_path / "file"
    found = parts.check_journals()
    assert found.status == Status.RED
    assert "cannot be written" in found.sentence

    settings.JOURNAL_DIR = tmp_path
    settings.MIN_FREE_MB = shutil.disk_usage(tmp_path).free // 500_000
    assert parts.check_journals().status == Status.RED


def test_a_storage_that_works_is_green_and_left_as_it_was(
    storage: Path,
) -> None:
    assert parts.check_storage().status == Status.GREEN
    assert list(storage.rglob("*")) == []


def test_a_storage_that_fails_is_red(storage: Path) -> None:
    storage.rmdir()
    storage.write_text("no folder")

    found = parts.check_storage()

    assert found.status == Status.RED
    assert "The storage of recordings fails" in found.sentence


class Unforgetting(FileSystemStorage):
    """Nothing may be removed from it, as with immutable blobs."""

    def delete(self, name: str) -> None:
        raise PermissionError("immutable")


@pytest.fixture
def storage(settings: Settings, tmp_path: Path) -> Path:
    """The recordings storage, in a folder of this test's own."""
    return stored_by(settings, tmp_path, FileSystemStorage)


def stored_by(settings: Settings, folder: Path, kind: type[Storage]) -> Path:
    place = folder / "recordings"
    place.mkdir()
    backend = f"{kind.__module__}.{kind.__qualname__}"
    options = {"location": str(place), "base_url": None}
    settings.STORAGES = settings.STORAGES | {
        "recordings": {"BACKEND": backend, "OPTIONS": options}
    }
    assert storages["recordings"].exists("nothing") is False
    return place


def test_a_storage_that_keeps_everything_is_a_warning(
    settings: Settings, tmp_path: Path
) -> None:
    place = stored_by(settings, tmp_path, Unforgetting)

    found = parts.check_storage()

    [left] = place.iterdir()
    assert found.status == Status.WARNING
    assert left.name in found.advice
