"""A live call under watch: what is wrong with it, and with whom in it."""

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from calls.alarms.kinds import Kind, call_key
from calls.alarms.thresholds import Thresholds
from calls.audio.ledger import overtalk_us
from calls.drafts import AlarmDraft
from streaming.alarms.condition import Condition, Moment, Seen
from streaming.alarms.handler import HandlerWatch
from streaming.alarms.person import MINUTE, Person, gap_us
from streaming.alarms.text import TextWatch
from streaming.alarms.words import WORDS

if TYPE_CHECKING:
    from streaming.call_audio import CallAudio, HeardTrack
    from streaming.handlers.running import Running

# One-way: so many seconds of talk by the other side prove that there is a talk.
LEAST_TALK: Final = 5.0
# Shares of a minute are not judged before so much of one has passed.
LEAST_WINDOW: Final = 20
# A look after a longer pause is one after a stop: what was before is not this second.
LONGEST_PASSED: Final = 5.0
# Seconds without a packet after which it is asked whether audio is wanted at all.
QUIET_SECONDS: Final = 1.5
# By how much speech must be louder than the threshold to be loud enough again.
LOUDER_DB: Final = 3.0


class CallWatch:
    """Watches one call as one ingest process receives it."""

    def __init__(self, call_id: UUID, thresholds: Thresholds | None = None) -> None:
        self.call_id = call_id
        self.thresholds = thresholds or Thresholds()
        # Of a call without packets: whether audio is wanted. None: nobody knows.
        self.is_wanted: bool | None = None
        self.quiet_for = 0.0
        self.text = TextWatch()
        self._people: dict[str, Person] = {}
        self._conditions: dict[tuple[Kind, str], Condition] = {}
        # Cleared alarms that nobody was told of yet.
        self._news: list[AlarmDraft] = []
        self._last: float | None = None
        self._captured_us = 0
        self._dead_for = 0.0
        self._voice_us: int | None = None
        # A minute of seconds: their lengths, their overtalk, their malformed messages.
        self._passed: deque[float] = deque(maxlen=MINUTE)
        self._overtalk: deque[int] = deque(maxlen=MINUTE)
        self._malformed: deque[int] = deque(maxlen=MINUTE)
        self._malformed_total = 0
        self._handler = HandlerWatch()
        self._judged: set[tuple[Kind, str]] = set()
        self._moment = Moment(0.0, datetime.min)  # noqa: DTZ901 never shown
        self._is_changed = False

    # What is known of it.

    @property
    def lasting(self) -> list[Condition]:
        """Return the conditions that are alarms now, the worst first."""
        raised = [one for one in self._conditions.values() if one.latch.is_raised]
        return sorted(raised, key=lambda one: -one.weight)

    @property
    def is_new(self) -> bool:
        """Say whether nothing was seen of the call yet, nor taken over."""
        return self._last is None and not self._conditions

    @property
    def is_quiet(self) -> bool:
        """Say whether no packets come, so that one must ask whether any should."""
        return self.quiet_for >= QUIET_SECONDS

    def drafts(self) -> list[AlarmDraft]:
        """Return every alarm that lasts, and those cleared since the last call.

        Lasting ones are returned each time: whoever lost one learns of it anew.
        """
        news, self._news = self._news, []
        return news + [one.draft() for one in self.lasting]

    # What happens to it.

    def carry_on(
        self,
        alarms: Iterable[AlarmDraft],
        tracks: "dict[tuple[str, int], HeardTrack]",
        moment: Moment,
    ) -> None:
        """Go on where rows say that another process was."""
        for draft in alarms:
            condition = self._condition(Kind(draft.kind), draft.raw_id)
            condition.carry_on(draft, moment)
        for (raw_id, _), track in tracks.items():
            if track.audio.is_ours:
                continue
            self._people[raw_id] = Person(track, moment.now, is_known=True)

    def end(self, now: float, wall: datetime, handler: "Running | None" = None) -> bool:
        """Clear everything: no socket is open any more. True if anything was raised.

        What is wrong with its handler by then is told all the same.
        """
        self._moment = moment = Moment(now, wall)
        self._judge_handler(handler)
        self._last, self.quiet_for, self.is_wanted = None, 0.0, None
        self.text.forget()
        ended = [one for one in self._conditions.values() if one.end(moment)]
        self._news += [one.draft() for one in ended]
        return bool(ended)

    def look(self, call: "CallAudio", now: float, wall: datetime) -> bool:
        """See how the call is. True if an alarm was raised or cleared.

        Call it once a second, after `call.measure()`, while a socket is open.
        """
        passed = 1.0 if self._last is None else now - self._last
        self._last = now
        self._judged.clear()
        self._is_changed = False
        tracks = {raw_id: track for (raw_id, _), track in _newest(call)}
        self._measure(call, tracks, now, passed if passed < LONGEST_PASSED else 1.0)
        self._moment = Moment(now, wall, self._captured_us or None)
        self._judge_call()
        self._judge_handler(call.handler)
        for raw_id, track in tracks.items():
            self._judge_person(raw_id, self._people[raw_id], track)
        self._forgo(now)
        return self._is_changed

    # Figures of the last second.

    def _measure(
        self,
        call: "CallAudio",
        tracks: "dict[str, HeardTrack]",
        now: float,
        passed: float,
    ) -> None:
        before, heard, packets = self._captured_us, 0, 0
        for raw_id, track in tracks.items():
            person = self._people.get(raw_id)
            if person is None:
                person = self._people[raw_id] = Person(track, now, is_known=False)
            packets += person.look(track, now, passed)
            self._captured_us = max(self._captured_us, person.end_us)
            heard += person.is_heard
        for person in self._people.values():
            if heard and not person.is_heard:
                person.listened += passed
        # What we say ourselves is heard in the call, and is nobody's in it.
        is_air_dead = not heard and not call.is_speaking
        self._note_voices(packets, passed, is_air_dead=is_air_dead)
        self.text.look(
            call.texts_heard, self._captured_us, passed, is_heard=bool(heard)
        )
        self._passed.append(passed)
        self._overtalk.append(self._overtalk_since(before, call) if heard > 1 else 0)
        malformed = sum(session.counts.malformed for session in call.sessions)
        self._malformed.append(max(malformed - self._malformed_total, 0))
        self._malformed_total = malformed

    def _note_voices(self, packets: int, passed: float, *, is_air_dead: bool) -> None:
        if packets:
            self.quiet_for, self.is_wanted = 0.0, None
        else:
            self.quiet_for += passed
        if not is_air_dead:
            self._dead_for, self._voice_us = 0.0, self._captured_us
        elif packets:
            self._dead_for += passed

    def _overtalk_since(self, since_us: int, call: "CallAudio") -> int:
        tracks = [
            (track.audio.timeline.origin or 0, track.audio.ledger)
            for track in call.callers.values()
        ]
        return overtalk_us(tracks, since_us)

    # What they mean. What is not judged is over: nothing shows it any more.

    def _judge_call(self) -> None:
        limits = self.thresholds
        if (limit := limits.dead_air_seconds) and not self.is_quiet:
            begun = self._voice_us or self._first_us()
            self._duration(Kind.DEAD_AIR, self._dead_for, limit, begun)
        if (limit := limits.stalled_seconds) and self.is_wanted:
            self._duration(Kind.STALLED, self.quiet_for, limit, self._captured_us)
        if (limit := limits.overtalk_percent) and len(self._passed) >= LEAST_WINDOW:
            share = sum(self._overtalk) / sum(self._passed) / 10_000
            self._share(Kind.OVERTALK, share, limit, limit * 2 / 3)
        if (limit := limits.transcript_seconds) and self.text.is_wanted:
            begun = self.text.missing_us
            self._duration(Kind.TRANSCRIPT, self.text.missing(limit), limit, begun)
        if limit := limits.malformed_count:
            self._share(Kind.MALFORMED, sum(self._malformed), limit, limit / 2)

    def _judge_handler(self, handler: "Running | None") -> None:
        limit = self.thresholds.handler_drops
        if handler is None or not limit:
            return
        seen = self._handler.look(handler, limit, self._moment.now)
        if seen.is_bad or (Kind.HANDLER, "") in self._conditions:
            self._judged.add((Kind.HANDLER, ""))
            self._step(self._condition(Kind.HANDLER, ""), seen)

    def _first_us(self) -> int | None:
        return min((one.joined_us for one in self._people.values()), default=None)

    def _judge_person(self, raw_id: str, person: Person, track: "HeardTrack") -> None:
        if not person.is_flowing:
            return
        limits = self.thresholds
        if len(self._people) > 1:
            self._judge_silence(raw_id, person)
        if limit := limits.gaps_percent:
            # Of a whole minute, also where a call has just begun: a second is lost to
            # every redial.
            share = 100 * person.missing() / (MINUTE * track.audio.rate)
            begun = gap_us(track) if share >= limit else None
            self._share(Kind.GAPS, share, limit, limit / 2, raw_id, begun)
        if not person.has_spoken_enough:
            return
        if limit := limits.clipping_percent:
            share = person.clipped_percent(track.audio.rate)
            self._share(Kind.CLIPPING, share, limit, limit / 2, raw_id)
        if limit := limits.quiet_dbfs:
            level = person.speech_dbfs
            self._weigh(
                Kind.TOO_QUIET,
                raw_id,
                level,
                limit,
                is_bad=level <= limit,
                is_over=level >= limit + LOUDER_DB,
                begun_us=self._captured_us - 1_000_000,
            )

    def _judge_silence(self, raw_id: str, person: Person) -> None:
        """Judge somebody who may be listening, or may be unheard.

        Of more than two, one who never says a word is a listener.
        """
        silent, limits = person.silent_for, self.thresholds
        is_of_two = len(self._people) == 2
        if is_of_two and not person.was_heard and (limit := limits.one_way_seconds):
            if person.listened >= LEAST_TALK:
                begun = person.joined_us
                self._duration(Kind.ONE_WAY, silent, limit, begun, raw_id)
        elif limit := limits.silent_seconds:
            # While nobody talks there is nothing to answer: that is dead air.
            is_asked = person.listened >= limit / 3
            value = silent if is_asked else 0.0
            begun = person.heard_us
            self._duration(Kind.SILENT_FLOW, value, limit, begun, raw_id)

    # From figures to alarms.

    def _duration(
        self,
        kind: Kind,
        value: float,
        limit: float,
        begun_us: int | None,
        raw_id: str = "",
    ) -> None:
        """Weigh how long something has lasted: it starts again from 0."""
        self._weigh(
            kind,
            raw_id,
            value,
            limit,
            is_bad=value >= limit,
            is_over=value < limit / 2,
            begun_us=begun_us,
        )

    def _share(
        self,
        kind: Kind,
        value: float,
        limit: float,
        lower: float,
        raw_id: str = "",
        begun_us: int | None = None,
    ) -> None:
        """Weigh a share or a number within a window."""
        self._weigh(
            kind,
            raw_id,
            value,
            limit,
            is_bad=value >= limit,
            is_over=value < lower,
            begun_us=begun_us or self._captured_us - 1_000_000,
        )

    def _weigh(
        self,
        kind: Kind,
        raw_id: str,
        value: float,
        limit: float,
        *,
        is_bad: bool,
        is_over: bool,
        begun_us: int | None,
    ) -> None:
        if not is_bad and (kind, raw_id) not in self._conditions:
            return
        words = WORDS[kind](value, limit) if is_bad else ""
        self._judged.add((kind, raw_id))
        seen = Seen(value, limit, is_bad, is_over, begun_us, words)
        self._step(self._condition(kind, raw_id), seen)

    def _step(self, condition: Condition, seen: Seen) -> None:
        if condition.look(self._moment, seen):
            self._is_changed = True
            if not condition.latch.is_raised:
                self._news.append(condition.draft())

    def _forgo(self, now: float) -> None:
        """Let what was not judged be over, and forget what cannot go on."""
        over = Seen(0.0, 0.0, False, True, None, "")
        for key, condition in list(self._conditions.items()):
            if key not in self._judged:
                self._step(condition, over)
            if condition.latch.is_idle(now):
                del self._conditions[key]

    def _condition(self, kind: Kind, raw_id: str) -> Condition:
        condition = self._conditions.get((kind, raw_id))
        if condition is None:
            key = call_key(self.call_id, kind, raw_id)
            condition = Condition(key, kind, self.call_id, raw_id)
            self._conditions[kind, raw_id] = condition
        return condition


def _newest(call: "CallAudio") -> "Iterator[tuple[tuple[str, int], HeardTrack]]":
    """Yield the callers' tracks; of one caller at several rates, the one heard last."""
    callers = call.callers
    if len({raw_id for raw_id, _ in callers}) == len(callers):
        return iter(callers.items())
    return iter(sorted(callers.items(), key=lambda item: item[1].audio.last_arrival_us))
