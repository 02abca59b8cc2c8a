"""A condition that wanders about its threshold does not flap."""

from hypothesis import given
from hypothesis import strategies as st

from streaming.alarms.latch import SAME_WITHIN, Latch, Patience, Turn

PATIENCE = Patience(raise_after=3, clear_after=5)
RAISES = (Turn.RAISED, Turn.RAISED_AGAIN)

# Seconds, each with what is seen in it; a value from 0 to 100.
values = st.lists(st.floats(0, 100), max_size=300)
patiences = st.builds(
    Patience,
    raise_after=st.integers(0, 10).map(float),
    clear_after=st.integers(0, 10).map(float),
)


def turns_of(
    latch: Latch, seen: list[float], *, high: float = 60, low: float = 40
) -> list[tuple[int, Turn]]:
    """Step once a second; return what happened when, without what did not."""
    steps = [
        (second, latch.step(second, is_bad=value >= high, is_over=value < low))
        for second, value in enumerate(seen)
    ]
    return [(second, turn) for second, turn in steps if turn is not Turn.NONE]


@given(values, patiences)
def test_raising_and_clearing_take_turns(seen: list[float], patience: Patience) -> None:
    turns = [turn in RAISES for _, turn in turns_of(Latch(patience), seen)]

    assert turns == [number % 2 == 0 for number in range(len(turns))]


@given(values, patiences)
def test_what_is_raised_has_lasted_and_what_is_cleared_was_away(
    seen: list[float], patience: Patience
) -> None:
    for second, turn in turns_of(Latch(patience), seen):
        lasted = seen[second - int(patience.raise_after) : second + 1]
        away = seen[second - int(patience.clear_after) : second + 1]
        if turn in RAISES:
            assert all(value >= 60 for value in lasted)
        else:
            assert all(value < 40 for value in away)


@given(st.lists(st.floats(41, 100), max_size=500), patiences)
def test_noise_about_the_threshold_raises_once_at_most(
    seen: list[float], patience: Patience
) -> None:
    assert len(turns_of(Latch(patience), seen)) <= 1


@given(values)
def test_the_last_turn_is_what_it_is(seen: list[float]) -> None:
    latch = Latch(PATIENCE)
    turns = turns_of(latch, seen)

    assert latch.is_raised == bool(turns and turns[-1][1] in RAISES)


@given(values, patiences)
def test_occurrences_count_what_came_back_within_a_minute(
    seen: list[float], patience: Patience
) -> None:
    latch = Latch(patience)
    cleared_at, occurrences = None, 0
    for second, value in enumerate(seen):
        turn = latch.step(second, is_bad=value >= 60, is_over=value < 40)
        if turn is Turn.CLEARED:
            cleared_at = second
        elif turn in RAISES:
            is_soon = cleared_at is not None and second - cleared_at <= SAME_WITHIN
            assert (turn is Turn.RAISED_AGAIN) == is_soon
            occurrences = occurrences + 1 if is_soon else 1
        assert latch.occurrences == occurrences


def test_what_comes_back_after_a_minute_is_another_alarm() -> None:
    bad, away = [100.0] * 4, [0.0] * 6

    soon = turns_of(Latch(PATIENCE), bad + away + [0.0] * 56 + bad)
    late = turns_of(Latch(PATIENCE), bad + away + [0.0] * 58 + bad)

    assert [turn for _, turn in soon][-1] is Turn.RAISED_AGAIN
    assert [turn for _, turn in late][-1] is Turn.RAISED


def test_what_is_bad_and_over_at_once_is_bad() -> None:
    latch = Latch(Patience(0, 0))

    assert latch.step(0, is_bad=True, is_over=True) is Turn.RAISED
    assert latch.step(1, is_bad=True, is_over=True) is Turn.NONE


def test_it_is_forgotten_only_when_nothing_could_go_on() -> None:
    latch = Latch(PATIENCE)
    latch.step(0, is_bad=True, is_over=False)
    assert not latch.is_idle(0)
    latch.step(3, is_bad=True, is_over=False)
    latch.clear(4)

    assert not latch.is_idle(4 + SAME_WITHIN)
    assert latch.is_idle(5 + SAME_WITHIN)
