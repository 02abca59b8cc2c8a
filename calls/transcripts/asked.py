"""What somebody looks for in transcripts: words, "phrases", -not, begin*.

Pure. What a word is, is alike everywhere: letters and digits, in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# More is no search any more.
LONGEST, MOST_TERMS = 400, 20
# So much of a word alone, if it is ASCII, must be there to find all that begin so.
SHORTEST_BEGIN = 2

_TERM = re.compile(r'(-?)(?:"([^"]*)"?|([^\s"]+))(\*?)')
# What is not between words: as `calls_spoken` of migration 0013 has it.
_WORD = re.compile(
    r"[^\s\u0000-\u002F\u003A-\u0040\u005B-\u0060\u007B-\u00A9\u00AB-\u00B4"
    r"\u00B6-\u00B9\u00BB-\u00BF\u060C\u061B\u061F\u0964\u0965\u2000-\u206F"
    r"\u20A0-\u20CF\u3000-\u3003\u3008-\u301F\uFF01-\uFF0F\uFF1A-\uFF20"
    r"\uFF3B-\uFF40\uFF5B-\uFF65]+"
)


@dataclass(frozen=True, slots=True)
class Term:
    """Words in a row. `is_begin`: the last is how a word begins. `is_not`: unwanted."""

    words: tuple[str, ...]
    is_begin: bool = False
    is_not: bool = False

    @property
    def text(self) -> str:
        """Return the words as one text."""
        return " ".join(self.words)

    def is_at(self, words: Sequence[str], place: int) -> bool:
        """Say whether `words` have these at a place."""
        found = tuple(words[place : place + len(self.words)])
        if not self.is_begin or len(found) < len(self.words):
            return found == self.words
        return found[:-1] == self.words[:-1] and found[-1].startswith(self.words[-1])


@dataclass(frozen=True, slots=True)
class Asked:
    """All of `wanted` must have been said in one piece, and nothing of `unwanted`."""

    wanted: tuple[Term, ...]
    unwanted: tuple[Term, ...] = ()

    def __bool__(self) -> bool:
        # What was *not* said, alone, is nearly everything.
        return bool(self.wanted)


def asked_of(text: str) -> Asked:
    """Return what a text asks for; false if there is nothing to look for.

    >>> [term.text for term in asked_of('refund "thank you" -invoice').wanted]
    ['refund', 'thank you']
    """
    terms = [term for term in _terms(text[:LONGEST]) if term.words][:MOST_TERMS]
    return Asked(
        tuple(term for term in terms if not term.is_not),
        tuple(term for term in terms if term.is_not),
    )


def _terms(text: str) -> Iterator[Term]:
    for sign, phrase, word, star in _TERM.findall(text):
        words = words_of(phrase or word)
        is_begin = bool(star) or word.endswith("*")
        if len(words) == 1 and words[0].isascii() and len(words[0]) < SHORTEST_BEGIN:
            is_begin = False
        yield Term(words, is_begin, bool(sign))


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text, in lower case."""
    found = (word.lower() for word in _WORD.findall(text))
    return tuple(word for word in found if any(map(str.isalnum, word)))


def hits(text: str, asked: Asked) -> list[tuple[int, int]]:
    """Return from where to where `text` has what was asked for, in order, apart."""
    places = [match.span() for match in _WORD.finditer(text)]
    words = [text[first:last].lower() for first, last in places]
    found: list[tuple[int, int]] = []
    at = 0
    while at < len(words):
        long = max(
            (len(one.words) for one in asked.wanted if one.is_at(words, at)), default=0
        )
        if long:
            found.append((places[at][0], places[at + long - 1][1]))
        at += max(long, 1)
    return found
