"""One listener's line: what of a call goes to one browser, and when.

Live, it hands on each batch as it comes. In the past it reads ahead of what the browser
plays, piece by piece, and joins the live edge where the journals end: packets are
known by connection and arrival, so none is missing there and none comes twice.

A browser that does not keep up is told so and misses audio, itself alone.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias

from redis.exceptions import RedisError

from calls.audio.pcm import samples_to_us
from streaming.listen.rewind import NothingThereError, Rewind, Source
from streaming.listen.track import Arrived, Runs, Sequencer, frame
from streaming.listen.wire import Batch
from streaming.tasks import tasks_end

# How far ahead of what is played the past is sent; at 1.5 times the speed two seconds.
AHEAD_US = 3_000_000
# Frames that the browser has not said to have: beyond, it misses what comes.
MAX_UNTOLD_BYTES = 1_500_000
# Messages on their way to the socket.
MAX_QUEUED = 200
# Heard at once when somebody begins at the live edge, if it is there.
PREFILL_US = 400_000
# Longer than a journal's packets wait to be written.
POLL_SECONDS = 0.2
# After so long at the journals' end without a join, the live edge is taken as it is.
JOIN_SECONDS = 3.0
MAX_TRACKS = 250

Message: TypeAlias = dict[str, Any]
Send: TypeAlias = Callable[[bytes | Message], Awaitable[None]]


class Line:
    """What one browser hears. All methods belong to one event loop."""

    def __init__(self, send: Send, origin_us: int | None) -> None:
        self.origin_us = origin_us
        self.edge_us: int | None = None
        self.tracks: list[tuple[str, int]] = []
        self.generation = 0
        self.is_live = False
        # Seconds of the call's time that were sent, of all generations.
        self.heard_us = 0
        self._send = send
        self._queue: asyncio.Queue[bytes | Message] = asyncio.Queue(MAX_QUEUED)
        self._sender = asyncio.create_task(self._send_all(), name="listen-send")
        self._pump: asyncio.Task[None] | None = None
        self._sequencers: dict[tuple[str, int], Sequencer] = {}
        # By connection: arrival of the last packet, and who else came at that µs.
        self._had: dict[str, tuple[int, set[tuple[str, int]]]] = {}
        self._sent_until_us: int | None = None
        self._played_us = 0
        # What was captured before is not what was asked for.
        self._from_us = 0
        self._room = asyncio.Event()
        self._untold: list[int] = []
        self._frames_told = 0
        self._missed = 0

    async def close(self) -> None:
        """Stop at once."""
        await tasks_end(self._pump, self._sender)

    # What the browser says.

    async def begin(self, feed: Source, at_us: int | None, generation: int) -> None:
        """Go to a moment, µs since the call's start, or to the live edge (None)."""
        await self._hold()
        self.generation = generation
        self._sequencers.clear()
        self._had.clear()
        self._sent_until_us = None
        self._from_us = 0
        if at_us is None or self.origin_us is None:
            self.is_live = True
            self._tell({"type": "live", "generation": generation})
            self._prefill(feed)
            return
        self.is_live = False
        self._played_us = at_us
        self._from_us = self.origin_us + at_us
        rewind = Rewind(feed, self._from_us)
        self._pump = asyncio.create_task(self._past(feed, rewind), name="listen-past")

    async def _hold(self) -> None:
        pump, self._pump = self._pump, None
        await tasks_end(pump)

    def played(self, at_us: int, frames: int) -> None:
        """Take note of what the browser plays now, and how many messages it has."""
        self._played_us = at_us
        told = min(max(frames - self._frames_told, 0), len(self._untold))
        del self._untold[:told]
        self._frames_told += told
        self._room.set()

    # The live edge.

    def take(self, batch: Batch, packets: list[Arrived], is_broken: bool) -> None:
        """Hand on what just came, if this listener is at the live edge."""
        if self.origin_us is None:
            self.origin_us = batch.origin_us
        self.edge_us = batch.edge_us
        if self.is_live:
            if is_broken:
                self._tell({"type": "missed", "why": "redis"})
            self._give(packets, batch.sent_at)

    def _prefill(self, feed: Source) -> None:
        """Begin a little before the live edge, so that it plays at once."""
        if not feed.ring.packets:
            return
        newest = feed.ring.packets[-1].arrival_us
        recent = [
            packet
            for packet in feed.ring.packets
            if newest - packet.arrival_us <= PREFILL_US
        ]
        self._give(recent, time.time())

    # The past.

    async def _past(self, feed: Source, rewind: Rewind) -> None:
        """Send the past ahead of what is played, up to the live edge."""
        at_end: float | None = None
        while True:
            await self._wait_for_room()
            try:
                packets, is_end = await rewind.next()
            except NothingThereError:
                if rewind.is_begun:
                    # Its process died; the one that follows has the same journals.
                    self._tell({"type": "error", "error": "no_answer"})
                    continue
                self._tell({"type": "error", "error": "nothing_there"})
                self._join(feed, is_broken=True)
                return
            except (RedisError, OSError):
                self._tell({"type": "error", "error": "redis"})
                await asyncio.sleep(1.0)
                continue
            self._give(packets, time.time())
            if not is_end:
                at_end = None
                continue
            # At the end for the second time, and nothing has come to the disk since.
            is_settled = at_end is not None and not packets
            at_end = at_end or time.monotonic()
            is_late = time.monotonic() - at_end > JOIN_SECONDS
            if feed.ring.follows(rewind.reached, is_settled=is_settled) or is_late:
                self._join(feed, is_broken=is_late)
                return
            await asyncio.sleep(POLL_SECONDS)

    def _join(self, feed: Source, *, is_broken: bool) -> None:
        """Go on with what the feed kept, and from then on with what comes."""
        self.is_live = True
        self._pump = None
        self._tell({"type": "live", "generation": self.generation})
        if is_broken:
            self._tell({"type": "missed", "why": "journal"})
        self._give(feed.ring.packets, time.time())

    async def _wait_for_room(self) -> None:
        while (
            self._sent_until_us is not None
            and self._sent_until_us - self._played_us > AHEAD_US
        ) or self._is_behind:
            self._room.clear()
            await self._room.wait()

    # To the browser.

    @property
    def _is_behind(self) -> bool:
        return sum(self._untold) > MAX_UNTOLD_BYTES or self._queue.full()

    def _give(self, packets: Iterable[Arrived], sent_at: float) -> None:
        if self.origin_us is None:
            return
        runs = Runs()
        for packet in packets:
            if packet.stamp_us >= self._from_us and self._is_new(packet):
                self._place(packet, self.origin_us, runs)
        frames = [
            frame(
                track,
                run,
                self.tracks[track][1],
                generation=self.generation,
                is_live=self.is_live,
                sent_at=sent_at,
            )
            for track, run in runs
        ]
        if frames:
            self._put(b"".join(frames))

    def _is_new(self, packet: Arrived) -> bool:
        """Say whether a packet was not had yet: its connection tells them in order."""
        who = (packet.raw_id, packet.stamp_us)
        last, same = self._had.get(packet.connection, (-1, set()))
        if packet.arrival_us < last or (packet.arrival_us == last and who in same):
            return False
        if packet.arrival_us > last:
            self._had[packet.connection] = (packet.arrival_us, {who})
        else:
            same.add(who)
        return True

    def _place(self, packet: Arrived, origin_us: int, runs: Runs) -> None:
        key = (packet.raw_id, packet.rate)
        track = self._track(key)
        if track is None:
            return
        sequencer = self._sequencers.get(key)
        if sequencer is None:
            sequencer = self._sequencers[key] = Sequencer(packet.rate, origin_us)
        placed = sequencer.place(packet)
        if placed is None:
            return
        start, has_hole = placed
        runs.add(track, start, packet, has_hole=has_hole)
        end_us = samples_to_us(start + packet.samples, packet.rate)
        until = self._sent_until_us
        if until is None or end_us > until:
            if until is not None:
                self.heard_us += min(end_us - until, samples_to_us(1, 1))
            self._sent_until_us = end_us

    def _track(self, key: tuple[str, int]) -> int | None:
        if key in self.tracks:
            return self.tracks.index(key)
        if len(self.tracks) >= MAX_TRACKS:
            return None
        self.tracks.append(key)
        number = len(self.tracks) - 1
        told = {"index": number, "raw_id": key[0], "rate": key[1]}
        self._tell({"type": "track", "track": told})
        return number

    def _put(self, frames: bytes) -> None:
        if self._is_behind:
            self._missed += 1
            return
        if self._missed:
            self._tell({"type": "missed", "why": "slow", "messages": self._missed})
            self._missed = 0
        self._untold.append(len(frames))
        self._queue.put_nowait(frames)

    def _tell(self, told: Message) -> None:
        if not self._queue.full():
            self._queue.put_nowait(told)

    tell = _tell

    async def _send_all(self) -> None:
        while True:
            await self._send(await self._queue.get())
            self._room.set()
