"""Whether journals keep up with what is sent, to be known before a kill."""

import functools
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from calls.journals.format import CRC, RECORD_FIXED
from calls.journals.reading import read
from tests.streaming.house import House
from tests.streaming.wire import SAMPLES

# A packet as it is in a journal.
RECORD_BYTES = RECORD_FIXED.size + SAMPLES * 2 + CRC.size
# Half a second of both speakers of a call.
BEHIND = 50
# Longer than that: what is held back for longer is found behind before it is over.
SECONDS = 0.6
# Who looks less often than that has not seen it for a while.
LOOKS_EVERY = 0.3
# Journals that are behind for longer, looked at all the while, hold packets back.
PATIENT_SECONDS = 5.0


class KeepsUp:
    """True once the journals of calls were half a second behind, at most, for a while.

    `sent` returns by call how many packets went out. When a test has stood still on a
    busy machine, all it owes goes out at once: a kill in that moment costs more than
    what was ever held back. Look again and again while packets go out, and kill before
    the next one does; after a standstill it begins anew. Without one, journals that
    stay behind are a fault of their writer: raises `AssertionError`.
    """

    def __init__(self, house: House, sent: Callable[[], Mapping[UUID, int]]) -> None:
        self._house = house
        self._sent = sent
        self._since = self._looked = self._stood = -LOOKS_EVERY
        self._fresh = 0.0

    def __call__(self) -> bool:
        now = time.monotonic()
        if now - self._looked > LOOKS_EVERY:
            self._since = self._stood = self._fresh = now
        elif self._is_behind():
            self._since = now
            behind = now - max(self._stood, self._fresh)
            assert behind < PATIENT_SECONDS, f"not written for {behind:.1f} s"
        else:
            self._fresh = now
        self._looked = now
        return now - self._since > SECONDS

    def _is_behind(self) -> bool:
        written = Counter[UUID]()
        for path in self._house.journals:
            # One whose call has ended is finished meanwhile, and goes.
            with suppress(FileNotFoundError):
                written[_call_of(path)] += path.stat().st_size
        return any(
            written[call] < (packets - BEHIND) * RECORD_BYTES
            for call, packets in self._sent().items()
        )


@functools.cache
def _call_of(path: Path) -> UUID:
    with read(path) as journal:
        return journal.header.call_id
