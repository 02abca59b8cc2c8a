"""What every sample of a track was: received, silent, a gap, or not asked for.

A ledger is a list of runs in samples. Packets are normally one 20 ms slot, but the
ledger does not care. Neighbouring runs of one state are always one run, so an
eight-hour call without a fault is a single run, and appending costs the same in
the last minute as in the first.

Late and duplicate are not states of a sample but things that happened to a packet:
a late packet's samples are received in the end, a duplicate's have been all along.
They are counters beside the runs.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from enum import StrEnum
from operator import attrgetter, sub
from typing import NamedTuple, Self, TypedDict

from calls.audio.pcm import samples_to_us, us_to_samples


class State(StrEnum):
    """What a stretch of a track was. The letters are what is stored."""

    RECEIVED = "r"
    """Audio came."""
    SILENT = "s"
    """A packet came and said that it was silent."""
    GAP = "g"
    """Audio was expected and none came."""
    STOPPED = "x"
    """Nobody asked for audio: streaming was stopped."""

    @property
    def is_missing(self) -> bool:
        """Whether there is no audio, for whatever reason."""
        return self is State.GAP or self is State.STOPPED


_letter = attrgetter("_value_")


class Run(NamedTuple):
    """`samples` samples from `start` on, all in one state."""

    state: State
    start: int
    samples: int

    @property
    def end(self) -> int:
        """The first sample after the run."""
        return self.start + self.samples


class LedgerJson(TypedDict):
    """A ledger as it is stored."""

    rate: int
    runs: list[tuple[str, int]]
    late: int
    duplicates: int
    discarded: int


class Ledger:
    """The ledger of one track at `rate` samples per second."""

    __slots__ = (
        "_gap_count",
        "_last",
        "_starts",
        "_states",
        "_totals",
        "discarded",
        "duplicates",
        "late",
        "rate",
        "samples",
    )

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.samples = 0
        # Packets that filled a gap after it had been written down as one.
        self.late = 0
        # Packets whose place held received audio already.
        self.duplicates = 0
        # Packets that fitted nowhere, or one too many of a clock that runs fast.
        self.discarded = 0
        # Run i covers _starts[i] up to _starts[i + 1], the last one up to `samples`.
        self._starts: list[int] = []
        self._states: list[State] = []
        # The last run's state: what `append` asks for each packet.
        self._last: State | None = None
        self._totals = dict.fromkeys(State, 0)
        self._gap_count = 0

    def append(self, state: State, samples: int) -> None:
        """Add `samples` (not negative) of `state` at the end, in constant time."""
        if samples <= 0:
            if samples < 0:
                raise ValueError(f"a run of {samples} samples")
            return
        if state is not self._last:
            self._starts.append(self.samples)
            self._states.append(state)
            self._last = state
            if state is State.GAP:
                self._gap_count += 1
        self.samples += samples
        self._totals[state] += samples

    def replace(self, start: int, samples: int, state: State) -> None:
        """Say that `samples` samples from `start` on were `state` after all.

        ValueError if that range is not inside the ledger.
        """
        end = start + samples
        if start < 0 or samples < 0 or end > self.samples:
            raise ValueError(f"{start}..{end} is outside a ledger of {self.samples}")
        if samples == 0:
            return
        for run in self.runs_in(start, end):
            self._totals[run.state] -= run.samples
        self._totals[state] += samples
        self._splice(start, end, state)
        self._gap_count = self._states.count(State.GAP)

    def _splice(self, start: int, end: int, state: State) -> None:
        first = bisect_right(self._starts, start) - 1
        last = bisect_left(self._starts, end)
        pieces = [(start, state)]
        if self._starts[first] < start:
            pieces.insert(0, (self._starts[first], self._states[first]))
        elif first > 0:
            first -= 1
            pieces.insert(0, (self._starts[first], self._states[first]))
        if last < len(self._starts):
            pieces.append((self._starts[last], self._states[last]))
            tail = last + 1
        else:
            tail = last
        if end < (self._starts[last] if last < len(self._starts) else self.samples):
            pieces.insert(len(pieces) - (tail - last), (end, self._states[last - 1]))
        merged = [
            piece
            for index, piece in enumerate(pieces)
            if index == 0 or pieces[index - 1][1] is not piece[1]
        ]
        self._starts[first:tail] = [at for at, _ in merged]
        self._states[first:tail] = [was for _, was in merged]
        self._last = self._states[-1]

    def mark_stopped(self, start: int, end: int) -> None:
        """Turn the gaps inside [start, end) into STOPPED; audio stays what it is."""
        inside = [
            run
            for run in self.runs_in(max(start, 0), min(end, self.samples))
            if run.state is State.GAP
        ]
        for run in inside:
            self.replace(run.start, run.samples, State.STOPPED)

    @property
    def runs(self) -> list[Run]:
        """All runs in order; neighbours differ in state."""
        return list(self.runs_in(0, self.samples))

    def runs_in(self, start: int, end: int) -> Iterator[Run]:
        """The runs of [start, end), cut at both ends; the ledger must not change."""
        if start >= end:
            return
        starts = self._starts
        for index in range(max(bisect_right(starts, start) - 1, 0), len(starts)):
            begin = max(starts[index], start)
            if begin >= end:
                return
            stop = starts[index + 1] if index + 1 < len(starts) else self.samples
            stop = min(stop, end)
            if stop > begin:
                yield Run(self._states[index], begin, stop - begin)

    def missing_runs(self, start: int = 0) -> Iterator[Run]:
        """The gaps and stops that end behind `start`, whole; quick on a long ledger."""
        starts, states = self._starts, self._states
        gap, stopped = State.GAP, State.STOPPED
        for index in range(max(bisect_right(starts, start) - 1, 0), len(starts)):
            state = states[index]
            if state is gap or state is stopped:
                begin = starts[index]
                end = starts[index + 1] if index + 1 < len(starts) else self.samples
                if end > start:
                    yield Run(state, begin, end - begin)

    @property
    def run_count(self) -> int:
        """Number of runs."""
        return len(self._starts)

    def total(self, state: State) -> int:
        """Samples in `state`."""
        return self._totals[state]

    @property
    def completeness(self) -> float | None:
        """What came of what should have come, 0 to 1, by time.

        Silence that was sent counts as having come. Time in which streaming was
        stopped counts on neither side. None if nothing was expected.
        """
        came = self._totals[State.RECEIVED] + self._totals[State.SILENT]
        expected = came + self._totals[State.GAP]
        return came / expected if expected else None

    @property
    def gap_count(self) -> int:
        """Number of separate gaps."""
        return self._gap_count

    def talk_runs(self, start: int = 0) -> Iterator[tuple[int, int]]:
        """(start, end) in samples of what was received and not silent."""
        for run in self.runs_in(max(start, 0), self.samples):
            if run.state is State.RECEIVED:
                yield run.start, run.end

    def to_json(self) -> LedgerJson:
        """The ledger for storage: runs as [letter, samples], and the counters."""
        ends = [*self._starts[1:], self.samples] if self._starts else []
        return {
            "rate": self.rate,
            # Plain letters: tuples of members of an enum would be looked at by every
            # garbage collection, a million of them for 300 long calls.
            "runs": list(
                zip(
                    map(_letter, self._states),
                    map(sub, ends, self._starts),
                    strict=True,
                )
            ),
            "late": self.late,
            "duplicates": self.duplicates,
            "discarded": self.discarded,
        }

    @classmethod
    def from_json(cls, stored: LedgerJson) -> Self:
        """The ledger that `to_json` described."""
        ledger = cls(stored["rate"])
        for letter, samples in stored["runs"]:
            ledger.append(State(letter), samples)
        ledger.late = stored["late"]
        ledger.duplicates = stored["duplicates"]
        ledger.discarded = stored["discarded"]
        return ledger


def overtalk_us(
    tracks: Iterable[tuple[int, Ledger]],
    since_us: int | None = None,
    until_us: int | None = None,
) -> int:
    """How long two or more tracks talked at once, in µs.

    `tracks` are pairs of a track's start in µs (on any clock they share) and its
    ledger; rates may differ. On that clock `since_us` and `until_us` bound what is
    looked at, and at no cost for what lies before.
    """
    edges: list[tuple[int, int]] = []
    for offset, ledger in tracks:
        first = 0
        if since_us is not None:
            # One sample sooner, cut off below: a bound that lies between two samples
            # must not cost the rest of the first.
            first = us_to_samples(max(since_us - offset, 0), ledger.rate) - 1
        for run_start, run_end in ledger.talk_runs(first):
            start = offset + samples_to_us(run_start, ledger.rate)
            end = offset + samples_to_us(run_end, ledger.rate)
            start = start if since_us is None else max(start, since_us)
            end = end if until_us is None else min(end, until_us)
            if start < end:
                edges += ((start, 1), (end, -1))
    edges.sort()
    talking = overtalk = since = 0
    for at, change in edges:
        if talking > 1:
            overtalk += at - since
        talking += change
        since = at
    return overtalk


class Overtalk:
    """Overtalk of a call that goes on: each look costs as much in the last hour.

    What is older than `settle_us` is summed up once. A packet that comes later than
    that changes the sum no more; the archive counts anew.
    """

    __slots__ = ("_settle_us", "_settled", "_until")

    def __init__(self, settle_us: int = 60_000_000) -> None:
        self._settle_us = settle_us
        self._settled = 0
        self._until: int | None = None

    def update(self, tracks: Iterable[tuple[int, Ledger]]) -> int:
        """Return the overtalk so far, in µs; `tracks` as for `overtalk_us`."""
        known = list(tracks)
        total = self._settled + overtalk_us(known, self._until)
        ends = [at + samples_to_us(ledger.samples, ledger.rate) for at, ledger in known]
        ready = max(ends, default=0) - self._settle_us
        if ready - (self._until or 0) > self._settle_us:
            self._settled += overtalk_us(known, self._until, ready)
            self._until = ready
        return total
