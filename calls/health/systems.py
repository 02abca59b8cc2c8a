"""What the systems page shows: findings in words, processes, queues and disks."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import redis
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from calls import formats
from calls.health.asking import ask_all
from calls.health.checks import backlogs, queue_ages, shown_parts
from calls.health.findings import Finding, Level, report
from calls.live.ingest import LiveBacklog, LiveProcess, live_processes
from calls.live.processes import ProcessNote, is_fresh, process_notes
from calls.load import LiveLoad
from calls.metrics.others import queue_depths, queue_names
from calls.software import SOFTWARE

# More than this and workers do not keep up.
LONG_QUEUE = 100
DAY_SECONDS = 86_400
KINDS: dict[str, str | Promise] = {
    "web": gettext_lazy("Console"),
    "ingest": gettext_lazy("Ingest"),
    "worker": gettext_lazy("Worker"),
    "beat": gettext_lazy("Beat"),
}
TITLES: dict[str, str | Promise] = {
    "database": gettext_lazy("Database"),
    "migrations": gettext_lazy("Migrations"),
    "redis": gettext_lazy("Redis"),
    "clock": gettext_lazy("Clock"),
    "disk": gettext_lazy("Disk"),
    "journals": gettext_lazy("Journals"),
    "ingest": gettext_lazy("Ingest"),
    "workers": gettext_lazy("Workers"),
    "beat": gettext_lazy("Beat"),
    "storage": gettext_lazy("Storage"),
    "doors": gettext_lazy("Doors for machines"),
    "audit": gettext_lazy("Audit log"),
    "keys": gettext_lazy("Keys of ACS"),
}
# As the page's signs know them.
SIGNS = {Level.OK: "green", Level.WARNING: "warning", Level.CRITICAL: "red"}

WORDS: dict[Level, str | Promise] = {
    Level.OK: "",
    Level.WARNING: gettext_lazy("Warning:"),
    Level.CRITICAL: gettext_lazy("Critical:"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A finding as the page shows it."""

    title: str
    sign: str
    # The sign in a word, for who does not see it; empty if all is well.
    word: str
    says: str
    do: str


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """A process as the page shows it. `tone`: of its state."""

    kind: str
    node: str
    pid: int
    software: str
    up: str
    heard: str
    load: str
    state: str
    tone: str


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A queue as the page shows it."""

    name: str
    depth: str
    worker: str
    is_bad: bool


@dataclass(frozen=True, slots=True)
class DiskRow:
    """A node's journal disk as the page shows it."""

    node: str
    free: str
    rate: str
    left: str
    waiting: str
    is_bad: bool


@dataclass(frozen=True, slots=True)
class Systems:
    """Everything on the page. Without Redis the lists are None: nobody knows."""

    verdict: str
    sign: str
    lines: list[Line]
    processes: list[ProcessRow] | None
    queues: list[QueueRow] | None
    disks: list[DiskRow] | None
    software: str
    node: str


def systems() -> Systems:
    """Ask all parts, for no longer than a probe does, and then Redis if it answers."""
    found = ask_all(shown_parts())
    told = _redis_picture() if _is_ok(found, "redis") else None
    now = time.time()
    return Systems(
        **_verdict(found),
        lines=[_line(one) for one in found],
        processes=_process_rows(*told[:2], now) if told else None,
        queues=_queue_rows(told[1], told[2]) if told else None,
        disks=_disk_rows(told[0], now) if told else None,
        software=SOFTWARE,
        node=settings.NODE,
    )


def _line(one: Finding) -> Line:
    return Line(
        title=str(TITLES.get(one.name, one.name)),
        sign=SIGNS[one.level],
        word=str(WORDS[one.level]),
        says=one.says,
        do=one.do,
    )


def _is_ok(found: Sequence[Finding], name: str) -> bool:
    return any(one.name == name and one.level is Level.OK for one in found)


def _verdict(found: Sequence[Finding]) -> dict[str, str]:
    said = report(found)
    if critical := len(said["critical"]):
        words = ngettext(
            "%(count)d thing keeps the console from its work.",
            "%(count)d things keep the console from its work.",
            critical,
        )
        return {"verdict": words % {"count": critical}, "sign": "red"}
    if warnings := len(said["warnings"]):
        words = ngettext(
            "It works. %(count)d thing wants a look.",
            "It works. %(count)d things want a look.",
            warnings,
        )
        return {"verdict": words % {"count": warnings}, "sign": "warning"}
    return {"verdict": _("Everything works."), "sign": "green"}


RedisPicture = tuple[list[LiveProcess], list[ProcessNote], dict[str, int]]


def _redis_picture() -> RedisPicture | None:
    try:
        processes, notes = live_processes(), process_notes()
        return processes, notes, queue_depths(queue_names(processes, notes))
    except (redis.RedisError, OSError):
        return None


def _process_rows(
    processes: Sequence[LiveProcess], notes: Sequence[ProcessNote], now: float
) -> list[ProcessRow]:
    rows = [
        *(_ingest_row(one, now) for one in processes),
        *(_note_row(one, now) for one in notes),
    ]
    return sorted(rows, key=lambda row: (row.node, row.kind, row.pid))


def _ingest_row(process: LiveProcess, now: float) -> ProcessRow:
    load = process.get("load")
    state, tone = _("runs"), "good"
    words = ngettext("%(count)d stream", "%(count)d streams", process["streams"])
    told = words % {"count": process["streams"]}
    if load:
        told = _("%(streams)s of %(limit)s, %(cpu)s of a core") % {
            "streams": told,
            "limit": formats.count(load["limit"]),
            "cpu": formats.percent(load["cpu"]),
        }
        if load["state"] == "full":
            state, tone = _("takes no more"), "bad"
    if process["journal"]["error"]:
        state, tone = _("cannot write journals"), "bad"
    return ProcessRow(
        kind=str(KINDS["ingest"]),
        node=process["node"],
        pid=process["pid"],
        software="",
        up=_since(process.get("started_at"), now),
        heard=formats.brief(process["age"]),
        load=told,
        state=state,
        tone=tone,
    )


def _note_row(note: ProcessNote, now: float) -> ProcessRow:
    is_alive = is_fresh(note)
    load = ""
    if note["kind"] == "worker":
        load = _("%(busy)d of %(slots)d tasks, reads %(queues)s") % {
            "busy": note.get("busy", 0),
            "slots": note.get("slots", 0),
            "queues": ", ".join(note.get("queues", ())),
        }
    elif http := note.get("http"):
        answered = sum(http["requests"].values())
        load = _("%(count)s requests answered") % {"count": formats.count(answered)}
    return ProcessRow(
        kind=str(KINDS[note["kind"]]),
        node=note["node"],
        pid=note["pid"],
        software=note["software"],
        up=_since(note["started_at"], now) if is_alive else formats.NOTHING,
        heard=formats.brief(note["age"]),
        load=load,
        state=_("runs") if is_alive else _("is gone"),
        tone="good" if is_alive else "bad",
    )


def _since(at: float | None, now: float) -> str:
    return formats.NOTHING if at is None else formats.brief(max(now - at, 0.0))


def _queue_rows(
    notes: Sequence[ProcessNote], depths: Mapping[str, int]
) -> list[QueueRow]:
    ages = queue_ages(notes)
    return [
        QueueRow(
            name=name,
            depth=formats.count(depth),
            worker=_("heard of %(age)s ago") % {"age": formats.brief(ages[name])}
            if name in ages
            else _("no worker reads it"),
            is_bad=name not in ages or depth > LONG_QUEUE,
        )
        for name, depth in depths.items()
    ]


def _disk_rows(processes: Sequence[LiveProcess], now: float) -> list[DiskRow]:
    waiting = backlogs(processes)
    loads: dict[str, list[LiveLoad]] = {}
    for one in processes:
        if load := one.get("load"):
            loads.setdefault(one["node"], []).append(load)
    return [
        _disk_row(node, loads.get(node, []), waiting.get(node), now)
        for node in sorted(waiting.keys() | loads.keys())
    ]


def _disk_row(
    node: str, loads: Sequence[LiveLoad], backlog: LiveBacklog | None, now: float
) -> DiskRow:
    """Return what is told of a node's disk: its processes fill it together."""
    free = min((load["disk_free_bytes"] for load in loads), default=None)
    rate = sum(load["disk_bytes_per_second"] for load in loads)
    days = None if free is None or rate < 1 else free / rate / DAY_SECONDS
    return DiskRow(
        node=node,
        free=formats.NOTHING if free is None else formats.size(free),
        rate=_("%(size)s a second") % {"size": formats.size(rate)}
        if loads
        else formats.NOTHING,
        left=formats.NOTHING if days is None else _days(days),
        waiting=_waiting(backlog, now),
        is_bad=days is not None and days < 1,
    )


def _days(days: float) -> str:
    if days < 1:
        return _("%(hours).1f hours") % {"hours": days * 24}
    return _("%(days)s days") % {"days": formats.count(round(days))}


def _waiting(backlog: LiveBacklog | None, now: float) -> str:
    if backlog is None:
        return formats.NOTHING
    if not backlog["waiting"]:
        return _("none")
    return _("%(count)s, %(size)s, the oldest for %(age)s") % {
        "count": formats.count(backlog["waiting"]),
        "size": formats.size(backlog["size"]),
        "age": _since(backlog["oldest_at"], now),
    }
