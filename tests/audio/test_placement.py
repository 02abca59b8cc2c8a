"""One packet on a ledger, at a place that is decided."""

import pytest

from calls.audio.ledger import Ledger, State
from calls.audio.placement import Placement, Verdict, is_free, put


@pytest.fixture
def ledger() -> Ledger:
    """Audio in [0, 100) and [200, 300), a gap between."""
    ledger = Ledger(16_000)
    ledger.append(State.RECEIVED, 100)
    ledger.append(State.GAP, 100)
    ledger.append(State.RECEIVED, 100)
    return ledger


@pytest.mark.parametrize(
    ("start", "samples", "place", "verdict"),
    [
        (300, 50, 300, Verdict.ON_TIME),
        (310, 50, 310, Verdict.ON_TIME),
        (290, 50, 300, Verdict.ON_TIME),
        (100, 100, 100, Verdict.LATE),
        (120, 50, 120, Verdict.LATE),
        (90, 50, 100, Verdict.LATE),
        (160, 50, 150, Verdict.LATE),
        (0, 50, None, Verdict.DUPLICATE),
        (220, 50, None, Verdict.DUPLICATE),
        (70, 50, None, Verdict.DISCARDED),
        (90, 120, None, Verdict.DISCARDED),
        (260, 50, None, Verdict.DISCARDED),
        (-50, 50, None, Verdict.DISCARDED),
        (-10, 50, None, Verdict.DISCARDED),
    ],
)
def test_a_packet_goes_where_there_is_room(
    ledger: Ledger, start: int, samples: int, place: int | None, verdict: Verdict
) -> None:
    before = ledger.total(State.RECEIVED)

    placement = put(ledger, start, samples, False, "packet")

    assert placement == Placement("packet", place, samples, False, verdict)
    grown = 0 if place is None else samples
    assert ledger.total(State.RECEIVED) == before + grown
    counters = (ledger.late, ledger.duplicates, ledger.discarded)
    assert counters == tuple(
        verdict is counted
        for counted in (Verdict.LATE, Verdict.DUPLICATE, Verdict.DISCARDED)
    )


def test_a_silent_packet_is_silent_in_the_ledger(ledger: Ledger) -> None:
    put(ledger, 100, 50, True, None)
    put(ledger, 300, 50, True, None)

    assert ledger.total(State.SILENT) == 100


def test_a_gap_at_the_end_is_filled_and_the_rest_appended(ledger: Ledger) -> None:
    ledger.append(State.GAP, 20)

    placement = put(ledger, 300, 50, False, None)

    assert (placement.start, placement.verdict) == (300, Verdict.LATE)
    assert ledger.runs[-1] == (State.RECEIVED, 200, 150)


def test_audio_that_comes_while_streaming_is_stopped_is_kept(ledger: Ledger) -> None:
    ledger.mark_stopped(100, 200)

    assert is_free(ledger, 100, 100)
    assert put(ledger, 100, 100, False, None).verdict is Verdict.LATE
    assert not is_free(ledger, -1, 1)
