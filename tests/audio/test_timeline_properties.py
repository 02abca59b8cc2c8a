"""What holds for every stream, however wild."""

import json
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from calls.audio.ledger import State
from calls.audio.timeline import Placement, Timeline, Verdict
from tests.audio.streams import NOON, RATE, SLOT, SLOT_US, exact, play

# A stream is a walk: each packet's timestamp, its size and its arrival are relative
# to where the one before it left off.
STEPS = st.one_of(
    st.just(0),
    st.integers(-3, 12).map(lambda slots: slots * SLOT_US),
    st.integers(-60_000, 60_000),
    st.integers(-3_000_000, 3_000_000),
    st.sampled_from([-10, 1, 700, 23_000]).map(lambda s: s * 1_000_000),
)
SIZES = st.one_of(st.just(SLOT), st.sampled_from([0, 1, 80, 160, 321, 640, 1_600]))
PACKETS = st.tuples(
    st.one_of(st.just(0), st.just(0), st.just(0), STEPS),
    st.one_of(st.just(SLOT), SIZES),
    st.booleans(),
    st.sampled_from([True] * 9 + [False]),
    st.integers(0, 200_000),
)
STREAMS = st.lists(PACKETS, max_size=120)

Sent = tuple[int | None, int, bool, int, int]


def walk(steps: list[tuple[int, int, bool, bool, int]]) -> list[Sent]:
    """The arguments of `place` for each packet of a walk."""
    sent: list[Sent] = []
    at = NOON
    for index, (step, samples, silent, has_stamp, delay) in enumerate(steps):
        at += step
        sent.append((at if has_stamp else None, samples, silent, at + delay, index))
        at += samples * 1_000_000 // RATE
    return sent


def run(
    sent: list[Sent], timeline: Timeline[int] | None = None
) -> tuple[Timeline[int], list[Placement[int]]]:
    timeline = timeline or Timeline(RATE)
    placements = [p for packet in sent for p in timeline.place(*packet)]
    return timeline, placements + timeline.flush()


@given(STREAMS)
def test_every_packet_is_answered_once_and_no_sample_is_placed_twice(
    steps: list[tuple[int, int, bool, bool, int]],
) -> None:
    sent = walk(steps)

    timeline, placements = run(sent)

    ledger = timeline.ledger
    verdicts = Counter(placement.verdict for placement in placements)
    placed = [p for p in placements if p.start is not None]
    assert sorted(p.ref for p in placements) == list(range(len(sent)))
    assert all(p.samples == sent[p.ref][1] for p in placements)
    assert timeline.pending == 0
    assert verdicts[Verdict.LATE] == ledger.late
    assert verdicts[Verdict.DUPLICATE] == ledger.duplicates
    assert verdicts[Verdict.DISCARDED] == ledger.discarded
    assert len(placed) + ledger.duplicates + ledger.discarded == len(sent)
    assert sum(ledger.total(state) for state in State) == timeline.end

    taken = sorted((p.start or 0, (p.start or 0) + p.samples) for p in placed)
    end = 0
    for start, stop in taken:
        assert end <= start or start == stop
        end = max(end, stop)
    assert end <= timeline.end


@given(STREAMS)
def test_the_ledger_says_what_was_placed_where(
    steps: list[tuple[int, int, bool, bool, int]],
) -> None:
    timeline, placements = run(walk(steps))

    for placement in placements:
        if placement.start is not None:
            stop = placement.start + placement.samples
            runs = list(timeline.ledger.runs_in(placement.start, stop))
            state = State.SILENT if placement.silent else State.RECEIVED
            assert [run.state for run in runs] == [state] * bool(placement.samples)
    audible = sum(p.samples for p in placements if p.start is not None and not p.silent)
    assert timeline.ledger.total(State.RECEIVED) == audible


@given(STREAMS)
def test_the_same_stream_ends_in_the_same_ledger(
    steps: list[tuple[int, int, bool, bool, int]],
) -> None:
    one, first = run(walk(steps))
    two, second = run(walk(steps))

    assert one.state() == two.state()
    assert first == second


@given(STREAMS, STREAMS)
def test_going_on_from_a_state_is_not_having_stopped(
    before: list[tuple[int, int, bool, bool, int]],
    after: list[tuple[int, int, bool, bool, int]],
) -> None:
    sent = walk(before + after)
    timeline, _ = run(sent[: len(before)])
    other: Timeline[int] = Timeline.restore(json.loads(json.dumps(timeline.state())))

    assert other.state() == timeline.state()
    one, first = run(sent[len(before) :], timeline)
    two, second = run(sent[len(before) :], other)

    assert one.state() == two.state()
    assert first == second


@given(st.sets(st.integers(1, 300)))
def test_exact_timestamps_with_any_losses_come_out_exact(lost: set[int]) -> None:
    kept = [slot for slot in range(300) if slot not in lost]
    # An end that three packets prove.
    outcome = play(exact([*kept, *range(400, 403)]))

    assert outcome.timeline.end == 403 * SLOT
    late_start = [p for p in outcome.misplaced if p.ref > 3]
    assert late_start == []


@given(st.integers(1, 30), st.integers(1, 200))
def test_exact_timestamps_that_come_later_by_any_time_come_out_in_order(
    late: int, behind: int
) -> None:
    resume = 20 + late
    order = [*range(20), *range(resume, resume + behind), *range(20, resume)]

    outcome = play(exact([*order, *range(resume + behind, resume + behind + 40)]))

    assert outcome.misplaced == []
    assert outcome.timeline.ledger.completeness == 1.0


@given(st.lists(st.integers(-60_000, 60_000), min_size=2, max_size=60))
def test_a_short_track_whose_timestamps_jitter_is_contiguous_or_says_so(
    jitter: list[int],
) -> None:
    sent: list[Sent] = [
        (NOON + index * SLOT_US + off, SLOT, False, NOON + index * SLOT_US, index)
        for index, off in enumerate(jitter)
    ]

    timeline, placements = run(sent)

    assert abs(timeline.end - len(sent) * SLOT) <= 2 * 60 * 16 + SLOT
    assert len(placements) == len(sent)
