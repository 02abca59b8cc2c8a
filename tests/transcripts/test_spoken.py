"""The moments of words are laid over a text, whatever was made of the words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.transcripts.spoken import Piece, moment_us, pieces

WORDS = st.tuples(st.text(max_size=6), st.integers(0, 10**7), st.integers(0, 10**6))


@pytest.mark.parametrize(
    ("text", "words", "told"),
    [
        (
            "“Hello,” Ada.",
            [("hello", 0, 300), ("ada", 400, 200)],
            [("“Hello,” ", 0, 300), ("Ada.", 400, 200)],
        ),
        (
            "It is 25 now.",
            [
                ("it", 0, 1),
                ("is", 2, 1),
                ("twenty", 4, 5),
                ("five", 9, 3),
                ("now", 14, 1),
            ],
            [("It ", 0, 1), ("is ", 2, 1), ("25 ", 4, 8), ("now.", 14, 1)],
        ),
        (
            "今日は雨",
            [("今日", 0, 5), ("は", 5, 1), ("雨", 7, 2)],
            [("今日", 0, 5), ("は", 5, 1), ("雨", 7, 2)],
        ),
        ("An apple", [("a", 0, 1), ("apple", 5, 1)], [("An ", 0, 1), ("apple", 5, 1)]),
        ("İzmir is far", [("is", 4, 1)], [("İzmir is far", 4, 1)]),
        ("No words", [], [("No words", 0, 9)]),
        ("Other", [("words", 3, 2)], [("Other", 3, 2)]),
    ],
)
def test_each_part_of_a_text_has_the_time_of_its_words(
    text: str, words: list[tuple[str, int, int]], told: list[tuple[str, int, int]]
) -> None:
    assert pieces(text, words, 9) == [Piece(*one) for one in told]


@given(st.text(max_size=60), st.lists(WORDS, max_size=12))
def test_the_pieces_of_a_text_are_always_the_text(
    text: str, words: list[tuple[str, int, int]]
) -> None:
    told = pieces(text, words, 1)

    assert "".join(piece.text for piece in told) == text


def test_the_moment_of_a_character_is_that_of_its_word() -> None:
    told = pieces("one two three", [("one", 0, 1), ("two", 5, 1), ("three", 9, 1)], 10)

    assert [moment_us(told, at) for at in (0, 4, 7, 12, 99)] == [0, 5, 5, 9, 9]
