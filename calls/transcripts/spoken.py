"""When each part of a text was said: the words as they were timed, laid over the text.

Words are told as they were heard ("twenty five"), the text as it is read ("25."). Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

# A word is looked for so far ahead, and not farther: it may be in the text nowhere.
AHEAD = 40


class Piece(NamedTuple):
    """A part of a text; when it was said, in µs after the text's beginning."""

    text: str
    start_us: int
    duration_us: int


class _Anchor(NamedTuple):
    at: int
    start_us: int
    end_us: int


def pieces(
    text: str, words: Sequence[tuple[str, int, int]], duration_us: int
) -> list[Piece]:
    """Return the text in pieces that joined are the text, each with its time.

    What no word is found for has the time of the words between. Without words the whole
    is one piece.
    """
    anchors = list(_anchors(text, words))
    if not anchors:
        return [Piece(text, 0, duration_us)]
    # What comes before the first word, such as a quote, belongs to it.
    firsts = [0, *(anchor.at for anchor in anchors[1:])]
    lasts = [*firsts[1:], len(text)]
    return [
        Piece(text[first:last], anchor.start_us, anchor.end_us - anchor.start_us)
        for anchor, first, last in zip(anchors, firsts, lasts, strict=True)
    ]


def moment_us(told: Sequence[Piece], at: int) -> int:
    """Return when the character `at` of the text was said, after its beginning."""
    seen = 0
    for piece in told:
        seen += len(piece.text)
        if at < seen:
            return piece.start_us
    return told[-1].start_us if told else 0


def _anchors(text: str, words: Sequence[tuple[str, int, int]]) -> Iterator[_Anchor]:
    low = text.lower()
    if len(low) != len(text):
        # "İ" is longer in lower case: places would be of another text.
        low = text
    at = 0
    missing: list[tuple[int, int]] = []
    for word, start, long in words:
        place = _place(low, word.lower(), at)
        if place is None:
            missing.append((start, start + long))
            continue
        yield from _between(low, at, place, missing)
        yield _Anchor(place, start, start + long)
        at, missing = place + len(word), []
    yield from _between(low, at, len(low), missing)


def _between(
    low: str, first: int, last: int, missing: Sequence[tuple[int, int]]
) -> Iterator[_Anchor]:
    """Yield where the text goes on for which words were told that are not in it."""
    if not missing:
        return
    for at in range(first, last):
        if low[at].isalnum():
            yield _Anchor(at, missing[0][0], missing[-1][1])
            return


def _place(low: str, word: str, first: int) -> int | None:
    """Return where a word is next, whole; None if it is not near."""
    if not word:
        return None
    at = low.find(word, first, first + AHEAD + len(word))
    while at >= 0:
        if _is_whole(low, at, at + len(word), first):
            return at
        at = low.find(word, at + 1, first + AHEAD + len(word))
    return None


def _is_whole(low: str, first: int, last: int, since: int) -> bool:
    begins = first == since or not low[first - 1].isalnum()
    # Some languages have nothing between words.
    ends = last == len(low) or not low[last].isalnum() or not low[last].isascii()
    return begins and ends
