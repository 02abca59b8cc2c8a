"""Finding calls by what people have in hand: a number, a name, any id of the call.

Every word must be found, as a part of a number or name; an id, or how it begins, alone
will do. At a million calls each way goes through an index (docs/decisions/0012).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connections
from django.db.models import BooleanField, Func, Q, QuerySet, TextField, Value
from django.db.models.functions import Lower
from django.db.models.lookups import Contains

# What the index knows: shorter words are looked for in what longer ones have found.
GRAM = 3
# What is longer is in no column.
LONGEST = 400
# Of so many newest calls more than so many have a word: one of ten calls does.
SAMPLE, COMMON = 1_000, 100
# So many calls are found by the index and sorted at once; of more, the first ones
# of the list are found sooner by looking.
RARE = 2_000
# How the key of a call is shortened: by its first eight digits.
HEX_DIGITS = 6
# Legs of a call share a correlation id; more than a few are another kind of search.
MOST_IDS = 200

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


@dataclass(frozen=True, slots=True)
class Words:
    """How calls with some words are found, and how they are counted.

    `counting` is true of the same calls and by the index: for a count, where the
    condition is for the first calls of a list.
    """

    condition: Q
    counting: Q = field(default_factory=Q)
    # Up to how many calls are counted; None: as many as of any list.
    most: int | None = None


def words_find(calls: QuerySet[Any], text: str) -> Words | None:
    """Return how to find calls with every word in their numbers and names.

    None if there is no word that is long enough to look for. PostgreSQL's planner takes
    the grams of a word for independent, and so a surname that thousands have for one
    that nobody has. Hence it is told what to do: what is rare is looked up in the
    index, what is common is looked for from the newest call on.
    """
    words = words_of(text)
    if not any(len(word) >= GRAM for word in words):
        return None
    contained, indexed = Q(), Q()
    for word in words:
        contained &= Q(search_text__contains=Lower(_text(word)))
        if len(word) >= GRAM:
            indexed &= Q(HoldsGrams("search_text", Lower(_text(word))))
    if connections[calls.db].vendor != "postgresql":
        return Words(contained)
    rows = calls.model._base_manager.using(calls.db)
    newest = rows.order_by("-rang_at").values("pk", "search_text")[:SAMPLE]
    if rows.filter(pk__in=newest.values("pk")).filter(contained).count() > COMMON:
        return Words(contained)
    both = contained & indexed
    if rows.filter(both).order_by().values("pk")[: RARE + 1].count() > RARE:
        return Words(contained, counting=both)
    return Words(both)


def holds_text(fields: Iterable[str], text: str) -> Q:
    """Return a condition that each word is in one of some columns, case aside."""
    found = Q()
    for word in words_of(text):
        one = Q()
        for name in fields:
            one |= Q(Contains(Lower(name), Lower(_text(word))))
        found &= one
    return found


def calls_matching(
    calls: QuerySet[Any], text: str
) -> tuple[QuerySet[Any], Words | None]:
    """Return those of `calls` that a search is after, and how it is by words, if it is.

    What is the id of a call, or begins one, is no name. Ids are looked up beforehand:
    one condition of both kinds could use no index for either.
    """
    ids = _with_id(calls, text.strip())
    if ids and not text.strip().isdigit():
        return calls.filter(pk__in=ids), None
    found = words_find(calls, text)
    if ids:
        either = Q(pk__in=ids) | found.condition if found else Q(pk__in=ids)
        return calls.filter(either), None
    if found is None:
        return calls.none(), None
    return calls.filter(found.condition), found


def calls_with_party(
    calls: QuerySet[Any], text: str, fields: Iterable[str]
) -> tuple[QuerySet[Any], Words | None]:
    """Return calls that have every word in one of `fields`, parts of `search_text`."""
    found = words_find(calls, text)
    if found is None:
        return calls.none(), None
    held = holds_text(fields, text)
    # Said twice, the planner would take what is common for rare again.
    condition = held if found.counting else found.condition & held
    return calls.filter(condition), found


def _with_id(calls: QuerySet[Any], term: str) -> list[UUID]:
    """Return the keys of calls one of whose ids is `term`, or begins with it."""
    found = Q()
    low = term.lower()
    digits = low.replace("-", "")
    if _HEX.fullmatch(low) and HEX_DIGITS <= len(digits) <= 32:
        first, last = digits.ljust(32, "0"), digits.ljust(32, "f")
        found |= Q(pk__range=(UUID(first), UUID(last)))
    if _ID.fullmatch(term) and len(term) <= LONGEST:
        found |= Q(connection_id__startswith=term)
        found |= Q(correlation_id__startswith=term)
        found |= Q(server_call_id=term)
    if not found:
        return []
    rows = calls.model._base_manager.using(calls.db).filter(found)
    return list(rows.values_list("pk", flat=True)[:MOST_IDS])


def _text(word: str) -> Value:
    return Value(word, TextField())
