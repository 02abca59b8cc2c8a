"""Streaming that was ordered to stop is no loss; a loss beside it stays one."""

import pytest

from calls.audio.ledger import State
from calls.audio.track import TrackAudio, Window

RATE = 16_000
SLOT = 320
SECOND = 1_000_000
PCM = b"\1\0" * SLOT


def track_of(*stretches: tuple[float, float]) -> TrackAudio[None]:
    """Return a track with packets from each start to each end, in seconds."""
    track: TrackAudio[None] = TrackAudio(RATE)
    for start, end in stretches:
        for number in range(round(start * 50), round(end * 50)):
            at = number * 20_000
            track.take(timestamp_us=at, arrival_us=at, pcm=PCM, silent=False, ref=None)
    track.flush()
    return track


def window(start: float, end: float | None) -> Window:
    return Window(round(start * SECOND), None if end is None else round(end * SECOND))


def seconds(track: TrackAudio[None], state: State) -> float:
    return track.ledger.total(state) / RATE


def test_a_pause_that_was_ordered_is_no_gap() -> None:
    track = track_of((0, 10), (40, 50))

    track.mark_stopped([window(9.5, 40.2)])

    assert seconds(track, State.STOPPED) == 30
    assert seconds(track, State.GAP) == 0


def test_what_was_lost_before_the_order_stays_lost() -> None:
    track = track_of((0, 10), (40, 50))

    track.mark_stopped([window(20, 40)])

    assert seconds(track, State.GAP) == pytest.approx(10, abs=0.03)
    assert seconds(track, State.STOPPED) == pytest.approx(20, abs=0.03)


def test_marking_again_marks_no_more() -> None:
    track = track_of((0, 10), (40, 50))
    for _ in range(5):
        track.mark_stopped([window(20, 40)])

    assert seconds(track, State.GAP) == pytest.approx(10, abs=0.03)


def test_a_track_that_is_restored_is_marked_as_before() -> None:
    track = track_of((0, 10), (40, 50))
    track.mark_stopped([window(20, 40)])
    again: TrackAudio[None] = TrackAudio.restore(RATE, track.state())

    again.mark_stopped([window(20, 40)])

    assert again.ledger.runs == track.ledger.runs


def test_a_loss_elsewhere_stays_a_loss() -> None:
    track = track_of((0, 10), (12, 30), (60, 70))

    track.mark_stopped([window(30, 60)])

    assert seconds(track, State.GAP) == 2
    assert seconds(track, State.STOPPED) == 30


def test_a_stop_that_still_holds_covers_the_pause_to_its_end() -> None:
    track = track_of((0, 10), (40, 50))

    track.mark_stopped([window(10, None)])

    assert seconds(track, State.STOPPED) == 30


def test_an_order_far_from_any_pause_marks_nothing() -> None:
    track = track_of((0, 10), (12, 30))

    track.mark_stopped([window(20, 25), window(100, None)])

    assert seconds(track, State.STOPPED) == 0


def test_what_was_lost_just_before_the_order_is_lost() -> None:
    track = track_of((0, 8), (9.8, 10), (20, 21))

    track.mark_stopped([window(10, 20)])

    assert seconds(track, State.GAP) == pytest.approx(1.8)
    assert seconds(track, State.STOPPED) == 10
