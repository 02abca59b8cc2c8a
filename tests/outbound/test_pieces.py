"""Audio that waits: what comes out is what went in, however it was cut."""

from hypothesis import given
from hypothesis import strategies as st

from streaming.outbound.pieces import GATHERED_BYTES, SHORT_BYTES, Pieces

SIZES = st.sampled_from([1, 2, 640, SHORT_BYTES - 1, SHORT_BYTES, GATHERED_BYTES + 1])


@given(st.lists(st.tuples(st.sampled_from(["add", "drop", "put_back"]), SIZES)))
def test_what_waits_is_what_was_added_put_back_and_not_dropped(
    steps: list[tuple[str, int]],
) -> None:
    pieces, plain = Pieces(), b""

    for number, (step, size) in enumerate(steps):
        pcm = bytes([number % 256]) * size
        match step:
            case "add":
                pieces.add(pcm)
                plain += pcm
            case "put_back":
                pieces.put_back(pcm)
                plain = pcm + plain
            case _:
                pieces.drop(size)
                plain = plain[size:]

        assert len(pieces) == len(plain)
        assert pieces.first(size) == plain[:size]
    assert pieces.first(len(plain) + 1) == plain
