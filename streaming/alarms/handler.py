"""What is wrong with a call's handler: it failed, has trouble, or is too slow."""

from collections import deque
from typing import TYPE_CHECKING

from streaming.alarms.condition import Seen
from streaming.alarms.person import MINUTE
from streaming.alarms.words import frames

if TYPE_CHECKING:
    from streaming.handlers.running import Running


class HandlerWatch:
    """Watches a call's handler, second by second."""

    def __init__(self) -> None:
        # Of the last minute: frames dropped so far, as they were each second.
        self._dropped: deque[int] = deque([0], maxlen=MINUTE + 1)

    def look(self, handler: "Running", limit: float, now: float) -> Seen:
        """See how it is; trouble is told whatever the limit for drops is."""
        dropped = handler.dropped
        if dropped < self._dropped[-1]:
            # Another handler since.
            self._dropped.clear()
            self._dropped.append(0)
        self._dropped.append(dropped)
        lost = dropped - self._dropped[0]
        trouble = handler.trouble(now)
        words = trouble or (
            f"The handler “{handler.name}” is too slow: {frames(lost)} of audio were"
            " dropped for it within a minute. The recording has them."
        )
        return Seen(
            lost,
            limit,
            is_bad=bool(trouble) or lost >= limit,
            is_over=not trouble and lost < limit / 2,
            begun_us=None,
            words=words,
        )
