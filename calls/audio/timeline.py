"""Places a track's packets by capture time, and writes the ledger while doing so.

The rule: audio lies where its timestamp says it was spoken, jitter within ±60 ms does
not move it, and after an hour the track is as long as the hour was, within 20 ms.

The trap: one lost packet moves every later timestamp by 20 ms, which looks like a
little jitter. Calling it that 500 times makes an hour ten seconds short; calling
jitter a loss fills a whole recording with holes. One timestamp cannot tell them
apart. What follows can:

1. A packet that follows the one before it, within what its sender's clock allows
   (see `clock`), is placed there at once. That is nearly every packet.
2. Any other becomes a *suspect* and waits, and so do those behind it, until
   - a timestamp is back where it was expected: it was jitter, a burst stamped with one
     time, or packets out of order. They are placed in order of arrival, unless a crisp
     clock has a place of its own for each of them, before the one that came back;
   - three timestamps agree on a new place, on a crisp clock: there was a hole, or the
     stream stepped back. Then each packet goes where its own timestamp says;
   - up to 50 packets of a fuzzy clock (25 of a crisp one) have come and still no
     answer: their mean decides.
3. What does not show in single packets is a clock that runs fast or slow, or, on a
   fuzzy clock, a loss that drowned in jitter. The clock's slow measures show it, and
   it is put right by a hole of one packet, or by one packet less: on a crisp clock when
   the track leans by 16 ms (13 ms if the packet at hand is silent and nobody hears it).

Stepping back is how late packets, and replays after a redial, look. A packet whose
place is a gap fills it, and is `LATE`; one whose place holds audio is a `DUPLICATE`;
one that fits nowhere is `DISCARDED`. Neither of the last two is placed, the caller
keeps them aside, and no track grows by them.

What nobody can know is not claimed. Behind jitter of ±60 ms a single loss is certain
some three seconds after it happened; its gap lies where it became certain, and a loss
in the last second may never be. Where the very first packets share one timestamp, two
are taken for a duplicate and three for a burst.

Nothing here reads a clock or tosses a coin: the same packets with the same arrival
times in the same order end in the same ledger, live and years later.
"""

from collections.abc import Sequence
from typing import Generic, Self, TypedDict, TypeVar

from calls.audio import suspects
from calls.audio.clock import Clock, ClockJson
from calls.audio.ledger import Ledger, LedgerJson, State
from calls.audio.pcm import slot_samples
from calls.audio.placement import Placement, Verdict, is_free, put
from calls.audio.stamps import Stamps, StampsJson
from calls.audio.suspects import Suspect

__all__ = ["Placement", "Timeline", "TimelineJson", "Verdict"]

T = TypeVar("T")

# No sender replays more than this; its clock was set back.
_REPLAY_S = 60
# A hole of this much that our own clock did not see: theirs was set forward.
_LEAP_S = 600
# The same, where fewer packets than can agree came after it.
_LEAP_AT_END_S = 10


class TimelineJson(TypedDict):
    """A timeline as it is stored, between two packets that were placed."""

    rate: int
    cursor: int
    usual: int
    stamps: StampsJson
    clock: ClockJson
    ledger: LedgerJson


class Timeline(Generic[T]):
    """The timeline of one track at `rate` samples per second.

    `T` is the caller's own reference to a packet; it comes back in its placement.
    """

    __slots__ = (
        "_clock",
        "_cursor",
        "_run",
        "_run_samples",
        "_stamps",
        "_usual",
        "ledger",
        "rate",
    )

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.ledger = Ledger(rate)
        self._stamps = Stamps(rate)
        self._clock = Clock(rate)
        # Where the next packet is expected: the end of the track, or inside it while
        # a stream that stepped back catches up.
        self._cursor = 0
        # The packet size `place` need not look at twice. -1 until there is a
        # timestamp to trust, so that every packet is looked at until then.
        self._usual = -1
        self._run: list[Suspect[T]] = []
        self._run_samples = 0

    @property
    def origin(self) -> int | None:
        """The first packet's timestamp in µs since 1970; None before it."""
        return self._stamps.origin

    @property
    def jitter_us(self) -> float:
        """RFC 3550's interarrival jitter, of arrivals against timestamps, in µs."""
        return self._stamps.jitter_us

    @property
    def bad_timestamps(self) -> int:
        """Timestamps more than six hours from where they should have been."""
        return self._stamps.bad

    @property
    def end(self) -> int:
        """Samples from the origin to the end of what is placed, gaps included."""
        return self.ledger.samples

    @property
    def pending(self) -> int:
        """Packets that wait for evidence."""
        return len(self._run)

    @property
    def bias_us(self) -> int:
        """What later timestamps say `origin` should have been, minus `origin`.

        0 on an exact clock. Where timestamps jitter, so does the first, and
        `origin + bias_us` is when sample 0 was spoken.
        """
        return round(self._clock.bias * 1_000_000 / self.rate)

    def place(
        self, timestamp: int | None, samples: int, silent: bool, arrival: int, ref: T
    ) -> list[Placement[T]]:
        """Take the next packet and return all placements that became final by it.

        `timestamp` and `arrival` are µs since 1970 by the sender's clock and by ours.
        Most often the answer is this packet's own placement; it is empty while a
        packet waits, and holds several when the waiting ends. Every packet comes back
        in exactly one placement, from here or from `flush`.
        """
        if timestamp is None or samples != self._usual:
            timestamp, is_blank = self._prepare(timestamp, samples, arrival)
            if is_blank:
                return self._place_blank(timestamp, samples, silent, arrival, ref)
        if self._run:
            return self._doubt(timestamp, samples, silent, arrival, ref)
        clock = self._clock
        stamps = self._stamps
        if not clock.accepts(stamps.position(timestamp) - self._cursor):
            return self._doubt(timestamp, samples, silent, arrival, ref)
        stamps.note(timestamp, arrival)
        lean = clock.lean
        if (lean > clock.patience or lean < -clock.patience) and self._correct(
            lean, samples, silent
        ):
            return [Placement(ref, None, samples, silent, Verdict.DISCARDED)]
        return [self._follow(samples, silent, ref)]

    def flush(self) -> list[Placement[T]]:
        """Decide about all that still waits: no more packets will come.

        If the packets of a jittery sender make it likely that one was lost in the last
        second, the track ends with a gap. It can go on after this, as when a call is
        dialled again.
        """
        placements = self._decide() if self._run else []
        clock = self._clock
        if clock.is_short and self._cursor == self.end:
            # One of the last second's packets is missing, where in it nobody knows.
            self.ledger.append(State.GAP, clock.unit)
            self._cursor += clock.unit
            clock.shift(-clock.unit)
        return placements

    def _decide(self) -> list[Placement[T]]:
        """Place the run for good, with what there is."""
        run = self._run
        off = suspects.last_word(run, self._clock)
        if off is None:
            return self._acquit()
        limit = _LEAP_AT_END_S * self.rate
        if len(run) < suspects.AGREE and self._stamps.is_unseen(off, limit):
            return self._acquit()
        return self._convict(off)

    def _follow(self, samples: int, silent: bool, ref: T) -> Placement[T]:
        """Place a packet where it is expected."""
        cursor = self._cursor
        self._cursor = cursor + samples
        ledger = self.ledger
        if cursor == ledger.samples:
            ledger.append(State.SILENT if silent else State.RECEIVED, samples)
            return Placement(ref, cursor, samples, silent, Verdict.ON_TIME)
        return put(ledger, cursor, samples, silent, ref)

    def _prepare(
        self, timestamp: int | None, samples: int, arrival: int
    ) -> tuple[int, bool]:
        """Return the time to place a packet by, and whether that is only a guess."""
        self._clock.resize(samples)
        stamps = self._stamps
        if timestamp is None:
            if self._usual >= 0:
                return stamps.guess(arrival), True
            # Nobody has told us a time yet: arrivals are the only clock there is.
            timestamp = arrival
        else:
            if self._usual < 0 and stamps.origin is not None:
                stamps.begin_again(timestamp, arrival, self._waiting_end)
            self._usual = samples
        if stamps.origin is None:
            stamps.begin(timestamp, arrival)
        return timestamp, False

    @property
    def _waiting_end(self) -> int:
        """Where the next packet is expected if all that wait simply follow."""
        return self._cursor + self._run_samples

    def _place_blank(
        self, guess: int, samples: int, silent: bool, arrival: int, ref: T
    ) -> list[Placement[T]]:
        """Place a packet without a time: it follows, unless it came far too late."""
        off = self._off(guess)
        if not self._run:
            if abs(off) <= self._clock.jitter:
                return [self._follow(samples, silent, ref)]
        elif abs(off - self._run[-1].off) <= self._clock.jitter:
            last = self._run[-1]
            return self._join(
                Suspect(last.off, last.stamp, samples, silent, ref, weighs=False)
            )
        return self._doubt(guess, samples, silent, arrival, ref)

    def _off(self, timestamp: int) -> float:
        """How far `timestamp` is from where the next packet should be, in samples."""
        delta = self._stamps.position(timestamp) - self._waiting_end
        return delta - self._clock.near

    def _doubt(
        self, timestamp: int, samples: int, silent: bool, arrival: int, ref: T
    ) -> list[Placement[T]]:
        """Take a packet that does not follow, or comes behind some that do not."""
        off = self._off(timestamp)
        if not self._stamps.is_plausible(timestamp, arrival, off):
            return self._place_implausible(timestamp, samples, silent, arrival, ref)
        if not self._run:
            self._stamps.doubt()
        elif self._is_over(timestamp, off):
            placed = self._acquit()
            return placed + self.place(timestamp, samples, silent, arrival, ref)
        self._stamps.note(timestamp, arrival)
        return self._join(Suspect(off, timestamp, samples, silent, ref))

    def _is_over(self, timestamp: int, off: float) -> bool:
        """Whether the next packet shows that those that wait were where they belong."""
        clock = self._clock
        last = self._run[-1]
        if suspects.is_same(timestamp, last.stamp):
            # Of a burst stamped with one time only the last packet tells.
            return False
        first = self._stamps.origin if clock.seen == 1 else None
        if (
            first is not None
            and suspects.is_same(last.stamp, first)
            and len(self._run) > 1
        ):
            # The track begins with such a burst: its origin tells nothing either.
            self._rebase(last.off)
            return True
        if not clock.crisp and off * last.off < 0:
            return True
        return min(abs(off), abs(last.off)) <= clock.unit / 2

    def _rebase(self, off: float) -> None:
        """Take it that the origin, not the run, is `off` samples from the truth."""
        self._clock.rebase(off)
        for suspect in self._run:
            suspect.off -= off

    def _place_implausible(
        self, timestamp: int, samples: int, silent: bool, arrival: int, ref: T
    ) -> list[Placement[T]]:
        """Place a packet whose timestamp is hours away from its neighbours'."""
        stamps = self._stamps
        stamps.bad += 1
        if stamps.was_wrong(timestamp, arrival):
            stamps.begin_again(timestamp, arrival, self._waiting_end)
            return self.place(timestamp, samples, silent, arrival, ref)
        guess = stamps.guess(arrival)
        return self._place_blank(guess, samples, silent, arrival, ref)

    def _join(self, suspect: Suspect[T]) -> list[Placement[T]]:
        """Let a packet wait, and see whether there is evidence enough by now."""
        run = self._run
        if run and suspect.weighs and suspects.is_same(run[-1].stamp, suspect.stamp):
            run[-1].weighs = False
        run.append(suspect)
        self._run_samples += suspect.samples
        clock = self._clock
        off = suspects.agreed(run, clock)
        if off is not None:
            return self._convict(off)
        if suspects.is_enough(run, clock):
            return self._weigh()
        return []

    def _acquit(self) -> list[Placement[T]]:
        """Place the run where it was expected: it was jitter, or out of order."""
        run = self._run
        if self._clock.crisp:
            shifts = suspects.exact_shifts(run, 0, 0.0, self._clock)
            if shifts and self._is_reordered(shifts):
                return self._settle(shifts, 0, 0.0)
        return self._settle([0] * len(run), 0, 0.0)

    def _is_reordered(self, shifts: Sequence[int]) -> bool:
        """Whether all of the run belong before the packet that came behind it."""
        place = position = self._cursor
        for suspect, shift in zip(self._run, shifts, strict=True):
            place = position + shift
            position += suspect.samples
            if place + suspect.samples > self._waiting_end:
                return False
        # One packet alone may as well have an odd timestamp, unless it is missing.
        return len(shifts) > 1 or is_free(self.ledger, place, self._run_samples)

    def _convict(self, off: float) -> list[Placement[T]]:
        """Place the run as its timestamps say, now that they agree on `off`."""
        clock = self._clock
        final = round(off / clock.unit) * clock.unit
        if not suspects.is_whole(off, clock):
            # Not only losses but another beginning, as after a redial.
            final = round(off)
        if not clock.is_known and self._cursor + final < 0:
            # Nothing is repeated that was before the beginning.
            self._rebase(off)
            return self._settle([0] * len(self._run), 0, 0.0)
        if self._is_clock_set(final):
            return self._set_clock(final, off)
        shifts = suspects.exact_shifts(self._run, final, off, clock)
        if shifts is None:
            shifts = suspects.ordered_shifts(self._run, final, clock)
        return self._settle(shifts, final, off - final)

    def _weigh(self) -> list[Placement[T]]:
        """Place the run by its mean: the timestamps do not agree, and never will."""
        run = self._run
        clock = self._clock
        mean, spread = suspects.centre(run)
        if not clock.is_known and spread > clock.unit / 4 and mean <= 2 * clock.jitter:
            # Everybody jitters around a place that the first packet missed: then
            # its timestamp, the origin, is what is off.
            self._rebase(mean)
            return self._settle([0] * len(run), 0, 0.0)
        final = suspects.whole_shift(mean + clock.near - clock.bias, clock)
        if self._is_clock_set(final):
            return self._set_clock(final, mean)
        shifts = [final] * len(run)
        if clock.crisp:
            shifts = suspects.ordered_shifts(run, final, clock)
        return self._settle(shifts, final, mean - final)

    def _settle(
        self, shifts: Sequence[int], final: int, rest: float
    ) -> list[Placement[T]]:
        """Place the run, each packet shifted by its own.

        The stream goes on shifted by `final`, and its deltas by the `rest` too.
        """
        clock = self._clock
        run = self._run
        position = self._cursor
        self._cursor += self._run_samples + final
        self._run = []
        self._run_samples = 0
        clock.move(rest)
        placements = []
        for suspect, shift in zip(run, shifts, strict=True):
            start = position + shift
            position += suspect.samples
            placements.append(
                put(self.ledger, start, suspect.samples, suspect.silent, suspect.ref)
            )
            if suspect.weighs:
                clock.learn(suspect.off - shift - rest)
        return placements

    def _is_clock_set(self, shift: int) -> bool:
        """Whether the sender's clock was set, rather than audio lost or repeated."""
        if shift < -_REPLAY_S * self.rate:
            start = self._cursor + shift
            place = self.ledger.runs_in(max(start, 0), start + self._run_samples)
            return not any(run.state.is_missing for run in place)
        return self._stamps.is_unseen(shift, _LEAP_S * self.rate)

    def _set_clock(self, shift: int, off: float) -> list[Placement[T]]:
        """Follow a sender whose clock was set by `shift`: nothing is missing."""
        self._stamps.set_by(shift)
        for suspect in self._run:
            suspect.off -= shift
        return self._settle([0] * len(self._run), 0, off - shift)

    def _correct(self, lean: float, samples: int, silent: bool) -> bool:
        """Put right a track that is `lean` samples short; True: drop this packet."""
        clock = self._clock
        if abs(lean) <= clock.limit(silent):
            return False
        if lean > 0:
            self._cursor += clock.unit
            clock.shift(-clock.unit)
            return False
        clock.shift(samples)
        self.ledger.discarded += 1
        return True

    def state(self) -> TimelineJson:
        """Return what `restore` needs to go on elsewhere, as JSON.

        RuntimeError while packets wait: their references are the caller's, so
        `flush` first.
        """
        if self._run:
            raise RuntimeError(f"{len(self._run)} packets wait: flush first")
        return {
            "rate": self.rate,
            "cursor": self._cursor,
            "usual": self._usual,
            "stamps": self._stamps.to_json(),
            "clock": self._clock.to_json(),
            "ledger": self.ledger.to_json(),
        }

    @classmethod
    def restore(cls, state: TimelineJson) -> Self:
        """Return the timeline that `state()` described; it goes on as that one."""
        timeline = cls(state["rate"])
        timeline._cursor = state["cursor"]
        timeline._usual = state["usual"]
        timeline._stamps = Stamps.from_json(state["rate"], state["stamps"])
        timeline._clock = Clock.from_json(state["rate"], state["clock"])
        timeline.ledger = Ledger.from_json(state["ledger"])
        return timeline

    @classmethod
    def resume(cls, ledger: LedgerJson, *, origin: int, first_arrival: int) -> Self:
        """Return a timeline as far as its ledger tells, to go on with it.

        What its sender's clock was like is not in there and is learnt again.
        """
        timeline = cls(ledger["rate"])
        timeline.ledger = Ledger.from_json(ledger)
        timeline._cursor = timeline.end
        timeline._usual = slot_samples(timeline.rate)
        timeline._stamps.begin(origin, first_arrival)
        return timeline
