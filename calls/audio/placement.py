"""Puts one packet on a ledger, at a place that is already decided."""

from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

from calls.audio.ledger import Ledger, State

T = TypeVar("T")


class Verdict(StrEnum):
    """What became of a packet."""

    ON_TIME = "on_time"
    """It lies at the end of the track as it was then."""
    LATE = "late"
    """It filled a gap that had been written down as one."""
    DUPLICATE = "duplicate"
    """All of its place holds audio already; it is not on the track."""
    DISCARDED = "discarded"
    """It fits nowhere, or is the one too many of a fast clock; not on the track."""


class Placement(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """Where a packet ended up, finally.

    A `Struct`, as one is made for each packet: a named tuple costs five times as much.
    """

    ref: T
    start: int | None
    """Its first sample, counted from the track's origin. None: not on the track."""
    samples: int
    silent: bool
    verdict: Verdict


def put(ledger: Ledger, start: int, samples: int, silent: bool, ref: T) -> Placement[T]:
    """Put a packet at `start`; what is missing up to there is a gap."""
    beyond = start - ledger.samples
    if beyond >= 0:
        ledger.append(State.GAP, beyond)
        ledger.append(State.SILENT if silent else State.RECEIVED, samples)
        return Placement(ref, start, samples, silent, Verdict.ON_TIME)
    taken = _taken(ledger, start, samples)
    if taken == samples:
        ledger.duplicates += 1
        return Placement(ref, None, samples, silent, Verdict.DUPLICATE)
    # A clock is never exact: a packet whose edge overlaps by less than half may give
    # way to the side where there is room.
    if taken * 2 <= samples:
        for place in (start, start + taken, start - taken):
            if is_free(ledger, place, samples):
                return _fill(ledger, place, samples, silent, ref)
    ledger.discarded += 1
    return Placement(ref, None, samples, silent, Verdict.DISCARDED)


def is_free(ledger: Ledger, start: int, samples: int) -> bool:
    """Whether a range of the track, or beyond its end, holds no audio."""
    return start >= 0 and _taken(ledger, start, samples) == 0


def _taken(ledger: Ledger, start: int, samples: int) -> int:
    """How much of a range holds audio."""
    return sum(
        run.samples
        for run in ledger.runs_in(max(start, 0), start + samples)
        if not run.state.is_missing
    )


def _fill(
    ledger: Ledger, start: int, samples: int, silent: bool, ref: T
) -> Placement[T]:
    """Put a packet where only gaps are, and perhaps the end of the track."""
    state = State.SILENT if silent else State.RECEIVED
    inside = min(samples, ledger.samples - start)
    ledger.replace(start, inside, state)
    ledger.append(state, samples - inside)
    if inside == 0:
        return Placement(ref, start, samples, silent, Verdict.ON_TIME)
    ledger.late += 1
    return Placement(ref, start, samples, silent, Verdict.LATE)
