"""What a run of packets with odd timestamps was: jitter, a hole, or a step back.

Pure functions from a run of suspects to a *shift* for each: how many samples it lies
beyond (or, negative, before) the end of the packet in front of it, all shifts counted
from the run's start. No shift at all means the packets simply follow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

from calls.audio.clock import Clock

T = TypeVar("T")

# So many equal deltas in a row are a fact on a crisp clock.
AGREE = 3
# So many that never fall are one too, where losses are heavy and no two are equal.
AGREE_LONG = 6
# A crisp clock that has not agreed with itself by now will not.
WEIGH = 25
# A fuzzy clock's mean over so many is good enough to tell its holes' sizes.
WEIGH_FUZZY = 50
# Whatever the timestamps say, no packet waits for more than five seconds of others.
MOST = 250
# Timestamps this close, on packets of 20 ms, were taken at one time.
_SAME_US = 5_000


@dataclass(slots=True, eq=False)
class Suspect(Generic[T]):
    """A packet that does not simply follow, waiting for more evidence."""

    off: float
    """Its delta, minus the delta expected of it, in samples."""
    stamp: int
    """Its timestamp in µs."""
    samples: int
    silent: bool
    ref: T
    transit: int
    """Its arrival minus its timestamp, in µs."""
    weighs: bool = True
    """Its timestamp is evidence: it has one, and is the last of those that share it."""


def offs(run: Sequence[Suspect[T]]) -> list[float]:
    """The offs that are evidence.

    Senders stamp a burst with one time, that of its last packet. Only the last says
    where it belongs; its fellows would look like losses that heal by themselves.
    """
    return [suspect.off for suspect in run if suspect.weighs]


def is_same(stamp: int, other: int) -> bool:
    """Whether two packets were stamped with one time."""
    return abs(stamp - other) <= _SAME_US


def is_enough(run: Sequence[Suspect[T]], clock: Clock) -> bool:
    """Whether a run that does not agree has to be decided all the same."""
    wanted = WEIGH
    if not clock.crisp:
        # Until chance moves their mean by less than an eighth of a packet.
        needed = round(clock.variance / (clock.unit / 8) ** 2)
        wanted = min(max(needed, AGREE_LONG), WEIGH_FUZZY)
    return len(run) >= MOST or (len(run) >= wanted and len(offs(run)) >= wanted)


def agreed(run: Sequence[Suspect[T]], clock: Clock) -> float | None:
    """The off on which the newest packets of a crisp clock agree, if they do."""
    if not clock.crisp:
        return None
    newest = run[-AGREE_LONG:]
    if len(newest) == AGREE_LONG and rises(newest, clock):
        return _mean([suspect.off for suspect in newest], clock)
    evidence = offs(run)[-AGREE:]
    if len(evidence) == AGREE and max(evidence) - min(evidence) <= clock.grain:
        return _mean(evidence, clock)
    return None


def _mean(evidence: Sequence[float], clock: Clock) -> float:
    """The last off, made more exact by those that lie whole packets from it."""
    last = evidence[-1]
    rests = [
        off - last - round((off - last) / clock.unit) * clock.unit for off in evidence
    ]
    return last + sum(rests) / len(rests)


def rises(run: Sequence[Suspect[T]], clock: Clock) -> bool:
    """Whether the offs never fall and differ by whole packets: losses, one by one."""
    return all(suspect.weighs for suspect in run) and all(
        later.off - earlier.off > -clock.grain
        and is_whole(later.off - earlier.off, clock)
        for earlier, later in pairwise(run)
    )


def is_whole(off: float, clock: Clock) -> bool:
    """Whether `off` is a whole number of packets, as exactly as the clock allows."""
    return abs(off - round(off / clock.unit) * clock.unit) <= clock.grain


def centre(run: Sequence[Suspect[T]]) -> tuple[float, float]:
    """Mean of the middle half of the newest two thirds of offs, and their spread.

    The first third may still be the end of what went before.
    """
    evidence = offs(run)
    evidence = sorted(evidence[len(evidence) // 3 :])
    cut = len(evidence) // 4
    middle = evidence[cut : len(evidence) - cut]
    mean = sum(middle) / len(middle)
    return mean, sum(abs(off - mean) for off in evidence) / len(evidence)


def exact_shifts(
    run: Sequence[Suspect[T]], final: int, off: float, clock: Clock
) -> list[int] | None:
    """Shifts that put every packet where its own timestamp says, if all can be right.

    `final` is the shift of a packet with the off `off`; all others lie whole packets
    apart from it. None if some do not, or if two packets claim one place, as when a
    burst shares one timestamp.
    """
    shifts: list[int] = []
    claims: list[tuple[int, int]] = []
    position = 0
    for suspect in run:
        apart = suspect.off - off
        if not is_whole(apart, clock):
            return None
        shift = final + round(apart / clock.unit) * clock.unit
        shifts.append(shift)
        claims.append((position + shift, position + shift + suspect.samples))
        position += suspect.samples
    claims.sort()
    if any(later[0] < earlier[1] for earlier, later in pairwise(claims)):
        return None
    return shifts


def ordered_shifts(run: Sequence[Suspect[T]], final: int, clock: Clock) -> list[int]:
    """Shifts that keep the order of arrival and end in `final`.

    A shift forward grows along the run, and nowhere beyond what a later packet
    allows: five packets stamped 5, 5, 5, 5, 5 begin where the fifth says. A shift
    back holds for the whole run.
    """
    if final <= 0:
        return [final] * len(run)
    shifts = [final] * len(run)
    bound = final
    for index in range(len(run) - 1, -1, -1):
        bound = min(bound, max(round(run[index].off / clock.unit) * clock.unit, 0))
        shifts[index] = bound
    shifts[-1] = final
    return shifts


def fuzzy_shifts(run: Sequence[Suspect[T]], final: int, clock: Clock) -> list[int]:
    """Shifts that end in `final`, of a clock whose single offs prove little.

    Offs that scatter by less than a quarter of a packet still tell how many packets
    are missing before each. Others tell where the one step was, before which packets
    lie where they were expected: a run often begins with jitter and meets its hole
    later.
    """
    if clock.wobble <= clock.unit / 4:
        return ordered_shifts(run, final, clock)
    # How much better "not shifted yet" explains a packet than "shifted by final".
    gain = best = 0.0
    step = 0
    for index, suspect in enumerate(run, 1):
        if suspect.weighs:
            gain += abs(suspect.off - final) - abs(suspect.off)
        if gain > best:
            best, step = gain, index
    return [0] * step + [final] * (len(run) - step)


def whole_shift(off: float, clock: Clock) -> int:
    """Whole packets nearest to an uncertain `off`.

    Rather one too few forward than one too many: a hole too short is made longer
    later at no cost, one too long costs a packet.
    """
    packets = round(off / clock.unit)
    if not clock.crisp and off > 0:
        packets = int(off / clock.unit + 0.25)
    return packets * clock.unit


def last_word(run: Sequence[Suspect[T]], clock: Clock) -> float | None:
    """The off that a run ends in when nothing follows it; None if it is jitter."""
    evidence = offs(run)
    if not clock.crisp:
        middle = sorted(evidence)[len(evidence) // 2]
        # Any single timestamp of such a clock may be far off.
        wanted = clock.tolerance if len(evidence) >= AGREE else 4 * clock.tolerance
        return middle if abs(middle) > wanted else None
    if len(run) > 1 and not run[-2].weighs:
        # A burst cut short: it is not known where its last packet would have been.
        return None
    last = evidence[-1]
    if abs(last) > clock.jitter:
        return last
    is_exact = clock.seen >= AGREE and is_whole(last, clock) and rises(run, clock)
    return last if is_exact else None
