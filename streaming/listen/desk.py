"""Lets people listen to the calls of this ingest process. No Django models.

The desk learns from Redis which web processes hear which call, puts a tap on those
calls, and publishes what the taps collect: one message per call, sixteen times a
second, however many listen. What is past is read from journals in a thread of its own
(`listen.past`). A Redis that is down ends listening, not recording: nothing here is
awaited by the receive path.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from calls.live.ingest import redis_async
from streaming.call_audio import CallAudio
from streaming.listen.past import PastDesk
from streaming.listen.tap import Tap
from streaming.listen.wire import (
    ASKS,
    BATCH_SECONDS,
    FORGET_SECONDS,
    TICK_SECONDS,
    Ask,
    Batch,
    Hear,
    Leave,
    Read,
    ask_decoder,
    call_channel,
    encode,
    web_channel,
)
from streaming.subscribing import RETRY_SECONDS, take_messages
from streaming.tasks import tasks_end

log = logging.getLogger(__name__)

# Whoever has the call answers at once; others on its node, should nobody have it, when
# they were not forestalled for so long.
OWNER_FIRST_SECONDS = 0.15
CLAIM_SECONDS = 10
# Pieces of the past that wait for the reading thread; more are refused.
MAX_READS = 64
# Calls that are heard anywhere; more are not remembered.
MAX_CALLS = 2000


class ListenDesk:
    """What an ingest process does for listeners. It belongs to one event loop."""

    def __init__(
        self,
        process_id: UUID,
        calls: Mapping[UUID, CallAudio],
        *,
        node: str,
        journals: Path,
    ) -> None:
        self.error: str | None = None
        self._process = str(process_id)
        self._calls = calls
        self._node = node
        self._past = PastDesk(journals)
        # By call and web process: when it is forgotten, by a monotonic clock.
        self._heard_by: dict[UUID, dict[str, float]] = {}
        self._sent: dict[UUID, float] = {}
        self._redis: Redis | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._reads: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to listen for listeners."""
        self._redis = redis_async()
        self._tasks = [
            asyncio.create_task(
                take_messages(self._redis, ASKS, take=self._take, note=self._note),
                name="listen-asks",
            ),
            asyncio.create_task(self._publish(), name="listen-batches"),
        ]

    async def stop(self) -> None:
        """Let go of everybody."""
        await tasks_end(*self._tasks, *self._reads)
        for call in self._calls.values():
            call.tap = None
        self._past.close()
        if self._redis is not None:
            with suppress(RedisError, OSError):
                await self._redis.aclose()

    # What web processes ask.

    def _take(self, message: bytes) -> None:
        try:
            ask: Ask = ask_decoder.decode(message)
            call_id = UUID(ask.call)
        except (msgspec.MsgspecError, ValueError):
            # Another release's, perhaps.
            log.warning("a listening request is not understood")
            return
        match ask:
            case Hear(web=web):
                self._hear(call_id, web)
            case Leave(web=web):
                self._heard_by.get(call_id, {}).pop(web, None)
                self._tend(time.monotonic())
            case Read():
                self._read(call_id, ask)

    def _hear(self, call_id: UUID, web: str) -> None:
        if call_id not in self._heard_by and len(self._heard_by) >= MAX_CALLS:
            return
        # Also of calls that another process has: they may be dialled again, to here.
        self._heard_by.setdefault(call_id, {})[web] = time.monotonic() + FORGET_SECONDS
        if (call := self._calls.get(call_id)) is not None:
            self.opened(call)

    def opened(self, call: CallAudio) -> None:
        """Put a tap on a call if somebody hears it; told of each socket it gets."""
        if call.call_id in self._heard_by and call.tap is None:
            call.tap = Tap(call)
            self._past.prepare(call.call_id)
            # The first batch may be empty: it says where the tap begins.
            self._sent[call.call_id] = 0.0

    def _tend(self, now: float) -> None:
        """Take the taps off calls that nobody hears any more."""
        for call_id, webs in list(self._heard_by.items()):
            for web in [web for web, until in webs.items() if until < now]:
                del webs[web]
            if webs:
                continue
            del self._heard_by[call_id]
            call = self._calls.get(call_id)
            self._sent.pop(call_id, None)
            if call is not None:
                call.tap = None

    # The live edge.

    async def _publish(self) -> None:
        due = time.monotonic()
        while True:
            due = max(due + BATCH_SECONDS, time.monotonic())
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            try:
                now = time.monotonic()
                self._tend(now)
                await self._send(self._batches(now))
            except (RedisError, OSError) as exc:
                self._note(f"{type(exc).__name__}: {exc}")
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                # A process edge: the next batch is sent all the same.
                log.exception("the listening desk met a fault and goes on")
                await asyncio.sleep(RETRY_SECONDS)

    def _batches(self, now: float) -> list[tuple[UUID, Batch]]:
        found = []
        for call_id in self._heard_by:
            call = self._calls.get(call_id)
            if call is None or call.tap is None:
                continue
            batch = call.tap.batch(self._process)
            if batch.packets or now - self._sent.get(call_id, 0.0) >= TICK_SECONDS:
                self._sent[call_id] = now
                found.append((call_id, batch))
        return found

    async def _send(self, batches: Iterable[tuple[UUID, Batch]]) -> None:
        packed = [(call_channel(call_id), encode(batch)) for call_id, batch in batches]
        if packed and self._redis is not None:
            async with self._redis.pipeline(transaction=False) as pipe:
                for channel, message in packed:
                    pipe.publish(channel, message)
                await pipe.execute()

    # The past.

    def _read(self, call_id: UUID, ask: Read) -> None:
        if ask.node not in (None, self._node) or len(self._reads) >= MAX_READS:
            return
        task = asyncio.create_task(self._answer(call_id, ask))
        self._reads.add(task)
        task.add_done_callback(self._reads.discard)

    async def _answer(self, call_id: UUID, ask: Read) -> None:
        if self._redis is None:
            raise AssertionError("started before")
        call = self._calls.get(call_id)
        is_ours = call is not None and bool(call.sessions)
        try:
            if not is_ours:
                await asyncio.sleep(OWNER_FIRST_SECONDS)
            claim = f"{ASKS}:ask:{ask.ask}:{self._node}"
            if not await self._redis.set(claim, b"", nx=True, ex=CLAIM_SECONDS):
                return
            past = await self._past.read(call_id, ask, node=self._node)
            # A call that has just begun has no file yet, and no past.
            if is_ours or past.cursor:
                await self._redis.publish(web_channel(ask.web), encode(past))
        except (RedisError, OSError) as exc:
            self._note(f"{type(exc).__name__}: {exc}")
        except Exception:
            # A process edge: who asked waits in vain, and asks again.
            log.exception("call %s: its past cannot be read", call_id)

    def _note(self, error: str | None) -> None:
        if error and not self.error:
            log.warning("nobody can listen, recording goes on: %s", error)
        if self.error and not error:
            log.info("listening is possible again")
        self.error = error
