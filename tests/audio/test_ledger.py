"""The ledger, against a list with one state per sample."""

import json
from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.audio.ledger import Ledger, Overtalk, Run, State, overtalk_us

STATES = st.sampled_from(list(State))
LISTS = st.lists(st.tuples(STATES, st.integers(0, 40)), max_size=30)


def ledger_of(runs: list[tuple[State, int]], rate: int = 16_000) -> Ledger:
    ledger = Ledger(rate)
    for state, samples in runs:
        ledger.append(state, samples)
    return ledger


def spelled(ledger: Ledger) -> str:
    return "".join(run.state * run.samples for run in ledger.runs)


def assert_consistent(ledger: Ledger, letters: str) -> None:
    """All that the ledger says follows from `letters`, one per sample."""
    runs = ledger.runs
    gaps = [len(list(run)) for state, run in groupby(letters) if state == "g"]
    assert spelled(ledger) == letters
    assert ledger.samples == len(letters)
    assert all(one.state is not two.state for one, two in pairwise(runs))
    assert all(one.end == two.start for one, two in pairwise(runs))
    assert all(ledger.total(state) == letters.count(state) for state in State)
    assert ledger.gap_count == len(gaps)


@given(LISTS, st.integers(0, 200))
def test_finds_what_is_missing_behind_a_place(
    runs: list[tuple[State, int]], start: int
) -> None:
    ledger = ledger_of(runs)

    missing = [run for run in ledger.runs if run.state.is_missing and run.end > start]

    assert list(ledger.missing_runs(start)) == missing


@given(LISTS)
def test_appending_is_writing_down(runs: list[tuple[State, int]]) -> None:
    assert_consistent(ledger_of(runs), "".join(state * n for state, n in runs))


@given(LISTS, st.lists(st.tuples(st.integers(0), st.integers(0), STATES), max_size=5))
def test_replacing_is_overwriting(
    runs: list[tuple[State, int]], changes: list[tuple[int, int, State]]
) -> None:
    ledger = ledger_of(runs)
    letters = spelled(ledger)

    for start, samples, state in changes:
        start %= len(letters) + 1
        samples %= len(letters) + 1 - start
        ledger.replace(start, samples, state)
        letters = letters[:start] + state * samples + letters[start + samples :]
        assert_consistent(ledger, letters)


@pytest.mark.parametrize(("start", "samples"), [(-1, 2), (0, 11), (5, -1)])
def test_what_is_not_in_the_ledger_is_not_replaced(start: int, samples: int) -> None:
    ledger = ledger_of([(State.RECEIVED, 10)])

    with pytest.raises(ValueError, match="outside a ledger of 10"):
        ledger.replace(start, samples, State.GAP)


def test_a_run_is_not_negative() -> None:
    with pytest.raises(ValueError, match="-1 samples"):
        Ledger(16_000).append(State.GAP, -1)


@given(LISTS, st.integers(-10, 200), st.integers(-10, 200))
def test_runs_in_a_range_are_the_runs_cut(
    runs: list[tuple[State, int]], start: int, end: int
) -> None:
    ledger = ledger_of(runs)
    inside = list(ledger.runs_in(start, end))

    expected = spelled(ledger)[max(start, 0) : max(end, 0)]
    assert "".join(run.state * run.samples for run in inside) == expected
    assert all(start <= run.start and run.end <= end for run in inside)


def test_only_gaps_become_stopped_and_only_inside_the_window() -> None:
    ledger = ledger_of(
        [(State.GAP, 4), (State.RECEIVED, 2), (State.GAP, 4), (State.SILENT, 2)]
    )

    ledger.mark_stopped(2, 8)
    ledger.mark_stopped(-5, 1)
    ledger.mark_stopped(11, 500)

    assert_consistent(ledger, "xgxxrrxxggss")


def test_stopped_time_counts_on_neither_side() -> None:
    ledger = ledger_of(
        [(State.RECEIVED, 60), (State.SILENT, 20), (State.GAP, 20), (State.STOPPED, 99)]
    )

    assert ledger.completeness == 0.8
    ledger.mark_stopped(0, ledger.samples)
    assert ledger.completeness == 1.0


def test_nothing_expected_has_no_completeness() -> None:
    assert Ledger(16_000).completeness is None
    assert ledger_of([(State.STOPPED, 320)]).completeness is None


@given(LISTS, st.integers(-5, 300))
def test_talk_is_received_and_not_silent(
    runs: list[tuple[State, int]], start: int
) -> None:
    ledger = ledger_of(runs)
    letters = spelled(ledger)

    talk = list(ledger.talk_runs(start))

    inside = [i for begin, end in talk for i in range(begin, end)]
    assert inside == [i for i, s in enumerate(letters) if s == "r" and i >= start]
    assert all(one[1] < two[0] for one, two in pairwise(talk))


@given(LISTS)
def test_comes_back_from_json(runs: list[tuple[State, int]]) -> None:
    ledger = ledger_of(runs, rate=24_000)
    ledger.late, ledger.duplicates, ledger.discarded = 1, 2, 3

    again = Ledger.from_json(json.loads(json.dumps(ledger.to_json())))

    assert again.to_json() == ledger.to_json()
    assert_consistent(again, spelled(ledger))
    assert (again.rate, again.late, again.duplicates, again.discarded) == (
        24_000,
        1,
        2,
        3,
    )


def test_json_is_short() -> None:
    ledger = ledger_of([(State.RECEIVED, 320), (State.GAP, 640)])

    stored = json.loads(json.dumps(ledger.to_json()))

    assert stored["runs"] == [["r", 320], ["g", 640]]


def test_a_perfect_day_is_one_run() -> None:
    ledger = Ledger(16_000)
    for _ in range(1_000):
        ledger.append(State.RECEIVED, 320)

    assert ledger.runs == [Run(State.RECEIVED, 0, 320_000)]


def test_gap_and_stopped_are_missing() -> None:
    assert [state.is_missing for state in State] == [False, False, True, True]


TRACKS = st.lists(st.tuples(st.integers(0, 50), LISTS), max_size=4)


@given(TRACKS)
def test_overtalk_is_where_two_or_more_talk(
    tracks: list[tuple[int, list[tuple[State, int]]]],
) -> None:
    # At a million samples per second a sample is a microsecond.
    ledgers = [(at, ledger_of(runs, rate=1_000_000)) for at, runs in tracks]

    talking = [
        at + i
        for at, ledger in ledgers
        for i, state in enumerate(spelled(ledger))
        if state == "r"
    ]

    both = {moment for moment in talking if talking.count(moment) > 1}
    assert overtalk_us(ledgers) == len(both)


def test_overtalk_of_tracks_with_different_rates() -> None:
    wide = ledger_of([(State.RECEIVED, 24_000)], rate=24_000)
    narrow = ledger_of([(State.SILENT, 4_000), (State.RECEIVED, 16_000)], rate=16_000)

    assert overtalk_us([(0, wide), (500_000, narrow)]) == 250_000


@given(TRACKS, st.integers(0, 200), st.integers(0, 200))
def test_overtalk_can_be_bounded(
    tracks: list[tuple[int, list[tuple[State, int]]]], since: int, until: int
) -> None:
    ledgers = [(at, ledger_of(runs, rate=1_000_000)) for at, runs in tracks]

    before = overtalk_us(ledgers, until_us=since)
    inside = overtalk_us(ledgers, since, max(since, until))
    after = overtalk_us(ledgers, since_us=max(since, until))

    assert before + inside + after == overtalk_us(ledgers)


def test_overtalk_of_a_call_that_goes_on_is_summed_up() -> None:
    one, two = Ledger(1_000), Ledger(1_000)
    overtalk = Overtalk(settle_us=1_000_000)

    for second in range(1, 10):
        one.append(State.RECEIVED, 1_000)
        two.append(State.RECEIVED if second % 2 else State.SILENT, 1_000)
        tracks = [(0, one), (0, two)]
        assert overtalk.update(tracks) == overtalk_us(tracks)

    two.replace(1_000, 1_000, State.RECEIVED)
    assert overtalk.update([(0, one), (0, two)]) == 5_000_000


def test_overtalk_of_nobody_is_none() -> None:
    assert Overtalk().update([]) == 0


def test_counts_its_runs() -> None:
    assert ledger_of([(State.RECEIVED, 1), (State.GAP, 1)]).run_count == 2
