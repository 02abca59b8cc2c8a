"""An ingest process under watch: is it nearly full, or its disk?"""

from datetime import datetime
from typing import Final

from calls.alarms.kinds import Kind, Weight, node_key
from calls.alarms.thresholds import Thresholds
from calls.drafts import AlarmDraft
from calls.load import LiveLoad
from streaming.alarms.condition import Condition, Moment, Seen

# Percent below the threshold at which there is room again.
ROOM: Final = 10.0
# Times the threshold at which the disk is not low any more.
EASE: Final = 1.5
# With fewer days than this left there is no time to lose.
LAST_DAYS: Final = 0.25


class NodeWatch:
    """Watches one ingest process of a node."""

    def __init__(self, node: str, pid: int, thresholds: Thresholds) -> None:
        self.thresholds = thresholds
        self._full = Condition(node_key(node, Kind.NODE_FULL, pid), Kind.NODE_FULL)
        self._disk = Condition(node_key(node, Kind.DISK_LOW, pid), Kind.DISK_LOW)
        self._full.node = self._disk.node = node
        self._news: list[AlarmDraft] = []

    def look(self, load: LiveLoad, streams: int, now: float, wall: datetime) -> bool:
        """See what it bears. True if an alarm was raised or cleared."""
        moment = Moment(now, wall)
        changed = self._look(self._full, moment, self._fullness(load, streams))
        return self._look(self._disk, moment, self._disk_days(load)) or changed

    def _look(self, condition: Condition, moment: Moment, seen: Seen) -> bool:
        changed = condition.look(moment, seen)
        if changed and not condition.latch.is_raised:
            self._news.append(condition.draft())
        return changed

    def _fullness(self, load: LiveLoad, streams: int) -> Seen:
        limit = self.thresholds.node_percent
        share = 100 * streams / max(load["limit"], 1)
        refuses = load["reason"]
        words = (
            f"It holds {streams} of the {load['limit']} streams it can: {share:.0f} %."
        )
        if refuses:
            words = f"No further stream is taken: {refuses}."
        return Seen(
            share,
            limit,
            is_bad=bool(limit) and (share >= limit or bool(refuses)),
            is_over=not limit or (share < limit - ROOM and not refuses),
            begun_us=None,
            words=words,
            weight=Weight.CRITICAL if refuses else None,
        )

    def _disk_days(self, load: LiveLoad) -> Seen:
        limit, days = self.thresholds.disk_days, load["disk_days"]
        is_low = days is not None and days <= limit
        left = 0.0 if days is None else days
        words = f"At this rate the journal disk is full in {_days(left)}."
        return Seen(
            left,
            limit,
            is_bad=bool(limit) and is_low,
            is_over=not limit or days is None or days >= limit * EASE,
            begun_us=None,
            words=words,
            weight=Weight.CRITICAL if is_low and left < LAST_DAYS else None,
        )

    def end(self, now: float, wall: datetime) -> None:
        """Clear everything: the process ends."""
        for condition in (self._full, self._disk):
            if condition.end(Moment(now, wall)):
                self._news.append(condition.draft())

    def drafts(self) -> list[AlarmDraft]:
        """Return every alarm that lasts, and those cleared since the last call."""
        news, self._news = self._news, []
        both = (self._full, self._disk)
        return news + [one.draft() for one in both if one.latch.is_raised]


def _days(days: float) -> str:
    return f"{days * 24:.1f} hours" if days < 1 else f"{days:.1f} days"
