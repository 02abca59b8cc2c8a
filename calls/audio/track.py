"""One participant's audio within one call: timeline, figures and levels together.

The same class runs in ingest, packet by packet, and over the journals when the
recording is finished. Given the same packets in the same order with the same arrival
times, both say the same, which is why the figures on the screen and the figures in
the archive agree. All times are microseconds since 1970, UTC.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Self, TypeVar

from calls.audio.exact import ExactTimeline
from calls.audio.ledger import Ledger, LedgerJson, State
from calls.audio.levels import LevelMeter
from calls.audio.pcm import BYTES_PER_SAMPLE
from calls.audio.timeline import Placement, Timeline

R = TypeVar("R")

# Packets come every 20 ms. A second without any is a pause worth explaining: ordered
# (a stop), or a loss.
PAUSE_US = 1_000_000
# An order takes effect some time after it was sent; so much of a pause beside a stop
# window still belongs to it.
EFFECT_US = 2_000_000


class Pause(NamedTuple):
    """A second or more in which nothing of a track arrived, by our clock."""

    after_sample: int
    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class Window:
    """A time by our clock in which nobody wanted streaming. `end_us` None: still."""

    start_us: int
    end_us: int | None


class TrackAudio(Generic[R]):
    """Takes a track's packets and keeps its figures.

    `R` is the caller's own reference to a packet; it comes back in the placement.
    `is_ours`: what we said into the call. Its times are exact, nothing of it is lost.
    """

    def __init__(self, rate: int, *, is_ours: bool = False) -> None:
        self.rate = rate
        self.is_ours = is_ours
        self.timeline: Timeline[R] = _kind_of(is_ours)(rate)
        self.meter = LevelMeter()
        self.packets = 0
        self.bytes = 0
        self.silent_packets = 0
        self.first_arrival_us = 0
        self.last_arrival_us = 0
        self.pauses: list[Pause] = []

    @property
    def ledger(self) -> Ledger:
        """Return what each slot of the track was."""
        return self.timeline.ledger

    def take(
        self,
        timestamp_us: int | None,
        arrival_us: int,
        pcm: bytes,
        silent: bool,
        ref: R,
    ) -> Sequence[Placement[R]]:
        """Count a packet and return the placements that became final by it.

        Often that is the packet itself; while the timeline waits for evidence of a
        hole it is none, and later several at once.
        """
        if not self.packets:
            self.first_arrival_us = arrival_us
        elif arrival_us - self.last_arrival_us > PAUSE_US and not self.is_ours:
            end = self.timeline.end
            self.pauses.append(Pause(end, self.last_arrival_us, arrival_us))
        self.last_arrival_us = arrival_us
        self.packets += 1
        self.bytes += len(pcm)
        if silent:
            self.silent_packets += 1
        else:
            self.meter.add(pcm)
        samples = len(pcm) // BYTES_PER_SAMPLE
        return self.timeline.place(timestamp_us, samples, silent, arrival_us, ref)

    def flush(self) -> Sequence[Placement[R]]:
        """Return the placements of packets that still waited for evidence."""
        return self.timeline.flush()

    def mark_stopped(self, windows: Iterable[Window]) -> None:
        """Let gaps inside `windows` count as stopped: nobody asked for that audio.

        A gap is known by capture time, an order by our clock. The pause in arrivals
        joins the two: the part of a pause that a window covers is the same part of
        the gap that lies in it.
        """
        for window in windows:
            for pause in self._pauses_in(window):
                hole = self._hole_after(pause.after_sample)
                if hole is None:
                    continue
                start, end = hole
                first, last = _overlap(pause, window)
                self.ledger.mark_stopped(
                    start + round(first * (end - start)),
                    start + round(last * (end - start)),
                )

    def _pauses_in(self, window: Window) -> Iterator[Pause]:
        """Yield the pauses that overlap `window`; a long call has thousands."""
        pauses = self.pauses
        first = bisect_right(pauses, window.start_us, key=lambda pause: pause.end_us)
        for index in range(first, len(pauses)):
            pause = pauses[index]
            if window.end_us is not None and pause.start_us >= window.end_us:
                return
            yield pause

    def mark_lost(self, samples: int) -> None:
        """Note that so much audio behind the last packet was never received."""
        self.ledger.append(State.GAP, samples)

    def _hole_after(self, sample: int) -> tuple[int, int] | None:
        """Return the first hole that begins at or after the end known at the pause.

        Packets that waited for evidence when the pause began are placed behind that
        end, so the hole may begin a little later: up to a second. What was marked
        as stopped before is part of the hole, or marking twice would mark more.
        """
        ledger = self.ledger
        for run in ledger.runs_in(sample, sample + self.rate):
            if run.state.is_missing:
                end = run.start
                for missing in ledger.runs_in(run.start, ledger.samples):
                    if not missing.state.is_missing:
                        break
                    end = missing.end
                return run.start, end
        return None

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs to go on with this track elsewhere, as JSON.

        Levels are not in it: whoever has the audio can measure it again.
        """
        return {
            "timeline": self.timeline.state(),
            "packets": self.packets,
            "bytes": self.bytes,
            "silent_packets": self.silent_packets,
            "first_arrival_us": self.first_arrival_us,
            "last_arrival_us": self.last_arrival_us,
            "pauses": [list(pause) for pause in self.pauses],
        }

    @classmethod
    def resume(
        cls,
        ledger: LedgerJson,
        *,
        origin_us: int,
        packets: int,
        size: int,
        silent_packets: int,
        arrivals_us: tuple[int, int],
        is_ours: bool = False,
    ) -> Self:
        """Return a track as far as its stored figures tell, to go on with it live.

        What the sender's clock was like is not among them; it is learnt again.
        `size` is the PCM received in bytes, `arrivals_us` the first and last arrival.
        """
        track = cls(ledger["rate"], is_ours=is_ours)
        first, last = arrivals_us
        track.timeline = _kind_of(is_ours).resume(
            ledger, origin=origin_us, first_arrival=first
        )
        track.packets, track.bytes = packets, size
        track.silent_packets = silent_packets
        track.first_arrival_us, track.last_arrival_us = first, last
        return track

    @classmethod
    def restore(
        cls, rate: int, state: dict[str, Any], *, is_ours: bool = False
    ) -> Self:
        """Return the track that `state()` described."""
        track = cls(rate, is_ours=is_ours)
        track.timeline = _kind_of(is_ours).restore(state["timeline"])
        track.packets = state["packets"]
        track.bytes = state["bytes"]
        track.silent_packets = state["silent_packets"]
        track.first_arrival_us = state["first_arrival_us"]
        track.last_arrival_us = state["last_arrival_us"]
        track.pauses = [Pause(*pause) for pause in state["pauses"]]
        return track


def _kind_of(is_ours: bool) -> type[Timeline[Any]]:
    return ExactTimeline if is_ours else Timeline


def _overlap(pause: Pause, window: Window) -> tuple[float, float]:
    """Return which part of `pause` lies in `window`, as two shares of its length.

    They overlap. What is left beside the window is the pause's own only if it is longer
    than an order takes to have its effect.
    """
    start, end = pause.start_us, pause.end_us
    opens = window.start_us
    closes = end if window.end_us is None else window.end_us
    if opens - EFFECT_US <= start:
        opens = min(opens, start)
    if closes + EFFECT_US >= end:
        closes = max(closes, end)
    length = end - start
    return (max(opens, start) - start) / length, (min(closes, end) - start) / length
