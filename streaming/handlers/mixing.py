"""Several voices into one, as they come. Pure."""

from collections.abc import Iterator
from typing import Final

from calls.audio.pcm import SLOT_US, Samples, mix

# Who was not heard for so long is not waited for.
PRESENT_US: Final = 200_000


class Mixer:
    """Adds up what several people say at the same time.

    One voice alone passes at once. Of several, 20 ms are whole when everybody who was
    heard lately is in them, or when somebody is further already.
    """

    def __init__(self) -> None:
        self._slot = 0
        self._parts: dict[str, Samples] = {}
        self._heard_us: dict[str, int] = {}

    def take(self, raw_id: str, stamp_us: int, samples: Samples) -> Iterator[Samples]:
        """Add 20 ms of somebody; yield what is whole now, in order."""
        self._heard_us[raw_id] = stamp_us
        slot = stamp_us // SLOT_US
        if self._parts and (slot > self._slot or raw_id in self._parts):
            yield self._taken()
        if not self._parts:
            self._slot = slot
        self._parts[raw_id] = samples
        if self._is_whole(stamp_us):
            yield self._taken()

    def _is_whole(self, now_us: int) -> bool:
        return all(
            raw_id in self._parts
            for raw_id, heard_us in self._heard_us.items()
            if now_us - heard_us < PRESENT_US
        )

    def _taken(self) -> Samples:
        parts, self._parts = list(self._parts.values()), {}
        return mix(parts) if len(parts) > 1 else parts[0]
