"""From packets to the frames a browser plays. Pure.

A listener hears a call's packets in the order they arrived, from journals first and
then live. `Sequencer` places them on the call's clock, `frame` packs them.

A binary message to the browser is one or more frames, one behind the other,
little-endian:

    offset  size  content
    0       1     version, u8: 1
    1       1     flags, u8: 1 SILENT: no PCM follows, `samples` zeros are meant;
                  2 LIVE: from the live edge; 4 HOLE: audio is missing before it
    2       2     track, u16: its number in the message "tracks"
    4       4     generation, u32: of the seek it answers; older ones are to be dropped
    8       4     sample rate, u32
    12      4     samples, u32
    16      8     first sample, f64: a whole number, counted from the call's start at
                  this rate; the call's start is `origin` of the message "facts"
    24      8     sent, f64: ms since 1970 by the server's clock
    32      2n    16-bit PCM, little-endian, `samples` of them, unless SILENT
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import NamedTuple

from calls.audio.pcm import us_to_samples

VERSION = 1
SILENT = 1
LIVE = 2
HOLE = 4
HEADER = Struct("<BBHIIIdd")

# Jitter does not move audio, as on the recorder's timeline: ±60 ms.
TOLERANCE_US = 60_000
# Off by more than this for so many packets in a row is no jitter: audio is missing.
LEAN_US = 10_000
LEAN_PACKETS = 12
# A sender whose last packets were exact to this is taken at its word: one packet off is
# a loss at once. Every sender is believed until its timestamps jitter.
CRISP_US = 2_000
LOST_US = 15_000
CRISP_PACKETS = 8
# A packet that comes late fills one of the last holes, if it fits.
HOLES = 20
# Stamps remembered: what a redial replays was heard already.
STAMPS = 200


class Arrived(NamedTuple):
    """One packet, wherever it came from. Times are µs since 1970.

    `pcm` is empty where it is silent.
    """

    connection: str
    raw_id: str
    rate: int
    arrival_us: int
    stamp_us: int
    samples: int
    pcm: bytes


@dataclass
class Run:
    """Samples of one track that follow one another without a hole."""

    start: int
    samples: int
    is_silent: bool
    has_hole: bool
    pcm: list[bytes]

    @property
    def end(self) -> int:
        """Return the first sample behind it."""
        return self.start + self.samples


@dataclass
class Sequencer:
    """Places one track's packets, in the order they arrived, on the call's clock.

    A simpler brother of `calls.audio.timeline`: it decides at once, and forgets. What
    it plays may lie up to 60 ms from where the recording has it.
    """

    rate: int
    origin_us: int
    # Where the next packet is expected; None before the first.
    next: int | None = None
    _lean: int = 0
    _crisp: int = CRISP_PACKETS
    _holes: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=HOLES))
    # By capture time: over which connection it came.
    _stamps: dict[int, str] = field(default_factory=dict)

    def place(self, packet: Arrived) -> tuple[int, bool] | None:
        """Return a packet's first sample and whether a hole is before it.

        None if what it holds was heard already.
        """
        if self._stamps.get(packet.stamp_us, packet.connection) != packet.connection:
            # A redial replays what its last socket sent.
            return None
        self._remember(packet)
        wanted = us_to_samples(packet.stamp_us - self.origin_us, self.rate)
        if self.next is None:
            self.next = wanted + packet.samples
            return wanted, False
        off_us = (wanted - self.next) * 1_000_000 // self.rate
        if off_us < -TOLERANCE_US:
            return self._late(wanted, packet.samples)
        start, is_hole = self.next, False
        is_lost = off_us > LOST_US and self._crisp >= CRISP_PACKETS
        if is_lost or off_us > TOLERANCE_US or self._leans(off_us):
            # Behind a loss, or (rarely) where too much was played: go on in time.
            is_hole = wanted > self.next
            if is_hole:
                self._holes.append((self.next, wanted))
            start, self._lean = wanted, 0
        self.next = start + packet.samples
        return start, is_hole

    def _remember(self, packet: Arrived) -> None:
        self._stamps[packet.stamp_us] = packet.connection
        if len(self._stamps) > STAMPS:
            del self._stamps[next(iter(self._stamps))]

    def _leans(self, off_us: int) -> bool:
        self._crisp = self._crisp + 1 if abs(off_us) <= CRISP_US else 0
        if abs(off_us) <= LEAN_US or self._lean * off_us < 0:
            self._lean = 0
        else:
            self._lean += 1 if off_us > 0 else -1
        return abs(self._lean) >= LEAN_PACKETS

    def _late(self, wanted: int, samples: int) -> tuple[int, bool] | None:
        for number, (start, end) in enumerate(self._holes):
            if start <= wanted and wanted + samples <= end:
                del self._holes[number]
                for left in ((start, wanted), (wanted + samples, end)):
                    if left[0] < left[1]:
                        self._holes.append(left)
                return wanted, False
        return None


class Runs:
    """Collects what is placed of one message's tracks into runs."""

    def __init__(self) -> None:
        self._runs: dict[int, list[Run]] = {}

    def add(self, track: int, start: int, packet: Arrived, *, has_hole: bool) -> None:
        """Add one packet of a track at its place."""
        runs = self._runs.setdefault(track, [])
        silent = not packet.pcm
        last = runs[-1] if runs else None
        if last and last.end == start and last.is_silent == silent and not has_hole:
            last.samples += packet.samples
            last.pcm.append(packet.pcm)
        else:
            runs.append(Run(start, packet.samples, silent, has_hole, [packet.pcm]))

    def __iter__(self) -> Iterator[tuple[int, Run]]:
        for track, runs in self._runs.items():
            for run in runs:
                yield track, run


def frame(
    track: int, run: Run, rate: int, *, generation: int, is_live: bool, sent_at: float
) -> bytes:
    """Return one frame; `sent_at` is seconds since 1970."""
    flags = SILENT if run.is_silent else 0
    if is_live:
        flags |= LIVE
    if run.has_hole:
        flags |= HOLE
    head = HEADER.pack(
        VERSION,
        flags,
        track,
        generation,
        rate,
        run.samples,
        float(run.start),
        sent_at * 1000,
    )
    return head + b"".join(run.pcm)
