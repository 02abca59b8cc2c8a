"""The timeline: where packets end up, and what the ledger says of the rest."""

from calls.audio.ledger import State
from calls.audio.timeline import Timeline

NOON = 1_700_000_000_000_000
SLOT_US = 20_000


def test_places_an_exact_stream_packet_by_packet() -> None:
    timeline: Timeline[int] = Timeline(16_000)

    for slot in range(100):
        stamp = NOON + slot * SLOT_US
        [placement] = timeline.place(stamp, 320, False, stamp, slot)
        assert placement.start == slot * 320

    assert timeline.flush() == []
    assert timeline.ledger.total(State.RECEIVED) == timeline.end == 32_000
