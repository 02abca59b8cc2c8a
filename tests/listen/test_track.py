"""Where a listener hears a packet, and the frames that carry it."""

from streaming.listen.track import (
    HEADER,
    HOLE,
    LIVE,
    SILENT,
    Arrived,
    Runs,
    Sequencer,
    frame,
)
from tests.streaming.wire import ALICE, PACKET_US, RATE, SAMPLES


def packet(
    number: float, *, socket: str = "one", pcm: bytes = b"\1\0" * SAMPLES
) -> Arrived:
    at = round(number * PACKET_US)
    return Arrived(socket, ALICE, RATE, at, at, SAMPLES, pcm)


def places(*numbers: float) -> list[int | None]:
    """Return where packets of these times begin, in packets."""
    track = Sequencer(RATE, 0)
    found = []
    for number in numbers:
        placed = track.place(packet(number))
        found.append(None if placed is None else placed[0] // SAMPLES)
    return found


def test_jitter_moves_no_audio() -> None:
    assert places(0, 1.3, 1.7, 3.2, 4, 5.4, 5.8) == [0, 1, 2, 3, 4, 5, 6]


def test_one_lost_packet_of_an_exact_sender_is_a_hole_at_once() -> None:
    track = Sequencer(RATE, 0)
    for number in range(10):
        track.place(packet(number))

    assert track.place(packet(11)) == (11 * SAMPLES, True)


def test_one_lost_packet_of_a_jittery_sender_is_a_hole_before_long() -> None:
    jitter = [0.2 * (-1) ** number for number in range(10)]
    before = [number + jitter[number] for number in range(10)]
    after = [number + jitter[number % 10] for number in range(11, 40)]

    found = places(*before, *after)

    assert found[:10] == list(range(10))
    assert found[-1] == 39


def test_a_packet_that_comes_late_fills_its_hole_once() -> None:
    assert places(0, 1, 2, 6, 7, 4, 4, 8) == [0, 1, 2, 6, 7, 4, None, 8]


def test_what_a_redial_repeats_is_heard_once() -> None:
    track = Sequencer(RATE, 0)
    for number in range(5):
        track.place(packet(number))

    assert track.place(packet(3, socket="two")) is None
    assert track.place(packet(4, socket="two")) is None
    assert track.place(packet(5, socket="two")) == (5 * SAMPLES, False)


def test_what_belongs_together_is_one_frame() -> None:
    runs, quiet = Runs(), packet(2, pcm=b"")
    runs.add(3, 0, packet(0), has_hole=False)
    runs.add(3, SAMPLES, packet(1), has_hole=False)
    runs.add(3, 2 * SAMPLES, quiet, has_hole=False)
    runs.add(3, 9 * SAMPLES, packet(9), has_hole=True)

    told = [
        HEADER.unpack_from(
            frame(track, run, RATE, generation=8, is_live=True, sent_at=1.5)
        )
        for track, run in runs
    ]

    assert told == [
        (1, LIVE, 3, 8, RATE, 2 * SAMPLES, 0.0, 1500.0),
        (1, LIVE | SILENT, 3, 8, RATE, SAMPLES, 2.0 * SAMPLES, 1500.0),
        (1, LIVE | HOLE, 3, 8, RATE, SAMPLES, 9.0 * SAMPLES, 1500.0),
    ]
