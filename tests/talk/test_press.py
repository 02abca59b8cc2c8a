"""One press: which of what a browser says is heard."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.talk.press import BURST_SECONDS, FASTEST, FrameError, Pace, Press
from tests.talk.mouth import RATE, frame, pcm


def press() -> Press:
    return Press(call_id=uuid4(), user="ada", number=1, rate=RATE, began=0.0)


def test_what_comes_late_or_twice_is_not_heard_again_and_gaps_are_none_of_ours() -> (
    None
):
    one = press()

    taken = [one.take(frame(number), 0.1) for number in (0, 1, 1, 0, 5, 4, 6)]

    heard = [talk for talk in taken if talk]
    assert [talk.pcm for talk in heard] == [pcm(number) for number in (0, 1, 5, 6)]
    assert [talk.number for talk in heard] == [0, 1, 2, 3]
    assert one.seconds == 0.08


def test_what_was_said_in_an_earlier_press_is_not_heard_in_this_one() -> None:
    assert press().take(frame(0, press=2), 0.1) is None


@pytest.mark.parametrize(
    "message", [b"", b"\1", frame(0)[:-2], frame(0) + b"\0\0", b"\2" + frame(0)[1:]]
)
def test_what_is_not_20_ms_of_a_press_is_refused(message: bytes) -> None:
    with pytest.raises(FrameError):
        press().take(message, 0.1)


def test_the_end_follows_all_that_was_said_and_brings_no_audio() -> None:
    one = press()
    opening, said, last = one.opening(), one.take(frame(0), 0.1), one.last()

    assert said is not None
    assert [opening.number, said.number, last.number] == [0, 1, 2]
    assert [opening.is_last, said.is_last, last.is_last] == [False, False, True]
    assert opening.pcm == last.pcm == b""


@given(st.lists(st.tuples(st.integers(1, 40_000), st.floats(0, 0.5)), max_size=200))
def test_never_is_more_heard_than_can_have_been_said(
    coming: list[tuple[int, float]],
) -> None:
    pace, now, taken = Pace(RATE, 0.0), 0.0, 0

    for size, after in coming:
        now += after
        taken += size * pace.allows(size, now)
        assert taken <= (BURST_SECONDS + now * FASTEST) * RATE * 2 + 1


def test_who_speaks_in_real_time_for_an_hour_loses_nothing() -> None:
    # A sound card that is 1 % fast.
    pace = Pace(RATE, 0.0)
    assert all(pace.allows(640, number * 0.0198) for number in range(180_000))
