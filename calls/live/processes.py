"""What web, worker and beat processes say about themselves, kept in Redis.

Each writes `acsstream:processes:<process>` every few seconds and keeps its name in the
sorted set `acsstream:processes`, scored by the time it last wrote: as ingest does in
`calls.live.ingest`. The time is Redis's own: by a clock that is ahead, all others were
gone. A process that is gone stays listed for a while, so that the systems page can say
since when; its counters go with it, as Prometheus expects.
"""

import logging
import os
import time
from typing import Any, Literal, NotRequired, TypedDict, cast
from uuid import uuid4

import msgspec
import redis
from django.conf import settings

from calls.live.ingest import redis_sync
from calls.live.redis_clock import redis_now
from calls.software import SOFTWARE

KEY = "acsstream:processes"
EVERY_SECONDS = 5.0
# A process that has been silent for longer is dead.
FRESH_SECONDS = 30.0
# So long it is told that it was there.
KEPT_SECONDS = 3600

# Upper bounds in seconds of what web takes to answer.
BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

Kind = Literal["web", "worker", "beat"]

log = logging.getLogger(__name__)


class HttpTotals(TypedDict):
    """What a web process has answered since it started."""

    # By "class of address|method|status".
    requests: dict[str, int]
    # By class of address: how many took no longer than each of BUCKETS, and all.
    buckets: dict[str, list[int]]
    seconds: dict[str, float]
    # By "door|reason": requests that a webhook refused. Older releases do not say.
    refused: NotRequired[dict[str, int]]


class ProcessNote(TypedDict):
    """One process, at one moment. `busy` and `slots`: of a worker's pool."""

    process: str
    kind: Kind
    node: str
    pid: int
    started_at: float
    at: float
    # Seconds since it was written, by Redis's clock: who reads it adds this.
    age: float
    software: str
    queues: NotRequired[list[str]]
    busy: NotRequired[int]
    slots: NotRequired[int]
    # Of a worker: tasks begun since it started, by name.
    tasks: NotRequired[dict[str, int]]
    http: NotRequired[HttpTotals]


class Noter:
    """Writes down that this process lives, every few seconds at most."""

    def __init__(self, kind: Kind) -> None:
        self._kind: Kind = kind
        self._process = str(uuid4())
        self._started_at = time.time()
        self._due = 0.0

    def note(self, **facts: Any) -> None:
        """Write it, if it is time again. A Redis that is down is let be."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + EVERY_SECONDS
        said = {
            "process": self._process,
            "kind": self._kind,
            "node": settings.NODE,
            "pid": os.getpid(),
            "started_at": self._started_at,
            "at": 0.0,
            "software": SOFTWARE,
            **facts,
        }
        try:
            with redis_sync() as client, client.pipeline(transaction=False) as pipe:
                said["at"] = now = redis_now(client)
                pipe.set(
                    f"{KEY}:{self._process}", msgspec.json.encode(said), ex=KEPT_SECONDS
                )
                pipe.zadd(KEY, {self._process: now})
                pipe.zremrangebyscore(KEY, 0, now - KEPT_SECONDS)
                pipe.execute()
        except (redis.RedisError, OSError) as exc:
            log.debug("this process is not noted: %s", type(exc).__name__)

    def leave(self) -> None:
        """Take this process out: it ends because it was told to."""
        try:
            with redis_sync() as client:
                client.zrem(KEY, self._process)
                client.delete(f"{KEY}:{self._process}")
        except (redis.RedisError, OSError) as exc:
            log.debug("this process stays noted: %s", type(exc).__name__)


def process_notes() -> list[ProcessNote]:
    """Return what every process last said, gone ones too. Raises `RedisError`."""
    with redis_sync() as client:
        now, names = redis_now(client), client.zrange(KEY, 0, -1)
        found = (
            client.mget([f"{KEY}:{name.decode()}" for name in names]) if names else []
        )
    return [_read(one, now) for one in found if one]


def _read(value: bytes, now: float) -> ProcessNote:
    note = cast(ProcessNote, msgspec.json.decode(value))
    note["age"] = max(now - note["at"], 0.0)
    return note


def is_fresh(note: ProcessNote) -> bool:
    """Say whether a process has given a sign of life lately."""
    return note["age"] <= FRESH_SECONDS
