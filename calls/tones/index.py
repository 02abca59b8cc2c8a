"""DTMF tones of one socket, from frames to drafts. No Django.

Ingest and finishing see the same frames with the same arrivals, so both name a tone
alike: by its socket, its arrival and how many of that arrival came before it.
"""

from uuid import UUID

from calls import identity
from calls.drafts import ToneDraft
from calls.instants import microseconds
from streaming.protocol import MASK, DtmfData

# A peer that sends more is not dialling: its frames are kept, rows are not made.
MAX_TONES = 10_000


class ToneIndex:
    """Names the tones of one socket, in the order they came."""

    def __init__(self, call_id: UUID, connection_id: UUID, opened_us: int) -> None:
        """`opened_us`: when the socket opened, µs since 1970."""
        self.call_id = call_id
        self.connection_id = connection_id
        self.opened_us = opened_us
        self.tones = 0
        self._arrival_us = -1
        self._before = 0
        self._waiting: list[ToneDraft] = []

    def add(self, dtmf: DtmfData, arrival_us: int) -> None:
        """Add a tone that arrived so many µs after the socket opened."""
        self._before = self._before + 1 if arrival_us == self._arrival_us else 0
        self._arrival_us = arrival_us
        self.tones += 1
        if self.tones > MAX_TONES:
            return
        stamp = dtmf.timestamp
        self._waiting.append(
            ToneDraft(
                id=identity.tone_id(self.connection_id, arrival_us, self._before),
                call_id=self.call_id,
                raw_id=dtmf.participant_raw_id or "",
                tone=dtmf.data,
                at_us=microseconds(stamp) if stamp else self.opened_us + arrival_us,
                is_stamped=stamp is not None,
                is_masked=dtmf.data == MASK,
            )
        )

    def drafts(self) -> list[ToneDraft]:
        """Return the tones that came since the last call."""
        drafts, self._waiting = self._waiting, []
        return drafts
