"""A track: figures, pauses, stops, and going on elsewhere."""

from collections.abc import Iterable

import pytest

from calls.audio.ledger import Run, State
from calls.audio.track import TrackAudio, Window

RATE = 16_000
SLOT = 320
SLOT_US = 20_000
LOUD = b"\x00\x40" * SLOT
START = 1_800_000_000_000_000
SECOND = 1_000_000


def packets(
    track: TrackAudio[int], slots: Iterable[int], *, silent: bool = False
) -> None:
    """Take packets of these slots, each arriving 5 ms after its time."""
    for slot in slots:
        stamp = START + slot * SLOT_US
        track.take(
            timestamp_us=stamp,
            arrival_us=stamp + 5_000,
            pcm=LOUD,
            silent=silent,
            ref=slot,
        )


def with_pause(*, after: int = 100, slots: int = 500) -> TrackAudio[int]:
    """Return a track that lacks `slots` slots behind the first `after`."""
    track: TrackAudio[int] = TrackAudio(RATE)
    packets(track, range(after))
    packets(track, range(after + slots, after + slots + 100))
    track.flush()
    return track


def seconds(after: float) -> int:
    """Return a moment on our clock, in seconds after the first packet."""
    return START + round(after * SECOND)


def test_counts_packets_bytes_and_silence() -> None:
    track: TrackAudio[int] = TrackAudio(RATE)

    packets(track, range(30))
    packets(track, range(30, 40), silent=True)

    assert (track.packets, track.bytes, track.silent_packets) == (40, 40 * 640, 10)
    assert track.first_arrival_us == START + 5_000
    assert track.last_arrival_us == START + 39 * SLOT_US + 5_000
    assert track.ledger.runs == [
        Run(State.RECEIVED, 0, 30 * SLOT),
        Run(State.SILENT, 30 * SLOT, 10 * SLOT),
    ]


def test_measures_only_what_was_not_silent() -> None:
    track: TrackAudio[int] = TrackAudio(RATE)

    packets(track, range(10), silent=True)
    before = track.meter.take()
    packets(track, range(10, 20))
    after = track.meter.take()

    assert before.rms_dbfs < -96
    assert after.rms_dbfs == pytest.approx(-6.02, abs=0.01)


def test_a_loss_is_a_gap_until_an_order_explains_it() -> None:
    track = with_pause()

    assert track.ledger.total(State.GAP) == 500 * SLOT

    track.mark_stopped([Window(seconds(1.9), seconds(11.9))])

    assert track.ledger.total(State.GAP) == 0
    assert track.ledger.total(State.STOPPED) == 500 * SLOT


def test_marking_twice_marks_no_more() -> None:
    track = with_pause()
    window = Window(seconds(7), seconds(11.9))

    track.mark_stopped([window])
    once = track.ledger.runs
    track.mark_stopped([window])

    assert track.ledger.runs == once


def test_a_stop_after_a_loss_explains_only_its_part() -> None:
    track = with_pause()

    track.mark_stopped([Window(seconds(7), seconds(11.9))])

    gap, stopped = track.ledger.runs[1:3]
    assert (gap.state, stopped.state) == (State.GAP, State.STOPPED)
    assert gap.samples / RATE == pytest.approx(5, abs=0.05)
    assert stopped.end == 600 * SLOT


def test_a_loss_after_the_restart_stays_a_gap() -> None:
    track = with_pause()

    track.mark_stopped([Window(seconds(1.9), seconds(7))])

    stopped, gap = track.ledger.runs[1:3]
    assert (stopped.state, gap.state) == (State.STOPPED, State.GAP)
    assert stopped.samples / RATE == pytest.approx(5, abs=0.05)


def test_a_stop_without_an_end_explains_the_whole_pause() -> None:
    track = with_pause()

    track.mark_stopped([Window(seconds(1.9), None)])

    assert track.ledger.total(State.GAP) == 0


@pytest.mark.parametrize(
    "window",
    [
        Window(seconds(-20), seconds(-10)),
        Window(seconds(1), seconds(1.5)),
        Window(seconds(12.5), seconds(13)),
        Window(seconds(60), None),
    ],
)
def test_a_stop_at_another_time_explains_nothing(window: Window) -> None:
    track = with_pause()

    track.mark_stopped([window])

    assert track.ledger.total(State.GAP) == 500 * SLOT


def test_a_pause_in_arrivals_without_a_loss_is_left_alone() -> None:
    track: TrackAudio[int] = TrackAudio(RATE)
    packets(track, range(50))
    for slot in range(50, 150):
        # A network that stood still and then delivered everything.
        track.take(
            timestamp_us=START + slot * SLOT_US,
            arrival_us=seconds(9),
            pcm=LOUD,
            silent=False,
            ref=slot,
        )

    track.mark_stopped([Window(seconds(1), None)])

    assert track.ledger.runs == [Run(State.RECEIVED, 0, 150 * SLOT)]


def test_what_a_broken_socket_missed_is_a_gap_at_the_end() -> None:
    track = with_pause()

    track.mark_lost(3 * SLOT)

    assert track.ledger.runs[-1] == Run(State.GAP, 700 * SLOT, 3 * SLOT)


def test_goes_on_elsewhere_as_if_it_had_never_stopped() -> None:
    whole: TrackAudio[int] = TrackAudio(RATE)
    packets(whole, range(100))
    whole.flush()
    elsewhere: TrackAudio[int] = TrackAudio.restore(RATE, whole.state())

    for track in (whole, elsewhere):
        packets(track, range(200, 300))
        track.flush()

    assert elsewhere.state() == whole.state()


def test_resumes_from_stored_figures() -> None:
    before = with_pause()
    resumed: TrackAudio[int] = TrackAudio.resume(
        before.ledger.to_json(),
        origin_us=START,
        packets=before.packets,
        size=before.bytes,
        silent_packets=0,
        arrivals_us=(before.first_arrival_us, before.last_arrival_us),
    )

    packets(resumed, range(750, 800))
    resumed.flush()

    assert resumed.packets == 250
    assert resumed.bytes == 250 * 640
    assert resumed.ledger.runs[-2:] == [
        Run(State.GAP, 700 * SLOT, 50 * SLOT),
        Run(State.RECEIVED, 750 * SLOT, 50 * SLOT),
    ]


def test_a_stop_explains_a_gap_that_reaches_the_end() -> None:
    track: TrackAudio[int] = TrackAudio(RATE)
    packets(track, range(100))
    # The one packet that came after it still waits for others to bear it out.
    packets(track, [600])
    track.mark_lost(500 * SLOT)

    track.mark_stopped([Window(seconds(1.9), None)])

    assert track.ledger.runs[-1] == Run(State.STOPPED, 100 * SLOT, 500 * SLOT)
