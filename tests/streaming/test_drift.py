"""An hour over a bad network, from the wire to the archive: as long as the call was."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from calls.audio.ledger import State
from calls.audio.timeline import Placement
from calls.journals.replay import CallReplay, PacketRef, track_draft
from streaming.ingest import MediaSession
from tests.audio.streams import HOUR, NOON, Arrival, bad_hour
from tests.streaming.desk import OPENED, Desk
from tests.streaming.wire import ALICE, metadata, microseconds

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SHIFT_US = microseconds(OPENED) - NOON


def frames(hour: list[Arrival], rate: int) -> Iterator[tuple[Arrival, str]]:
    """Put a bad hour on the wire, as ACS stamps it: seven digits, in UTC."""
    pcm = base64.b64encode(bytes(rate // 25)).decode()
    for packet in hour:
        stamp = EPOCH + timedelta(microseconds=packet.stamp + SHIFT_US)
        yield (
            packet,
            f'{{"kind":"AudioData","audioData":{{"participantRawID":"{ALICE}",'
            f'"timestamp":"{stamp:%Y-%m-%dT%H:%M:%S}.{stamp.microsecond:06d}0Z",'
            f'"data":"{pcm}","silent":false}}}}',
        )


def receive(desk: Desk, hour: list[Arrival], rate: int) -> None:
    """Take an hour in; each redial is a new socket, after a close or without one."""
    session: MediaSession | None = None
    number = opened_us = -1
    for packet, frame in frames(hour, rate):
        at = packet.at - NOON
        if session is None or packet.socket != number:
            if session is not None:
                desk.seal(session, 1000 if number % 2 else None)
            number, opened_us = packet.socket, at - 2_000
            session = desk.socket(opened_us / 1e6)
            session.take(metadata(rate), 1_000)
        assert session.take(frame, at - opened_us) is None
    assert session is not None
    desk.seal(session)


@pytest.mark.parametrize(
    ("seed", "rate", "jitter_ms"),
    [(1, 16_000, 0), (2, 24_000, 0), (3, 16_000, 5), (4, 24_000, 5)],
)
def test_a_bad_hour_over_many_sockets_keeps_to_the_clock(
    tmp_path: Path, seed: int, rate: int, jitter_ms: float
) -> None:
    hour = bad_hour(Random(seed), jitter_ms=jitter_ms, unit_us=1_000)
    placements: list[Placement[PacketRef]] = []
    aside: list[object] = []
    with Desk(tmp_path) as desk:
        receive(desk, hour, rate)
        [live] = desk.call.tracks.values()
        live.audio.flush()

        again = CallReplay(
            desk.call.call_id,
            placed=lambda _raw_id, _rate, placement: placements.append(placement),
            aside=lambda *found: aside.append(found),
        )
        again.run(tmp_path.glob("*.journal"))

    [track] = again.tracks.values()
    assert len(again.counts) == hour[-1].socket + 1 >= 8
    assert abs(track.timeline.end * 1000 / rate - HOUR * 20) <= 20
    assert len(placements) == len(hour)
    assert aside == []
    assert farthest_ms(placements, rate) <= 60
    assert track.ledger.total(State.RECEIVED) == len(hour) * rate // 50
    assert track_draft(desk.call.call_id, ALICE, live.audio) == track_draft(
        desk.call.call_id, ALICE, track
    )


def farthest_ms(placements: list[Placement[PacketRef]], rate: int) -> float:
    """Return how far a packet lies at most from its own timestamp."""
    origin = microseconds(OPENED)
    return max(
        abs((place.start or 0) * 1e6 / rate - (place.ref.record.timestamp_us - origin))
        / 1000
        for place in placements
        if place.ref.record.timestamp_us is not None
    )
