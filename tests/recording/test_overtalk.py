"""Overtalk counted as the call goes on is overtalk counted at its end."""

from hypothesis import given, settings
from hypothesis import strategies as st

from calls.audio.ledger import Ledger, Overtalk, State, overtalk_us

STATES = st.sampled_from([State.RECEIVED, State.SILENT, State.GAP])
STRETCHES = st.lists(st.tuples(STATES, st.integers(1, 200)), max_size=30)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3_000_000), STRETCHES), min_size=2, max_size=4)
)
def test_counting_in_steps_is_counting_at_once(
    speakers: list[tuple[int, list[tuple[State, int]]]],
) -> None:
    # No stretch is longer than four seconds, so no track is further behind.
    overtalk = Overtalk(settle_us=5_000_000)
    tracks = [(offset, Ledger(16_000)) for offset, _ in speakers]
    coming = [list(stretches) for _, stretches in speakers]

    for now_us in range(0, 130_000_000, 1_000_000):
        for (offset, ledger), stretches in zip(tracks, coming, strict=True):
            while stretches and offset + ledger.samples * 125 // 2 < now_us:
                state, slots = stretches.pop(0)
                ledger.append(state, slots * 320)
        overtalk.update(tracks)

    assert not any(coming)
    assert overtalk.update(tracks) == overtalk_us(tracks)


def test_bounds_cut_what_lies_across_them() -> None:
    one, two = Ledger(16_000), Ledger(8_000)
    one.append(State.RECEIVED, 160_000)
    two.append(State.RECEIVED, 80_000)

    tracks = [(0, one), (2_000_000, two)]

    assert overtalk_us(tracks) == 8_000_000
    assert overtalk_us(tracks, 5_000_000) == 5_000_000
    assert overtalk_us(tracks, 5_000_000, 6_500_000) == 1_500_000
    assert overtalk_us(tracks, 11_000_000) == 0
