"""What was sent of one participant, as figures and as a hash of its timeline."""

import hashlib
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class SentTrack:
    """Counts one participant's packets and hashes their PCM on the call's timeline.

    The hash covers every 20 ms slot from the first packet sent to the last: the PCM of
    a packet, zeros for a packet flagged silent, zeros for a slot of which nothing was
    sent. It is kept incrementally: an hour of audio costs no memory.
    """

    raw_id: str
    frame_bytes: int
    packets: int = 0
    silent_packets: int = 0
    spoilt_packets: int = 0
    first_slot: int | None = None
    last_slot: int | None = None
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    _hash: "hashlib._Hash" = field(default_factory=hashlib.sha256, repr=False)

    def sent(self, slot: int, pcm: bytes, *, silent: bool, timestamp: bytes) -> None:
        """Take note of one packet that was handed to an open socket.

        Slots must rise: a packet is noted in the order of capture, even if a fault
        sends two of them the other way round.
        """
        if self.last_slot is None:
            self.first_slot = slot
            self.first_timestamp = timestamp.decode()
        elif slot <= self.last_slot:
            raise AssertionError("slots are noted in the order of capture")
        else:
            self._skip(slot - self.last_slot - 1)
        self._hash.update(bytes(self.frame_bytes) if silent else pcm)
        self.last_slot = slot
        self.last_timestamp = timestamp.decode()
        self.packets += 1
        self.silent_packets += silent

    def _skip(self, slots: int) -> None:
        """Hash slots of which nothing was sent, a second of zeros at a time."""
        while slots > 0:
            piece = min(slots, 50)
            self._hash.update(bytes(piece * self.frame_bytes))
            slots -= piece

    def report(self) -> dict[str, Any]:
        """Return the figures as the control API shows them."""
        slots = 0
        if self.first_slot is not None and self.last_slot is not None:
            slots = self.last_slot - self.first_slot + 1
        return {
            "raw_id": self.raw_id,
            "sent_packets": self.packets,
            "silent_packets": self.silent_packets,
            "spoilt_packets": self.spoilt_packets,
            "timeline_packets": slots,
            "first_timestamp": self.first_timestamp,
            "last_timestamp": self.last_timestamp,
            "sent_sha256": self._hash.hexdigest(),
        }
