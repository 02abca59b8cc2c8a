"""Every part of an installation, and what is found of it. Blocking: see `asking`."""

import shutil
import time
from collections.abc import Sequence
from functools import cache

import redis
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from calls import formats
from calls.backlog import storage_backlog
from calls.database import DATABASE_AWAY
from calls.doors.tokens import TokenRefused, keys_try
from calls.health.asking import Part
from calls.health.clocks import check_clock
from calls.health.faults import database_fault, migrations_waiting, redis_fault
from calls.health.findings import Finding, Level
from calls.health.trust import check_audit, check_doors
from calls.journals.backlog import journal_backlog
from calls.live.ingest import LiveBacklog, LiveProcess, live_processes
from calls.live.processes import ProcessNote, is_fresh, process_notes
from calls.storage import storage_fault

MEGABYTE = 1_000_000
# A disk with less than so many times the least is called low.
LOW = 4
# Recordings are made within minutes of a call's end: a journal that has waited longer
# has a reason.
BACKLOG_SECONDS = 3600
KEYS_DO = (
    "Check ACSSTREAM_ACS_OPENID_URL and the way out. Keys that are known go on being"
    " good meanwhile."
)
NO_REDIS = "Redis does not answer, so nothing shows it."


def check_database() -> Finding:
    """Ask the database for nothing."""
    if fault := database_fault():
        return _database(_("The database %(fault)s.") % {"fault": fault})
    return Finding("database", Level.OK, _("The database answers."))


def _database(says: str) -> Finding:
    do = _("Check DATABASE_URL and the database server. Audio is recorded meanwhile.")
    return Finding("database", Level.CRITICAL, says, do)


def check_migrations() -> Finding:
    """Compare this release's migrations with those of the database."""
    try:
        waiting = _migrations_waiting()
    except DATABASE_AWAY:
        return Finding(
            "migrations", Level.WARNING, _("The database cannot be asked for them.")
        )
    if not waiting:
        return Finding("migrations", Level.OK, _("All migrations are applied."))
    says = ngettext(
        "%(count)d migration is not applied, from %(first)s on.",
        "%(count)d migrations are not applied, from %(first)s on.",
        len(waiting),
    ) % {"count": len(waiting), "first": waiting[0]}
    figures = {"waiting": len(waiting)}
    do = _("Run `manage.py migrate`.")
    return Finding("migrations", Level.CRITICAL, says, do, figures)


_applied: list[bool] = []


def _migrations_waiting() -> list[str]:
    """Ask until all are applied, and then no more: a release has the same for life."""
    if _applied:
        return []
    waiting = migrations_waiting()
    if not waiting:
        _applied.append(True)
    return waiting


def check_redis() -> Finding:
    """Ping Redis."""
    if fault := redis_fault():
        return _redis(_("Redis %(fault)s.") % {"fault": fault})
    return Finding("redis", Level.OK, _("Redis answers."))


def _redis(says: str) -> Finding:
    return Finding(
        "redis",
        Level.CRITICAL,
        says,
        _("Check REDIS_URL and the Redis server. Audio is recorded meanwhile."),
    )


def check_disk() -> Finding:
    """Weigh the room for journals: ingest's own figures, and this machine's disk."""
    free: dict[str, float] = {}
    for process in _processes():
        if load := process.get("load"):
            free[process["node"]] = load["disk_free_bytes"]
    settings.JOURNAL_DIR.mkdir(parents=True, exist_ok=True)
    free.setdefault(settings.NODE, shutil.disk_usage(settings.JOURNAL_DIR).free)
    node, least = min(free.items(), key=lambda pair: pair[1])
    says = _("%(free)s are free for journals on %(node)s.") % {
        "free": formats.size(least),
        "node": node,
    }
    figures = {"free_bytes": free}
    least_wanted = settings.MIN_FREE_MB * MEGABYTE
    if least < least_wanted:
        says = _("%(says)s New media sockets are refused.") % {"says": says}
    if least < LOW * least_wanted:
        do = _("Free disk space, or see why journals are not made into recordings.")
        return Finding("disk", Level.WARNING, says, do, figures)
    return Finding("disk", Level.OK, says, "", figures)


def check_journals() -> Finding:
    """Look what waits to be made into recordings, on every node."""
    waiting = backlogs(_processes())
    count = sum(one["waiting"] for one in waiting.values())
    ages = [
        time.time() - one["oldest_at"]
        for one in waiting.values()
        if one["oldest_at"] is not None
    ]
    oldest = max(ages, default=0.0)
    figures = {"waiting": count, "oldest_seconds": round(oldest)}
    if not count:
        return Finding(
            "journals", Level.OK, _("No journal waits to be a recording."), "", figures
        )
    says = ngettext(
        "%(count)d journal waits to be a recording, the oldest for %(age)s.",
        "%(count)d journals wait to be recordings, the oldest for %(age)s.",
        count,
    ) % {"count": count, "age": formats.brief(oldest)}
    if oldest <= BACKLOG_SECONDS:
        return Finding("journals", Level.OK, says, "", figures)
    do = _("See that a worker reads recordings.<node> on that node, and its log.")
    return Finding("journals", Level.WARNING, says, do, figures)


def backlogs(processes: Sequence[LiveProcess]) -> dict[str, LiveBacklog]:
    """Return what waits on each node, as its ingest says; here, as it lies here."""
    told = {
        process["node"]: backlog
        for process in processes
        if (backlog := process.get("backlog"))
    }
    if settings.NODE not in told and settings.JOURNAL_DIR.is_dir():
        here = journal_backlog(settings.JOURNAL_DIR)
        told[settings.NODE] = {
            "waiting": here.waiting,
            "size": here.size,
            "oldest_at": here.oldest_at,
        }
    return told


def check_storage() -> Finding:
    """Try the storage of recordings, and see what waits for it."""
    fault, backlog = storage_fault(), storage_backlog()
    figures = {"waiting": backlog.calls, "failing": backlog.failing}
    do = _("Journals keep the audio until it is stored; docs/storage.md says more.")
    if fault:
        return Finding("storage", Level.WARNING, fault, do, figures)
    if backlog.failing:
        says = ngettext(
            "%(count)d call could not be stored: %(fault)s",
            "%(count)d calls could not be stored, the last: %(fault)s",
            backlog.failing,
        ) % {"count": backlog.failing, "fault": backlog.last_fault}
        return Finding("storage", Level.WARNING, says, do, figures)
    return Finding("storage", Level.OK, _("Recordings can be stored."), "", figures)


def check_ingest() -> Finding:
    """See whether an ingest process shows itself in the live view."""
    try:
        processes = live_processes()
    except (redis.RedisError, OSError):
        return Finding("ingest", Level.WARNING, _(NO_REDIS))
    streams = sum(process["streams"] for process in processes)
    figures = {"processes": len(processes), "streams": streams}
    if not processes:
        do = _("Start `manage.py ingest`, with the same REDIS_URL.")
        says = _("No ingest process shows itself in the live view.")
        return Finding("ingest", Level.WARNING, says, do, figures)
    full = [
        process["node"]
        for process in processes
        if (load := process.get("load")) and load["state"] == "full"
    ]
    if full:
        says = _("Ingest takes no more streams on %(nodes)s.")
        do = _("Start another ingest process; its /readyz says why.")
        told = says % {"nodes": ", ".join(sorted(set(full)))}
        return Finding("ingest", Level.WARNING, told, do, figures)
    says = ngettext(
        "%(count)d ingest process runs, with %(streams)d streams.",
        "%(count)d ingest processes run, with %(streams)d streams.",
        len(processes),
    ) % {"count": len(processes), "streams": streams}
    return Finding("ingest", Level.OK, says, "", figures)


def check_workers() -> Finding:
    """See whether each queue has a worker that lives: common, and each node's."""
    try:
        notes, nodes = process_notes(), {one["node"] for one in live_processes()}
    except (redis.RedisError, OSError):
        return Finding("workers", Level.WARNING, _(NO_REDIS))
    ages = queue_ages(notes)
    wanted = [
        settings.CELERY_TASK_DEFAULT_QUEUE,
        *sorted(f"recordings.{node}" for node in nodes),
    ]
    figures = {queue: round(ages[queue], 1) for queue in wanted if queue in ages}
    missing = [queue for queue in wanted if queue not in ages]
    if missing:
        says = _("No worker reads %(queues)s.") % {"queues": ", ".join(missing)}
        do = _(
            "acsstream: start `celery -A acsstream worker -Q acsstream`; until then no"
            " call is answered. recordings.<node>: start it with `-X acsstream` on that"
            " node, with its ACSSTREAM_NODE; until then none of its recordings is made."
        )
        return Finding("workers", Level.WARNING, says, do, figures)
    says = _("Every queue has a worker: %(queues)s.") % {"queues": ", ".join(wanted)}
    return Finding("workers", Level.OK, says, "", figures)


def queue_ages(notes: Sequence[ProcessNote]) -> dict[str, float]:
    """Return for each queue the seconds since one of its live workers was heard of."""
    ages: dict[str, float] = {}
    for note in notes:
        if note["kind"] == "worker" and is_fresh(note):
            for queue in note.get("queues", ()):
                ages[queue] = min(ages.get(queue, note["age"]), note["age"])
    return ages


def check_beat() -> Finding:
    """See whether beat has sent something lately."""
    try:
        notes = process_notes()
    except (redis.RedisError, OSError):
        return Finding("beat", Level.WARNING, _(NO_REDIS))
    beats = [note for note in notes if note["kind"] == "beat"]
    alive = [note for note in beats if is_fresh(note)]
    if not beats:
        return _no_beat(_("Beat has not been heard of in an hour."))
    age = min(note["age"] for note in beats)
    if not alive:
        return _no_beat(
            _("Beat has not been heard of for %(age)s.") % {"age": formats.brief(age)}
        )
    figures = {"age_seconds": round(age, 1), "processes": len(alive)}
    if len(alive) > 1:
        says = _("%(count)d beats run, and each sends everything.")
        do = _("Stop all but one `celery -A acsstream beat`.")
        return Finding("beat", Level.WARNING, says % {"count": len(alive)}, do, figures)
    says = _("Beat runs: last heard of %(age)s ago.") % {"age": formats.brief(age)}
    return Finding("beat", Level.OK, says, "", figures)


def check_keys() -> Finding:
    """Fetch the keys that ACS signs its tokens with, if tokens are looked at."""
    if "off" == settings.MEDIA_AUTH == settings.CALLBACK_AUTH:
        return Finding("keys", Level.OK, _("Tokens of ACS are not looked at."))
    try:
        keys = keys_try(settings.ACS_OPENID_URL)
    except TokenRefused as refused:
        says = _("The keys of ACS cannot be fetched: %(why)s.") % {"why": refused}
        return Finding("keys", Level.WARNING, says, _(KEYS_DO))
    says = ngettext(
        "ACS signs with %(count)d key.", "ACS signs with %(count)d keys.", len(keys)
    ) % {"count": len(keys)}
    return Finding("keys", Level.OK, says, "", {"keys": len(keys)})


def _no_beat(says: str) -> Finding:
    do = _(
        "Start exactly one `celery -A acsstream beat`: without it orders do not time"
        " out and nothing that was lost is sent again."
    )
    return Finding("beat", Level.WARNING, says, do)


def _processes() -> list[LiveProcess]:
    try:
        return live_processes()
    except (redis.RedisError, OSError):
        return []


def _silent(name: str, says: str) -> Finding:
    return Finding(name, Level.WARNING, says)


@cache
def parts() -> tuple[Part, ...]:
    """Return the parts that a probe asks, the critical ones first."""
    return (
        Part("database", check_database, _database("The database does not answer.")),
        Part(
            "migrations",
            check_migrations,
            _silent("migrations", "The database cannot be asked for them."),
        ),
        Part("redis", check_redis, _redis("Redis does not answer.")),
        Part("clock", check_clock, _silent("clock", NO_REDIS)),
        Part("disk", check_disk, _silent("disk", "The disk does not answer.")),
        Part(
            "journals",
            check_journals,
            _silent("journals", "The journal folder does not answer."),
            keep=5.0,
        ),
        Part(
            "storage",
            check_storage,
            _silent("storage", "The storage of recordings does not answer in time."),
            keep=15.0,
        ),
        Part("ingest", check_ingest, _silent("ingest", NO_REDIS)),
        Part("workers", check_workers, _silent("workers", NO_REDIS)),
        Part("beat", check_beat, _no_beat(NO_REDIS)),
        Part("doors", check_doors, _silent("doors", "Settings cannot be read.")),
        Part(
            "audit",
            check_audit,
            _silent("audit", "The database cannot be asked for it."),
            keep=30.0,
        ),
    )


@cache
def shown_parts() -> tuple[Part, ...]:
    """Return what the systems page shows: a probe need not ask strangers."""
    silent = _silent("keys", "Whoever publishes the keys of ACS does not answer.")
    return (*parts(), Part("keys", check_keys, silent, keep=300.0))
