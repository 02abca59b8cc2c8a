"""Finding calls by what people have in hand: a number, a name, any id of the call.

Every word must be found, as a part of a number or name; an id, or how it begins, alone
will do. At a million calls each way goes through an index (docs/decisions/0011).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
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
# Beyond so many calls a word is looked for from the newest call on, without its index.
COMMON = 20_000
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


def text_q(text: str, calls: QuerySet[Any]) -> Q | None:
    """Return a condition that every word is in the numbers and names of a call.

    None if there is no word that is long enough to look for. For PostgreSQL's index it
    says the same twice, unless so many calls are likely to have the words that those
    the list begins with are found sooner by looking.
    """
    words = words_of(text)
    if not any(len(word) >= GRAM for word in words):
        return None
    contained, indexed = Q(), Q()
    for word in words:
        contained &= Q(search_text__contains=Lower(_text(word)))
        if len(word) >= GRAM:
            indexed &= Q(HoldsGrams("search_text", Lower(_text(word))))
    if connections[calls.db].vendor != "postgresql" or _is_common(calls, indexed):
        return contained
    return contained & indexed


def _is_common(calls: QuerySet[Any], indexed: Q) -> bool:
    """Ask PostgreSQL's planner whether a condition on grams is true of many calls."""
    rows = calls.model._base_manager.using(calls.db)
    plan = json.loads(rows.filter(indexed).values("pk").explain(format="json"))
    return bool(plan[0]["Plan"]["Plan Rows"] > COMMON)


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
    """Return those of `calls` that a search is after.

    What is the id of a call, or begins one, is no name. Ids are looked up beforehand:
    one condition of both kinds could use no index for either.
    """
    ids = _with_id(calls, text.strip())
    if ids and not text.strip().isdigit():
        return calls.filter(pk__in=ids)
    found = text_q(text, calls)
    if ids:
        found = Q(pk__in=ids) | found if found else Q(pk__in=ids)
    return calls.none() if found is None else calls.filter(found)


def calls_with_party(
    calls: QuerySet[Any], text: str, fields: Iterable[str]
) -> QuerySet[Any]:
    """Return calls that have every word in one of `fields`, parts of `search_text`."""
    found = text_q(text, calls)
    if found is None:
        return calls.none()
    return calls.filter(found, holds_text(fields, text))


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
