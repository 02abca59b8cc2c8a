"""One condition that is watched, and the alarm it makes."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from calls.alarms.kinds import WEIGHTS, Kind, Weight
from calls.drafts import AlarmDraft
from streaming.alarms.latch import SAME_WITHIN, Latch, Patience, Turn

# Seconds for which a condition must last, and be away. What is a length of time has
# lasted by itself; shares of a window are smooth, and need less patience than figures
# of single seconds. A gap must outlast the time in which an ordered stop becomes known.
PATIENCE: Final = {
    Kind.DEAD_AIR: Patience(0, 3),
    Kind.ONE_WAY: Patience(0, 3),
    Kind.SILENT_FLOW: Patience(0, 3),
    Kind.STALLED: Patience(0, 2),
    Kind.GAPS: Patience(8, 10),
    Kind.CLIPPING: Patience(2, 5),
    Kind.TOO_QUIET: Patience(3, 5),
    Kind.OVERTALK: Patience(3, 10),
    Kind.MALFORMED: Patience(0, 10),
    Kind.HANDLER: Patience(0, 10),
    Kind.TRANSCRIPT: Patience(0, 2),
    Kind.NODE_FULL: Patience(10, 30),
    Kind.DISK_LOW: Patience(60, 60),
}


@dataclass(frozen=True, slots=True)
class Moment:
    """Now: by a clock that never steps (s), by the wall, and as audio was captured."""

    now: float
    wall: datetime
    captured_us: int | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a condition: its value, and what that means.

    `begun_us` is when it began, by capture time.
    """

    value: float
    threshold: float
    is_bad: bool
    is_over: bool
    begun_us: int | None
    words: str
    weight: Weight | None = None


@dataclass(slots=True)
class Condition:
    """A condition of a call, of a participant in it, or of a node."""

    key: str
    kind: Kind
    call_id: UUID | None = None
    raw_id: str = ""
    node: str = ""
    latch: Latch = field(init=False)
    # Of the alarm, once it was raised. `since` is when it was raised last.
    raised_at: datetime | None = None
    since: datetime | None = None
    seen_at: datetime | None = None
    cleared_at: datetime | None = None
    at_us: int | None = None
    seen: Seen | None = None
    _begun_us: int | None = None

    def __post_init__(self) -> None:
        self.latch = Latch(PATIENCE[self.kind])

    def look(self, moment: Moment, seen: Seen) -> bool:
        """Take what is seen now. True if the alarm was raised or cleared by it."""
        was_begun = self.latch.is_begun
        turn = self.latch.step(moment.now, is_bad=seen.is_bad, is_over=seen.is_over)
        if self.latch.is_begun and not was_begun:
            self._begun_us = seen.begun_us
        if self.latch.is_raised:
            self.seen_at = moment.wall
            # What is seen while it goes away says nothing of the alarm.
            if seen.is_bad:
                self.seen = seen
        match turn:
            case Turn.RAISED:
                self.raised_at = self.since = moment.wall
                self._raised()
            case Turn.RAISED_AGAIN:
                self.since = moment.wall
                self._raised()
            case Turn.CLEARED:
                self.cleared_at = self.seen_at = moment.wall
            case Turn.NONE:
                return False
        return True

    def _raised(self) -> None:
        self.cleared_at, self.at_us = None, self._begun_us

    def end(self, moment: Moment) -> bool:
        """Clear it at once, if it is raised. True if it was."""
        if not self.latch.is_raised:
            return False
        self.latch.clear(moment.now)
        self.cleared_at = self.seen_at = moment.wall
        return True

    def carry_on(self, draft: AlarmDraft, moment: Moment) -> None:
        """Go on with what another process raised, or this one in a former life."""
        weight = Weight(draft.severity)
        self.seen = Seen(
            draft.value or 0.0,
            draft.threshold or 0.0,
            is_bad=True,
            is_over=False,
            begun_us=draft.at_us,
            words=draft.words,
            weight=weight,
        )
        self.raised_at, self.since = draft.raised_at, draft.raised_at
        self.at_us, self.seen_at = draft.at_us, draft.seen_at
        self.latch.occurrences = draft.occurrences
        self.latch.is_raised = draft.cleared_at is None
        if draft.cleared_at is not None:
            self.cleared_at = draft.cleared_at
            away = max((moment.wall - draft.cleared_at) / timedelta(seconds=1), 0.0)
            self.latch.cleared_at = moment.now - min(away, SAME_WITHIN + 1)

    @property
    def weight(self) -> Weight:
        """Return how much it matters now."""
        own = self.seen.weight if self.seen else None
        return own or WEIGHTS[self.kind]

    def draft(self) -> AlarmDraft:
        """Return the alarm as the row it makes. It must have been raised."""
        seen, raised_at, seen_at = self.seen, self.raised_at, self.seen_at
        if seen is None or raised_at is None or seen_at is None:
            raise AssertionError("an alarm that was never raised has no row")
        return AlarmDraft(
            key=self.key,
            kind=self.kind.value,
            severity=int(self.weight),
            call_id=self.call_id,
            raw_id=self.raw_id,
            node=self.node,
            words=seen.words,
            value=seen.value,
            threshold=seen.threshold,
            at_us=self.at_us,
            raised_at=raised_at,
            since=self.since or raised_at,
            seen_at=seen_at,
            cleared_at=self.cleared_at,
            occurrences=self.latch.occurrences,
        )
