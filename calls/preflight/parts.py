"""Do our own parts run? Database, Redis, ingest, workers, beat, disks."""

import io
import secrets
import shutil
from typing import Any

import redis
from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError

from calls import formats
from calls.checks.places import write_fault
from calls.health import database_fault, redis_fault
from calls.live.heartbeat import swept_ago
from calls.live.ingest import LiveProcess, live_processes
from calls.preflight.outcome import Outcome, green, red, unknown, warning
from calls.storage import (
    StorageFaultError,
    recording_delete,
    recording_open,
    recording_save,
)

PING_SECONDS = 1.0
# The sweep is due every five seconds; a busy worker may be late.
BEAT_SECONDS = 30.0
MEGABYTE = 1_000_000
NO_REDIS = "Redis does not answer, so nothing shows it."


def check_database() -> Outcome:
    """Check that the database answers."""
    if fault := database_fault():
        return red(
            f"The database {fault}.", "Check DATABASE_URL and the database server."
        )
    return green("The database answers.")


def check_redis() -> Outcome:
    """Check that Redis answers."""
    if fault := redis_fault():
        return red(f"Redis {fault}.", "Check REDIS_URL and the Redis server.")
    return green("Redis answers.")


def check_ingest() -> Outcome:
    """Check that an ingest process shows itself in the live view."""
    try:
        processes = live_processes()
    except (redis.RedisError, OSError):
        return unknown(NO_REDIS)
    if not processes:
        return red(
            "No ingest process shows itself in the live view.",
            "Start `manage.py ingest`, with the same REDIS_URL.",
        )
    nodes = ", ".join(sorted({process["node"] for process in processes}))
    streams = sum(process["streams"] for process in processes)
    many = "process runs" if len(processes) == 1 else "processes run"
    return green(f"{len(processes)} ingest {many} on {nodes}, {streams} streams now.")


def check_workers() -> Outcome:
    """Ask the workers, and whether each node's recordings have one."""
    # A connection of its own: the pool's would try for six seconds.
    options = {"max_retries": 0}
    try:
        with current_app.connection_for_write(transport_options=options) as broker:
            answers: Any = current_app.control.inspect(
                timeout=PING_SECONDS, connection=broker
            ).active_queues()
    except (OperationalError, redis.RedisError, OSError):
        return unknown(NO_REDIS)
    if not answers:
        return red(
            "No worker answers: no order reaches ACS and no recording is made.",
            "Start `celery -A acsstream worker -Q acsstream` for orders, and"
            " `-X acsstream` on each node of ingest, with the same REDIS_URL.",
        )
    read = {queue["name"] for queues in answers.values() for queue in queues}
    if missing := sorted({settings.CELERY_TASK_DEFAULT_QUEUE, *_queues()} - read):
        return red(
            f"Workers answer, but none reads {', '.join(missing)}.",
            "Start a worker with `-Q acsstream` for orders, and one with"
            " `-X acsstream` on each node of ingest, with that node's ACSSTREAM_NODE.",
        )
    names = ", ".join(sorted(answers))
    many = "worker answers" if len(answers) == 1 else "workers answer"
    return green(f"{len(answers)} {many} within a second: {names}.")


def _queues() -> set[str]:
    """Return the queues of the nodes whose journals will want finishing."""
    try:
        return {f"recordings.{process['node']}" for process in live_processes()}
    except (redis.RedisError, OSError):
        return set()


def check_beat() -> Outcome:
    """Check that the sweeps, which beat sets off, have run lately."""
    try:
        ago = swept_ago()
    except (redis.RedisError, OSError):
        return unknown(NO_REDIS)
    advice = "Start exactly one `celery -A acsstream beat`, and a worker."
    if ago is None:
        return red("No sweep has run in a week: beat does not run.", advice)
    if ago > BEAT_SECONDS:
        return red(f"No sweep has run for {formats.brief(ago)}.", advice)
    return green(f"Beat runs: the last sweep was {formats.brief(ago)} ago.")


def check_journals() -> Outcome:
    """Check the disks that journals are written to: ingest's, else this machine's."""
    try:
        processes = live_processes()
    except (redis.RedisError, OSError):
        processes = []
    if faults := [fault for process in processes if (fault := _journal_fault(process))]:
        return red("; ".join(faults) + ".", "Mend that disk: audio is lost without it.")
    loads = [load for process in processes if (load := process.get("load"))]
    if loads:
        least = min(load["disk_free_bytes"] for load in loads)
        return _room(least, "where ingest keeps its journals")
    folder = settings.JOURNAL_DIR
    if fault := write_fault(folder):
        return red(f"{folder} cannot be written: {fault}.", "Mend its owner and mode.")
    return _room(shutil.disk_usage(folder).free, f"in {folder} on this machine")


def _journal_fault(process: LiveProcess) -> str:
    error = process["journal"]["error"]
    return f"Journals of {process['node']} cannot be written: {error}" if error else ""


def _room(free: int, where: str) -> Outcome:
    told = f"{formats.size(free)} are free {where}"
    least = settings.MIN_FREE_MB * MEGABYTE
    if free < least:
        return red(f"{told}: new media sockets are refused.", "Free disk space.")
    if free < 4 * least:
        return warning(f"{told}.", "Free disk space before it runs out.")
    return green(f"{told}, and it can be written.")


def check_storage() -> Outcome:
    """Store a few bytes as a recording is stored, read them, remove them."""
    content, name = secrets.token_bytes(32), f"preflight-{secrets.token_hex(8)}"
    advice = "Check ACSSTREAM_STORAGE_BACKEND, its options, and its rights."
    try:
        name = recording_save(name, io.BytesIO(content))
        with recording_open(name) as stored:
            is_same = stored.read() == content
    except StorageFaultError as exc:
        words = f"The storage of recordings fails: {exc.words}."
        return red(words, exc.advice or advice)
    except Exception as exc:  # noqa: BLE001 every storage has errors of its own
        return red(f"The storage of recordings fails ({type(exc).__name__}).", advice)
    try:
        recording_delete(name)
    except Exception as exc:  # noqa: BLE001 as above
        # Storages that nothing may be removed from are a choice.
        return warning(
            f"Recordings can be stored, but not removed ({type(exc).__name__}).",
            f"If that is meant so, remove {name} by hand.",
        )
    if not is_same:
        return red("The storage gives back other bytes than were stored.", advice)
    return green("Recordings can be stored, read and removed.")
