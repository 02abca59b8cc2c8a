"""Streams of packets as ACS might send them, and what a timeline makes of them.

A packet is its slot in the call (what it truly is) and the timestamp it carries. The
slot travels as `ref`, so a test can say exactly which packet ended up where.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from calls.audio.ledger import State
from calls.audio.timeline import Placement, Timeline, Verdict

NOON = 1_700_000_000_000_000
SLOT_US = 20_000
RATE = 16_000
SLOT = 320
HOUR = 180_000


class Packet(NamedTuple):
    """What a sender sends: the slot it is about, and the time it says it is."""

    slot: int
    stamp: int | None


def exact(slots: Iterable[int]) -> list[Packet]:
    """Packets of these slots, stamped exactly."""
    return [Packet(slot, NOON + slot * SLOT_US) for slot in slots]


def jittered(slots: Iterable[int], random: Random, ms: int = 60) -> list[Packet]:
    """Packets of these slots, stamped anywhere within ±`ms`."""
    return [
        Packet(slot, NOON + slot * SLOT_US + random.randint(-ms * 1000, ms * 1000))
        for slot in slots
    ]


def in_bursts(slots: Sequence[int], size: int = 5) -> list[Packet]:
    """Packets of these slots, each `size` slots stamped with their last one's time."""
    return [
        Packet(slot, NOON + (slot // size * size + size - 1) * SLOT_US)
        for slot in slots
    ]


def without(lost: Iterable[int], length: int = HOUR) -> list[int]:
    """All slots but the lost ones."""
    missing = set(lost)
    return [slot for slot in range(length) if slot not in missing]


def some(random: Random, count: int, length: int = HOUR) -> set[int]:
    """`count` slots, neither the first nor the last."""
    return set(random.sample(range(1, length - 1), count))


class Arrival(NamedTuple):
    """A packet as it comes in: over which socket, and when by our clock (µs)."""

    slot: int
    stamp: int
    at: int
    socket: int


def bad_hour(
    random: Random, *, jitter_ms: float = 0, unit_us: int = 1
) -> list[Arrival]:
    """An hour over a bad network, in order of arrival.

    1 % of the packets are lost. Each takes 50 to 350 ms, and none overtakes another.
    About once a minute nothing arrives for up to 3 s, and then all at once. After some
    minutes each socket breaks, up to 3 s are lost, and the next one goes on. Stamps
    jitter by ±`jitter_ms` and are cut to `unit_us`.
    """
    arrivals: list[Arrival] = []
    clock = stalled_until = socket = 0
    breaks = random.randint(5_000, 20_000)
    back = 0
    for slot in range(HOUR):
        if slot == breaks:
            # Never so late that the end is lost: the call is as long as its packets.
            back = min(slot + random.choice([0, 5, 25, 60, 150]), HOUR - 1)
            breaks, socket = slot + random.randint(5_000, 20_000), socket + 1
        if random.random() < 1 / 3_000:
            stalled_until = slot * SLOT_US + random.randint(200_000, 3_000_000)
        is_lost = slot < back or random.random() < 0.01
        if is_lost and slot not in (0, HOUR - 1):
            continue
        jitter = random.uniform(-jitter_ms, jitter_ms) * 1000
        stamp = NOON + slot * SLOT_US + round(jitter)
        took = 50_000 + random.randint(0, 300_000)
        clock = max(clock + 200, stalled_until, slot * SLOT_US + took)
        arrivals.append(Arrival(slot, stamp // unit_us * unit_us, NOON + clock, socket))
    return arrivals


@dataclass
class Outcome:
    """A timeline after a stream, and every placement in the order it was given."""

    timeline: Timeline[int]
    placements: list[Placement[int]] = field(default_factory=list)

    def send(self, packets: Iterable[Packet], *, delay: int = 80_000) -> None:
        """Let packets arrive `delay` µs after their true time."""
        for slot, stamp in packets:
            arrival = NOON + slot * SLOT_US + delay
            self.placements += self.timeline.place(stamp, SLOT, False, arrival, slot)

    def starts(self, *verdicts: Verdict) -> dict[int, int | None]:
        """Where each packet with one of `verdicts` (all if none) starts, in slots."""
        return {
            placement.ref: None
            if placement.start is None
            else placement.start // SLOT
            if placement.start % SLOT == 0
            else -1
            for placement in self.placements
            if not verdicts or placement.verdict in verdicts
        }

    def count(self, verdict: Verdict) -> int:
        """How many packets were given `verdict`."""
        return sum(placement.verdict is verdict for placement in self.placements)

    def gaps(self) -> list[tuple[int, int]]:
        """Gaps as (first slot, number of slots)."""
        return [
            (run.start // SLOT, run.samples // SLOT)
            for run in self.timeline.ledger.runs
            if run.state is State.GAP
        ]

    def off_by_ms(self, slots: float = HOUR) -> float:
        """By how much the track is longer than the call was."""
        return (self.timeline.end - slots * SLOT) * 1000 / RATE

    @property
    def misplaced(self) -> list[Placement[int]]:
        """Packets on the track, but not at their true place."""
        return [
            placement
            for placement in self.placements
            if placement.start is not None and placement.start != placement.ref * SLOT
        ]


def play(packets: Iterable[Packet]) -> Outcome:
    """A whole stream, to its end."""
    outcome = Outcome(Timeline(RATE))
    outcome.send(packets)
    outcome.placements += outcome.timeline.flush()
    return outcome
