"""An hour of everything: a track is as long as the call was, and says what was lost.

Senders here are seeded, so each test is one certain hour, not a chance.
"""

from random import Random

import pytest

from calls.audio.ledger import State
from calls.audio.timeline import Timeline, Verdict
from tests.audio.streams import (
    HOUR,
    NOON,
    SLOT,
    SLOT_US,
    Outcome,
    Packet,
    bad_hour,
    exact,
    in_bursts,
    jittered,
    play,
    some,
    without,
)


def test_an_hour_with_500_single_losses_is_exact() -> None:
    lost = some(Random(1), 500)

    outcome = play(exact(without(lost)))

    assert outcome.misplaced == []
    assert outcome.off_by_ms() == 0
    assert outcome.timeline.ledger.total(State.GAP) == len(lost) * SLOT
    assert len(outcome.placements) == HOUR - 500


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_an_hour_of_heavy_losses_is_exact(share: float) -> None:
    random = Random(2)
    kept = [s for s in range(HOUR) if s in {0, HOUR - 1} or random.random() > share]

    outcome = play(exact(kept))

    assert outcome.misplaced == []
    assert outcome.off_by_ms() == 0


@pytest.mark.parametrize("seed", range(2))
def test_an_hour_of_jitter_without_loss_has_no_gap(seed: int) -> None:
    outcome = play(jittered(range(HOUR), Random(seed)))

    assert outcome.misplaced == []
    assert outcome.timeline.ledger.completeness == 1.0
    assert outcome.off_by_ms() == 0


@pytest.mark.parametrize("ms", [3, 20])
def test_an_hour_of_less_jitter_has_none_either(ms: int) -> None:
    outcome = play(jittered(range(HOUR), Random(ms), ms))

    assert outcome.misplaced == []
    assert outcome.timeline.ledger.completeness == 1.0


@pytest.mark.parametrize("ms", [1, 5])
def test_an_hour_of_losses_behind_little_jitter_is_as_long_as_it_was(ms: int) -> None:
    random = Random(ms)
    lost = some(random, 500)

    outcome = play(jittered(without(lost), random, ms))

    assert outcome.off_by_ms() == 0
    assert outcome.timeline.ledger.total(State.GAP) == 500 * SLOT
    assert all(abs(p.ref - (p.start or 0) / SLOT) <= 2 for p in outcome.misplaced)


@pytest.mark.parametrize("seed", range(2))
def test_an_hour_of_losses_behind_jitter_is_as_long_as_it_was(seed: int) -> None:
    # Nobody can know of a loss in the last second of such a stream.
    random = Random(seed)
    lost = some(random, 500, HOUR - 250)

    outcome = play(jittered(without(lost), random))

    assert abs(outcome.off_by_ms()) <= 20
    gaps = outcome.timeline.ledger.total(State.GAP) / SLOT
    assert 499 <= gaps <= 501
    assert outcome.count(Verdict.DISCARDED) <= 1
    assert all(abs(p.ref - (p.start or 0) / SLOT) <= 6 for p in outcome.misplaced)


def test_an_hour_of_bursts_is_contiguous() -> None:
    outcome = play(in_bursts(range(HOUR)))

    assert outcome.misplaced == []
    assert outcome.timeline.ledger.completeness == 1.0


def test_an_hour_of_bursts_with_losses_is_exact() -> None:
    lost = some(Random(3), 500)

    outcome = play(in_bursts(without(lost)))

    assert outcome.off_by_ms() == 0
    assert outcome.timeline.ledger.total(State.GAP) == 500 * SLOT
    assert all(abs(p.ref - (p.start or 0) / SLOT) <= 3 for p in outcome.misplaced)


@pytest.mark.parametrize("ppm", [100, -100])
def test_an_hour_of_a_clock_that_drifts_follows_the_clock(ppm: int) -> None:
    stamps = [NOON + round(s * SLOT_US * (1 + ppm / 1e6)) for s in range(HOUR)]
    timeline: Timeline[int] = Timeline(16_000)

    worst = 0.0
    for slot, stamp in enumerate(stamps):
        # One packet in ten is silent, and one of those should bear the correction.
        timeline.place(stamp // 1000 * 1000, SLOT, slot % 10 == 0, stamp, slot)
        worst = max(worst, abs(timeline.end - SLOT - (stamp - NOON) * 0.016) / 16)

    ledger = timeline.ledger
    expected = round(HOUR * ppm / 1e6)
    corrected = ledger.total(State.GAP) // SLOT - ledger.discarded
    assert worst < 20
    assert abs(corrected - expected) <= 1
    assert ledger.gap_count == 0 or ledger.discarded == 0
    assert ledger.duplicates == ledger.late == 0
    # Every packet that was dropped was a silent one.
    assert ledger.total(State.RECEIVED) == HOUR * 9 // 10 * SLOT


def test_a_drift_without_silence_is_followed_too() -> None:
    packets = [Packet(s, NOON + round(s * SLOT_US * 0.9999)) for s in range(HOUR)]

    outcome = play(packets)

    assert abs(outcome.off_by_ms(HOUR * 0.9999)) < 20
    assert outcome.count(Verdict.DISCARDED) in {17, 18}


def test_an_hour_of_late_packets_and_duplicates_is_exact() -> None:
    random = Random(4)
    late = some(random, 300, HOUR - 100)
    twice = some(random, 300, HOUR - 100)
    keys = {s: s + random.randint(2, 20) + 0.5 if s in late else s for s in range(HOUR)}
    order = sorted(keys, key=lambda slot: keys[slot])

    outcome = play(exact(s for slot in order for s in [slot] * (1 + (slot in twice))))

    assert outcome.misplaced == []
    assert outcome.off_by_ms() == 0
    assert outcome.timeline.ledger.completeness == 1.0
    assert len(outcome.placements) == HOUR + 300
    assert outcome.count(Verdict.DUPLICATE) == 300


def test_an_hour_of_redials_is_exact() -> None:
    slots: list[int] = []
    for minute in range(60):
        begin = minute * 3_000
        # Each minute the socket breaks; half of them replay, half have missed some.
        begin += 150 if minute % 2 else -40
        slots += range(max(begin, 0), (minute + 1) * 3_000)

    outcome = play(exact(slots))

    assert outcome.misplaced == []
    assert outcome.off_by_ms() == 0
    assert outcome.gaps() == [(m * 3_000, 150) for m in range(1, 60, 2)]
    assert outcome.count(Verdict.DUPLICATE) == 29 * 40


def test_an_hour_of_everything_at_once_is_as_long_as_it_was() -> None:
    random = Random(5)
    lost = some(random, 500)
    slots: list[int] = []
    for slot in without(lost):
        slots.append(slot)
        if slot % 30_000 == 29_999:
            slots += range(slot - 49, slot + 1)
    packets = exact(slots)
    for at in range(1_000, len(packets) - 10, 997):
        for i in range(at, at + 4):
            packets[i] = Packet(packets[i].slot, packets[at + 4].stamp)

    outcome = play(packets)

    ledger = outcome.timeline.ledger
    assert outcome.off_by_ms() == 0
    assert ledger.total(State.GAP) == pytest.approx(500 * SLOT, abs=5 * SLOT)
    assert len(outcome.placements) == len(packets)


def test_jitter_that_begins_in_mid_call_and_ends_is_learnt_and_forgotten() -> None:
    random = Random(6)
    outcome = Outcome(Timeline(16_000))

    outcome.send(exact(range(5_000)))
    outcome.send(jittered(range(5_000, 20_000), random))
    outcome.send(exact(range(20_000, 22_000)))
    outcome.send(exact(range(22_003, 25_000)))

    assert abs(outcome.off_by_ms(25_000)) <= 20
    gaps = [gap for gap in outcome.gaps() if gap[0] > 20_500]
    assert [slots for _, slots in gaps] == [3]


def test_a_hole_behind_jitter_is_found_within_a_slot() -> None:
    random = Random(7)
    packets = jittered([*range(2_000), *range(2_050, 6_000)], random)

    outcome = play(packets)

    assert abs(outcome.off_by_ms(6_000)) <= 20
    first = outcome.gaps()[0]
    assert abs(first[0] - 2_000) <= 2
    assert abs(first[1] - 50) <= 1


def test_packets_that_waited_when_a_hole_came_stay_before_it() -> None:
    # A small hole makes packets wait; among them they meet a large one.
    sent = [*range(1_980), *range(1_992, 2_000), *range(2_150, 6_000)]
    packets = jittered(sent, Random(0))
    # Behind it, two packets share one stamp: the first of them tells nothing.
    packets[1_990] = Packet(packets[1_990].slot, packets[1_991].stamp)

    outcome = play(packets)

    assert abs(outcome.off_by_ms(6_000)) <= 20
    assert all(abs(p.ref - (p.start or 0) / SLOT) <= 12 for p in outcome.misplaced)


def test_a_replay_behind_jitter_does_not_lengthen_the_track() -> None:
    random = Random(8)
    packets = jittered(range(3_000), random)

    outcome = play([*packets, *packets[2_900:], *jittered(range(3_000, 6_000), random)])

    assert abs(outcome.off_by_ms(6_000)) <= 20
    assert outcome.timeline.ledger.duplicates == pytest.approx(100, abs=2)


def test_a_jittery_stream_that_ends_behind_a_hole_ends_when_it_ended() -> None:
    random = Random(9)

    outcome = play(jittered([*range(2_000), *range(2_100, 2_103)], random))

    assert abs(outcome.off_by_ms(2_103)) <= 60


def test_a_loss_just_before_a_jittery_stream_ends_is_a_gap_at_its_end() -> None:
    random = Random(11)

    outcome = play(jittered(without({1_996}, 2_000), random, ms=10))

    assert outcome.off_by_ms(2_000) == 0
    assert outcome.timeline.end == 2_000 * SLOT
    assert len(outcome.gaps()) == 1


def test_a_jittery_stream_that_ends_goes_on_where_it_should() -> None:
    random = Random(11)
    packets = jittered(without({1_996}, 4_000), random, ms=10)
    outcome = Outcome(Timeline(16_000))

    outcome.send(packets[:1_999])
    outcome.placements += outcome.timeline.flush()
    outcome.send(packets[1_999:])

    assert outcome.off_by_ms(4_000) == 0
    assert len(outcome.gaps()) == 1


@pytest.mark.parametrize("ms", [-150, 100])
def test_a_first_timestamp_far_from_all_others_moves_no_audio(ms: int) -> None:
    random = Random(12)
    packets = jittered(range(1, 3_000), random)

    outcome = play([Packet(0, NOON - ms * 1_000), *packets])

    assert outcome.misplaced == []


def test_a_jittery_clock_that_was_set_costs_no_audio() -> None:
    packets = jittered(range(12_000), Random(13))

    outcome = play(
        packet if packet.slot < 10_000 else Packet(packet.slot, stamp - 120_000_000)
        for packet in packets
        if (stamp := packet.stamp) is not None
    )

    assert abs(outcome.off_by_ms(12_000)) <= 20
    assert len(outcome.misplaced) < 2_001


@pytest.mark.parametrize("seed", range(3))
def test_timestamps_that_wander_move_nothing_while_they_stay_within_limits(
    seed: int,
) -> None:
    random = Random(seed)
    wander, packets = 0.0, []
    for slot in range(HOUR // 6):
        wander = 0.8 * wander + random.gauss(0, 12)
        packets.append(Packet(slot, NOON + slot * SLOT_US + round(wander * 1000)))

    outcome = play(packets)

    assert outcome.misplaced == []


def play_bad_hour(
    random: Random, rate: int, *, jitter_ms: float = 0, unit_us: int = 1
) -> tuple[Timeline[int], float]:
    """Play a bad hour; return the timeline, and how far a packet lies at most from its
    timestamp, in ms. Every packet is placed."""
    arrivals = bad_hour(random, jitter_ms=jitter_ms, unit_us=unit_us)
    timeline: Timeline[int] = Timeline(rate)
    placements = [
        placement
        for number, packet in enumerate(arrivals)
        for placement in timeline.place(
            packet.stamp, rate // 50, False, packet.at, number
        )
    ]
    placements += timeline.flush()
    assert len(placements) == len(arrivals)
    starts = [p.start * 1e6 / rate for p in placements if p.start is not None]
    assert len(starts) == len(arrivals)
    return timeline, max(
        abs(start - (arrivals[p.ref].stamp - NOON)) / 1000
        for p, start in zip(placements, starts, strict=True)
    )


@pytest.mark.parametrize("rate", [16_000, 24_000])
@pytest.mark.parametrize(("seed", "unit_us"), [(0, 1), (1, 1), (2, 1_000), (3, 1_000)])
def test_a_bad_hour_is_exact(seed: int, rate: int, unit_us: int) -> None:
    timeline, farthest = play_bad_hour(Random(seed), rate, unit_us=unit_us)

    assert timeline.end == HOUR * rate // 50
    assert farthest < 1
    assert timeline.ledger.total(State.GAP) > 1_500 * rate // 50


@pytest.mark.parametrize(("seed", "jitter_ms"), [(0, 1), (1, 3), (2, 5), (3, 5)])
def test_a_bad_hour_of_jittering_stamps_keeps_to_the_clock(
    seed: int, jitter_ms: float
) -> None:
    timeline, farthest = play_bad_hour(Random(seed), 24_000, jitter_ms=jitter_ms)

    assert abs(timeline.end / 24 - HOUR * 20) <= 20
    assert farthest <= 60


@pytest.mark.parametrize("seed", range(3))
def test_losses_behind_wide_jitter_do_not_hide_those_after_them(seed: int) -> None:
    # 1 % of loss: what one loss did to the measured jitter made the next ones, and in
    # the end all of them, look like jitter too.
    random = Random(seed)
    lost = some(random, HOUR // 100, HOUR - 250)

    outcome = play(jittered(without(lost), random, ms=20))

    assert abs(outcome.off_by_ms()) <= 20
    assert outcome.count(Verdict.DISCARDED) <= 1
    assert all(abs(p.ref - (p.start or 0) / SLOT) <= 4 for p in outcome.misplaced)
