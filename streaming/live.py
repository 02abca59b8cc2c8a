"""The live view's source: once a second, what this process hears, into Redis.

Snapshots, never deltas: a reader that misses one misses nothing. Keys and shapes
are those of `calls.live.ingest`, which reads them:

    acsstream:live            sorted set: process ids, scored by when they last wrote,
                              by Redis's clock
    acsstream:live:<process>  JSON of one process, gone five seconds after it stops
    acsstream:rates:<node>    hash: what each process of a node writes, and when it did

The last is for the processes of a node themselves: they fill one disk together.

Redis may be absent: the recorder does not notice, and the live view says so.
"""

import logging
import time
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
from django.conf import settings
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from calls.audio.ledger import State
from calls.audio.pcm import samples_to_us
from calls.drafts import AlarmDraft
from calls.live.ingest import (
    FRESH_SECONDS,
    LIVE_KEY,
    LiveAlarm,
    LiveCall,
    LiveHandler,
    LiveProcess,
    LiveSpeaking,
    LiveTrack,
)
from calls.live.redis_clock import redis_now_async, seconds_ahead
from calls.live.watching import WATCHED_KEY, WATCHED_SECONDS
from streaming.outbound import Speaker
from streaming.protocol import US

if TYPE_CHECKING:
    from streaming.call_audio import CallAudio, HeardTrack
    from streaming.handlers.running import Running

log = logging.getLogger(__name__)

LIFETIME = 5  # seconds
RATES_KEY = "acsstream:rates"


def process_key(process_id: UUID | str) -> str:
    """Return the key under which a process writes its snapshot."""
    return f"{LIVE_KEY}:{process_id}"


def call_snapshot(call: "CallAudio") -> LiveCall:
    """Return what is known of a call at this moment."""
    tracks = [
        track_snapshot(raw_id, track) for (raw_id, _), track in call.tracks.items()
    ]
    callers = [track for track in tracks if track["raw_id"] != US]
    received = expected = 0
    for track in call.callers.values():
        ledger, rate = track.audio.ledger, track.audio.rate
        came = ledger.total(State.RECEIVED) + ledger.total(State.SILENT)
        received += samples_to_us(came, rate)
        expected += samples_to_us(came + ledger.total(State.GAP), rate)
    shown: LiveCall = {
        "call_id": str(call.call_id),
        "connections": len(call.sessions),
        "sample_rate": max((rate for _, rate in call.tracks), default=0),
        "mixed": any(raw_id == "mixed" for raw_id, _ in call.tracks),
        "packets": sum(track["packets"] for track in callers),
        "malformed": sum(session.counts.malformed for session in call.sessions),
        "unknown": sum(session.unknown for session in call.sessions),
        "last_packet_at": max((t["last_packet_at"] for t in callers), default=None),
        "completeness": received / expected if expected else None,
        "overtalk_ms": call.overtalk_ms,
        "tracks": tracks,
        "alarms": [_alarm(one.draft()) for one in call.watch.lasting],
        "handler": _handler(call.handler) if call.handler else None,
    }
    if call.speaker is not None:
        shown["speaking"] = _speaking(call.speaker)
        shown["underruns"] = call.speaker.playout.underruns
    return shown


def _handler(handler: "Running") -> LiveHandler:
    return {
        "name": handler.name,
        "state": handler.state.value,
        "frames": handler.frames,
        "dropped": handler.dropped,
        "longest_ms": round(handler.longest * 1000),
        "trouble": handler.trouble(time.monotonic()),
    }


def _speaking(speaker: Speaker) -> LiveSpeaking | None:
    item = speaker.playout.current
    if item is None:
        return None
    return {
        "name": item.name,
        "kind": item.kind.value,
        "played_ms": samples_to_us(item.played, speaker.rate) // 1000,
        "queued_ms": speaker.playout.queued_us // 1000,
    }


def _alarm(draft: AlarmDraft) -> LiveAlarm:
    return {
        "kind": draft.kind,
        "raw_id": draft.raw_id,
        "severity": draft.severity,
        "words": draft.words,
        "since": draft.since.timestamp(),
        "at_us": draft.at_us,
    }


def track_snapshot(raw_id: str, track: "HeardTrack") -> LiveTrack:
    """Return what is known of a participant at this moment."""
    audio = track.audio
    ledger, rate = audio.ledger, audio.rate
    level = track.level
    return {
        "raw_id": raw_id,
        "packets": audio.packets,
        "silent_packets": audio.silent_packets,
        "silence_ratio": audio.silent_packets / audio.packets
        if audio.packets
        else None,
        "talk_ms": samples_to_us(ledger.total(State.RECEIVED), rate) // 1000,
        "ms": samples_to_us(audio.timeline.end, rate) // 1000,
        "rms_dbfs": level.rms_dbfs if level else None,
        "peak_dbfs": level.peak_dbfs if level else None,
        "gap_count": ledger.gap_count,
        "gap_ms": samples_to_us(ledger.total(State.GAP), rate) // 1000,
        "late": ledger.late,
        "duplicates": ledger.duplicates,
        "jitter_ms": round(audio.timeline.jitter_us / 1000, 1),
        "last_packet_at": audio.last_arrival_us / 1_000_000,
        "is_talking": track.is_talking,
    }


class LivePublisher:
    """Writes this process's snapshot to Redis, or knows why it could not."""

    def __init__(self) -> None:
        self.error: str | None = None
        # By so many seconds our clock was surely ahead of Redis's, last.
        self.ahead = 0.0
        # What the other processes of this node write, as last heard.
        self.others_bytes_per_second = 0.0
        # Those of them that have not been heard of any more.
        self._gone: list[str] = []
        self.redis: Redis = Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=1,
            socket_connect_timeout=1,
            # The next snapshot is the next try; by default Redis is tried for seconds.
            retry=Retry(NoBackoff(), 0),
        )

    async def publish(self, snapshot: LiveProcess) -> list[str]:
        """Write one snapshot; return the ids of calls whose pages are open.

        A Redis that is down is noted, never raised; then nobody looks.
        """
        try:
            # By our own clock, if it is ahead, all other processes were dead.
            asked, now = time.time(), await redis_now_async(self.redis)
            self.ahead = seconds_ahead(asked, now, time.time())
            async with self.redis.pipeline(transaction=False) as pipe:
                key = process_key(snapshot["process"])
                pipe.set(key, msgspec.json.encode(snapshot), ex=LIFETIME)
                pipe.zadd(LIVE_KEY, {snapshot["process"]: now})
                pipe.zremrangebyscore(LIVE_KEY, 0, now - FRESH_SECONDS)
                self._tell_rate(pipe, snapshot)
                pipe.zrangebyscore(WATCHED_KEY, now - WATCHED_SECONDS, "+inf")
                *_, rates, watched = await pipe.execute()
        except (RedisError, OSError) as exc:
            self._note(f"{type(exc).__name__}: {exc}")
            return []
        self._note(None)
        self._hear_rates(rates, snapshot)
        return [call_id.decode() for call_id in watched]

    def _tell_rate(self, pipe: Pipeline, snapshot: LiveProcess) -> None:
        key = f"{RATES_KEY}:{settings.NODE}"
        load = snapshot.get("load")
        rate = load["disk_bytes_per_second"] if load else 0.0
        told = msgspec.json.encode((snapshot["at"], rate)).decode()
        pipe.hset(key, snapshot["process"], told)
        if self._gone:
            pipe.hdel(key, *self._gone)
        pipe.expire(key, 2 * LIFETIME)
        pipe.hgetall(key)

    def _hear_rates(self, rates: dict[bytes, bytes], snapshot: LiveProcess) -> None:
        told = {
            name.decode(): msgspec.json.decode(one, type=tuple[float, float])
            for name, one in rates.items()
        }
        told.pop(snapshot["process"], None)
        # One node, one clock.
        oldest = snapshot["at"] - LIFETIME
        self._gone = [name for name, (at, _) in told.items() if at < oldest]
        self.others_bytes_per_second = sum(
            rate for at, rate in told.values() if at >= oldest
        )

    async def leave(self, process_id: UUID) -> None:
        """Take this process out of the live view."""
        try:
            async with self.redis.pipeline(transaction=False) as pipe:
                pipe.zrem(LIVE_KEY, str(process_id))
                pipe.delete(process_key(process_id))
                pipe.hdel(f"{RATES_KEY}:{settings.NODE}", str(process_id))
                await pipe.execute()
        except (RedisError, OSError) as exc:
            self._note(f"{type(exc).__name__}: {exc}")
        await self.redis.aclose()

    def _note(self, error: str | None) -> None:
        if error and not self.error:
            log.warning("the live view is missing, recording goes on: %s", error)
        if self.error and not error:
            log.info("the live view is back")
        self.error = error
