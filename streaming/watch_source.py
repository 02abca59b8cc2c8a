"""What is known of one call whose page is open, gathered once a second for all pages.

Details come from the ingest process that has the call, through Redis (see
`calls.live.watching`); the rest from the database. Waveforms are kept here: of each
only what changed is read.
"""

import base64
import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

import redis
import redis.asyncio
from channels.db import database_sync_to_async
from django.utils import timezone

from calls.audio.wave import UNKNOWN
from calls.database import DATABASE_AWAY
from calls.live.ingest import redis_async
from calls.live.listeners import listeners_async
from calls.live.redis_clock import redis_now_async
from calls.live.watching import (
    SAY_EVERY,
    CallDetail,
    DetailTrack,
    details_key,
    newest_detail,
    watched_say,
)
from calls.models import Call, StreamingState
from calls.watched_call import (
    CaptionNow,
    PersonNow,
    WatchedCall,
    WatchedFacts,
    call_now,
    caption_now,
    person_now,
    track_name,
    watched_facts,
)
from streaming.captions import CaptionFeed

NO_REDIS = "Redis does not answer: what you see is not live."
NO_DATABASE = "The database does not answer: what is said of the call may be old."
NO_RECORDER = "No recorder tells of this call now."

log = logging.getLogger(__name__)

Holes = Sequence[tuple[str, float, float]]


@dataclass(slots=True)
class WaveCopy:
    """A waveform as far as it was read, and where from."""

    key: str = ""
    revision: int = -1
    data: bytearray = field(default_factory=bytearray)

    def first_new(self, track: DetailTrack) -> int:
        """Return from which byte on the track's waveform is to be read."""
        behind = track["revision"] - self.revision
        if track["wave"] != self.key or self.revision < 0 or behind < 0:
            return 0
        if behind == 0:
            return track["slots"]
        changes = track["changes"]
        return min(changes[-behind:]) if behind <= len(changes) else 0

    def take(self, track: DetailTrack, first: int, new: bytes) -> int | None:
        """Take what was read; return from where on something changed.

        None if it is shorter than was said: Redis lost it, and it will come again.
        """
        if len(new) < track["slots"] - first:
            self.revision = -1
            return None
        if track["wave"] != self.key:
            # Another process has the call: it does not know what was said before.
            known = self.data[: len(new)]
            merged = bytearray(new)
            for at, byte in enumerate(known):
                if merged[at] == UNKNOWN:
                    merged[at] = byte
            new = bytes(merged)
        self.key, self.revision = track["wave"], track["revision"]
        self.data[first:] = new
        return first


@dataclass(slots=True, eq=False)
class Viewer:
    """One page: what of each track it has, so that it gets what is new."""

    waves: dict[str, int] = field(default_factory=dict)
    holes: dict[str, Holes] = field(default_factory=dict)
    # Whether its user may read what is said, and up to which caption they have it.
    may_read: bool = False
    captions: int = 0

    def news(self, key: str, wave: WaveCopy, holes: Holes, person: PersonNow) -> None:
        """Add to `person` what this page does not have yet."""
        first = self.waves.get(key, 0)
        if first < len(wave.data) or key not in self.waves:
            person["wave_from"] = first
            person["wave"] = base64.b64encode(wave.data[first:]).decode()
            self.waves[key] = len(wave.data)
        had = self.holes.get(key)
        if had is None or had != holes:
            same = _same(had or (), holes)
            person["holes_from"], person["holes"] = same, holes[same:]
            self.holes[key] = holes


def _same(one: Holes, two: Holes) -> int:
    """Return how many holes at the beginning are the same in both."""
    pairs = zip(one, two, strict=False)
    return next(
        (at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(two))
    )


def _zero(facts: WatchedFacts, detail: CallDetail) -> int:
    """Return when the call's clock began: as stored, for notes and alarms use that."""
    return facts.call.origin_us or detail["origin_us"] or 0


class WatchSource:
    """Gathers what is known of one call. Whatever is down is said."""

    def __init__(self, call_id: UUID, changed: Callable[[], None]) -> None:
        self.call_id = call_id
        self.viewers: set[Viewer] = set()
        self._redis = redis_async()
        self._captions = CaptionFeed(self._redis, call_id, changed)
        # When we said last that somebody looks, by a monotonic clock.
        self._said = -math.inf
        self._facts: WatchedFacts | None = None
        self._detail: CallDetail | None = None
        self._waves: dict[str, WaveCopy] = {}
        self._listeners: list[str] = []
        self._at = 0.0
        # By how much our clock is ahead of Redis's, by which recorders tell.
        self._ahead = 0.0
        self._reason = ""

    async def close(self) -> None:
        """Let go of Redis."""
        await self._captions.close()
        with suppress(redis.RedisError, OSError):
            await self._redis.aclose()

    async def look(self, *, at: float) -> bool:
        """Bring what is known up to date; False if there is no such call."""
        reasons = []
        self._at = at - self._ahead
        if any(viewer.may_read for viewer in self.viewers):
            self._captions.begin()
        try:
            self._facts = await database_sync_to_async(watched_facts)(self.call_id)
        except DATABASE_AWAY:
            log.exception("a call's page cannot read the database")
            reasons.append(NO_DATABASE)
        try:
            is_told = await self._ask_redis(at)
        except (redis.RedisError, OSError):
            reasons.append(NO_REDIS)
            self._listeners = []
        else:
            if not is_told and self._expects_details():
                reasons.append(NO_RECORDER)
        self._reason = " ".join(reasons)
        return self._facts is not None or NO_DATABASE in reasons

    def _expects_details(self) -> bool:
        # What is paused for long is forgotten by its recorder; nothing is amiss then.
        facts = self._facts
        return (
            facts is not None
            and facts.call.is_live
            and facts.call.streaming_state == StreamingState.STREAMING
            and self._detail is not None
        )

    async def _ask_redis(self, at: float) -> bool:
        self._at = now = await redis_now_async(self._redis)
        self._ahead = at - now
        if (said := time.monotonic()) - self._said >= SAY_EVERY:
            await watched_say(self._redis, self.call_id)
            self._said = said
        self._listeners = [
            one["user"]
            for one in (await listeners_async(self._redis)).get(str(self.call_id), ())
        ]
        # redis-py types the answers of its two clients as one.
        told: list[bytes] = await self._redis.hvals(details_key(self.call_id))  # type: ignore[misc]
        detail = newest_detail(told, now=now)
        if detail is None:
            return False
        await self._read_waves(detail["tracks"])
        self._detail = detail
        return True

    async def _read_waves(self, tracks: Sequence[DetailTrack]) -> None:
        wanted = []
        async with self._redis.pipeline(transaction=False) as pipe:
            for track in tracks:
                copy = self._waves.setdefault(track_name(track), WaveCopy())
                first = copy.first_new(track)
                if first < track["slots"]:
                    pipe.getrange(track["wave"], first, track["slots"] - 1)
                    wanted.append((track, copy, first))
            read = await pipe.execute() if wanted else []
        for (track, copy, first), new in zip(wanted, read, strict=True):
            changed = copy.take(track, first, new)
            if changed is not None:
                self._outdate(track_name(track), changed)

    def _outdate(self, key: str, first: int) -> None:
        for viewer in self.viewers:
            if key in viewer.waves:
                viewer.waves[key] = min(viewer.waves[key], first)

    def message(self, viewer: Viewer) -> WatchedCall | None:
        """Return what to tell one page; None while nothing at all is known."""
        facts, detail = self._facts, self._detail
        if facts is None:
            return None
        message: WatchedCall = {
            "at": self._at,
            "measured_at": detail["at"] if detail else None,
            "reason": self._reason,
            "over": facts.is_over,
            "call": call_now(facts, detail, at=self._at, now=timezone.now()),
            "node": detail["node"] if detail else "",
            "clock": self._clock(facts, detail) if detail else None,
            "listeners": self._listeners,
            "people": list(self._people(viewer, facts, detail)) if detail else [],
        }
        if viewer.may_read and viewer.captions < self._captions.number:
            message["captions"] = self._spoken(viewer, facts, detail)
        return message

    def _spoken(
        self, viewer: Viewer, facts: WatchedFacts, detail: CallDetail | None
    ) -> Sequence[CaptionNow]:
        """Return what was said since this page was told last."""
        captions = self._captions.since(viewer.captions)
        viewer.captions = self._captions.number
        heard_us = _zero(facts, detail) if detail else facts.call.origin_us
        origin_us = heard_us or facts.said_from_us
        return [caption_now(one, facts, origin_us=origin_us) for one in captions]

    @property
    def call(self) -> Call | None:
        """Return the call as the database had it last."""
        return self._facts.call if self._facts else None

    @staticmethod
    def _clock(facts: WatchedFacts, detail: CallDetail) -> float:
        zero = _zero(facts, detail)
        return detail["clock"] + ((detail["origin_us"] or zero) - zero) / 1e6

    def _people(
        self, viewer: Viewer, facts: WatchedFacts, detail: CallDetail
    ) -> Sequence[PersonNow]:
        found = []
        origin = _zero(facts, detail)
        for track in sorted(detail["tracks"], key=lambda one: one["origin_us"]):
            person = person_now(track, facts, origin_us=origin)
            key = person["key"]
            viewer.news(key, self._waves[key], track["holes"], person)
            found.append(person)
        return found
