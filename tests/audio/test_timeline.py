"""The timeline: where packets end up, and what the ledger says of the rest."""

import json
from random import Random

import pytest

from calls.audio.ledger import State
from calls.audio.timeline import Placement, Timeline, Verdict
from tests.audio.streams import (
    NOON,
    RATE,
    SLOT,
    SLOT_US,
    Outcome,
    Packet,
    exact,
    in_bursts,
    jittered,
    play,
    without,
)

HOURS = 3600 * 50


def stamped(slot: int, at: int) -> Packet:
    """The packet of `slot`, with the timestamp of slot `at`."""
    return Packet(slot, NOON + at * SLOT_US)


def blank(slot: int) -> Packet:
    return Packet(slot, None)


# Nothing happens.


def test_places_an_exact_stream_packet_by_packet() -> None:
    timeline: Timeline[int] = Timeline(RATE)

    for slot in range(100):
        stamp = NOON + slot * SLOT_US
        [placement] = timeline.place(stamp, SLOT, slot % 2 == 1, stamp, slot)
        start, silent = slot * SLOT, slot % 2 == 1
        assert placement == Placement(slot, start, SLOT, silent, Verdict.ON_TIME)

    assert timeline.flush() == []
    assert timeline.pending == 0
    assert timeline.origin == NOON
    assert timeline.end == 32_000
    assert timeline.ledger.total(State.RECEIVED) == 16_000
    assert timeline.ledger.total(State.SILENT) == 16_000


def test_an_empty_timeline_has_no_origin_and_no_length() -> None:
    timeline: Timeline[int] = Timeline(RATE)

    assert timeline.flush() == []
    assert (timeline.origin, timeline.end, timeline.pending) == (None, 0, 0)


def test_timestamps_cut_to_milliseconds_are_exact_enough() -> None:
    stamps = [NOON + 777 + slot * SLOT_US for slot in range(500)]
    outcome = play([Packet(i, stamp // 1000 * 1000) for i, stamp in enumerate(stamps)])

    assert outcome.misplaced == []
    assert outcome.gaps() == []


@pytest.mark.parametrize("samples", [1, 80, 160, 320, 321, 640, 1_600])
def test_packets_may_have_any_size(samples: int) -> None:
    timeline: Timeline[int] = Timeline(RATE)
    us = samples * 1_000_000 // RATE

    placements = [
        placement
        for i in range(200)
        for placement in timeline.place(NOON + i * us, samples, False, NOON, i)
    ]

    assert [placement.start for placement in placements] == [
        i * samples for i in range(200)
    ]


def test_packets_of_640_bytes_at_24_khz_keep_their_holes() -> None:
    timeline: Timeline[int] = Timeline(24_000)
    placements: list[Placement[int]] = []

    for i in without({50, 80, 81}, 150):
        stamp = NOON + i * 320 * 1_000_000 // 24_000
        placements += timeline.place(stamp, 320, False, stamp, i)
    placements += timeline.flush()

    assert all(placement.start == placement.ref * 320 for placement in placements)
    assert timeline.ledger.total(State.GAP) == 3 * 320


def test_packets_of_changing_size_keep_their_holes() -> None:
    timeline: Timeline[int] = Timeline(RATE)
    placements: list[Placement[int]] = []
    position = 0

    for i in range(300):
        samples = 320 if i % 7 else 960
        if i not in {100, 200}:
            stamp = NOON + position * 1_000_000 // RATE
            placements += timeline.place(stamp, samples, False, stamp, position)
        position += samples
    placements += timeline.flush()

    assert all(placement.start == placement.ref for placement in placements)
    assert timeline.end == position


def test_jitter_is_rfc_3550s() -> None:
    timeline: Timeline[int] = Timeline(RATE)
    timeline.place(NOON, SLOT, False, NOON, 0)

    timeline.place(NOON + SLOT_US, SLOT, False, NOON + SLOT_US + 1_600, 1)

    assert timeline.jitter_us == 100
    timeline.place(NOON + 2 * SLOT_US, SLOT, False, NOON + 2 * SLOT_US + 1_600, 2)
    assert timeline.jitter_us == 93.75


# Holes.


@pytest.mark.parametrize("slots", [1, 2, 3, 4, 10, 49, 500, HOURS])
def test_a_hole_is_as_long_as_it_was(slots: int) -> None:
    outcome = play(exact([*range(40), *range(40 + slots, 80 + slots)]))

    assert outcome.misplaced == []
    assert outcome.gaps() == [(40, slots)]


def test_a_hole_is_known_at_its_third_packet() -> None:
    outcome = Outcome(Timeline(RATE))
    outcome.send(exact([*range(20), 21, 22]))

    assert outcome.timeline.pending == 2
    assert outcome.timeline.end == 20 * SLOT
    outcome.send(exact([23]))

    assert outcome.timeline.pending == 0
    assert outcome.misplaced == []


@pytest.mark.parametrize("left", [1, 2])
@pytest.mark.parametrize("slots", [1, 3, 4, 50])
def test_a_hole_shortly_before_the_end_is_one(left: int, slots: int) -> None:
    outcome = play(exact([*range(20), *range(20 + slots, 20 + slots + left)]))

    assert outcome.misplaced == []
    assert outcome.gaps() == [(20, slots)]


def test_a_long_hole_right_after_the_first_packet_is_one() -> None:
    outcome = play(exact([0, 10]))

    assert outcome.gaps() == [(1, 9)]


def test_a_short_one_there_is_jitter_as_far_as_anybody_knows() -> None:
    outcome = play(exact([0, 2]))

    assert outcome.gaps() == []
    assert outcome.timeline.end == 2 * SLOT


def test_every_other_packet_lost_is_seen_though_no_two_agree() -> None:
    outcome = play(exact([*range(10), *range(10, 60, 2), 59]))

    assert outcome.misplaced == []
    assert outcome.timeline.end == 60 * SLOT


def test_a_timestamp_hours_ahead_at_the_very_end_makes_no_hours() -> None:
    outcome = play([*exact(range(20)), stamped(20, HOURS)])

    assert outcome.gaps() == []
    assert outcome.timeline.end == 21 * SLOT


def test_a_beginning_between_two_slots_is_kept_to_the_sample() -> None:
    outcome = Outcome(Timeline(RATE))
    outcome.send(exact(range(20)))
    outcome.send(
        [Packet(slot, NOON + slot * SLOT_US + 7_000) for slot in range(30, 50)]
    )

    [gap] = [run for run in outcome.timeline.ledger.runs if run.state is State.GAP]
    assert (gap.start, gap.samples) == (20 * SLOT, 10 * SLOT + 112)


# Jitter and bursts.


@pytest.mark.parametrize("ms", [-60, -40, -20, 16, 20, 60])
def test_one_odd_timestamp_moves_nothing(ms: int) -> None:
    packets = exact(range(60))
    packets[30] = Packet(30, NOON + 30 * SLOT_US + ms * 1_000)

    outcome = play(packets)

    assert outcome.misplaced == []
    assert outcome.gaps() == []


def test_a_few_milliseconds_do_not_make_a_packet_wait() -> None:
    outcome = Outcome(Timeline(RATE))
    outcome.send(exact(range(20)))

    outcome.send([Packet(20, NOON + 20 * SLOT_US + 14_000)])

    assert outcome.timeline.pending == 0
    assert outcome.misplaced == []


def test_a_burst_stamped_with_its_last_packets_time_is_contiguous() -> None:
    outcome = play(
        [*exact(range(50)), *in_bursts(range(50, 75)), *exact(range(75, 99))]
    )

    assert outcome.misplaced == []
    assert outcome.gaps() == []


def test_a_track_may_begin_with_such_a_burst() -> None:
    outcome = play([*in_bursts(range(5)), *exact(range(5, 40))])

    assert outcome.misplaced == []
    assert outcome.timeline.origin == NOON + 4 * SLOT_US


def test_a_stream_of_nothing_but_bursts_shows_its_losses() -> None:
    outcome = play(in_bursts(without({102, 300}, 500)))

    assert outcome.timeline.end == 500 * SLOT
    assert [slots for _, slots in outcome.gaps()] == [1, 1]
    assert max(abs(p.ref - (p.start or 0) // SLOT) for p in outcome.misplaced) <= 2


def test_timestamps_in_whole_seconds_are_contiguous() -> None:
    stamps = [NOON + 700_000 + slot * SLOT_US for slot in range(1_000)]

    outcome = play(
        [Packet(i, s // 1_000_000 * 1_000_000) for i, s in enumerate(stamps)]
    )

    assert outcome.misplaced == []
    assert outcome.gaps() == []


def test_a_burst_cut_short_by_the_end_is_contiguous() -> None:
    outcome = play([*exact(range(20)), *in_bursts(range(20, 35), size=15)[:4]])

    assert outcome.misplaced == []
    assert outcome.timeline.end == 24 * SLOT


def test_no_packet_waits_for_more_than_five_seconds_of_others() -> None:
    outcome = Outcome(Timeline(RATE))
    outcome.send(exact(range(20)))

    outcome.send([stamped(slot, 400) for slot in range(20, 269)])
    assert outcome.timeline.pending == 249
    outcome.send([stamped(269, 400)])

    assert outcome.timeline.pending == 0


def test_a_first_timestamp_that_was_too_late_moves_no_audio() -> None:
    outcome = play([stamped(0, 3), *exact(range(1, 50))])

    assert outcome.misplaced == []


# Late packets, duplicates, replays.


def test_packets_out_of_order_are_put_in_order() -> None:
    outcome = play(exact([*range(20), 21, 22, 20, *range(23, 40)]))

    assert outcome.misplaced == []
    assert outcome.starts(Verdict.LATE) == {20: 20}
    assert outcome.gaps() == []
    assert outcome.timeline.ledger.late == 1


def test_two_swapped_packets_early_in_a_track_are_put_in_order() -> None:
    outcome = play(exact([0, 1, 3, 2, 4, 5]))

    assert outcome.misplaced == []


@pytest.mark.parametrize("behind", [1, 2, 3, 5, 20, 1_000])
def test_a_late_packet_fills_its_gap(behind: int) -> None:
    order = [*range(20), *range(21, 21 + behind), 20, *range(21 + behind, 60 + behind)]

    outcome = play(exact(order))

    assert outcome.misplaced == []
    assert outcome.starts(Verdict.LATE) == {20: 20}
    assert outcome.timeline.ledger.completeness == 1.0


def test_a_late_packet_at_the_very_end_fills_its_gap() -> None:
    outcome = play(exact([*range(20), *range(21, 30), 20]))

    assert outcome.misplaced == []
    assert outcome.count(Verdict.LATE) == 1


def test_a_late_packet_and_a_loss_at_once_are_both_seen() -> None:
    # 26 is lost where 20 comes late: the stream behind them looks undisturbed.
    outcome = play(exact([*range(20), *range(21, 26), 20, *range(27, 50)]))

    assert outcome.misplaced == []
    assert outcome.gaps() == [(26, 1)]


def test_a_duplicate_and_a_loss_at_once_are_both_seen() -> None:
    outcome = play(exact([*range(20), 21, 5, *range(22, 50)]))

    assert outcome.misplaced == []
    assert outcome.gaps() == [(20, 1)]
    assert outcome.starts(Verdict.DUPLICATE) == {5: None}


@pytest.mark.parametrize("at", [1, 10, 19])
def test_a_duplicate_is_kept_aside(at: int) -> None:
    outcome = Outcome(Timeline(RATE))
    outcome.send(exact([*range(20), at, *range(20, 40)]))

    assert outcome.count(Verdict.DUPLICATE) == outcome.timeline.ledger.duplicates == 1
    assert outcome.timeline.end == 40 * SLOT
    [duplicate] = [p for p in outcome.placements if p.verdict is Verdict.DUPLICATE]
    assert (duplicate.ref, duplicate.start) == (at, None)


def test_a_duplicate_at_the_very_end_is_one() -> None:
    outcome = play(exact([*range(20), 19]))

    assert outcome.count(Verdict.DUPLICATE) == 1
    assert outcome.timeline.end == 20 * SLOT


def test_a_replay_after_a_redial_fills_what_was_missing_and_no_more() -> None:
    first = [slot for slot in range(100) if slot not in {70, 71}]

    outcome = play(exact([*first, *range(50, 150)]))

    assert outcome.misplaced == []
    assert outcome.gaps() == []
    assert outcome.timeline.end == 150 * SLOT
    assert outcome.starts(Verdict.LATE) == {70: 70, 71: 71}
    assert outcome.count(Verdict.DUPLICATE) == 48


def test_a_replay_shifted_by_half_a_packet_overlaps_nothing() -> None:
    outcome = Outcome(Timeline(RATE))
    outcome.send(exact(range(100)))
    outcome.send([Packet(s, NOON + s * SLOT_US + 9_000) for s in range(90, 140)])

    placed = [p for p in outcome.placements if p.start is not None]
    assert outcome.timeline.ledger.total(State.RECEIVED) == len(placed) * SLOT
    assert outcome.timeline.end == 140 * SLOT + 9 * 16


def test_audio_from_before_the_track_is_not_on_it() -> None:
    outcome = Outcome(Timeline(RATE))
    outcome.send(exact(range(100, 200)))
    outcome.send(exact([98, 99, 100, *range(200, 240)]))

    assert outcome.count(Verdict.DISCARDED) + outcome.count(Verdict.DUPLICATE) == 3
    assert outcome.timeline.end == 140 * SLOT


# Missing and impossible timestamps.


def test_a_packet_without_a_timestamp_follows() -> None:
    packets = exact(range(60))
    packets[30:33] = [blank(30), blank(31), blank(32)]

    outcome = play(packets)

    assert outcome.misplaced == []


def test_packets_without_timestamps_behind_a_hole_wait_with_the_others() -> None:
    packets = exact([*range(20), *range(30, 60)])
    packets[21:23] = [blank(31), blank(32)]

    outcome = play(packets)

    assert outcome.misplaced == []
    assert outcome.gaps() == [(20, 10)]


def test_a_guessed_time_is_no_evidence() -> None:
    outcome = Outcome(Timeline(RATE))
    outcome.send([*exact([*range(20), 30]), blank(31), blank(32)])
    assert outcome.timeline.pending == 3

    outcome.send(exact([33, 34]))

    assert outcome.timeline.pending == 0
    assert outcome.misplaced == []


def test_a_packet_without_a_timestamp_that_comes_much_later_is_behind_a_hole() -> None:
    outcome = play([*exact(range(20)), blank(40), blank(41), *exact(range(42, 60))])

    assert outcome.misplaced == []
    assert outcome.gaps() == [(20, 20)]


def test_blank_packets_that_disagree_with_those_that_wait_are_doubted_too() -> None:
    outcome = play(
        [*exact(range(20)), stamped(20, 60), blank(21), *exact(range(22, 40))]
    )

    assert outcome.misplaced == []
    assert outcome.gaps() == []


def test_a_blank_packet_may_come_behind_a_hole_of_its_own() -> None:
    outcome = play([*exact([*range(20), 30]), blank(90), *exact(range(91, 99))])

    assert outcome.misplaced == []
    assert outcome.gaps() == [(20, 10), (31, 59)]


def test_without_any_timestamp_arrivals_are_the_clock() -> None:
    outcome = play([blank(slot) for slot in [*range(20), *range(30, 60)]])

    assert outcome.misplaced == []
    assert outcome.gaps() == [(20, 10)]
    assert outcome.timeline.origin == NOON + 80_000


def test_a_first_timestamp_after_blank_packets_tells_when_they_were() -> None:
    outcome = play([*(blank(slot) for slot in range(10)), *exact(range(10, 30))])

    assert outcome.misplaced == []
    assert outcome.timeline.origin == NOON


def test_a_timestamp_that_is_no_time_is_counted_and_the_packet_follows() -> None:
    packets = exact(range(40))
    packets[20] = Packet(20, 0)
    packets[30] = Packet(30, NOON + 7 * 3600 * 1_000_000)

    outcome = play(packets)

    assert outcome.misplaced == []
    assert outcome.timeline.bad_timestamps == 2


def test_a_first_timestamp_that_is_no_time_is_forgotten() -> None:
    outcome = play([Packet(0, -62_135_596_800_000_000), *exact(range(1, 40))])

    assert outcome.misplaced == []
    assert outcome.timeline.origin == NOON
    assert outcome.timeline.bad_timestamps == 1


# A sender's clock that was set.


@pytest.mark.parametrize(
    "seconds", [-5 * 3600, -120, -59, -5, -1.1, 1.1, 5, 300, 5 * 3600]
)
def test_a_clock_that_was_set_costs_no_audio(seconds: float) -> None:
    outcome = Outcome(Timeline(RATE))
    outcome.send(exact(range(5_000)))
    outcome.send(
        stamped(slot, round(slot + seconds * 50)) for slot in range(5_000, 6_000)
    )
    outcome.placements += outcome.timeline.flush()

    assert outcome.misplaced == []
    assert outcome.gaps() == []


@pytest.mark.parametrize("slots", [-15, 15])
def test_a_step_of_less_than_a_second_is_what_it_looks_like(slots: int) -> None:
    outcome = Outcome(Timeline(RATE))
    outcome.send(exact(range(500)))
    outcome.send(stamped(slot, slot + slots) for slot in range(500, 600))
    outcome.placements += outcome.timeline.flush()

    assert outcome.timeline.end == (600 + slots) * SLOT
    assert outcome.timeline.ledger.duplicates == max(-slots, 0)
    assert outcome.gaps() == [(500, 15)][: slots > 0]


def test_a_sender_that_leaves_out_what_it_owed_has_a_hole() -> None:
    outcome = Outcome(Timeline(RATE))
    outcome.send(exact(range(500)))
    # It falls behind by five seconds, stays there, and then goes on with the present.
    outcome.send(exact(range(500, 1_000)), delay=5_080_000)
    outcome.send(exact(range(1_250, 1_500)))

    assert outcome.misplaced == []
    assert outcome.gaps() == [(1_000, 250)]


@pytest.mark.parametrize("before", [0, 500])
def test_a_hole_within_a_burst_is_a_hole(before: int) -> None:
    # All of a track may come at once, or what a stall held back.
    outcome = Outcome(Timeline(RATE))
    outcome.send(exact(range(before)))
    for slot in (*range(before, before + 100), *range(before + 200, before + 300)):
        stamp = NOON + slot * SLOT_US
        arrival = NOON + (before + 300) * SLOT_US + slot
        outcome.placements += outcome.timeline.place(stamp, SLOT, False, arrival, slot)

    assert outcome.misplaced == []
    assert outcome.gaps() == [(before + 100, 100)]


@pytest.mark.parametrize(
    ("pause_us", "pace_us"),
    # At once and in real time it would look like a clock that was set.
    [(0, 500), (40_000, 500), (40_000, SLOT_US), (1_000_000, 500)],
)
def test_a_replay_is_a_replay_however_fast_it_comes(
    pause_us: int, pace_us: int
) -> None:
    outcome = Outcome(Timeline(RATE))
    outcome.send(exact(range(500)))
    for number in range(100):
        arrival = NOON + 500 * SLOT_US + 80_000 + pause_us + number * pace_us
        outcome.placements += outcome.timeline.place(
            NOON + (400 + number) * SLOT_US, SLOT, False, arrival, 400 + number
        )

    assert outcome.timeline.ledger.duplicates == 100
    assert outcome.timeline.end == 500 * SLOT


def test_a_clock_an_hour_ahead_of_ours_has_holes_like_any_other() -> None:
    outcome = Outcome(Timeline(RATE))
    ahead = -3_600_000_000

    outcome.send(exact([*range(20), *range(50_000, 50_020)]), delay=ahead)

    assert outcome.misplaced == []
    assert outcome.gaps() == [(20, 49_980)]


def test_a_pause_of_a_working_day_is_a_hole_if_our_clock_saw_it_too() -> None:
    outcome = play(exact([*range(20), *range(9 * HOURS, 9 * HOURS + 20)]))

    assert outcome.misplaced == []
    assert outcome.timeline.bad_timestamps == 0


def test_a_stream_two_minutes_late_still_fills_its_gap() -> None:
    outcome = play(exact([*range(100), *range(200, 7_000), *range(100, 200)]))

    assert outcome.misplaced == []
    assert outcome.count(Verdict.LATE) == 100
    assert outcome.gaps() == []


# Going on elsewhere.


def test_goes_on_from_its_state() -> None:
    outcome = play(exact([*range(100), *range(110, 200)]))

    state = json.loads(json.dumps(outcome.timeline.state()))
    again = Outcome(Timeline.restore(state))
    again.send(exact([*range(195, 205), *range(300, 400)]))

    assert again.misplaced == []
    assert again.timeline.end == 400 * SLOT
    assert again.timeline.ledger.duplicates == 5
    assert again.gaps() == [(100, 10), (205, 95)]


def test_goes_on_from_a_state_that_an_older_version_stored() -> None:
    outcome = Outcome(Timeline(RATE))
    outcome.send(jittered(range(500), Random(1)))
    outcome.placements += outcome.timeline.flush()
    stored = json.loads(json.dumps(outcome.timeline.state()))
    del stored["clock"]["known"]

    restored: Timeline[int] = Timeline.restore(stored)
    other = Outcome(restored)
    other.send(jittered(range(500, 3_000), Random(2)))

    assert other.misplaced == []


def test_has_no_state_while_packets_wait() -> None:
    outcome = Outcome(Timeline(RATE))
    outcome.send(exact([*range(20), 25]))

    with pytest.raises(RuntimeError, match="1 packets wait: flush first"):
        outcome.timeline.state()


def test_resumes_from_a_ledger_alone() -> None:
    outcome = play(exact(range(100)))

    again = Outcome(
        Timeline.resume(
            outcome.timeline.ledger.to_json(), origin=NOON, first_arrival=NOON
        )
    )
    again.send(exact(range(98, 160)))

    assert again.misplaced == []
    assert again.timeline.ledger.duplicates == 2
    assert again.timeline.end == 160 * SLOT
