"""Writes details of the calls whose pages are open, where `calls.live.watching` says.

It costs nothing while nobody looks. A Redis that is down or has forgotten is noticed at
the next second: the waveform that is not there as long as it was left is written whole.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
from django.conf import settings
from redis.asyncio import Redis
from redis.exceptions import RedisError

from calls.audio.ledger import State
from calls.live.redis_clock import redis_now_async
from calls.live.watching import (
    LIFETIME,
    CallDetail,
    DetailTrack,
    details_key,
    wave_key,
)
from streaming.live import call_snapshot, track_snapshot

if TYPE_CHECKING:
    from streaming.call_audio import CallAudio, HeardTrack

log = logging.getLogger(__name__)

# The newest holes that are told; a page cannot draw more, and the figures count all.
MOST_HOLES = 2_000


class _Holes:
    """The holes of one track, looked for only where the ledger may have changed."""

    def __init__(self) -> None:
        self._found: list[tuple[str, int, int]] = []
        self._looked = 0
        self._past = (0, 0)

    def update(self, track: "HeardTrack") -> list[tuple[str, float, float]]:
        """Return all holes up to now: kind, start and length in seconds."""
        ledger, rate = track.audio.ledger, track.audio.rate
        # A late packet fills a hole, an order explains it: both far back, both rare.
        past = (ledger.late, ledger.total(State.STOPPED))
        if past != self._past:
            self._past, self._found, self._looked = past, [], 0
        # The last hole may have grown.
        while self._found and sum(self._found[-1][1:]) >= self._looked:
            self._looked = self._found.pop()[1]
        for run in ledger.missing_runs(self._looked):
            self._found.append((run.state.value, run.start, run.samples))
        self._looked = ledger.samples
        del self._found[:-MOST_HOLES]
        return [
            (kind, round(start / rate, 3), round(samples / rate, 3))
            for kind, start, samples in self._found
        ]


class _Told:
    """What Redis has of one call, as far as this process knows."""

    def __init__(self) -> None:
        # Of each waveform the revision and length that were written.
        self.waves: dict[str, tuple[int, int]] = {}
        self.holes: dict[str, _Holes] = {}


class DetailPublisher:
    """Tells of watched calls what their pages show."""

    def __init__(self, process_id: UUID) -> None:
        self._process_id = process_id
        self._told: dict[str, _Told] = {}

    async def publish(
        self,
        client: Redis,
        calls: Mapping[UUID, "CallAudio"],
        watched: Iterable[str],
    ) -> None:
        """Write details of those `calls` that are watched; raises nothing of Redis."""
        mine = [call for call in map(calls.get, _ids(watched)) if call]
        kept = {str(call.call_id) for call in mine}
        self._told = {key: told for key, told in self._told.items() if key in kept}
        if not mine:
            return
        try:
            # Readers compare what machines say whose clocks differ.
            ahead = time.time() - await redis_now_async(client)
            await self._forget_what_redis_lost(client)
            for call in mine:
                await self._write(client, call, ahead)
        except (RedisError, OSError) as exc:
            # The live view's own snapshot meets the same, and says so.
            log.debug("no details are written: %s", exc)
            self._told.clear()

    async def _forget_what_redis_lost(self, client: Redis) -> None:
        """Forget waveforms that are not there as they were written."""
        keys = [(told, key) for told in self._told.values() for key in told.waves]
        if not keys:
            return
        async with client.pipeline(transaction=False) as pipe:
            for _, key in keys:
                pipe.strlen(key)
            lengths = await pipe.execute()
        for (told, key), length in zip(keys, lengths, strict=True):
            if length != told.waves[key][1]:
                del told.waves[key]

    async def _write(self, client: Redis, call: "CallAudio", ahead: float) -> None:
        told = self._told.setdefault(str(call.call_id), _Told())
        tracks = list(self._tracks(call, told))
        key = details_key(call.call_id)
        detail = self._detail(call, [one for _, one in tracks], ahead)
        async with client.pipeline(transaction=False) as pipe:
            for track, one in tracks:
                name, data = one["wave"], track.wave.data
                revision, _ = told.waves.get(name, (-1, 0))
                first = 0 if revision < 0 else track.wave.changed_since(revision)
                if revision < 0:
                    pipe.set(name, bytes(data))
                elif first < len(data):
                    pipe.setrange(name, first, bytes(data[first:]))
                pipe.expire(name, LIFETIME)
                told.waves[name] = track.wave.rev, len(data)
            # After the waveforms: who reads it finds them as long as it says.
            pipe.hset(key, str(self._process_id), msgspec.json.encode(detail).decode())
            pipe.expire(key, LIFETIME)
            await pipe.execute()

    def _tracks(
        self, call: "CallAudio", told: _Told
    ) -> Iterator[tuple["HeardTrack", DetailTrack]]:
        numbers = count()
        for (raw_id, _), track in call.tracks.items():
            audio = track.audio
            key = wave_key(call.call_id, self._process_id, next(numbers))
            if audio.timeline.origin is None:
                continue
            track.wave.settle(audio.timeline.end)
            total = audio.meter.total
            measured = audio.packets > audio.silent_packets
            yield (
                track,
                {
                    "live": track_snapshot(raw_id, track),
                    "rate": audio.rate,
                    "origin_us": audio.timeline.origin,
                    "completeness": audio.ledger.completeness,
                    "level_dbfs": total.rms_dbfs if measured else None,
                    "highest_dbfs": total.peak_dbfs if measured else None,
                    "clipped": total.clipped,
                    "wave": key,
                    "slots": len(track.wave.data),
                    "revision": track.wave.rev,
                    "changes": track.wave.changes,
                    "holes": told.holes.setdefault(key, _Holes()).update(track),
                },
            )

    def _detail(
        self, call: "CallAudio", tracks: Sequence[DetailTrack], ahead: float
    ) -> CallDetail:
        """Return what is told; our clock is `ahead` of Redis's by so many seconds."""
        live = call_snapshot(call)
        now, heard_at = time.time(), live["last_packet_at"]
        origin = min((track["origin_us"] for track in tracks), default=None)
        ends = [
            (track["origin_us"] - (origin or 0)) / 1e6
            + track["live"]["ms"] / 1e3
            + max(now - track["live"]["last_packet_at"], 0.0) * bool(call.sessions)
            for track in tracks
        ]
        return {
            "call_id": str(call.call_id),
            "process": str(self._process_id),
            "node": settings.NODE,
            "at": now - ahead,
            "origin_us": origin,
            # Of the tracks that are behind some have only just said nothing.
            "clock": round(max(ends, default=0.0), 3),
            "last_packet_at": None if heard_at is None else heard_at - ahead,
            "connections": live["connections"],
            "malformed": live["malformed"],
            "unknown": live["unknown"],
            "completeness": live["completeness"],
            "overtalk_ms": live["overtalk_ms"],
            "tracks": list(tracks),
            "handler": live.get("handler"),
        }


def _ids(watched: Iterable[str]) -> Iterator[UUID]:
    for text in watched:
        try:
            yield UUID(text)
        except ValueError:
            log.debug("somebody watches what is no call")
