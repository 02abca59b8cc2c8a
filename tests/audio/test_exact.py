"""The timeline of what we said ourselves: exact, and without losses."""

import json

from hypothesis import given
from hypothesis import strategies as st

from calls.audio.exact import ExactTimeline
from calls.audio.ledger import State

RATE = 16_000
NOON = 1_772_366_400_000_000


def placed(*stamps_ms: float, samples: int = 320) -> ExactTimeline[int]:
    timeline: ExactTimeline[int] = ExactTimeline(RATE)
    for number, at in enumerate(stamps_ms):
        timeline.place(NOON + round(at * 1000), samples, False, NOON, number)
    return timeline


def test_between_two_utterances_nobody_asked_for_audio() -> None:
    timeline = placed(0, 20, 1000)

    assert [(run.state, run.samples) for run in timeline.ledger.runs] == [
        (State.RECEIVED, 640),
        (State.STOPPED, 15_360),
        (State.RECEIVED, 320),
    ]
    assert timeline.ledger.completeness == 1.0


def test_a_microsecond_is_no_pause_and_nothing_overlaps() -> None:
    timeline = placed(0, 20.04, 39.9, 55)

    assert timeline.ledger.run_count == 1
    assert timeline.end == 4 * 320


def test_without_a_stamp_it_lies_where_it_arrived() -> None:
    timeline: ExactTimeline[int] = ExactTimeline(RATE)
    timeline.place(None, 320, False, NOON, 0)
    timeline.place(None, 320, False, NOON + 100_000, 1)

    assert timeline.end == 1_600 + 320


def test_a_clock_that_was_set_by_hours_makes_no_hours_of_silence() -> None:
    timeline = placed(0, 7 * 3600 * 1000, 7 * 3600 * 1000 + 20)

    assert timeline.end == 3 * 320


@given(
    st.lists(st.tuples(st.integers(0, 5_000_000), st.integers(1, 480)), max_size=50),
    st.integers(0, 50),
)
def test_goes_on_elsewhere_as_it_was(
    packets: list[tuple[int, int]], after: int
) -> None:
    one: ExactTimeline[None] = ExactTimeline(RATE)
    two: ExactTimeline[None] = ExactTimeline(RATE)
    for number, (stamp, samples) in enumerate(packets):
        if number == after:
            two = ExactTimeline.restore(json.loads(json.dumps(two.state())))
        for timeline in (one, two):
            timeline.place(NOON + stamp, samples, False, NOON, None)

    assert one.state() == two.state()
    assert one.flush() == []
