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

A sender's clock that was set, by more than a second, is neither: packets went on coming
at their pace, and only their timestamps jumped. Then nothing is missing, and nothing
is there twice. Where packets do not come evenly that does not show unless it jumped by
minutes, and a step of less than a second is taken for what it looks like.

What nobody can know is not claimed. Behind jitter of ±60 ms a single loss is certain
some three seconds after it happened; its gap lies where it became certain, and a loss
in the last second may never be. Where the very first packets share one timestamp, two
are taken for a duplicate and three for a burst.

Nothing here reads a clock or tosses a coin: the same packets with the same arrival
times in the same order end in the same ledger, live and years later.
"""

from typing import Generic, Self, TypedDict, TypeVar

from calls.audio import suspects
from calls.audio.clock import Clock, ClockJson
from calls.audio.judging import Judge, Judgement
from calls.audio.ledger import Ledger, LedgerJson, State
from calls.audio.pcm import slot_samples
from calls.audio.placement import Placement, Verdict, put
from calls.audio.stamps import Stamps, StampsJson
from calls.audio.suspects import Suspect

__all__ = ["Placement", "Timeline", "TimelineJson", "Verdict"]

T = TypeVar("T")


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
        "_judge",
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
        self._judge = Judge(self._clock, self._stamps, self.ledger)
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
        placements: list[Placement[T]] = []
        if self._run:
            last_word = self._judge.judge_last(self._run, self._cursor)
            placements = self._settle(last_word)
        clock = self._clock
        if clock.is_short and self._cursor == self.end:
            # One of the last second's packets is missing, where in it nobody knows.
            self.ledger.append(State.GAP, clock.unit)
            self._cursor += clock.unit
            clock.shift(-clock.unit)
        return placements

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
                Suspect(
                    last.off,
                    last.stamp,
                    samples,
                    silent,
                    ref,
                    last.transit,
                    weighs=False,
                )
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
        elif self._judge.is_over(self._run, timestamp, off):
            placed = self._settle(self._judge.acquit(self._run, self._cursor))
            return placed + self.place(timestamp, samples, silent, arrival, ref)
        self._stamps.note(timestamp, arrival)
        transit = arrival - timestamp
        return self._join(Suspect(off, timestamp, samples, silent, ref, transit))

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
        judgement = self._judge.judge(run, self._cursor)
        return [] if judgement is None else self._settle(judgement)

    def _settle(self, judgement: Judgement) -> list[Placement[T]]:
        """Place the packets that waited, and let the stream go on, as was judged."""
        clock = self._clock
        run = self._run
        position = self._cursor
        shifts, final, rest = judgement
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
        timeline._judge = Judge(timeline._clock, timeline._stamps, timeline.ledger)
        return timeline

    @classmethod
    def resume(cls, ledger: LedgerJson, *, origin: int, first_arrival: int) -> Self:
        """Return a timeline as far as its ledger tells, to go on with it.

        What its sender's clock was like is not in there and is learnt again.
        """
        timeline = cls(ledger["rate"])
        timeline.ledger = Ledger.from_json(ledger)
        timeline._judge = Judge(timeline._clock, timeline._stamps, timeline.ledger)
        timeline._cursor = timeline.end
        timeline._usual = slot_samples(timeline.rate)
        timeline._stamps.begin(origin, first_arrival)
        return timeline
