"""Finding calls by what people have in hand: a number, a name, any id of the call.

Every word must be found, as a part of a number or name; an id, or how it begins, alone
will do. At a million calls each way goes through an index (docs/decisions/0011).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connections
from django.db.models import BooleanField, Func, Q, QuerySet, TextField, Value
from django.db.models.functions import Lower
from django.db.models.lookups import Contains

from calls.models import CallState
from calls.models.call import LIVE_STATES

# What the index knows: shorter words are looked for in what longer ones have found.
GRAM = 3
# What is longer is in no column.
LONGEST = 400
# As the index's condition has them, to the letter.
OVER = (CallState.ENDED, CallState.FAILED)

# Digits that belong to one number, however it is written: +1 (206) 555-0100.
_WITHIN_NUMBER = re.compile(r"(?<=[0-9])[ ().\-/]+(?=[0-9])")
_AROUND_NUMBER = re.compile(r"\((?=[0-9])")
_HEX = re.compile(r"[0-9a-f-]{6,36}")
# An id of ACS's: connection and correlation ids are GUIDs, server call ids are long.
_ID = re.compile(r"[\w:/+=.-]{8,}", re.ASCII)


class HoldsGrams(Func):
    """Whether a text has all three-character parts of another; PostgreSQL only."""

    template = "calls_grams(%(expressions)s)"
    arg_joiner = ") @> calls_grams("
    output_field = BooleanField()


def words_of(text: str) -> list[str]:
    """Return the words to look for; a number, however it is grouped, is one.

    >>> words_of("Ada +1 (206) 555-0100")
    ['Ada', '+12065550100']
    """
    joined = _AROUND_NUMBER.sub("", text.replace("\0", "")[:LONGEST])
    return _WITHIN_NUMBER.sub("", joined).split()


def text_q(text: str, using: str) -> Q | None:
    """Return a condition that every word is in the numbers and names of a call.

    None if there is no word that is long enough to look for.
    """
    words = words_of(text)
    if not any(len(word) >= GRAM for word in words):
        return None
    contained = Q()
    for word in words:
        contained &= Q(search_text__contains=Lower(_text(word)))
    if connections[using].vendor != "postgresql":
        return contained
    over = Q(state__in=OVER)
    for word in words:
        if len(word) >= GRAM:
            over &= Q(HoldsGrams("search_text", Lower(_text(word))))
    return (over & contained) | (Q(state__in=LIVE_STATES) & contained)


def holds_text(fields: Iterable[str], text: str) -> Q:
    """Return a condition that each word is in one of some columns, case aside."""
    found = Q()
    for word in words_of(text):
        one = Q()
        for name in fields:
            one |= Q(Contains(Lower(name), Lower(_text(word))))
        found &= one
    return found


def calls_matching(calls: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Return those of `calls` that a search is after."""
    found = text_q(text, calls.db)
    term = text.strip()
    if ids := _ids_q(term):
        found = found | ids if found else ids
    return calls.none() if found is None else calls.filter(found)


def calls_with_party(
    calls: QuerySet[Any], text: str, fields: Iterable[str]
) -> QuerySet[Any]:
    """Return calls that have every word in one of `fields`, parts of `search_text`."""
    found = text_q(text, calls.db)
    if found is None:
        return calls.none()
    return calls.filter(found, holds_text(fields, text))


def _ids_q(term: str) -> Q | None:
    """Return a condition on the ids of calls, if `term` can be one, or begin one."""
    found = Q()
    low = term.lower()
    if _HEX.fullmatch(low) and (digits := low.replace("-", "")) and len(digits) <= 32:
        first, last = digits.ljust(32, "0"), digits.ljust(32, "f")
        found |= Q(pk__range=(UUID(first), UUID(last)))
    if _ID.fullmatch(term) and len(term) <= LONGEST:
        found |= Q(connection_id__startswith=term)
        found |= Q(correlation_id__startswith=term)
        found |= Q(server_call_id=term)
    return found or None


def _text(word: str) -> Value:
    return Value(word, TextField())
